/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "base/branch.h"
#include "vring/chain.h"
#include "vring/view.h"
#include "vring/vring.h"

/*
 * The four verbs on a split virtqueue (virtio 1.2, 2.7), for the worker that owns the ring.
 *
 *   source:       peek -> ... -> complete           destination:  reserve -> ... -> publish
 *
 * peek and reserve read each available entry and each descriptor once, into private memory, and
 * write nothing. Only complete and publish write to the ring, and the index that makes the writes
 * visible goes last, once a burst.
 */

/** Look for available entries beyond those known. @return how many are known now from `from` on. */
static inline uint16_t tp_split_available(struct tp_vring *ring, uint16_t from)
{
	/* acquire: partner is the guest's store of idx after it filled entries and descriptors */
	uint16_t index = __atomic_load_n(&ring->avail->idx, __ATOMIC_ACQUIRE);

	/* Neither further than the ring is long, nor back behind what was already seen. */
	if (TP_UNLIKELY((uint16_t)(index - ring->next_avail) > ring->size ||
			(uint16_t)(index - ring->next_avail) <
				(uint16_t)(ring->avail_seen - ring->next_avail))) {
		tp_vring_break(ring, TP_VRING_AVAIL_INDEX);
		return 0;
	}
	ring->avail_seen = index;
	return (uint16_t)(index - from);
}

static inline uint16_t tp_split_avail_entry(const struct tp_vring *ring, uint16_t index)
{
	return __atomic_load_n(&ring->avail->ring[index & (ring->size - 1)], __ATOMIC_RELAXED);
}

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

static inline void tp_split_write_used(
	struct tp_vring *ring, uint16_t index, uint16_t head, uint32_t length)
{
	struct vring_used_elem *element = &ring->used->ring[index & (ring->size - 1)];

	/* One store; the guest does not look before the index moves. */
	__atomic_store_n((uint64_t *)element, head | (uint64_t)length << 32, __ATOMIC_RELAXED);
}

static inline void tp_split_move_used(struct tp_vring *ring, uint16_t count)
{
	ring->used_index += count;
	/* release: partner is the guest's load of idx before it reads entries and buffers */
	__atomic_store_n(&ring->used->idx, ring->used_index, __ATOMIC_RELEASE);
}

/**
 * complete: return the first `count` peeked chains to the guest, in order, nothing written in them.
 * @param view  the oldest of them, as peek described it
 */
static inline void tp_split_complete(
	struct tp_vring *ring, const struct tp_view *view, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		tp_split_write_used(ring, (uint16_t)(ring->used_index + i), view[i].head, 0);
	ring->next_avail += count;
	ring->reserved = ring->next_avail;
	tp_split_move_used(ring, (uint16_t)count);
}

enum tp_reserve {
	TP_RESERVE_ACCEPTED,
	TP_RESERVE_REFUSED,   /* no room now; nothing has changed */
	TP_RESERVE_TOO_SMALL, /* never fits the buffers that this guest posts; nothing has changed
			       */
	TP_RESERVE_BROKEN,    /* tp_vring_fault says how */
};

/*
 * Take the chain at `head` into a place, piece by piece; *room grows by what it holds.
 * @return TP_RESERVE_ACCEPTED, TP_RESERVE_REFUSED if the pool is full, or TP_RESERVE_BROKEN.
 */
static inline enum tp_reserve tp_split_walk_buffer(struct tp_vring *ring, struct tp_places *places,
	struct tp_place *place, uint16_t head, uint32_t need, uint32_t *room)
{
	struct tp_chain chain = tp_chain_begin(ring, head);
	uint32_t gained = 0;

	/* What lies behind the room that is needed is not looked at: it will not be written. */
	while (!chain.ended && *room + gained < need) {
		struct tp_piece piece = {.head = head, .begins = gained == 0};
		enum tp_drop wrong = tp_chain_step(&chain, &piece, VRING_DESC_F_WRITE);

		if (wrong != TP_DROP_NONE) {
			tp_vring_break(ring, wrong == TP_DROP_BAD_ADDRESS ? TP_VRING_RECEIVE_ADDRESS
									  : TP_VRING_RECEIVE_CHAIN);
			return TP_RESERVE_BROKEN;
		}
		if (places->pieces_used == TP_PIECES)
			return TP_RESERVE_REFUSED;
		if (piece.length > TP_NET_HEADER + TP_FRAME_MAX)
			piece.length = TP_NET_HEADER + TP_FRAME_MAX;
		places->piece[places->pieces_used++] = piece;
		place->pieces++;
		gained += piece.length;
	}
	if (gained < TP_NET_HEADER) {
		tp_vring_break(ring, TP_VRING_RECEIVE_HEADER);
		return TP_RESERVE_BROKEN;
	}
	*room += gained;
	return TP_RESERVE_ACCEPTED;
}

/* Any buffers: chains of several pieces, frames over several chains (virtio 1.2, 5.1.6.4). */
TP_RARE enum tp_reserve tp_split_reserve_pieces(
	struct tp_vring *ring, uint32_t need, struct tp_places *places, struct tp_place *place)
{
	uint32_t room = 0;

