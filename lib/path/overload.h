/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <rte_common.h>

#include "burst.h"
#include "vring/price.h"

/*
 * overload: frames of a wire cannot be made to wait. When more come than the worker can handle, the
 * device drops some, whosever they are, unless the worker drops others first, which costs it
 * little. So its time has a price like any room: what is occupied of it grows with each sweep in
 * which a queue had all the bursts that it may have, and more to give. Frames for a class that bids
 * less are dropped by name. Those of the class that bids most of those behind uplinks never are.
 */

#define TP_OVERLOAD_FULL 64 /* units of a worker's time */
#define TP_OVERLOAD_STEP 4  /* of these, for a sweep that left something */

/** A sweep has taken frames from a queue. @param emptied  all that there was */
static inline void tp_overload_note(
	const struct tp_worker *worker, struct tp_uplink_queue *queue, bool emptied)
{
	uint32_t floor = tp_price_floor(TP_OVERLOAD_FULL, worker->snapshot->least_threshold);
	uint32_t most = floor < TP_OVERLOAD_FULL ? TP_OVERLOAD_FULL - floor : 0;

	if (TP_LIKELY(emptied))
		queue->pressure /= 2;
	else
		queue->pressure = RTE_MIN(queue->pressure + TP_OVERLOAD_STEP, most);
}

/** Is a frame for this class worth the time? */
static inline bool tp_overload_admits(
	const struct tp_uplink_queue *queue, const struct tp_class *class)
{
	return TP_OVERLOAD_FULL - queue->pressure >=
	       tp_price_floor(TP_OVERLOAD_FULL, class->threshold);
}
