/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "burst.h"

/*
 * How much flooding a sweep does. A flooded frame costs a copy for each other interface of its
 * tenant, so a thousand interfaces that all broadcast at once would be a million copies before
 * anybody else's next turn. Beyond so many copies the next flooded frame waits in its ring for the
 * next sweep, and goes first there: rings take turns.
 */

#define TP_FLOOD_COPIES 1024 /* a sweep; one flooded frame always goes, however many it makes */

static inline void tp_flood_begin_sweep(struct tp_flooding *flooding)
{
	flooding->tried = 0;
	/* Who did not use its turn in a whole sweep has gone, or has had its share of the sweep. */
	if (flooding->turn == flooding->turn_before)
		flooding->turn = NULL;
	flooding->turn_before = flooding->turn;
}

/** May a ring's frame be flooded in this sweep? */
static inline bool tp_flood_may(struct tp_flooding *flooding, const struct tp_ring_pair *ring)
{
	if (flooding->turn != NULL && flooding->turn != ring)
		return false;
	if (flooding->tried >= flooding->most) {
		flooding->turn = ring;
		return false;
	}
	flooding->turn = NULL;
	return true;
}
