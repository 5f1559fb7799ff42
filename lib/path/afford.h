/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "burst.h"
#include "cost.h"

/*
 * afford: end a burst with the frame that takes all that the scheduler gave its ring, or all that
 * its interface's rate pays for. There is one at least.
 */

/* @param cost  set to that of the frames that remain */
static inline unsigned tp_afford_cost(const struct tp_views *views, unsigned count,
	const struct tp_tariff *tariff, uint64_t most, uint64_t *cost)
{
	uint64_t spent = 0;
	unsigned i = 0;

	for (; i < count && spent < most; i++)
		spent += tp_cost(tariff, 1, tp_blocks(views->view[i].length));
	*cost = spent;
	return i;
}

TP_RARE unsigned tp_afford_units(
	const struct tp_views *views, unsigned count, const struct tp_shape *shape, uint64_t most)
{
	uint64_t spent = 0;
	unsigned i = 0;

	for (; i < count && spent < most; i++)
		spent += shape->frame_units + (uint64_t)views->view[i].length * shape->byte_units;
	return i;
}

static inline void tp_afford(struct tp_burst *burst, const struct tp_limit *limit)
{
	const struct tp_shape *shape = &burst->source->shape;

	if (TP_UNLIKELY(tp_shaped(shape)))
		burst->count = tp_afford_units(&burst->views, burst->count, shape, limit->units);
	burst->count = burst->affordable = tp_afford_cost(
		&burst->views, burst->count, &burst->snapshot->tariff, limit->cost, &burst->cost);
}

/** What the frames cost that were accepted, which may be fewer. */
static inline uint64_t tp_afford_accepted(const struct tp_burst *burst)
{
	uint64_t cost;

	if (TP_LIKELY(burst->accepted == burst->affordable))
		return burst->cost;
	tp_afford_cost(&burst->views, burst->accepted, &burst->snapshot->tariff, UINT64_MAX, &cost);
	return cost;
}
