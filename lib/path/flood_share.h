/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "burst.h"

/*
 * How much flooding a sweep does. A flooded frame costs a copy for each other interface of its
 * tenant, so a thousand interfaces that all broadcast at once would be a million copies before
 * anybody else's next turn. Beyond so many copies the next flooded frame waits in its ring for the
 * next sweep, and goes first there: rings take turns. Frames of a wire and announcements wait for
 * no turn; so whoever has it goes once, however many copies they have made before. Of a wire a
 * sweep takes no further burst then.
 */

#define TP_FLOOD_COPIES 1024 /* a sweep; one flooded frame always goes, however many it makes */
/* The pinned rings are served after so many copies, or after fewer of large frames, as a burst of
 * those is shorter, too. */
#define TP_FLOOD_PIECE  16
#define TP_FLOOD_BLOCKS 512 /* of 64 bytes, see cost.h */

static inline void tp_flood_begin_sweep(struct tp_flooding *flooding)
{
	flooding->tried = 0;
	/* Who did not use its turn in a whole sweep has gone, or has had its share of the sweep. */
	if (flooding->turn == flooding->turn_before)
		flooding->turn = NULL;
	flooding->turn_before = flooding->turn;
	flooding->owed = flooding->turn != NULL;
}

/** Has the sweep made as many copies as it is to make? */
static inline bool tp_flood_spent(const struct tp_flooding *flooding)
{
	return flooding->tried >= flooding->most;
}

/** Has this source a flooded frame of which a piece is next? */
static inline bool tp_flood_of(const struct tp_worker *worker, const void *source)
{
	return worker->flood.source == source;
}

/** The burst is somebody else's now: keep that of a flooded frame. */
static inline void tp_flood_put_aside(struct tp_worker *worker)
{
	if (TP_LIKELY(worker->flood.source == NULL) || worker->flood.aside)
		return;
	worker->aside = worker->burst;
	worker->flood.aside = true;
}

/** And have it back. */
static inline void tp_flood_take_up(struct tp_worker *worker)
{
	if (!worker->flood.aside)
		return;
	worker->burst = worker->aside;
	worker->flood.aside = false;
}

/** May a ring's frame be flooded now? */
static inline bool tp_flood_may(struct tp_worker *worker, const struct tp_ring_pair *ring)
{
	struct tp_flooding *flooding = &worker->flooding;

	if (flooding->turn != NULL && flooding->turn != ring)
		return false;
	if (worker->flood.source != NULL || (tp_flood_spent(flooding) && !flooding->owed)) {
		flooding->turn = ring;
		return false;
	}
	flooding->turn = NULL;
	flooding->owed = false;
	return true;
}
