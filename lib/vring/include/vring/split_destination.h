/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "vring/baton.h"
#include "vring/price.h"
#include "vring/split.h"

/*
 * A split virtqueue as a destination, for one worker or for many at the same time.
 *
 *   begin     look how much is free, and what it costs
 *   reserve   read buffers for one frame after the other: private, nobody sees it
 *   commit    make them ours, all or none: the one step that others see
 *   put       fill in used entries, after the frames were copied
 *   publish   let the guest see them
 *
 * What is not committed has left no trace, so giving up is free. While one worker alone writes to a
 * ring (baton == NULL) commit is an addition; while many do, it is a compare-and-swap that fails if
 * another was faster, and publishing follows baton.h. Nobody waits for anybody.
 */

enum tp_reserve {
	TP_RESERVE_ACCEPTED,
	/* Refused for now; nothing has changed: */
	TP_RESERVE_FULL,      /* no buffer is available */
	TP_RESERVE_TOO_DEAR,  /* the price is above the bid */
	TP_RESERVE_OVERTAKEN, /* another worker was faster */
	TP_RESERVE_CROWDED,   /* the burst's pool of pieces is used up: again in the next burst */
	/* Refused for good: */
	TP_RESERVE_TOO_SMALL, /* never fits the buffers that this guest posts; nothing has changed
			       */
	TP_RESERVE_BROKEN,    /* tp_vring_fault says how */
};

/** One attempt to reserve, private to a worker until it is committed. */
struct tp_claim {
	uint64_t first;   /* position of its first buffer */
	uint16_t free;    /* buffers that are available from there on */
	uint16_t limit;   /* of these, how many frames may begin at this price */
	uint16_t buffers; /* taken so far */
	bool fresh;       /* the guest's index was read for this attempt */
	uint8_t fault;    /* enum tp_vring_fault that it came upon */
	uint32_t price;   /* in sixteenths */
};

/* What the guest keeps posted: its high-water mark, which decays by a 64th for each `age`. Racy
 * among many writers, and good enough: each of them writes what it saw. */
static inline void tp_split_note_posted(struct tp_vring *ring, uint16_t posted, uint8_t age)
{
	uint16_t capacity = __atomic_load_n(&ring->capacity, __ATOMIC_RELAXED);

	if (TP_UNLIKELY(posted > capacity)) {
		capacity = posted;
	} else {
		if (TP_LIKELY(__atomic_load_n(&ring->capacity_age, __ATOMIC_RELAXED) == age))
			return;
		capacity -= (uint16_t)((capacity - posted + 63) / 64);
	}
	__atomic_store_n(&ring->capacity, capacity, __ATOMIC_RELAXED);
	__atomic_store_n(&ring->capacity_age, age, __ATOMIC_RELAXED);
}

/* Is what was read still nobody else's? Else it may have been anything. */
static inline bool tp_claim_stands(const struct tp_vring *ring, const struct tp_claim *claim)
{
	if (ring->baton == NULL)
		return true;
	/* acquire: what was read before this is not read after it */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&ring->writers.reserved, __ATOMIC_RELAXED) == claim->first;
}

/* A refusal for good, if it was not a look at what has become another's. */
TP_RARE enum tp_reserve tp_claim_judge(
	struct tp_vring *ring, const struct tp_claim *claim, enum tp_reserve result)
{
	if (!tp_claim_stands(ring, claim))
		return TP_RESERVE_OVERTAKEN;
	if (result == TP_RESERVE_BROKEN)
		tp_vring_break(ring, claim->fault);
	return result;
}

/* What the ring's only writer knows, or finds when it looks. */
static inline enum tp_reserve tp_claim_look(
	struct tp_vring *ring, struct tp_claim *claim, uint8_t age, bool fresh)
{
	uint32_t used;

	claim->first = ring->reserved;
	claim->free = (uint16_t)(ring->avail_seen - ring->reserved);
	claim->fresh = fresh;
	used = (uint32_t)ring->capacity - claim->free;
	/* What it last saw is enough to know that the ring is nearly empty: price 1. */
	if (!fresh && used * 32 < ring->capacity)
		return TP_RESERVE_ACCEPTED;
	tp_split_available(ring, ring->reserved);
	if (TP_UNLIKELY(ring->fault != TP_VRING_SOUND))
		return TP_RESERVE_BROKEN;
	claim->free = (uint16_t)(ring->avail_seen - ring->reserved);
	claim->fresh = true;
	tp_split_note_posted(ring, (uint16_t)(ring->avail_seen - ring->next_avail), age);
	return TP_RESERVE_ACCEPTED;
}

/* What any of many writers finds. */
static inline enum tp_reserve tp_claim_look_shared(
	struct tp_vring *ring, struct tp_claim *claim, uint8_t age)
{
	/* acquire: partner is the release of who committed up to here, having seen the index */
	uint64_t reserved = __atomic_load_n(&ring->writers.reserved, __ATOMIC_ACQUIRE);
	/* acquire: partner is the guest's store of idx after it filled entries and descriptors */
	uint16_t index = __atomic_load_n(&ring->avail->idx, __ATOMIC_ACQUIRE);
	/* after the index: the guest posts a buffer anew only after it saw it published */
	uint64_t published = __atomic_load_n(&ring->writers.published, __ATOMIC_ACQUIRE);
	uint16_t posted = (uint16_t)(index - (uint16_t)published);

