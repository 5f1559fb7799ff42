/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "state/context.h"
#include "state/shape.h"

/*
 * shaper: when an interface may send again, by its rate (the virtual scheduling algorithm of ITU-T
 * I.371, annex A). What is kept of its bucket is the moment at which it is, or was, empty; each
 * frame moves that moment on by the time that the rate takes for it. A frame may be sent unless the
 * bucket is owed something; the last one of a burst leaves a debt, for which the next has to wait.
 * So the rate is exact in the long run, whatever the moments at which it is looked at, as long as
 * these are less than a burst apart.
 *
 * All rings of an interface share its bucket. Nothing waits anywhere but in the guest's ring.
 */

/** May a frame be sent at the TSC `now`? */
static inline bool tp_shaper_pays(const struct tp_bucket *bucket, uint64_t now)
{
	return (int64_t)(now - bucket->empty_at) >= 0;
}

/** Units that a bucket which pays holds, 1 at least. */
static inline uint64_t tp_shaper_units(
	const struct tp_shape *shape, const struct tp_bucket *bucket, uint64_t now)
{
	uint64_t age = now - bucket->empty_at;
	unsigned __int128 units = (unsigned __int128)(age < shape->burst ? age : shape->burst) *
				  shape->units_per_cycle;

	return (uint64_t)(units >> TP_SHAPE_UNIT_BITS) + 1;
}

/** Frames that so many units may be. What is too small a guess is made good in the next burst. */
static inline uint64_t tp_shaper_frames(const struct tp_shape *shape, uint64_t units)
{
	return shape->byte_units ? 1 + units / 256 : units;
}

/** Take frames out of a bucket that paid at `now`. */
static inline void tp_shaper_charge(const struct tp_shape *shape, struct tp_bucket *bucket,
	uint64_t now, unsigned frames, uint64_t bytes)
{
	uint64_t units = frames * shape->frame_units + bytes * shape->byte_units;
	unsigned __int128 cycles = (unsigned __int128)units * shape->cycles_per_unit;

	if ((int64_t)(now - bucket->empty_at) > (int64_t)shape->burst) {
		bucket->empty_at = now - shape->burst;
		bucket->rest = 0;
	}
	cycles += bucket->rest;
	bucket->empty_at += (uint64_t)(cycles >> TP_SHAPE_CYCLE_BITS);
	bucket->rest = (uint32_t)cycles & ((1u << TP_SHAPE_CYCLE_BITS) - 1);
}

/**
 * When it is worth coming back to a bucket that does not pay: when it holds something again, and at
 * high rates a little more than that, so that there is a burst to be had.
 * @param patience  TSC cycles of its rate that may come together
 */
static inline uint64_t tp_shaper_back_at(
	const struct tp_shape *shape, const struct tp_bucket *bucket, uint64_t patience)
{
	return bucket->empty_at + (patience < shape->burst / 2 ? patience : shape->burst / 2);
}

/**
 * Of the rings of an interface with several, the one that was paid for longest ago goes first.
 * @return is there another one before this?
 */
static inline bool tp_shaper_gives_way(
	const struct tp_context *context, const struct tp_ring_pair *ring)
{
	for (uint32_t i = 0; i < context->pair_count; i++) {
		const struct tp_ring_pair *other = &context->pair[i];
		enum tp_residence residence =
			atomic_load_explicit(&other->residence, memory_order_relaxed);

		/* One that waits for something else has no claim on the bucket meanwhile. */
		if (other->queues || other->deficit < 0)
			continue;
		if (other != ring && residence != TP_RESIDENCE_COLD &&
			(int32_t)(other->tried - ring->tried) < 0 && tp_vring_running(&other->tx) &&
			__atomic_load_n(&other->tx.avail->idx, __ATOMIC_RELAXED) !=
				other->tx.next_avail)
			return true;
	}
	return false;
}
