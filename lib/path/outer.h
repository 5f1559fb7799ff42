/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include <rte_arp.h>
#include <rte_ether.h>
#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "base/drop.h"
#include "state/underlay.h"
#include "vxlan_push.h"

/*
 * outer: what a frame of the network below is to us, and the first half of decapsulation: Ethernet,
 * IP and UDP headers are checked before anything behind them is believed. Nothing is written. The
 * frame is in an mbuf's memory, which no guest can reach, in one piece.
 */

#define TP_ICMPV6_ECHO          128 /* RFC 4443, 4.1 */
#define TP_ND_SOLICITATION      135 /* RFC 4861, 4.3 */
#define TP_ND_ADVERTISEMENT     136 /* 4.4 */
#define TP_ND_HOPS              255 /* 7.1 */
#define TP_OUTER_SHORTEST       (sizeof(struct rte_udp_hdr) + 8 + RTE_ETHER_HDR_LEN)
#define TP_IPV6_FRAGMENT_HEADER 44 /* RFC 8200, 4.5 */

enum tp_outer {
	TP_OUTER_REFUSED, /* by the reason in tp_packet.drop */
	TP_OUTER_CONTROL, /* control answers it: ARP, neighbour discovery, echo */
	TP_OUTER_UDP,     /* to the port where tunnels come in */
};

/** What was found in a frame. */
struct tp_packet {
	enum tp_drop drop;
	struct tp_address source;
	const uint8_t *udp; /* its header */
	uint32_t length;    /* from there to the packet's end */
	uint32_t sum;       /* of the pseudo-header */
};

static inline enum tp_outer tp_refuse(struct tp_packet *packet, enum tp_drop drop)
{
	packet->drop = drop;
	return TP_OUTER_REFUSED;
}

/* The UDP header is whole, and its length is the packet's. */
static inline enum tp_outer tp_outer_udp(
	const struct tp_underlay *underlay, struct tp_packet *packet)
{
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)packet->udp;

	if (packet->length < sizeof(*udp))
		return tp_refuse(packet, TP_DROP_OUTER_MALFORMED);
	if (udp->dst_port != rte_cpu_to_be_16(underlay->port))
		return tp_refuse(packet, TP_DROP_OUTER_OTHER);
	if (rte_be_to_cpu_16(udp->dgram_len) != packet->length ||
		packet->length < TP_OUTER_SHORTEST)
		return tp_refuse(packet, TP_DROP_OUTER_MALFORMED);
	return TP_OUTER_UDP;
}

/* Header length, total length and sum are right: `header` bytes, then `*length` minus these. */
static inline bool tp_ipv4_sound(
	const struct rte_ipv4_hdr *ip, uint32_t there, uint32_t *header, uint32_t *length)
{
	if (there < sizeof(*ip) || ip->version_ihl >> 4 != 4)
		return false;
	*header = (ip->version_ihl & 15u) * 4;
	*length = rte_be_to_cpu_16(ip->total_length);
	return *header >= sizeof(*ip) && *length >= *header && *length <= there &&
	       rte_raw_cksum(ip, *header) == 0xffff;
}

static inline enum tp_outer tp_outer_ipv4(const struct tp_underlay *underlay, const uint8_t *at,
	uint32_t there, struct tp_packet *packet)
{
	const uint16_t fragment = rte_cpu_to_be_16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)at;
	uint32_t header, length;

	if (!tp_ipv4_sound(ip, there, &header, &length))
		return tp_refuse(packet, TP_DROP_OUTER_MALFORMED);
	if (underlay->address.length != 4 ||
		memcmp(&ip->dst_addr, underlay->address.bytes, sizeof(ip->dst_addr)) != 0)
		return tp_refuse(packet, TP_DROP_OUTER_OTHER);
	if (ip->fragment_offset & fragment)
		return tp_refuse(packet, TP_DROP_OUTER_FRAGMENT);
	packet->source = (struct tp_address){.length = 4};
	memcpy(packet->source.bytes, &ip->src_addr, sizeof(ip->src_addr));
	packet->udp = at + header;
	packet->length = length - header;
	packet->sum = (uint32_t)rte_raw_cksum(&ip->src_addr, 2 * sizeof(ip->src_addr)) +
		      rte_cpu_to_be_16(IPPROTO_UDP);
	if (ip->next_proto_id == IPPROTO_UDP)
		return tp_outer_udp(underlay, packet);
	if (ip->next_proto_id == IPPROTO_ICMP && packet->length >= sizeof(struct rte_icmp_hdr) &&
		*packet->udp == RTE_IP_ICMP_ECHO_REQUEST)
		return TP_OUTER_CONTROL;
	return tp_refuse(packet, TP_DROP_OUTER_OTHER);
}

/* Does an ARP packet name our address? What other stations ask each other is not our business. */
static inline bool tp_arp_concerns_us(
	const struct tp_underlay *underlay, const uint8_t *at, uint32_t there)
{
	const struct rte_arp_ipv4 *pair = &((const struct rte_arp_hdr *)at)->arp_data;

	return there >= sizeof(struct rte_arp_hdr) && underlay->address.length == 4 &&
	       (memcmp(&pair->arp_sip, underlay->address.bytes, 4) == 0 ||
		       memcmp(&pair->arp_tip, underlay->address.bytes, 4) == 0);
}

