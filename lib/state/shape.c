/* SPDX-License-Identifier: BSD-3-Clause */
#include "state/shape.h"

#define DEFAULT_BURST_NS 1000000
#define NS               UINT64_C(1000000000)

typedef unsigned __int128 wide;

/* a x b / c. What is beyond 64 bits is as good as the most that fits. */
static uint64_t times_over(wide a, uint64_t b, uint64_t c)
{
	wide result = a * b / c;

	return result > UINT64_MAX ? UINT64_MAX : (uint64_t)result;
}

static uint64_t at_least(uint64_t value, uint64_t least)
{
	return value > least ? value : least;
}

/* TSC cycles that a bucket takes to fill, without the least that it holds. */
static uint64_t stated_burst(const struct tp_rate *rate, uint64_t tsc_hz)
{
	if (rate->burst_bytes > 0 && rate->bits_per_second > 0)
		return times_over((wide)rate->burst_bytes * 8, tsc_hz, rate->bits_per_second);
	return times_over(rate->burst_ns > 0 ? rate->burst_ns : DEFAULT_BURST_NS, tsc_hz, NS);
}

struct tp_shape tp_shape_make(const struct tp_rate *rate, uint64_t tsc_hz)
{
	bool bits = rate->bits_per_second > 0;
	uint64_t unit = bits ? 8 : 1;
	uint64_t per_second = bits ? rate->bits_per_second : rate->frames_per_second;
	struct tp_shape shape = {0};
	uint64_t frame;

	if (per_second == 0)
		return shape;
	shape.frame_units = bits ? (rate->layer1 ? TP_SHAPE_LAYER1 : 0) : 1;
	shape.byte_units = bits;
	shape.cycles_per_unit =
		at_least(times_over((wide)tsc_hz << TP_SHAPE_CYCLE_BITS, unit, per_second), 1);
	shape.units_per_cycle =
		times_over((wide)1 << TP_SHAPE_UNIT_BITS, per_second, unit * tsc_hz);
	frame = times_over(bits ? TP_SHAPE_FRAME : 1, shape.cycles_per_unit,
		UINT64_C(1) << TP_SHAPE_CYCLE_BITS);
	shape.burst = at_least(stated_burst(rate, tsc_hz), at_least(frame, 1));
	return shape;
}
