/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

/*
 * The load generator's own gaps: how long its loop was away from its rings. A frame cannot have
 * been stamped or read in a gap, so a latency of less than the longest gap may be the generator's
 * own. Shown beside every latency, so that a noisy machine is not blamed on the switch.
 */

struct tp_stall {
	uint64_t last;      /* TSC */
	uint64_t threshold; /* cycles: a longer round is a stall */
	uint64_t count;     /* stalls */
	uint64_t cycles;    /* in them */
	uint64_t longest;   /* cycles */
};

/** @param threshold_us  what a round may take. */
void tp_stall_init(struct tp_stall *stall, double hz, unsigned threshold_us, uint64_t now);

/** The loop came round. @param now TSC. Threading: the loop's thread. */
static inline void tp_stall_round(struct tp_stall *stall, uint64_t now)
{
	uint64_t gap = now - stall->last;

	stall->last = now;
	if (__builtin_expect(gap <= stall->threshold, 1))
		return;
	stall->count++;
	stall->cycles += gap;
	if (gap > stall->longest)
		stall->longest = gap;
}
