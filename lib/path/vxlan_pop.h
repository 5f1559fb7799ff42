/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "outer.h"

/*
 * vxlan_pop: from a UDP packet to the tenant, the tunnel and the frame in it. A frame is believed
 * to be a tenant's only if it names a VNI that this uplink serves and comes from an endpoint which
 * that tenant has: neither a VNI nor an address alone is enough.
 *
 * A UDP checksum of 0 is taken as RFC 7348, 5, says (over IPv6 by RFC 6935, 5, since the port is a
 * tunnel's and the endpoints are known); another one is verified, unless the NIC did.
 */

#define TP_VXLAN_VALID 0x08 /* flag I; the others are ignored on receipt (RFC 7348, 5) */

/** The frame that a packet carries. */
struct tp_inner {
	const uint8_t *frame;
	uint32_t length;
	uint32_t vni;
};

static inline bool tp_udp_sound(const struct tp_packet *packet)
{
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)packet->udp;

	return udp->dgram_cksum == 0 ||
	       tp_fold((uint64_t)packet->sum + rte_cpu_to_be_16((uint16_t)packet->length) +
		       rte_raw_cksum(packet->udp, packet->length)) == 0xffff;
}

/** The tunnel to an address, or TP_TUNNEL_NONE. */
static inline uint32_t tp_tunnel_find(
	const struct tp_tunnels *tunnels, const struct tp_address *address)
{
	uint32_t slot = tp_address_hash(address);
	uint16_t found;

	while ((found = tunnels->slot[slot++ & (tunnels->slots - 1)]) != 0)
		if (tp_address_equal(&tunnels->tunnel[found - 1].remote, address))
			return found - 1u;
	return TP_TUNNEL_NONE;
}

/**
 * Open a packet that tp_outer_judge found to be UDP for tunnels.
 * @param verified  the NIC has checked its UDP checksum
 * @param inner     frame, length and VNI, of a packet that is not dropped
 * @return why it is dropped, or TP_DROP_NONE.
 */
static inline enum tp_drop tp_vxlan_pop(
	const struct tp_packet *packet, bool verified, struct tp_inner *inner)
{
	const uint8_t *vxlan = packet->udp + sizeof(struct rte_udp_hdr);

	if (!(vxlan[0] & TP_VXLAN_VALID))
		return TP_DROP_VXLAN_FLAGS;
	inner->vni = (uint32_t)vxlan[4] << 16 | (uint32_t)vxlan[5] << 8 | vxlan[6];
	inner->frame = vxlan + 8;
	inner->length = packet->length - sizeof(struct rte_udp_hdr) - 8;
	if (!verified && !tp_udp_sound(packet))
		return TP_DROP_OUTER_CHECKSUM;
	return TP_DROP_NONE;
}
