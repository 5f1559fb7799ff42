/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>

#include "base/error.h"
#include "base/log.h"
#include "ctl/config.h"
#include "neighbour.h"
#include "neighbour_message.h"
#include "state/tunnel.h"

/*
 * Who we are on the network below each uplink that has tunnels, and our neighbours there: remotes,
 * and the gateway. Frames that concern this come from the workers (tp_worker_share.underlay);
 * answers and questions leave by the uplink's queues like any frame; what is found out stands in
 * each neighbour's tp_neighbour, where workers read it. Control thread only.
 */

struct tp_appliance;

struct tp_underlay_neighbour {
	struct tp_address address;
	struct tp_knowledge knowledge;
	struct tp_neighbour *shared; /* with the workers; it never moves */
	uint32_t wanted;             /* by which configuration last */
	struct tp_log_limit news;    /* strangers may have a part in them */
};

/** Of one uplink. */
struct tp_underlay_port {
	const struct tp_uplink_config *config;
	struct tp_station station;
	struct tp_underlay_neighbour *neighbour;
	uint32_t count;
	uint32_t capacity;
	uint32_t echoes; /* that may still be answered in this second */
	uint64_t second;
	struct tp_log_limit conflicts;
	/* for operators */
	uint64_t questions, answers, echoes_answered, ignored, not_sent;
};

struct tp_underlays {
	uint32_t count;
	uint32_t configurations;        /* that were compiled */
	struct tp_underlay_port port[]; /* one an uplink of the configuration */
};

/** After the uplinks are open. @return 0, or -ENOMEM with *error set. */
int tp_underlays_open(struct tp_appliance *appliance, struct tp_error *error);

/** When no worker runs any more. */
void tp_underlays_close(struct tp_appliance *appliance);

/** A configuration is about to be compiled: it will name its next hops. */
void tp_underlays_begin(struct tp_underlays *underlays);

/** The one compiled last is in force, no worker knows another: others' neighbours are forgotten. */
void tp_underlays_change(struct tp_appliance *appliance);

/** Our MAC on an uplink: the device's when it was opened first. */
uint64_t tp_underlay_mac(const struct tp_underlays *underlays, uint32_t uplink);

/**
 * The neighbour by which a remote is reached: itself or the gateway. It is asked for from now on.
 * @return it, or NULL with *error set.
 */
const struct tp_neighbour *tp_underlay_next_hop(struct tp_underlays *underlays, uint32_t uplink,
	const struct tp_address *remote, struct tp_error *error);

/** Answer what came in, ask what is due. */
void tp_underlays_look(struct tp_appliance *appliance);

/** For `show neighbours`. @return a new reference. */
json_t *tp_underlays_show(const struct tp_appliance *appliance);
