/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cost.h"
#include "state/dataplane.h"
#include "vring/view.h"

/*
 * scheduler: deficit round robin over the rings that have frames (Shreedhar and Varghese 1995), on
 * cost instead of bytes. A ring that a sweep finds with frames gets quantum x weight of its class
 * and may spend it; its last frame may cost more than what is left, which it then owes. A ring that
 * is found empty loses what it has, one that waits at a full destination keeps it and gets no more
 * until it is spent, so that shares hold there as well (path/turn.h).
 *
 * The quantum is such that the heaviest weight among the backlogged rings gets an allotment of 64
 * frames, or fewer as soon as sweeps take longer than their budget: with two rings bursts are
 * whole, with hundreds a sweep still ends in time. The unit of a deficit is 1/2^16 of a credit.
 *
 * Only the worker's lcore touches it.
 */

#define TP_DEFICIT_BITS 16
#define TP_ALLOTMENT    16 /* stand for one frame in an allotment */

struct tp_scheduler {
	struct tp_tariff tariff;
	uint64_t cheapest;   /* credits that a frame costs at least, 1 or more */
	uint64_t reciprocal; /* 2^32 / cheapest, rounded up */
	uint64_t quantum;    /* of weight 1 in a sweep */
	uint64_t share;      /* of the heaviest weight */
	uint32_t sweep;      /* counts sweeps */
	uint32_t heaviest;   /* weight, of the rings that were backlogged in the last sweep */
	uint32_t heaviest_now;
	uint32_t allotment; /* sixteenths of a frame that the heaviest weight gets */
	uint32_t least;     /* allotment */
	uint32_t most;      /* allotment */
	uint32_t hope_at;   /* sweep in which less than whole bursts are tried again */
	uint64_t mean;      /* credits that a frame costs of late */
	uint64_t frames;    /* since it was reckoned last */
	uint64_t cost;      /* of these */
	uint64_t budget;    /* TSC cycles of a sweep */
	uint64_t served;    /* TSC cycles of this sweep that went into bursts */
};

/** @param budget  TSC cycles that a sweep may take */
void tp_scheduler_open(struct tp_scheduler *scheduler, uint64_t budget);

/** Reckon by another tariff from now on. */
void tp_scheduler_price(struct tp_scheduler *scheduler, const struct tp_tariff *tariff);

/**
 * At the head of a sweep: draw the conclusions of the last one.
 * @param took  TSC cycles of the last sweep, 0 if it found no frames
 */
void tp_scheduler_begin(struct tp_scheduler *scheduler, uint64_t took);

/** What a weight gets in a sweep. */
static inline int64_t tp_scheduler_portion(const struct tp_scheduler *scheduler, uint32_t weight)
{
	uint64_t portion = scheduler->quantum * weight;

	/* A newcomer that is heavier than all has to wait for the next sweep's quantum. */
	return (int64_t)(portion < scheduler->share ? portion : scheduler->share);
}

/* What a ring had is gone when it was found empty, and a debt is paid as time goes by. */
static inline int64_t tp_scheduler_after_idling(int64_t deficit, int64_t portion, uint32_t sweeps)
{
	if (sweeps > 1000)
		return 0;
	deficit += portion * sweeps;
	return deficit < 0 ? deficit : 0;
}

static inline void tp_scheduler_backlogged(struct tp_scheduler *scheduler, uint32_t weight)
{
	if (weight > scheduler->heaviest_now)
		scheduler->heaviest_now = weight;
}

/**
 * A sweep has come to a ring that has frames.
 * @return may it send?
 */
static inline bool tp_scheduler_admit(
	struct tp_scheduler *scheduler, struct tp_ring_pair *ring, uint32_t weight)
{
	uint32_t idle = scheduler->sweep - ring->swept - 1;
	int64_t portion;

	if (ring->swept == scheduler->sweep) /* a pinned ring's second visit */
		return ring->deficit > 0;
	portion = tp_scheduler_portion(scheduler, weight);
	ring->swept = scheduler->sweep;
	if (idle > 0)
		ring->deficit = tp_scheduler_after_idling(ring->deficit, portion, idle);
	if (ring->deficit <= 0 || (!ring->blocked && ring->deficit < portion))
		ring->deficit += portion;
	if (ring->deficit > 0)
		return true;
	tp_scheduler_backlogged(scheduler, weight);
	return false;
}

/** It has frames, and gets nothing for it in this sweep. */
static inline void tp_scheduler_pass(
	struct tp_scheduler *scheduler, struct tp_ring_pair *ring, uint32_t weight)
{
	ring->swept = scheduler->sweep;
	tp_scheduler_backlogged(scheduler, weight);
}

/** Credits that a burst of the ring may cost. */
static inline uint64_t tp_scheduler_most(const struct tp_ring_pair *ring)
{
	return ((uint64_t)ring->deficit + (1u << TP_DEFICIT_BITS) - 1) >> TP_DEFICIT_BITS;
}

/** Frames that so many credits pay for at most, 1..TP_BURST. */
static inline unsigned tp_scheduler_frames(const struct tp_scheduler *scheduler, uint64_t credits)
{
	uint64_t frames;

	if (credits >= TP_BURST * scheduler->cheapest)
		return TP_BURST;
	/* The reciprocal is rounded up: just below a burst it may be one too many. */
	frames = 1 + ((credits - 1) * scheduler->reciprocal >> 32);
	return frames < TP_BURST ? (unsigned)frames : TP_BURST;
}

/**
 * A burst of an admitted ring is over.
 * @param drained  the ring was found empty
 */
static inline void tp_scheduler_charge(struct tp_scheduler *scheduler, struct tp_ring_pair *ring,
	uint32_t weight, unsigned frames, uint64_t cost, bool drained)
{
	/* Whatever the tariff says, a frame is not for nothing. */
	cost = cost < frames ? frames : cost;
	scheduler->frames += frames;
	scheduler->cost += cost;
	ring->deficit -= (int64_t)(cost << TP_DEFICIT_BITS);
	if (!drained)
		tp_scheduler_backlogged(scheduler, weight);
	else if (ring->deficit > 0)
		ring->deficit = 0;
}

/** Is so much left that another burst in this visit is worth it? The rest is kept for the next. */
static inline bool tp_scheduler_goes_on(
	const struct tp_scheduler *scheduler, const struct tp_ring_pair *ring, uint32_t weight)
{
	return ring->deficit > tp_scheduler_portion(scheduler, weight) / 2;
}
