/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "state/snapshot.h"

/*
 * What makes a guest's frame one of the wire, and back: the only two places that know how networks
 * look there (state/network.h).
 *
 *   encapsulate:  the frame of a guest, in an mbuf with room before it -> as it leaves
 *   decapsulate:  a frame of the wire -> whose it is, and the mbuf begins with the guest's frame
 */

#define TP_MACS 12 /* bytes of the two addresses */
#define TP_TAG  4  /* bytes of a VLAN tag */

/** Does a tag follow the MACs, of any kind that a bridge would act upon? @param frame  14 bytes */
static inline bool tp_is_tagged(const uint8_t *frame)
{
	uint16_t type = (uint16_t)(frame[TP_MACS] << 8 | frame[TP_MACS + 1]);

	return type == RTE_ETHER_TYPE_VLAN || type == RTE_ETHER_TYPE_QINQ ||
	       type == RTE_ETHER_TYPE_QINQ1;
}

/**
 * May a guest's frame leave by this network? One with a tag of its own would, behind ours or
 * without any, reach a network that is not its tenant's.
 * @param frame  its first 14 bytes
 */
static inline enum tp_drop tp_encapsulable(const struct tp_network *network, const uint8_t *frame)
{
	(void)network;
	return tp_is_tagged(frame) ? TP_DROP_TAGGED : TP_DROP_NONE;
}

/** @param mbuf  one segment, the guest's frame; header_length bytes of headroom are ours */
static inline void tp_encapsulate(const struct tp_network *network, struct rte_mbuf *mbuf)
{
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);

	if (network->wire != TP_WIRE_TAGGED)
		return;
	memmove(frame - TP_TAG, frame, TP_MACS);
	memcpy(frame - TP_TAG + TP_MACS, network->header, TP_TAG);
	mbuf->data_off -= TP_TAG;
	mbuf->data_len += TP_TAG;
	mbuf->pkt_len += TP_TAG;
}

/* Take the tag out of a frame. @return its VLAN; 0: priority only (IEEE 802.1Q, 9.6). */
static inline uint16_t tp_pop_tag(struct rte_mbuf *mbuf)
{
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	uint16_t vlan = (uint16_t)((frame[TP_MACS + 2] << 8 | frame[TP_MACS + 3]) & 0xfff);

	memmove(frame + TP_TAG, frame, TP_MACS);
	mbuf->data_off += TP_TAG;
	mbuf->data_len -= TP_TAG;
	mbuf->pkt_len -= TP_TAG;
	return vlan;
}

/**
 * Whose is a frame of the wire?
 * @param tenant  set when TP_DROP_NONE is returned
 * @return why it is nobody's
 */
static inline enum tp_drop tp_decapsulate(
	const struct tp_uplink_table *table, struct rte_mbuf *mbuf, uint16_t *tenant)
{
	const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
	uint16_t vlan = 0;

	if (mbuf->data_len < TP_FRAME_MIN)
		return TP_DROP_RUNT;
	if (mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) {
		vlan = mbuf->vlan_tci & 0xfff; /* the device has taken the tag out */
	} else if (frame[TP_MACS] == 0x81 && frame[TP_MACS + 1] == 0x00) {
		if (mbuf->data_len < TP_FRAME_MIN + TP_TAG)
			return TP_DROP_RUNT;
		vlan = tp_pop_tag(mbuf);
		frame += TP_TAG;
	}
	*tenant = table->tenant_of_vlan[vlan];
	if (*tenant == TP_NO_TENANT)
		return TP_DROP_UNKNOWN_VLAN;
	return tp_is_tagged(frame) ? TP_DROP_TAGGED : TP_DROP_NONE;
}