	claim->first = reserved;
	claim->fresh = true;
	/* Neither further than the ring is long, nor back behind what was already seen. */
	if (TP_UNLIKELY(posted > ring->size || reserved - published > posted)) {
		claim->fault = TP_VRING_AVAIL_INDEX;
		return tp_claim_judge(ring, claim, TP_RESERVE_BROKEN);
	}
	claim->free = (uint16_t)(index - (uint16_t)reserved);
	tp_split_note_posted(ring, posted, age);
	return TP_RESERVE_ACCEPTED;
}

/**
 * Begin an attempt: how much is free, at what price.
 *
 * @param threshold  of tp_price_threshold: what the bidder can pay
 * @param age        anything that changes slowly with time; at each change the capacity decays
 * @param fresh      do not rely on what was seen before
 * @return TP_RESERVE_ACCEPTED: claim->price is the price and below the bid, frames can be reserved;
 * or why not.
 */
static inline enum tp_reserve tp_claim_begin(
	struct tp_vring *ring, struct tp_claim *claim, uint32_t threshold, uint8_t age, bool fresh)
{
	enum tp_reserve result = ring->baton == NULL ? tp_claim_look(ring, claim, age, fresh)
						     : tp_claim_look_shared(ring, claim, age);
	uint32_t capacity = __atomic_load_n(&ring->capacity, __ATOMIC_RELAXED);
	uint32_t floor;

	claim->buffers = 0;
	if (TP_UNLIKELY(result != TP_RESERVE_ACCEPTED))
		return result;
	if (TP_UNLIKELY(claim->free == 0))
		return TP_RESERVE_FULL;
	if (TP_UNLIKELY(capacity < claim->free))
		capacity = claim->free; /* another writer lets it decay right now */
	floor = tp_price_floor(capacity, threshold);
	claim->price = tp_price(capacity, claim->free);
	if (claim->free < floor)
		return TP_RESERVE_TOO_DEAR;
	claim->limit = (uint16_t)(claim->free - floor + 1);
	return TP_RESERVE_ACCEPTED;
}

/*
 * Take the chain at `head` into a place, piece by piece; *room grows by what it holds.
 * @return TP_RESERVE_ACCEPTED, TP_RESERVE_CROWDED if the pool is full, or TP_RESERVE_BROKEN.
 */
static inline enum tp_reserve tp_split_walk_buffer(const struct tp_vring *ring,
	struct tp_claim *claim, struct tp_places *places, struct tp_place *place, uint16_t head,
	uint32_t need, uint32_t *room)
{
	struct tp_chain chain = tp_chain_begin(ring, head);
	uint32_t gained = 0;

	/* What lies behind the room that is needed is not looked at: it will not be written. But
	 * each chain has to have room for a header (virtio 1.2, 5.1.6.3.1). */
	while (!chain.ended && (*room + gained < need || gained < TP_NET_HEADER)) {
		struct tp_piece piece = {.head = head, .begins = gained == 0};
		enum tp_drop wrong = tp_chain_step(&chain, &piece, VRING_DESC_F_WRITE);

		if (wrong != TP_DROP_NONE) {
			claim->fault = wrong == TP_DROP_BAD_ADDRESS ? TP_VRING_RECEIVE_ADDRESS
								    : TP_VRING_RECEIVE_CHAIN;
			return TP_RESERVE_BROKEN;
		}
		if (places->pieces_used == TP_PIECES)
			return TP_RESERVE_CROWDED;
		if (piece.length > TP_NET_HEADER + TP_FRAME_MAX)
			piece.length = TP_NET_HEADER + TP_FRAME_MAX;
		places->piece[places->pieces_used++] = piece;
		place->pieces++;
		gained += piece.length;
	}
	if (gained < TP_NET_HEADER) {
		claim->fault = TP_VRING_RECEIVE_HEADER;
		return TP_RESERVE_BROKEN;
	}
	*room += gained;
	return TP_RESERVE_ACCEPTED;
}

/* Any buffers: chains of several pieces, frames over several chains (virtio 1.2, 5.1.6.4). */
TP_RARE enum tp_reserve tp_split_reserve_pieces(const struct tp_vring *ring, struct tp_claim *claim,
	uint32_t need, struct tp_places *places, struct tp_place *place)
{
	uint32_t room = 0;

	place->pieces = 0;
	place->buffers = 0;
	place->first_piece = places->pieces_used;
	while (room < need) {
		uint16_t next = (uint16_t)(claim->buffers + place->buffers);
		enum tp_reserve result;
		uint16_t head;

		if ((place->buffers > 0 && !ring->mergeable) || place->buffers == ring->size)
			return TP_RESERVE_TOO_SMALL;
		if (next == claim->free)
			return TP_RESERVE_FULL;
		head = tp_split_avail_entry(ring, (uint16_t)((uint16_t)claim->first + next));
		if (head >= ring->size) {
			claim->fault = TP_VRING_AVAIL_HEAD;
			return TP_RESERVE_BROKEN;
		}
		result = tp_split_walk_buffer(ring, claim, places, place, head, need, &room);
		if (result != TP_RESERVE_ACCEPTED)
			/* A frame that alone needs more than the whole pool will never fit. */
			return result == TP_RESERVE_CROWDED && place->first_piece == 0
				       ? TP_RESERVE_TOO_SMALL
				       : result;
		place->buffers++;
	}
	claim->buffers += place->buffers;
	return TP_RESERVE_ACCEPTED;
}

