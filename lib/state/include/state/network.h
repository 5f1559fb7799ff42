/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "state/mac_table.h"
#include "state/tunnel.h"
#include "state/vlan.h"

/*
 * How the frames of a tenant look on an uplink's wire, as the dataplane reads it. What has to be
 * done to a frame is in path/encapsulate.h.
 */

enum tp_wire {
	TP_WIRE_NONE,     /* the tenant has no network beyond this host */
	TP_WIRE_UNTAGGED, /* as the guests' */
	TP_WIRE_TAGGED,   /* with tags of the network, of the guests, or both (IEEE 802.1Q) */
	TP_WIRE_TUNNEL,   /* in VXLAN (RFC 7348) */
};

struct tp_network {
	uint8_t wire;   /* enum tp_wire */
	uint8_t uplink; /* its number in the snapshot */
	/* What a guest's frame may be longer than the uplink's MTU and an Ethernet header: tags;
	 * less, where tunnels or the configuration leave less. */
	int16_t extra;
	struct tp_vlan_rule rule;  /* on the wire; in tunnels, of the frames in them */
	struct tp_tunnels tunnels; /* of TP_WIRE_TUNNEL */
	/* Of TP_WIRE_TUNNEL, where unicast frames go whose place is not known: TP_TO_TUNNEL,
	 * TP_TO_REMOTES or TP_NO_INTERFACE. */
	uint32_t unknown;
};

/** A network whose frames carry a tag that guests do not see. @param vlan 1..4094 */
static inline struct tp_network tp_network_tagged(uint8_t uplink, uint16_t vlan)
{
	return (struct tp_network){
		.wire = TP_WIRE_TAGGED,
		.uplink = uplink,
		.rule = {.vlan = vlan},
	};
}

/** Where unicast frames go whose place is not known, if they are not flooded. */
static inline uint32_t tp_network_unknown(const struct tp_network *network)
{
	if (network->wire == TP_WIRE_NONE)
		return TP_NO_INTERFACE;
	return network->wire == TP_WIRE_TUNNEL ? network->unknown : TP_TO_UPLINK(network->uplink);
}
