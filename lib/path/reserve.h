/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "afford.h"
#include "burst.h"
#include "charge.h"
#include "refuse.h"
#include "uplink_send.h"

/*
 * reserve: claim room at each frame's destination, in the order of the source ring, up to the first
 * frame that is refused and held, or that has many destinations (flood.h takes it). Frames before
 * that are accepted or have a reason to be dropped; they will be completed. Those from it on stay
 * in the ring.
 *
 * Neighbouring frames to one ring are reserved in one attempt, at one price. Each attempt is
 * private until it is committed, so one that fails has left no trace.
 */

#define TP_ATTEMPTS 4 /* in a row, while other workers are faster */

/* --- Accepted --- */

/* The target to which a claim adds, or a new one. */
static inline struct tp_target *tp_target_of(
	struct tp_burst *burst, unsigned i, const struct tp_claim *claim)
{
	struct tp_vring *ring = burst->ring[i];
	/* Contexts lie a multiple of 64 bytes apart. */
	uint8_t *slot =
		&burst->target_slot[((uintptr_t)ring / 64 * 0x9e3779b1u >> 16) % TP_TARGET_SLOTS];
	struct tp_target *target = &burst->target[*slot];

	if (TP_LIKELY(*slot < burst->targets && target->ring == ring &&
		      target->first + target->buffers == claim->first))
		return target;
	*slot = (uint8_t)burst->targets;
	target = &burst->target[burst->targets++];
	*target = (struct tp_target){
		.ring = ring,
		.context = burst->snapshot->interfaces[burst->destination[i]].context,
		.first = claim->first,
	};
	return target;
}

/* Frames from i to end are committed. */
TP_FAST void tp_accept(
	struct tp_burst *burst, unsigned i, unsigned end, const struct tp_claim *claim)
{
	struct tp_target *target = tp_target_of(burst, i, claim);
	uint8_t index = (uint8_t)(target - burst->target);
	struct tp_vring *ring = target->ring;
	struct tp_sizes sizes = burst->sizes;

	if (TP_UNLIKELY(end - i != burst->affordable))
		sizes = tp_sizes_of(&burst->views, i, end);
	target->frames += end - i;
	target->bytes += sizes.bytes;
	target->buffers += claim->buffers;
	burst->sent += end - i;
	for (unsigned n = i; n < end; n++) {
		burst->target_of[n] = index;
		__builtin_prefetch(burst->places.place[n].data, 1);
	}
	tp_charge_attempt(burst, end - i, sizes.blocks, claim->price);
	if (TP_UNLIKELY(__atomic_load_n(&ring->deaf_below, __ATOMIC_RELAXED) > burst->class->bid))
		__atomic_store_n(&ring->deaf_below, (uint16_t)burst->class->bid, __ATOMIC_RELAXED);
}

/* --- One attempt --- */

/* Reserve for frames from *end on that go to the same ring. */
TP_FAST enum tp_reserve tp_reserve_run(
	struct tp_burst *burst, struct tp_vring *ring, struct tp_claim *claim, unsigned *end)
{
	for (; *end < burst->count && burst->ring[*end] == ring; (*end)++) {
		enum tp_reserve result = tp_split_reserve(ring, claim,
			burst->views.view[*end].length, &burst->places, &burst->places.place[*end]);

		if (TP_UNLIKELY(result != TP_RESERVE_ACCEPTED))
			return result;
	}
	return TP_RESERVE_ACCEPTED;
}

/*
 * Reserve for frames from *next on; *next moves behind those that are accepted.
 * @return TP_RESERVE_ACCEPTED if any was, or what became of the first.
 */
static inline enum tp_reserve tp_reserve_some(struct tp_burst *burst, unsigned *next)
{
	struct tp_vring *ring = burst->ring[*next];
	uint16_t pieces_before = burst->places.pieces_used;
	enum tp_reserve result = TP_RESERVE_OVERTAKEN;
	struct tp_claim claim;

	for (unsigned attempt = 0; attempt < TP_ATTEMPTS; attempt++) {
		unsigned end = *next;

		result = tp_claim_begin(
			ring, &claim, burst->class->threshold, burst->age, attempt > 0);
		if (TP_LIKELY(result == TP_RESERVE_ACCEPTED))
			result = tp_reserve_run(burst, ring, &claim, &end);
		if (TP_LIKELY(end > *next)) {
			if (TP_LIKELY(tp_claim_commit(ring, &claim))) {
				tp_accept(burst, *next, end, &claim);
				*next = end;
				burst->broken |= tp_vring_fault(ring) != TP_VRING_SOUND;
				return TP_RESERVE_ACCEPTED;
			}
			result = TP_RESERVE_OVERTAKEN;
		} else if (claim.fresh && result != TP_RESERVE_OVERTAKEN) {
			break;
		}
		burst->places.pieces_used = pieces_before;
		if (result == TP_RESERVE_OVERTAKEN)
			tp_counter_add_if(&burst->context->counters.value[TP_COUNTER_RETRIES], 1,
				burst->context->spread);
	}
	burst->broken |= result == TP_RESERVE_BROKEN;
	return result;
}

/* --- The burst --- */

TP_RARE enum tp_drop tp_refused_by_ring(struct tp_burst *burst, unsigned i, enum tp_reserve result)
{
	struct tp_stand stand = tp_stand_of_ring(burst->ring[i]);

	return tp_refused(burst, i, result, &stand);
}

/* One frame, or more. @return false if the burst ends before it. */
TP_FAST bool tp_reserve_next(struct tp_worker *worker, unsigned *next, bool *held)
{
	struct tp_burst *burst = &worker->burst;
	struct tp_view *view = &burst->views.view[*next];
	enum tp_reserve result;

	if (TP_UNLIKELY(view->drop != TP_DROP_NONE)) {
		(*next)++;
		return true;
	}
	if (TP_UNLIKELY(burst->destination[*next] >= TP_FIRST_UPLINK))
		return burst->destination[*next] < TP_TO_REMOTES &&
		       tp_uplink_reserve_next(worker, next, held);
	result = tp_reserve_some(burst, next);
	if (TP_LIKELY(result == TP_RESERVE_ACCEPTED))
		return true;
	if (TP_UNLIKELY(result == TP_RESERVE_CROWDED)) {
		burst->count = *next; /* the rest is looked at in the next burst */
		return false;
	}
	if (result == TP_RESERVE_TOO_SMALL)
		view->drop = TP_DROP_DESTINATION_TOO_SMALL;
	else if (result == TP_RESERVE_BROKEN)
		view->drop = TP_DROP_DESTINATION_DOWN;
	else
		view->drop = tp_refused_by_ring(burst, *next, result);
	*held = view->drop == TP_DROP_NONE;
	*next += !*held;
	return !*held;
}

static inline void tp_reserve(struct tp_worker *worker)
{
	struct tp_burst *burst = &worker->burst;
	bool held = false;
	unsigned i = 0;

	burst->targets = 0;
	burst->runs = 0;
	burst->sent = 0;
	burst->places.pieces_used = 0;
	while (i < burst->count && tp_reserve_next(worker, &i, &held))
		;
	burst->accepted = i;
	/* The next oldest frame's time has not begun. Where no frame is left in the burst, the
	 * oldest one waits for another ring's turn (turn.h). */
	if (!held && burst->count > 0)
		burst->pair->hold_since = 0;
}
