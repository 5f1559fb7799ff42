/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ctl/config.h"
#include "steering.h"

struct rte_flow;
struct tp_device;

/*
 * Rules in a device that lead a tenant's frames to a queue (rte_flow). A device that refuses one,
 * because it cannot match that or has no room, deals these frames out as it does with all others:
 * whoever receives a frame delivers it.
 *
 * When a rule is replaced, frames that wait in the one queue may be overtaken by those that come in
 * by the other. Workers know nothing of rules. Everything here: control thread.
 */

#define TP_FLOWS_OF_A_RULE 3

/** A wish, and what came of it. */
struct tp_flow_rule {
	struct tp_steering_wish wish;
	struct rte_flow *flow[TP_FLOWS_OF_A_RULE]; /* of the device; all or none */
	uint8_t flow_count;                        /* 0: the device does not steer */
	uint16_t queue;                            /* that they lead to */
	char why[96];                              /* it is not as wished, or "" */
};

/** Those of an uplink, in tp_steering_order. All zero: none. */
struct tp_flow_rules {
	struct tp_flow_rule *rule;
	uint32_t count;
	struct rte_flow **ending; /* of rules that nobody wishes any more */
	uint32_t ending_count;
	uint32_t ending_room;
	uint32_t told; /* how many were in force when the log was last told, plus 1 */
	bool more;     /* some are to be ended or made yet */
};

/**
 * Make rules for wishes, replace those that lead elsewhere, and end those that nobody wishes. What
 * was refused is tried again only when another rule has left room, or it leads elsewhere.
 * @param uplink  whose device it is
 * @param wishes  in tp_steering_order, each once
 * @param most    rules that are ended and made now, since a device may take long; the others at the
 * next calls, none being made before all that are to end have ended
 */
void tp_flow_rules_fulfil(struct tp_flow_rules *rules, const struct tp_uplink_config *uplink,
	const struct tp_device *device, const struct tp_steering_wish *wishes, uint32_t count,
	uint32_t most);

/** The device is gone, or about to be closed: its rules go with it. */
void tp_flow_rules_forget(struct tp_flow_rules *rules);

/** How many wishes a device fulfils. */
uint32_t tp_flow_rules_in_force(const struct tp_flow_rules *rules);

/**
 * What a started device can, by making rules and ending them again.
 * @return of TP_CAN_STEER_VLAN, TP_CAN_STEER_VNI, TP_STEER_WANTS_RIGHT (ctl/offloads.h)
 */
uint32_t tp_flow_rules_can(const struct tp_uplink_config *uplink, const struct tp_device *device);
