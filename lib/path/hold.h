/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "burst.h"

/*
 * hold: for how long the oldest frame of a source ring has waited for room at its destination, and
 * whether that destination has taken anything meanwhile.
 *
 * hold_index is where the destination stood when a frame was last refused there for the first time,
 * or dropped. A ring that waits for another one's turn does not look at the destination, so it may
 * be older than the hold: then a destination counts as alive for one hold more.
 */

/** What a destination tells of itself to those that it refuses. */
struct tp_stand {
	uint16_t *deaf_below; /* see struct tp_vring */
	uint16_t index;       /* moves when it makes room */
};

/** A guest's ring: its guest posts buffers. */
static inline struct tp_stand tp_stand_of_ring(struct tp_vring *ring)
{
	return (struct tp_stand){
		.deaf_below = &ring->deaf_below,
		.index = __atomic_load_n(&ring->avail->idx, __ATOMIC_RELAXED),
	};
}

/** An uplink: the queue's owner takes frames. */
static inline struct tp_stand tp_stand_of_queue(struct tp_uplink_queue *queue)
{
	return (struct tp_stand){
		.deaf_below = &queue->deaf_below,
		.index = (uint16_t)__atomic_load_n(&queue->work.taken, __ATOMIC_RELAXED),
	};
}

/** Where the n-th frame of the burst goes, to one destination. */
static inline struct tp_stand tp_stand_of(const struct tp_worker *worker, unsigned n)
{
	const struct tp_burst *burst = &worker->burst;
	uint32_t destination = burst->destination[n];

	if (destination < TP_FIRST_UPLINK)
		return tp_stand_of_ring(burst->ring[n]);
	destination = tp_resource_of(burst, destination) - TP_FIRST_UPLINK;
	return tp_stand_of_queue(
		tp_uplink_queue_of(burst->snapshot->uplinks[destination].uplink, worker->index));
}

/** Is the destination deaf to such a bid? */
static inline bool tp_stand_deaf(const struct tp_stand *stand, uint32_t bid)
{
	return __atomic_load_n(stand->deaf_below, __ATOMIC_RELAXED) > bid;
}
