/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "base/histogram.h"
#include "state/counter.h"

/*
 * Times in TSC cycles that a worker counts for ever, in the buckets of base/histogram.h. Worker:
 * rw, control: r, all relaxed.
 */
struct tp_times {
	uint64_t most;
	uint64_t bucket[TP_HISTOGRAM_BUCKETS];
};

/** Count a time `times` times. Threading: the writer. */
static inline void tp_times_add(struct tp_times *all, uint64_t cycles, uint64_t times)
{
	tp_counter_add(&all->bucket[tp_histogram_bucket(cycles)], times);
	if (cycles > all->most)
		__atomic_store_n(&all->most, cycles, __ATOMIC_RELAXED);
}
