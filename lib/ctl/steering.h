/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "appliance_private.h"

/*
 * By which queue of an uplink a tenant's frames should come in: by that of the worker which serves
 * the tenant, so that one worker alone handles it. Any other queue does as well, at a cost: then
 * several workers write to the tenant's receive rings. Wishes follow from the configuration and
 * from who serves whom; flow_rules.h has the device fulfil what it can of them.
 */

/** What tells a tenant's frames from those of others on the wire, as far as a rule can say it. */
enum tp_steering_kind {
	TP_STEER_VLAN, /* number: the 802.1Q tag */
	TP_STEER_VNI,  /* number: of the VXLAN tunnel */
	TP_STEER_NONE, /* nothing does; number: the tenant's index */
};

struct tp_steering_wish {
	enum tp_steering_kind kind;
	uint32_t number;
	uint32_t tenant; /* its index in the configuration */
	uint16_t queue;  /* where `why` is NULL */
	const char *why; /* why no queue is better than the others; NULL: this one is */
};

/** What is known of an uplink's queues: the worker that owns each. */
struct tp_steering_queues {
	uint16_t count;
	uint16_t owner[TP_UPLINK_QUEUES_MAX];
};

/**
 * The wishes of all tenants whose network is on an uplink, in the order of kind and number. None if
 * it has one queue or its file says "steering": "off".
 * @param uplink  its index in the configuration
 * @param places  who serves each tenant
 * @param wishes  becomes a new array; the caller frees it; NULL if there are none
 * @return how many, or -ENOMEM. Threading: any.
 */
int tp_steering_wishes(const struct tp_config *config, uint32_t uplink,
	const struct tp_steering_queues *queues, const struct tp_tenant_place *places,
	struct tp_steering_wish **wishes);

/** Are two wishes about the same frames? As qsort(3) wants it: order of kind, then number. */
int tp_steering_order(const struct tp_steering_wish *a, const struct tp_steering_wish *b);

/**
 * Have the devices of all uplinks steer as is best now. Cheap where nothing has changed.
 * @param most  rules that are made now of each uplink's, since devices may take long for one; the
 * others at the next calls
 * Threading: control thread.
 */
void tp_steering_look(struct tp_appliance *appliance, uint32_t most);

/** At a look that comes again soon, and where nobody waits for the control thread. */
#define TP_STEERING_SOME 64
#define TP_STEERING_ALL  UINT32_MAX
