/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>
#include <string.h>

#include <rte_ip.h>
#include <rte_udp.h>

#include "base/branch.h"
#include "copy_bytes.h"
#include "state/tunnel.h"

/*
 * vxlan_push: outer headers before a frame, from the tunnel's template (RFC 7348, 5).
 *
 * UDP checksum: 0 over IPv4, as RFC 7348 says it should be. Over IPv6 it is computed: 0 may be sent
 * only where the other side was told to take it (RFC 6935, 5; RFC 6936, 4, 5), and receivers refuse
 * it otherwise, Linux among them.
 */

#define TP_TUNNEL_PORTS 0xc000 /* source ports 49152 to 65535 */

/* The UDP header of outer headers. */
static inline struct rte_udp_hdr *tp_tunnel_udp(const struct tp_tunnel *tunnel, uint8_t *outer)
{
	return (struct rte_udp_hdr *)(outer + tunnel->length - 16);
}

/** The longest inner frame, in bytes, whose IP packet takes no more than `mtu`. */
static inline uint32_t tp_tunnel_room(const struct tp_tunnel *tunnel, uint32_t mtu)
{
	uint32_t overhead = tunnel->ipv6 ? TP_TUNNEL_IPV6 : TP_TUNNEL_IPV4;

	return mtu > overhead ? mtu - overhead : 0;
}

static inline uint16_t tp_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* The two lengths, and what IPv4's checksum becomes by the one that it covers: RFC 1624. */
static inline void tp_put_ipv4_lengths(const struct tp_tunnel *tunnel, uint8_t *to, uint32_t udp)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(to + tunnel->ip);

	ip->total_length = rte_cpu_to_be_16((uint16_t)(udp + sizeof(*ip)));
	ip->hdr_checksum = (uint16_t)~tp_fold((uint64_t)tunnel->sum + ip->total_length);
}

/* The flow label is the entropy that IPv6 offers to routers for it (RFC 6438, 3). */
static inline void tp_put_ipv6_lengths(
	const struct tp_tunnel *tunnel, uint8_t *to, uint32_t udp, uint32_t hash)
{
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)(to + tunnel->ip);

	ip->payload_len = rte_cpu_to_be_16((uint16_t)udp);
	ip->vtc_flow = rte_cpu_to_be_32(6u << 28 | (hash & 0xfffff));
}

/**
 * Write the outer headers of a frame.
 * @param next_hop  MAC of the next hop, not 0
 * @param to        tunnel->length bytes, the frame is to follow
 * @param length    of the frame; with the headers it fits the uplink's MTU
 * @param hash      of its flow, from flow_hash.h
 */
static inline void tp_vxlan_push(const struct tp_tunnel *tunnel, uint64_t next_hop, uint8_t *to,
	uint32_t length, uint32_t hash)
{
	uint32_t udp_length = length + 16;
	struct rte_udp_hdr *udp;

	tp_copy_bytes(to, tunnel->header, tunnel->length);
	memcpy(to, &next_hop, RTE_ETHER_ADDR_LEN);
	if (TP_LIKELY(!tunnel->ipv6))
		tp_put_ipv4_lengths(tunnel, to, udp_length);
	else
		tp_put_ipv6_lengths(tunnel, to, udp_length, hash);
	udp = tp_tunnel_udp(tunnel, to);
	udp->src_port = rte_cpu_to_be_16((uint16_t)(TP_TUNNEL_PORTS | (hash >> 16)));
	udp->dgram_len = rte_cpu_to_be_16((uint16_t)udp_length);
}

/** What the UDP checksum of an IPv6 tunnel's frame covers beside the packet: where a NIC computes
 * the rest, this goes into the checksum's field. */
static inline uint16_t tp_tunnel_pseudo_sum(const struct tp_tunnel *tunnel, uint32_t length)
{
	return tp_fold((uint64_t)tunnel->sum + rte_cpu_to_be_16((uint16_t)(length + 16)));
}

/**
 * Fill in the UDP checksum of an IPv6 tunnel's frame.
 * @param frame   outer headers and frame, in one piece
 * @param length  of the inner frame
 */
static inline void tp_vxlan_checksum(
	const struct tp_tunnel *tunnel, uint8_t *frame, uint32_t length)
{
	struct rte_udp_hdr *udp = tp_tunnel_udp(tunnel, frame);
	uint16_t sum;

	udp->dgram_cksum = 0;
	sum = (uint16_t)~tp_fold(
		(uint64_t)tp_tunnel_pseudo_sum(tunnel, length) + rte_raw_cksum(udp, length + 16));
	/* 0 would say that there is none (RFC 768). */
	udp->dgram_cksum = sum == 0 ? 0xffff : sum;
}
