/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <assert.h>
#include <stdint.h>

/*
 * How the frames of a tenant look on an uplink's wire, as the dataplane reads it. What has to be
 * done to a frame is in path/encapsulate.h; a further kind of network is a value of tp_wire, its
 * header, and a case in each of the two functions there.
 */

#define TP_WIRE_HEADER 64 /* bytes of a header at most */

enum tp_wire {
	TP_WIRE_NONE,     /* the tenant has no network beyond this host */
	TP_WIRE_UNTAGGED, /* as the guests' */
	TP_WIRE_TAGGED,   /* with a VLAN tag behind the MACs (IEEE 802.1Q) */
};

struct tp_network {
	uint8_t wire;                   /* enum tp_wire */
	uint8_t uplink;                 /* its number in the snapshot */
	uint8_t header_length;          /* bytes that a frame grows by */
	uint8_t header[TP_WIRE_HEADER]; /* these, as they lie on the wire */
};

/** The VLAN of a network, 0: its frames carry no tag. */
static inline uint16_t tp_network_vlan(const struct tp_network *network)
{
	return network->wire == TP_WIRE_TAGGED
		       ? (uint16_t)((network->header[2] << 8 | network->header[3]) & 0xfff)
		       : 0;
}

/** A network whose frames carry a tag. @param vlan 1..4094 */
static inline struct tp_network tp_network_tagged(uint8_t uplink, uint16_t vlan)
{
	return (struct tp_network){
		.wire = TP_WIRE_TAGGED,
		.uplink = uplink,
		.header_length = 4,
		.header = {0x81, 0x00, (uint8_t)(vlan >> 8), (uint8_t)vlan},
	};
}
