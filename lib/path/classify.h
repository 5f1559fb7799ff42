/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "burst.h"
#include "copy_bytes.h"

/*
 * classify: the head of each frame is read once into private memory; from there come the decisions,
 * and from there it is later copied on, so that a guest that rewrites its buffer meanwhile changes
 * nothing.
 */

static inline uint32_t tp_head_length(const struct tp_view *view)
{
	return view->length < TP_HEAD_BYTES ? view->length : TP_HEAD_BYTES;
}

/* A head that is spread over several pieces. */
TP_RARE void tp_gather_head(uint8_t *head, const struct tp_view *view, const struct tp_piece *piece)
{
	uint32_t wanted = tp_head_length(view);
	uint32_t have = view->first_length < wanted ? view->first_length : wanted;

	tp_copy_bytes(head, view->data, have);
	for (; have < wanted; piece++) {
		uint32_t part = wanted - have < piece->length ? wanted - have : piece->length;

		tp_copy_bytes(head + have, piece->data, part);
		have += part;
	}
}

/* The private copy of a frame's head. */
static inline void tp_read_head(struct tp_burst *burst, unsigned i)
{
	const struct tp_view *view = &burst->views.view[i];

	if (TP_LIKELY(view->first_length >= tp_head_length(view)))
		tp_copy_bytes(burst->head[i], view->data, tp_head_length(view));
	else
		tp_gather_head(burst->head[i], view, &burst->views.piece[view->first_piece]);
}

/* Is it one of the further addresses of the interface? */
TP_RARE bool tp_is_further_mac(const struct tp_burst *burst, uint64_t mac)
{
	return burst->source->further_macs &&
	       tp_mac_table_find(burst->snapshot->macs, tp_mac_key(burst->source->tenant, mac)) ==
		       burst->interface;
}

/* Which rule of admission to the network does a frame break? The 14 header bytes are private. */
static inline enum tp_drop tp_admission(const struct tp_burst *burst, uint64_t source_mac)
{
	const struct tp_interface *source = burst->source;

	if (TP_LIKELY(source_mac == source->mac) || tp_is_further_mac(burst, source_mac))
		return TP_DROP_NONE;
	if (source->source_mac_check || (source_mac & TP_MAC_MULTICAST))
		return TP_DROP_SOURCE_MAC;
	return TP_DROP_NONE;
}

static inline void tp_classify(struct tp_burst *burst)
{
	for (unsigned i = 0; i < burst->count; i++) {
		struct tp_view *view = &burst->views.view[i];
		uint8_t *head = burst->head[i];

		if (TP_UNLIKELY(view->drop != TP_DROP_NONE))
			continue;
		if (TP_UNLIKELY(view->length < TP_FRAME_MIN)) {
			view->drop = TP_DROP_RUNT;
			continue;
		}
		tp_read_head(burst, i);
		burst->destination_mac[i] = tp_mac_load(head);
		view->drop = tp_admission(burst, tp_mac_load(head + 6));
	}
}
