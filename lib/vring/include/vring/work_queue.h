/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/branch.h"
#include "vring/baton.h"
#include "vring/price.h"

/*
 * A shared work queue: what a destination is that is not a guest's ring (an uplink's queue, a
 * service). The contract is that of split_destination.h: an attempt is answered "so many accepted
 * at price p" or "refused at price p" and never blocks; what was reserved is filled in and
 * published in the order of reservation, whoever finishes first; a producer that stands still in
 * between delays what is behind it, and nobody else. (rte_ring's producers wait for each other's
 * tail instead.)
 *
 *      taken              published            reserved
 *        |                    |                    |
 *   .....[ to be taken       ][ being filled      ][ free ...............
 *
 * Work requests speculatively enqueued by many producers to one device: Froening, Litz, Bruening
 * 2009. Threading: any number of producers, one consumer. Positions are 64 bits, free-running.
 */

struct tp_work_queue {
	uint32_t size; /* entries: a power of two, up to 32768 */
	void **entry;
	uint16_t *baton;
	uint64_t reserved __attribute__((aligned(64))); /* producers: rw (compare-and-swap) */
	uint64_t published; /* who holds the baton: w (release); consumer: r (acquire) */
	uint64_t taken
		__attribute__((aligned(64))); /* consumer: w (release); producers: r (acquire) */
};

enum tp_work {
	TP_WORK_ACCEPTED,
	TP_WORK_FULL,
	TP_WORK_TOO_DEAR,
	TP_WORK_OVERTAKEN, /* others were faster each time */
};

/** The answer to an attempt. */
struct tp_work_offer {
	uint64_t first; /* position of the first entry */
	uint32_t count; /* entries accepted, as many as the bid pays for */
	uint32_t price; /* in sixteenths, also where it was refused; UINT32_MAX: full */
};

/**
 * Make a queue over memory that the caller owns.
 * @param size   a power of two, 2..32768
 * @param entry  `size` pointers
 * @param baton  `size` words; cleared here
 * @return 0, or -EINVAL for another size. Threading: nobody uses the queue yet.
 */
int tp_work_queue_init(struct tp_work_queue *queue, uint32_t size, void **entry, uint16_t *baton);

/**
 * Try to reserve entries. A refused attempt has changed nothing.
 * @param wanted     1..size; fewer may be accepted
 * @param threshold  of tp_price_threshold: what the bidder can pay
 * @param offer      filled in
 * Threading: any producer; returns after a bounded number of steps whatever others do.
 */
enum tp_work tp_work_queue_reserve(struct tp_work_queue *queue, uint32_t wanted, uint32_t threshold,
	struct tp_work_offer *offer);

/** Fill in the n-th entry of what was accepted. Threading: who reserved it. */
static inline void tp_work_queue_put(
	struct tp_work_queue *queue, const struct tp_work_offer *offer, uint32_t n, void *work)
{
	queue->entry[(offer->first + n) & (queue->size - 1)] = work;
}

/** All of it is filled in: let the consumer see it, at the latest when what is before it is. */
void tp_work_queue_publish(struct tp_work_queue *queue, const struct tp_work_offer *offer);

/**
 * Take what was published.
 * @return how many, up to `most`. Threading: the consumer.
 */
uint32_t tp_work_queue_take(struct tp_work_queue *queue, void **work, uint32_t most);