/* Is it the group in which a station with our address is asked for (RFC 4291, 2.7.1)? */
static inline bool tp_asks_for_us(const struct tp_underlay *underlay, const uint8_t *destination)
{
	static const uint8_t group[13] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};

	return memcmp(destination, group, sizeof(group)) == 0 &&
	       memcmp(destination + 13, underlay->address.bytes + 13, 3) == 0;
}

/* Extension headers are not followed: no endpoint sends any (a fragment's is told apart). */
static inline enum tp_outer tp_outer_ipv6(const struct tp_underlay *underlay, const uint8_t *at,
	uint32_t there, struct tp_packet *packet)
{
	const struct rte_ipv6_hdr *ip = (const struct rte_ipv6_hdr *)at;
	bool ours;

	if (there < sizeof(*ip) || at[0] >> 4 != 6 ||
		rte_be_to_cpu_16(ip->payload_len) > there - sizeof(*ip))
		return tp_refuse(packet, TP_DROP_OUTER_MALFORMED);
	ours = underlay->address.length == 16 &&
	       memcmp(ip->dst_addr, underlay->address.bytes, sizeof(ip->dst_addr)) == 0;
	packet->source = (struct tp_address){.length = 16};
	memcpy(packet->source.bytes, ip->src_addr, sizeof(ip->src_addr));
	packet->udp = at + sizeof(*ip);
	packet->length = rte_be_to_cpu_16(ip->payload_len);
	packet->sum = (uint32_t)rte_raw_cksum(ip->src_addr, 2 * sizeof(ip->src_addr)) +
		      rte_cpu_to_be_16(IPPROTO_UDP);
	if (ip->proto == IPPROTO_UDP && ours)
		return tp_outer_udp(underlay, packet);
	if (ip->proto == TP_IPV6_FRAGMENT_HEADER && ours)
		return tp_refuse(packet, TP_DROP_OUTER_FRAGMENT);
	if (ip->proto != IPPROTO_ICMPV6 || packet->length < 8 || underlay->address.length != 16)
		return tp_refuse(packet, TP_DROP_OUTER_OTHER);
	if (ours && *packet->udp == TP_ICMPV6_ECHO)
		return TP_OUTER_CONTROL;
	/* Who is beyond a router cannot send these (RFC 4861, 3.1). */
	if (ip->hop_limits == TP_ND_HOPS &&
		((ours && *packet->udp == TP_ND_ADVERTISEMENT) ||
			(*packet->udp == TP_ND_SOLICITATION &&
				(ours || tp_asks_for_us(underlay, ip->dst_addr)))))
		return TP_OUTER_CONTROL;
	return tp_refuse(packet, TP_DROP_OUTER_OTHER);
}

/** Is a frame that is TP_OUTER_CONTROL an echo request? Anybody can send these, from anywhere. */
static inline bool tp_outer_is_echo(const uint8_t *frame)
{
	uint16_t type;

	memcpy(&type, frame + 2 * RTE_ETHER_ADDR_LEN, sizeof(type));
	return type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) ||
	       (type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV6) &&
		       frame[RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv6_hdr)] == TP_ICMPV6_ECHO);
}

/**
 * Judge a frame of the network below.
 * @param frame   from its destination MAC on, its tag taken off
 * @param length  of all of it
 * @param packet  filled in, for TP_OUTER_UDP wholly
 */
static inline enum tp_outer tp_outer_judge(const struct tp_underlay *underlay, const uint8_t *frame,
	uint32_t length, struct tp_packet *packet)
{
	const uint8_t *at = frame + RTE_ETHER_HDR_LEN;
	uint64_t destination;
	uint16_t type;

	packet->drop = TP_DROP_NONE;
	if (length < RTE_ETHER_HDR_LEN)
		return tp_refuse(packet, TP_DROP_RUNT);
	destination = tp_mac_load(frame);
	memcpy(&type, frame + 2 * RTE_ETHER_ADDR_LEN, sizeof(type));
	length -= RTE_ETHER_HDR_LEN;
	if (type == rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP) &&
		(destination == underlay->mac || destination == TP_MAC_MASK) &&
		tp_arp_concerns_us(underlay, at, length))
		return TP_OUTER_CONTROL;
	/* The group of RFC 2464, 7, for a neighbour's solicitation; nothing else comes to a group.
	 */
	if (type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV6) &&
		(destination == underlay->mac || (destination & 0xffff) == 0x3333)) {
		enum tp_outer outer = tp_outer_ipv6(underlay, at, length, packet);

		return outer == TP_OUTER_UDP && destination != underlay->mac
			       ? tp_refuse(packet, TP_DROP_OUTER_OTHER)
			       : outer;
	}
	if (type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) && destination == underlay->mac)
		return tp_outer_ipv4(underlay, at, length, packet);
	return tp_refuse(packet, TP_DROP_OUTER_OTHER);
}
