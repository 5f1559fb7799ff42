/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "diff.h"

/**
 * Give each class, tenant and interface of a configuration its place in the snapshot: who was there
 * before keeps the one that it has, who comes gets the first that nobody has now, so that nothing
 * is said of a place to two at a time.
 * @return 0, or negative errno with *error set: there are no more places for classes or tenants
 * until those that go are gone. Threading: any.
 */
int tp_places_assign(const struct tp_diff *diff, struct tp_config *config, struct tp_error *error);
