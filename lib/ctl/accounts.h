/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "ctl/config.h"

/**
 * Find the numbers of the users and groups that a configuration names.
 *
 * @param error  the JSON path of a name that this machine does not have, and what to do
 * @return 0, or negative errno with *error set. Threading: any.
 */
int tp_accounts_find(struct tp_config *config, struct tp_error *error);
