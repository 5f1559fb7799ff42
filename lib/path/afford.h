/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "burst.h"
#include "cost.h"

/*
 * afford: end a burst with the frame that takes all that the scheduler gave its ring, or all that
 * its interface's rate pays for. There is one at least.
 */

/* Frames from `first` to `end`. */
static inline struct tp_sizes tp_sizes_of(
	const struct tp_views *views, unsigned first, unsigned end)
{
	struct tp_sizes sizes = {0};

	for (unsigned i = first; i < end; i++) {
		sizes.bytes += views->view[i].length;
		sizes.blocks += tp_blocks(views->view[i].length);
	}
	return sizes;
}

TP_RARE unsigned tp_afford_cost(
	const struct tp_views *views, unsigned count, const struct tp_tariff *tariff, uint64_t most)
{
	uint64_t spent = 0;
	unsigned i = 0;

	for (; i < count && spent < most; i++)
		spent += tp_cost(tariff, 1, tp_blocks(views->view[i].length));
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
	const struct tp_tariff *tariff = &burst->snapshot->tariff;

	if (TP_UNLIKELY(tp_shaped(shape)))
		burst->count = tp_afford_units(&burst->views, burst->count, shape, limit->units);
	burst->affordable = burst->count;
	burst->sizes = tp_sizes_of(&burst->views, 0, burst->count);
	burst->cost = tp_cost(tariff, burst->count, burst->sizes.blocks);
	if (TP_LIKELY(burst->cost <= limit->cost))
		return;
	burst->count = burst->affordable =
		tp_afford_cost(&burst->views, burst->count, tariff, limit->cost);
	burst->sizes = tp_sizes_of(&burst->views, 0, burst->count);
	burst->cost = tp_cost(tariff, burst->count, burst->sizes.blocks);
}

/** What the frames cost that were accepted, which may be fewer. */
static inline uint64_t tp_afford_accepted(const struct tp_burst *burst)
{
	if (TP_LIKELY(burst->accepted == burst->affordable))
		return burst->cost;
	return tp_cost(&burst->snapshot->tariff, burst->accepted,
		tp_sizes_of(&burst->views, 0, burst->accepted).blocks);
}
