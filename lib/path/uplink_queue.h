/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "burst.h"

/*
 * A worker's queues of uplinks: those whose owner it is. It alone calls their drivers.
 */

/** Which queues the worker owns under a new snapshot. */
void tp_uplinks_take(struct tp_worker *worker);

/** The worker ends: what it keeps at hand of the uplinks' mbufs is others'. */
void tp_uplinks_leave(const struct tp_worker *worker);

/** Frames that came in, a few bursts of each queue at most. @return how many. */
unsigned tp_uplinks_receive(struct tp_worker *worker);

/** Give to the devices what waits for them, as much as they take. */
void tp_uplinks_drain(struct tp_worker *worker);

/** The same for one queue of a running uplink. */
void tp_uplink_drain(struct tp_worker *worker, struct tp_uplink_queue *queue);

/** Serve the pinned rings, as between every two bursts of others, at the time that it is then, and
 * count their frames. sweep.c. */
void tp_worker_serve_pinned(struct tp_worker *worker);

/** How long the worker may sleep, of `most` nanoseconds: frames of an uplink wake nobody. */
uint64_t tp_uplinks_rest(const struct tp_worker *worker, uint64_t most);

/** So much waits that it is worth a call of the driver. */
static inline void tp_uplink_drain_full(struct tp_worker *worker, struct tp_uplink_queue *queue)
{
	uint64_t published = __atomic_load_n(&queue->work.published, __ATOMIC_RELAXED);

	if (published - queue->work.taken >= TP_UPLINK_BURST)
		tp_uplink_drain(worker, queue);
}