/* A frame in one buffer, as almost all are. @return false if it needs a closer look. */
TP_FAST bool tp_split_reserve_plain(
	const struct tp_vring *ring, struct tp_claim *claim, uint32_t need, struct tp_place *place)
{
	const uint16_t special = VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE;
	uint16_t head =
		tp_split_avail_entry(ring, (uint16_t)((uint16_t)claim->first + claim->buffers));
	struct vring_desc desc;

	if (TP_UNLIKELY(head >= ring->size))
		return false;
	desc = tp_desc_read(&ring->desc[head]);
	if (TP_UNLIKELY((desc.flags & special) != VRING_DESC_F_WRITE || desc.len < need))
		return false;
	place->data = tp_guest_translate(ring->memory, desc.addr, desc.len);
	place->length = desc.len;
	place->head = head;
	place->buffers = 1;
	place->pieces = 0;
	if (TP_UNLIKELY(place->data == NULL))
		return false;
	claim->buffers++;
	return true;
}

/**
 * reserve: read buffers for one more frame. Writes nothing, neither in guest memory nor to the
 * ring. An attempt that took some buffers before it is refused may be committed as it is.
 *
 * @param length  bytes of the frame, without the virtio-net header
 * @param places  pool for pieces of this burst
 * @param place   filled in when accepted
 */
TP_FAST enum tp_reserve tp_split_reserve(struct tp_vring *ring, struct tp_claim *claim,
	uint32_t length, struct tp_places *places, struct tp_place *place)
{
	uint32_t need = TP_NET_HEADER + length;
	uint16_t pieces_before = places->pieces_used;
	enum tp_reserve result;

	if (TP_UNLIKELY(claim->buffers >= claim->limit))
		return claim->buffers >= claim->free ? TP_RESERVE_FULL : TP_RESERVE_TOO_DEAR;
	if (TP_LIKELY(tp_split_reserve_plain(ring, claim, need, place)))
		return TP_RESERVE_ACCEPTED;
	result = tp_split_reserve_pieces(ring, claim, need, places, place);
	if (result == TP_RESERVE_ACCEPTED)
		return result;
	places->pieces_used = pieces_before;
	return result == TP_RESERVE_FULL || result == TP_RESERVE_CROWDED
		       ? result
		       : tp_claim_judge(ring, claim, result);
}

/** Make what was reserved ours. @return false: another worker was faster, nothing has changed. */
static inline bool tp_claim_commit(struct tp_vring *ring, const struct tp_claim *claim)
{
	uint64_t expected = claim->first;

	if (TP_LIKELY(ring->baton == NULL)) {
		ring->reserved += claim->buffers;
		return true;
	}
	/* 64 bits, so that no number of frames brings an old value back.
	 * release: partner is the acquire load in tp_claim_look_shared */
	return __atomic_compare_exchange_n(&ring->writers.reserved, &expected,
		expected + claim->buffers, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/**
 * publish, first half: write the used entries of a filled place. The guest sees nothing yet.
 *
 * @param index   position of the place's first buffer
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

/* Publish as one of many. */
static inline uint16_t tp_split_publish_shared(
	struct tp_vring *ring, uint64_t first, uint16_t buffers)
{
	uint16_t mask = (uint16_t)(ring->size - 1);
	uint64_t published = first;
	uint16_t next = buffers;

	if (!tp_baton_finish(&ring->baton[first & mask], buffers))
		return 0;
	do {
		tp_baton_clear(&ring->baton[published & mask]);
		published += next;
		/* release: partner is the acquire load in tp_claim_look_shared */
		__atomic_store_n(&ring->writers.published, published, __ATOMIC_RELEASE);
		tp_split_show_used(ring, (uint16_t)published);
		next = tp_baton_pass(&ring->baton[published & mask]);
	} while (next != 0);
	return (uint16_t)(published - first);
}

/**
 * publish, second half: let the guest see what was committed and put, in the order of reservation.
 *
 * @param first    position of the first buffer
 * @param buffers  how many, at least 1
 * @return how many from `first` on the guest can see because of this call: those of other workers
 * that were waiting for these are among them; 0 if these wait for others.
 */
static inline uint16_t tp_split_publish(struct tp_vring *ring, uint64_t first, uint16_t buffers)
{
	if (TP_UNLIKELY(ring->baton != NULL))
		return tp_split_publish_shared(ring, first, buffers);
	ring->next_avail += buffers;
	tp_split_show_used(ring, ring->next_avail);
	return buffers;
}
