/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "burst.h"
#include "vring/price.h"

/*
 * overload: frames of a wire cannot be made to wait. When more come than the worker can handle, the
 * device drops some, whosever they are, unless the worker drops others first, which costs it
 * little. So its time has a price like any room: bursts that come in full, one after the other,
 * are what is occupied of it. Frames for a class that bids less are dropped by name. Those of the
 * class that bids most never are.
 */

#define TP_OVERLOAD_FULL 64 /* full bursts in a row at which all of its time is taken */

/** A burst has come in. */
static inline void tp_overload_note(
	const struct tp_worker *worker, struct tp_uplink_queue *queue, unsigned frames)
{
	const struct tp_snapshot *snapshot = worker->snapshot;

	if (TP_LIKELY(frames < TP_BURST))
		queue->pressure /= 2;
	else if (TP_OVERLOAD_FULL - queue->pressure >
		 tp_price_floor(TP_OVERLOAD_FULL, snapshot->least_threshold))
		queue->pressure++;
}

/** Is a frame for this class worth the time? */
static inline bool tp_overload_admits(
	const struct tp_uplink_queue *queue, const struct tp_class *class)
{
	return TP_OVERLOAD_FULL - queue->pressure >=
	       tp_price_floor(TP_OVERLOAD_FULL, class->threshold);
}
