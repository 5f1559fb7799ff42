/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "ctl/config.h"
#include "state/snapshot.h"
#include "underlay.h"

/*
 * The tenants' networks beyond this host, of a configuration, into a snapshot.
 */

/**
 * @param snapshot   with its tenants; not sealed
 * @param uplinks    one each of config->uplinks
 * @param underlays  who we are below them, and our neighbours there
 * @return 0, or -ENOMEM with *error set; then the caller frees the snapshot.
 */
int tp_compile_networks(struct tp_snapshot *snapshot, const struct tp_config *config,
	struct tp_uplink *const *uplinks, struct tp_underlays *underlays, struct tp_error *error);
