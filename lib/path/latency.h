/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "state/context.h"
#include "state/times.h"

/*
 * latency: how long frames were in the switch's hands, from when its worker first saw them in their
 * ring to when they were published. A ring has one mark: frames before an index were there at a
 * time. Once these are taken the next look makes a new mark. So each frame's time is known to
 * within the age of the mark before its own, and no frame carries a time.
 */

/** The worker looks at a ring that has frames, up to the index `available`. */
static inline void tp_latency_see(struct tp_ring_pair *ring, uint16_t available, uint64_t now)
{
	if (ring->seen_at != 0)
		return;
	ring->seen = available;
	ring->seen_at = now;
}

/**
 * A burst has ended.
 * @param first     index of its first frame
 * @param frames    taken from the ring
 * @param dropped   of these, which do not count
 * @param began     TSC at which it began; frames that no mark tells of were first seen then
 * @param ended     TSC
 */
static inline void tp_latency_count(struct tp_times *times, struct tp_ring_pair *ring,
	uint16_t first, unsigned frames, unsigned dropped, uint64_t began, uint64_t ended)
{
	unsigned marked = (uint16_t)(ring->seen - first);
	unsigned counted = frames - dropped;

	if (marked > frames) {
		if (counted > 0)
			tp_times_add(times, ended - ring->seen_at, counted);
		return;
	}
	if (marked > counted)
		marked = counted;
	if (marked > 0)
		tp_times_add(times, ended - ring->seen_at, marked);
	if (counted > marked)
		tp_times_add(times, ended - began, counted - marked);
	ring->seen_at = 0;
}
