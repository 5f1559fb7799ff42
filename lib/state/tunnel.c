/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "state/tunnel.h"

#define VNI_VALID 0x08 /* flag I (RFC 7348, 5) */

static uint8_t *put(uint8_t *to, const void *from, size_t length)
{
	memcpy(to, from, length);
	return to + length;
}

static uint8_t *put_ethernet(uint8_t *to, const struct tp_tunnel_parts *parts, uint16_t type)
{
	struct rte_ether_hdr header = {.ether_type = rte_cpu_to_be_16(type)};
	const struct rte_vlan_hdr tag = {
		.vlan_tci = rte_cpu_to_be_16(parts->vlan),
		.eth_proto = rte_cpu_to_be_16(type),
	};

	memcpy(header.src_addr.addr_bytes, &parts->mac, sizeof(header.src_addr));
	if (parts->vlan == 0)
		return put(to, &header, sizeof(header));
	header.ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN);
	return put(put(to, &header, sizeof(header)), &tag, sizeof(tag));
}

/*
 * Not fragmented on the way (RFC 7348, 4.3, wants that), hence no identification is needed (RFC
 * 6864, 4.1). Congestion marks are not carried between the layers: the outer packet says that it
 * cannot be marked (RFC 6040, 4.1, compatibility mode).
 */
static uint8_t *put_ipv4(struct tp_tunnel *tunnel, uint8_t *to, const struct tp_tunnel_parts *parts)
{
	struct rte_ipv4_hdr header = {
		.version_ihl = RTE_IPV4_VHL_DEF,
		.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = TP_UNDERLAY_TTL,
		.next_proto_id = IPPROTO_UDP,
	};

	memcpy(&header.src_addr, parts->local.bytes, sizeof(header.src_addr));
	memcpy(&header.dst_addr, parts->remote.bytes, sizeof(header.dst_addr));
	tunnel->sum = rte_raw_cksum(&header, sizeof(header));
	return put(to, &header, sizeof(header));
}

static uint8_t *put_ipv6(struct tp_tunnel *tunnel, uint8_t *to, const struct tp_tunnel_parts *parts)
{
	struct rte_ipv6_hdr header = {
		.vtc_flow = rte_cpu_to_be_32(6u << 28),
		.proto = IPPROTO_UDP,
		.hop_limits = TP_UNDERLAY_TTL,
	};
	const uint16_t protocol = rte_cpu_to_be_16(IPPROTO_UDP);

	memcpy(header.src_addr, parts->local.bytes, sizeof(header.src_addr));
	memcpy(header.dst_addr, parts->remote.bytes, sizeof(header.dst_addr));
	/* the pseudo-header of RFC 8200, 8.1, without the length */
	tunnel->sum =
		(uint32_t)rte_raw_cksum(header.src_addr, 2 * sizeof(header.src_addr)) + protocol;
	return put(to, &header, sizeof(header));
}

static uint8_t *put_vxlan(uint8_t *to, const struct tp_tunnel_parts *parts)
{
	const struct rte_udp_hdr udp = {.dst_port = rte_cpu_to_be_16(parts->port)};
	const uint32_t words[2] = {
		rte_cpu_to_be_32((uint32_t)VNI_VALID << 24),
		rte_cpu_to_be_32(parts->vni << 8),
	};

	return put(put(to, &udp, sizeof(udp)), words, sizeof(words));
}

void tp_tunnel_make(struct tp_tunnel *tunnel, const struct tp_tunnel_parts *parts)
{
	uint8_t *at = tunnel->header;

	*tunnel = (struct tp_tunnel){
		.ipv6 = parts->remote.length != 4,
		.flood = parts->flood,
		.next_hop = parts->next_hop,
		.remote = parts->remote,
	};
	at = put_ethernet(at, parts, tunnel->ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	tunnel->ip = (uint8_t)(at - tunnel->header);
	at = tunnel->ipv6 ? put_ipv6(tunnel, at, parts) : put_ipv4(tunnel, at, parts);
	at = put_vxlan(at, parts);
	tunnel->length = (uint8_t)(at - tunnel->header);
}

uint32_t tp_tunnels_slots(uint32_t count)
{
	uint32_t slots = 2;

	while (slots <= 2 * count)
		slots *= 2;
	return slots;
}

void tp_tunnels_index(struct tp_tunnels *tunnels)
{
	for (uint32_t i = 0; i < tunnels->count; i++) {
		uint32_t slot = tp_address_hash(&tunnels->tunnel[i].remote);

		while (tunnels->slot[slot & (tunnels->slots - 1)] != 0)
			slot++;
		tunnels->slot[slot & (tunnels->slots - 1)] = (uint16_t)(i + 1);
	}
}
