/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "base/branch.h"
#include "flow_hash.h"
#include "state/snapshot.h"
#include "vlan.h"
#include "vxlan_pop.h"
#include "way.h"

/*
 * What makes a guest's frame one of the wire, and back: the only two places that know how networks
 * look there (state/network.h).
 *
 *   encapsulate:  the frame of a guest, in an mbuf with room before it -> as it leaves
 *   decapsulate:  a frame of the wire -> whose it is, and the mbuf begins with the guest's frame
 */

#define TP_MACS        12                /* bytes of the two addresses */
#define TP_WIRE_HEADER TP_TUNNEL_LONGEST /* bytes before a frame at most: more than two tags */

/** The longest frame of a guest of a network, with its header and tags of its own. */
static inline int64_t tp_longest(const struct tp_uplink *uplink, const struct tp_network *network)
{
	return (int64_t)uplink->mtu + TP_FRAME_MIN + network->extra;
}

/* --- Out --- */

static inline void tp_mbuf_grow(struct rte_mbuf *mbuf, uint32_t bytes)
{
	mbuf->data_off -= (uint16_t)bytes;
	mbuf->data_len += (uint16_t)bytes;
	mbuf->pkt_len += bytes;
}

/**
 * May a guest's frame leave by this network? One with a tag that the network does not allow would,
 * behind ours or without any, reach a network that is not its tenant's.
 * @param head    its first bytes
 * @param length  of these, at least 14
 */
static inline enum tp_drop tp_encapsulable(
	const struct tp_network *network, const uint8_t *head, uint32_t length)
{
	return tp_vlan_admits(&network->rule, head, length) ? TP_DROP_NONE : TP_DROP_TAGGED;
}

static inline void tp_put_tags(const struct tp_way *way, struct rte_mbuf *mbuf)
{
	const struct tp_vlan_rule *rule = &way->network->rule;
	uint32_t added = tp_vlan_added(rule);

	if (added == 0)
		return;
	if (rule->service == TP_VLAN_NONE && (way->uplink->offloads & TP_NIC_VLAN_INSERT)) {
		mbuf->vlan_tci = rule->vlan;
		mbuf->ol_flags |= RTE_MBUF_F_TX_VLAN;
		return;
	}
	tp_vlan_push(
		rule, rte_pktmbuf_mtod(mbuf, uint8_t *) - added, rte_pktmbuf_mtod(mbuf, uint8_t *));
	tp_mbuf_grow(mbuf, added);
}

/* Sums that the NIC computes, where it was asked to. */
TP_RARE void tp_ask_for_sums(
	const struct tp_way *way, struct rte_mbuf *mbuf, uint8_t *outer, uint32_t length)
{
	const struct tp_tunnel *tunnel = way->tunnel;

	mbuf->l2_len = tunnel->ip;
	if (!tunnel->ipv6) {
		((struct rte_ipv4_hdr *)(outer + tunnel->ip))->hdr_checksum = 0;
		mbuf->l3_len = sizeof(struct rte_ipv4_hdr);
		mbuf->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
		return;
	}
	tp_tunnel_udp(tunnel, outer)->dgram_cksum = tp_tunnel_pseudo_sum(tunnel, length);
	mbuf->l3_len = sizeof(struct rte_ipv6_hdr);
	mbuf->ol_flags |= RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_UDP_CKSUM;
}

static inline void tp_put_tunnel(
	const struct tp_way *way, struct rte_mbuf *mbuf, const uint8_t *head, uint32_t head_length)
{
	const struct tp_tunnel *tunnel = way->tunnel;
	uint8_t *outer = rte_pktmbuf_mtod(mbuf, uint8_t *) - tunnel->length;
	uint32_t length = mbuf->pkt_len;

	tp_vxlan_push(tunnel, way->next_hop, outer, length, tp_flow_hash(head, head_length));
	tp_mbuf_grow(mbuf, tunnel->length);
	if (TP_UNLIKELY(way->uplink->offloads &
			(tunnel->ipv6 ? TP_NIC_UDP_CHECKSUM : TP_NIC_IPV4_CHECKSUM)))
		tp_ask_for_sums(way, mbuf, outer, length);
	else if (tunnel->ipv6)
		tp_vxlan_checksum(tunnel, outer, length);
}

/**
 * @param mbuf  one segment, the guest's frame; TP_WIRE_HEADER bytes before it are ours
 * @param head  its first bytes, private
 */
static inline void tp_encapsulate(
	const struct tp_way *way, struct rte_mbuf *mbuf, const uint8_t *head, uint32_t head_length)
{
	if (way->tunnel != NULL)
		tp_put_tunnel(way, mbuf, head, head_length);
	else
		tp_put_tags(way, mbuf);
}

/* --- In --- */

/* Take bytes behind the addresses out of a frame. */
static inline void tp_take_out(struct rte_mbuf *mbuf, uint32_t bytes)
{
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);

	memmove(frame + bytes, frame, TP_MACS);
	mbuf->data_off += (uint16_t)bytes;
	mbuf->data_len -= (uint16_t)bytes;
	mbuf->pkt_len -= bytes;
}

/* Has the device verified the outer UDP checksum? Where it has looked into the tunnel, its word on
 * the L4 checksum is of the packet inside. */
