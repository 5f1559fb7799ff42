/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A frame's way, one burst at a time. Each stage is a file of its name. This file is compiled once
 * for each vector width, TP_FORWARD being the name of the function; the worker chooses at start.
 */

#include "afford.h"
#include "classify.h"
#include "complete.h"
#include "copy.h"
#include "flood.h"
#include "flood_share.h"
#include "lookup.h"
#include "publish.h"
#include "reserve.h"
#include "turn.h"

/* Has peek told of all that the guest has made available? */
static inline bool saw_all(const struct tp_burst *burst, const struct tp_limit *limit)
{
	const struct tp_vring *ring = &burst->pair->tx;

	return burst->count < limit->frames &&
	       (uint16_t)(ring->avail_seen - ring->next_avail) == burst->count;
}

/* The frame that ended the burst, if it was not the last. @return frames completed with it: 0, 1.
 */
static inline unsigned end_burst(struct tp_worker *worker)
{
	struct tp_burst *burst = &worker->burst;

	if (burst->accepted == burst->count)
		return 0;
	if (burst->destination[burst->accepted] < TP_TO_REMOTES) {
		burst->blocked_at = tp_resource_of(burst, burst->destination[burst->accepted]);
		return 0;
	}
	if (!tp_flood_may(worker, burst->pair))
		return 0;
	return tp_flood(worker, burst->accepted);
}

unsigned TP_FORWARD(
	struct tp_worker *worker, const struct tp_poll *poll, const struct tp_limit *limit)
{
	struct tp_burst *burst = &worker->burst;
	unsigned done, peeked;
	bool all;

	if (TP_UNLIKELY(tp_flood_of(worker, &poll->context->pair[poll->pair])))
		return tp_flood_goes_on(worker);
	tp_burst_begin(worker, poll);
	burst->drained = false;
	peeked = burst->count = tp_split_peek(&burst->pair->tx, &burst->views, limit->frames);
	if (burst->count == 0) {
		burst->broken = tp_vring_fault(&burst->pair->tx) != TP_VRING_SOUND;
		return 0;
	}
	all = saw_all(burst, limit);
	tp_afford(burst, limit);
	tp_classify(burst);
	tp_lookup(worker);
	if (TP_UNLIKELY(tp_turn_needed(worker)))
		tp_turn_wait(worker);
	tp_reserve(worker);
	burst->cost = tp_afford_accepted(burst);
	if (burst->accepted > 0) {
		tp_copy(burst);
		tp_publish(worker);
		tp_complete(worker);
	}
	done = burst->accepted + end_burst(worker);
	burst->drained = all && done == peeked;
	return done;
}
