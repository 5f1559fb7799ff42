/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "appliance_private.h"
#include "flow_rules.h"
#include "uplink_device.h"

/*
 * Uplinks at work: their devices, what workers share of them, and what becomes of them. A device
 * may go away; its uplink stays and drops by name, and is tried again until the device is back.
 * Everything here: control thread.
 */

struct tp_uplink_port {
	const struct tp_uplink_config *config;
	struct tp_uplink *uplink;
	struct tp_device device;
	bool open;                  /* the device is */
	struct tp_flow_rules rules; /* of the device, while it is open */
	struct rte_mempool *pool;
	uint64_t tried_ms; /* when the device was last looked for */
	char reason[160];  /* why it is away, or "" */
};

struct tp_uplinks_control {
	uint32_t count;
	uint64_t looked_ms;
	uint32_t workers_most;     /* for which there are mbufs */
	struct tp_uplink **uplink; /* as the snapshot takes them */
	struct tp_uplink_port port[];
};

/** Open and start the devices of the configuration. @return 0, or negative errno with *error set.
 * @param nodes  of the workers */
int tp_uplinks_open(struct tp_appliance *appliance, const int *nodes, struct tp_error *error);

/** The opposite, when no worker runs any more; also after a failed or no tp_uplinks_open. */
void tp_uplinks_close(struct tp_appliance *appliance);

/** Look whether devices and links are there, and act on it. */
void tp_uplinks_look(struct tp_appliance *appliance);

/** Another configuration is in force, with the same uplinks in the same order. */
void tp_uplinks_change(struct tp_appliance *appliance);

/** There are other workers, which have not begun yet: which of them owns which queue. */
void tp_uplinks_deal_out(struct tp_appliance *appliance);

/**
 * Wait until what has been accepted so far is sent, so that what follows by another worker's queue
 * does not overtake it; not for long: a wire that takes nothing is not waited for.
 */
void tp_uplinks_settle(struct tp_appliance *appliance);

/** Forget what was learned behind an uplink. learning.c. */
void tp_forget_beyond(struct tp_appliance *appliance, uint32_t uplink);