static inline bool tp_udp_verified(const struct tp_uplink *uplink, const struct rte_mbuf *mbuf)
{
	if (!(uplink->offloads & TP_NIC_UDP_CHECKSUM))
		return false;
	return (mbuf->packet_type & RTE_PTYPE_TUNNEL_MASK) == 0 &&
	       (mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD;
}

/* The frame in a tunnel, whose outer headers begin the mbuf. */
static inline enum tp_drop tp_take_tunnel(const struct tp_snapshot *snapshot,
	const struct tp_uplink_table *table, struct rte_mbuf *mbuf, struct tp_origin *origin)
{
	const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
	bool verified = tp_udp_verified(table->uplink, mbuf);
	const struct tp_network *network;
	struct tp_packet packet;
	struct tp_inner inner;
	uint32_t tenant, tunnel;
	enum tp_drop drop;

	switch (tp_outer_judge(table->underlay, frame, mbuf->pkt_len, &packet)) {
	case TP_OUTER_REFUSED:
		return packet.drop;
	case TP_OUTER_CONTROL:
		return TP_DROP_FOR_CONTROL;
	case TP_OUTER_UDP:
		break;
	}
	drop = tp_vxlan_pop(&packet, verified, &inner);
	if (drop != TP_DROP_NONE)
		return drop;
	tenant = tp_mac_table_find(table->underlay->tenants, tp_underlay_key(inner.vni));
	if (tenant == TP_NO_INTERFACE)
		return TP_DROP_VXLAN_VNI;
	network = &snapshot->tenants[tenant].network;
	tunnel = tp_tunnel_find(&network->tunnels, &packet.source);
	if (tunnel == TP_TUNNEL_NONE)
		return TP_DROP_VXLAN_REMOTE;
	mbuf->data_off += (uint16_t)(inner.frame - frame);
	mbuf->data_len = (uint16_t)inner.length;
	mbuf->pkt_len = inner.length;
	*origin = (struct tp_origin){.tenant = (uint16_t)tenant, .from = TP_TO_TUNNEL(tunnel)};
	return tp_vlan_accept(&network->rule, inner.frame, inner.length);
}

/* Tags that guests see, or two of ours. A tag that the device has taken off is put on again, for
 * the rule to judge them all. */
TP_RARE enum tp_drop tp_take_tags(
	const struct tp_vlan_rule *rule, struct rte_mbuf *mbuf, bool stripped, uint16_t tag)
{
	enum tp_drop drop;

	if (stripped) {
		uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);

		if (rte_pktmbuf_headroom(mbuf) < TP_TAG_BYTES)
			return TP_DROP_TAGGED;
		memmove(frame - TP_TAG_BYTES, frame, TP_MACS);
		tp_tag_put(frame - TP_TAG_BYTES + TP_MACS,
			rule->service != TP_VLAN_NONE ? RTE_ETHER_TYPE_QINQ : RTE_ETHER_TYPE_VLAN,
			tag);
		tp_mbuf_grow(mbuf, TP_TAG_BYTES);
	}
	drop = tp_vlan_accept(rule, rte_pktmbuf_mtod(mbuf, uint8_t *), mbuf->data_len);
	if (drop == TP_DROP_NONE && tp_vlan_added(rule) > 0)
		tp_take_out(mbuf, tp_vlan_added(rule));
	return drop;
}

/**
 * Whose is a frame of the wire?
 * @param origin  filled in when TP_DROP_NONE is returned
 * @return why it is nobody's; TP_DROP_FOR_CONTROL: it is control's, and its outer tag is off
 */
static inline enum tp_drop tp_decapsulate(const struct tp_snapshot *snapshot,
	const struct tp_uplink_table *table, struct rte_mbuf *mbuf, struct tp_origin *origin)
{
	const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
	bool stripped = (mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0;
	const struct tp_vlan_rule *rule;
	uint16_t type = RTE_ETHER_TYPE_VLAN;
	uint16_t tag = 0; /* with its priority */

	if (mbuf->data_len < TP_FRAME_MIN)
		return TP_DROP_RUNT;
	if (stripped) {
		tag = mbuf->vlan_tci; /* the device has taken the tag out */
	} else if (TP_UNLIKELY(tp_is_tag(tp_load_be16(frame + TP_MACS)))) {
		if (mbuf->data_len < TP_FRAME_MIN + TP_TAG_BYTES)
			return TP_DROP_RUNT;
		type = tp_load_be16(frame + TP_MACS);
		tag = tp_load_be16(frame + TP_MACS + 2);
		/* Priority only (IEEE 802.1Q, 9.6): as without a tag. */
		if ((tag & 0xfff) == 0 && type == RTE_ETHER_TYPE_VLAN)
			tp_take_out(mbuf, TP_TAG_BYTES);
	}
	origin->tenant = table->tenant_of_vlan[tag & 0xfff];
	origin->from = TP_TO_UPLINK(table->uplink->number);
	if (origin->tenant >= TP_UNDERLAY) {
		if (origin->tenant == TP_NO_TENANT || type != RTE_ETHER_TYPE_VLAN)
			return TP_DROP_UNKNOWN_VLAN;
		if (!stripped && (tag & 0xfff) != 0)
			tp_take_out(mbuf, TP_TAG_BYTES);
		if (TP_UNLIKELY(mbuf->next != NULL) && rte_pktmbuf_linearize(mbuf) != 0)
			return TP_DROP_OUTER_MALFORMED;
		return tp_take_tunnel(snapshot, table, mbuf, origin);
	}
	rule = &snapshot->tenants[origin->tenant].network.rule;
	if (TP_UNLIKELY(rule->service != TP_VLAN_NONE || rule->trunk != NULL))
		return tp_take_tags(rule, mbuf, stripped && (tag & 0xfff) != 0, tag);
	if (!stripped && (tag & 0xfff) != 0) {
		if (type != RTE_ETHER_TYPE_VLAN)
			return TP_DROP_TAGGED;
		tp_take_out(mbuf, TP_TAG_BYTES);
	}
	frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
	return tp_is_tag(tp_load_be16(frame + TP_MACS)) ? TP_DROP_TAGGED : TP_DROP_NONE;
}
