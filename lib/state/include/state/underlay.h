/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "state/mac_table.h"
#include "state/tunnel.h"

/*
 * What the appliance is on the network below an uplink, where tunnels come in: a station with one
 * address. Immutable.
 */

struct tp_underlay {
	uint64_t mac; /* as tp_mac_load gives it */
	struct tp_address address;
	uint16_t vlan;                /* frames of the network below carry it, 0: untagged */
	uint16_t port;                /* UDP, where tunnels come in */
	struct tp_mac_table *tenants; /* VNI (tp_underlay_key) to tenant, as an index */
};

/** The key of a VNI in tp_underlay.tenants. */
static inline uint64_t tp_underlay_key(uint32_t vni)
{
	return vni;
}
