/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "state/context.h"

/*
 * hold: for how long the oldest frame of a source ring has waited for room at its destination, and
 * whether that destination has posted anything meanwhile.
 *
 * hold_index is where the destination stood when a frame was last refused there for the first time,
 * or dropped. A ring that waits for another one's turn does not look at the destination, so it may
 * be older than the hold: then a destination counts as alive for one hold more.
 */

/** Remember where the destination stands. */
static inline void tp_hold_note(struct tp_ring_pair *pair, const struct tp_vring *destination)
{
	pair->hold_index = __atomic_load_n(&destination->avail->idx, __ATOMIC_RELAXED);
}

/** Has the destination's guest posted buffers since? It is slow then, or others were faster; but
 * not deaf. */
static inline bool tp_hold_saw_life(
	const struct tp_ring_pair *pair, const struct tp_vring *destination)
{
	return __atomic_load_n(&destination->avail->idx, __ATOMIC_RELAXED) != pair->hold_index;
}
