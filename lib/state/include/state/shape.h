/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * How an interface is shaped: a bucket that its rate fills, and that holds a burst. A rate counts
 * units: bytes, or frames. Workers reckon in TSC cycles and whole numbers (path/shaper.h).
 */

#define TP_SHAPE_CYCLE_BITS 24   /* cycles_per_unit has so many bits of fraction */
#define TP_SHAPE_UNIT_BITS  40   /* and units_per_cycle so many */
#define TP_SHAPE_FRAME      1518 /* bytes of a full frame with a VLAN tag, at layer 2 without FCS */
#define TP_SHAPE_LAYER1     24   /* bytes that a frame takes beside these: preamble, FCS, gap */

struct tp_shape {
	uint64_t cycles_per_unit; /* 0: not shaped */
	uint64_t units_per_cycle;
	uint64_t burst;      /* TSC cycles that an empty bucket takes to fill */
	uint8_t frame_units; /* of each frame */
	uint8_t byte_units;  /* of each byte: 1, or 0 where frames are counted */
};

static inline bool tp_shaped(const struct tp_shape *shape)
{
	return shape->cycles_per_unit != 0;
}

/** A rate as an operator states it. */
struct tp_rate {
	uint64_t bits_per_second; /* one of these two; both 0: not shaped */
	uint64_t frames_per_second;
	uint64_t burst_bytes; /* of a rate in bits; 0: burst_ns counts */
	uint64_t burst_ns;    /* 0 as well: what 1 ms of the rate is */
	bool layer1;          /* bits are counted as on the wire */
};

/**
 * Reckon a shape. Its rate differs from the one stated by less than 0.1 % up to 100 Tbit/s and
 * 10^12 frames a second. A burst is at least one full frame.
 *
 * @param tsc_hz  frequency of the time-stamp counter, 1 to 10 GHz
 * Threading: any.
 */
struct tp_shape tp_shape_make(const struct tp_rate *rate, uint64_t tsc_hz);
