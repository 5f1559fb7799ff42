/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "vring/split.h"

/*
 * A split virtqueue as a source: peek, and complete. Threading: the one worker that serves it.
 */

/* Add a piece to a view: its first, or one more in the pool. */
static inline enum tp_drop tp_view_add(
	struct tp_views *views, struct tp_view *view, const struct tp_piece *piece)
{
	if (view->length + (uint64_t)piece->length > TP_FRAME_MAX)
		return TP_DROP_TOO_LONG;
	view->length += piece->length;
	if (view->data == NULL) {
		view->data = piece->data;
		view->first_length = piece->length;
		return TP_DROP_NONE;
	}
	if (views->pieces_used == TP_PIECES)
		return TP_DROP_BAD_CHAIN;
	views->piece[views->pieces_used++] = *piece;
	view->pieces++;
	return TP_DROP_NONE;
}

/* Any layout: the header may share a buffer with the frame or be spread over several
 * (virtio 1.2, 2.7.4). */
TP_RARE enum tp_drop tp_split_walk_frame(
	const struct tp_vring *ring, struct tp_views *views, struct tp_view *view)
{
	struct tp_chain chain = tp_chain_begin(ring, view->head);
	uint32_t header = TP_NET_HEADER;

	while (!chain.ended) {
		struct tp_piece piece;
		enum tp_drop wrong = tp_chain_step(&chain, &piece, 0);
		uint32_t skip;

		if (wrong != TP_DROP_NONE)
			return wrong;
		skip = header < piece.length ? header : piece.length;
		header -= skip;
		piece.data += skip;
		piece.length -= skip;
		if (piece.length == 0)
			continue;
		wrong = tp_view_add(views, view, &piece);
		if (wrong != TP_DROP_NONE)
			return wrong;
	}
	return header == 0 ? TP_DROP_NONE : TP_DROP_BAD_DESCRIPTOR;
}

/* Describe the frame of one chain. @return false if the pool is full: look again in the next burst.
 */
TP_FAST bool tp_split_view(
	const struct tp_vring *ring, struct tp_views *views, struct tp_view *view, bool first)
{
	const struct vring_desc desc = tp_desc_read(&ring->desc[view->head]);
	const uint16_t special = VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE;

	view->pieces = 0;
	view->first_piece = views->pieces_used;
	if (TP_LIKELY(!(desc.flags & special) && desc.len > TP_NET_HEADER &&
		      desc.len <= TP_NET_HEADER + TP_FRAME_MAX)) {
		uint8_t *buffer = tp_guest_translate(ring->memory, desc.addr, desc.len);

		view->data = (uint8_t *)((uintptr_t)buffer + TP_NET_HEADER);
		view->length = view->first_length = desc.len - TP_NET_HEADER;
		view->drop = buffer == NULL ? TP_DROP_BAD_ADDRESS : TP_DROP_NONE;
		return true;
	}
	view->data = NULL;
	view->length = view->first_length = 0;
	view->drop = tp_split_walk_frame(ring, views, view);
	if (view->drop == TP_DROP_BAD_CHAIN && views->pieces_used == TP_PIECES && !first) {
		views->pieces_used = view->first_piece;
		return false;
	}
	return true;
}

/**
 * peek: describe up to `most` available frames, oldest first; consumes nothing.
 *
 * @param views  views->view[0..n) are filled in; a frame that cannot be forwarded has `drop` set
 * @param most   1..TP_BURST
 * @return n; 0 also when the ring is found broken (tp_vring_fault then says how).
 */
static inline unsigned tp_split_peek(struct tp_vring *ring, struct tp_views *views, unsigned most)
{
	uint16_t known = (uint16_t)(ring->avail_seen - ring->next_avail);
	unsigned count;

	if (TP_UNLIKELY(most > TP_BURST))
		most = TP_BURST;
	if (known < most)
		known = tp_split_available(ring, ring->next_avail);
	count = known < most ? known : most;
	for (unsigned i = 0; i < count; i++) {
		uint16_t head = tp_split_avail_entry(ring, (uint16_t)(ring->next_avail + i));

		if (TP_UNLIKELY(head >= ring->size)) {
			tp_vring_break(ring, TP_VRING_AVAIL_HEAD);
			return 0;
		}
		views->view[i].head = head;
		__builtin_prefetch(&ring->desc[head]);
	}
	views->pieces_used = 0;
	for (unsigned i = 0; i < count; i++) {
		if (TP_UNLIKELY(!tp_split_view(ring, views, &views->view[i], i == 0)))
			return i;
		__builtin_prefetch(views->view[i].data);
	}
	return count;
}

/**
 * complete: return the first `count` peeked chains to the guest, in order, nothing written in them.
 * @param view  the oldest of them, as peek described it
 */
static inline void tp_split_complete(
	struct tp_vring *ring, const struct tp_view *view, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		tp_split_write_used(ring, (uint16_t)(ring->next_avail + i), view[i].head, 0);
	ring->next_avail += count;
	tp_split_show_used(ring, ring->next_avail);
}