	place->pieces = 0;
	place->buffers = 0;
	place->first_piece = places->pieces_used;
	while (room < need) {
		uint16_t next = (uint16_t)(ring->reserved + place->buffers);
		enum tp_reserve result;
		uint16_t head;

		if ((place->buffers > 0 && !ring->mergeable) || place->buffers == ring->size)
			return TP_RESERVE_TOO_SMALL;
		if (next == ring->avail_seen && tp_split_available(ring, next) == 0)
			return ring->fault == TP_VRING_SOUND ? TP_RESERVE_REFUSED
							     : TP_RESERVE_BROKEN;
		head = tp_split_avail_entry(ring, next);
		if (head >= ring->size) {
			tp_vring_break(ring, TP_VRING_AVAIL_HEAD);
			return TP_RESERVE_BROKEN;
		}
		result = tp_split_walk_buffer(ring, places, place, head, need, &room);
		if (result != TP_RESERVE_ACCEPTED)
			/* A frame that alone needs more than the whole pool will never fit. */
			return result == TP_RESERVE_REFUSED && place->first_piece == 0
				       ? TP_RESERVE_TOO_SMALL
				       : result;
		place->buffers++;
	}
	ring->reserved += place->buffers;
	return TP_RESERVE_ACCEPTED;
}

/**
 * reserve: claim buffers of a destination ring for one frame. An attempt that is not accepted
 * leaves no trace, neither in guest memory nor here.
 *
 * @param length  bytes of the frame, without the virtio-net header
 * @param places  pool for pieces of this burst
 * @param place   filled in when accepted
 */
TP_FAST enum tp_reserve tp_split_reserve(
	struct tp_vring *ring, uint32_t length, struct tp_places *places, struct tp_place *place)
{
	const uint16_t special = VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE;
	uint32_t need = TP_NET_HEADER + length;
	uint16_t pieces_before = places->pieces_used;
	enum tp_reserve result;
	struct vring_desc desc;
	uint16_t head;

	if (ring->reserved == ring->avail_seen && tp_split_available(ring, ring->reserved) == 0)
		return ring->fault == TP_VRING_SOUND ? TP_RESERVE_REFUSED : TP_RESERVE_BROKEN;
	head = tp_split_avail_entry(ring, ring->reserved);
	if (TP_UNLIKELY(head >= ring->size)) {
		tp_vring_break(ring, TP_VRING_AVAIL_HEAD);
		return TP_RESERVE_BROKEN;
	}
	desc = tp_desc_read(&ring->desc[head]);
	if (TP_LIKELY((desc.flags & special) == VRING_DESC_F_WRITE && desc.len >= need)) {
		place->data = tp_guest_translate(ring->memory, desc.addr, desc.len);
		place->length = desc.len;
		place->head = head;
		place->buffers = 1;
		place->pieces = 0;
		if (TP_UNLIKELY(place->data == NULL)) {
			tp_vring_break(ring, TP_VRING_RECEIVE_ADDRESS);
			return TP_RESERVE_BROKEN;
		}
		ring->reserved++;
		return TP_RESERVE_ACCEPTED;
	}
	result = tp_split_reserve_pieces(ring, need, places, place);
	if (result != TP_RESERVE_ACCEPTED)
		places->pieces_used = pieces_before;
	return result;
}

/**
 * Abort: give back what was reserved and not published, newest first. Free, since no guest saw it.
 * @param buffers  chains to give back, the sum of the places' `buffers`
 */
static inline void tp_split_abort(struct tp_vring *ring, uint16_t buffers)
{
	ring->reserved -= buffers;
}

/**
 * publish, first half: write the used entries of a filled place. The guest sees nothing yet.
 *
 * @param index   used index of the place's first buffer: used_index plus buffers put before it
 * @param length  bytes of the frame
 * @return buffers written, to be added to the index of the next place in this ring
 */
TP_FAST uint16_t tp_split_put(struct tp_vring *ring, uint16_t index, const struct tp_places *places,
	const struct tp_place *place, uint32_t length)
{
	uint32_t left = TP_NET_HEADER + length;
	const struct tp_piece *piece = &places->piece[place->first_piece];
	uint16_t written = 0;

	if (TP_LIKELY(place->pieces == 0)) {
		tp_split_write_used(ring, index, place->head, left);
		return 1;
	}
	for (unsigned i = 0; i < place->pieces; written++) {
		uint16_t head = piece[i].head;
		uint32_t in_chain = 0;

		do {
			uint32_t part = piece[i].length < left ? piece[i].length : left;

			in_chain += part;
			left -= part;
			i++;
		} while (i < place->pieces && !piece[i].begins);
		tp_split_write_used(ring, (uint16_t)(index + written), head, in_chain);
	}
	return written;
}

/**
 * publish, second half: make `buffers` put entries visible to the guest, in the order of
 * reservation.
 */
static inline void tp_split_publish(struct tp_vring *ring, uint16_t buffers)
{
	ring->next_avail += buffers;
	tp_split_move_used(ring, buffers);
}

/**
 * Does the guest want to be notified of what became used since the last time it was asked?
 * The caller has put a full fence between the last publish or complete and this
 * (virtio 1.2, 2.7.7.2).
 */
static inline bool tp_split_call_wanted(struct tp_vring *ring)
{
	uint16_t before = ring->called_at;
	uint16_t now = ring->used_index;

	ring->called_at = now;
	if (ring->call_fd < 0)
		return false;
	if (ring->event_idx) {
		uint16_t event = __atomic_load_n(&ring->avail->ring[ring->size], __ATOMIC_RELAXED);

		return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
	}
	return !(__atomic_load_n(&ring->avail->flags, __ATOMIC_RELAXED) &
		 VRING_AVAIL_F_NO_INTERRUPT);
}
