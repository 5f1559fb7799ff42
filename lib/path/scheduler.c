/* SPDX-License-Identifier: BSD-3-Clause */
#include "scheduler.h"

#define MOST  (TP_BURST * TP_ALLOTMENT)
#define LEAST (8 * TP_ALLOTMENT) /* shorter bursts cost each frame much more */

#define FRAMES_FOR_MEAN 256 /* after so many the mean cost is reckoned anew */
#define HOPELESS_SWEEPS 256 /* until shorter bursts are tried again */

void tp_scheduler_open(struct tp_scheduler *scheduler, uint64_t budget)
{
	static const struct tp_tariff no_tariff;

	*scheduler = (struct tp_scheduler){
		.budget = budget,
		.heaviest = 1,
		.allotment = MOST,
		.least = LEAST,
		.most = MOST,
	};
	tp_scheduler_price(scheduler, &no_tariff);
}

static void reckon_quantum(struct tp_scheduler *scheduler, uint32_t heaviest)
{
	uint64_t share = (scheduler->allotment * scheduler->mean << TP_DEFICIT_BITS) / TP_ALLOTMENT;

	if (share == scheduler->share && heaviest == scheduler->heaviest)
		return;
	scheduler->share = share;
	scheduler->heaviest = heaviest;
	scheduler->quantum = share / heaviest;
	if (scheduler->quantum == 0)
		scheduler->quantum = 1;
}

void tp_scheduler_price(struct tp_scheduler *scheduler, const struct tp_tariff *tariff)
{
	uint64_t cheapest = tp_cost(tariff, 1, 1);

	scheduler->tariff = *tariff;
	scheduler->cheapest = cheapest > 0 ? cheapest : 1;
	scheduler->reciprocal = (UINT64_C(1) << 32) / scheduler->cheapest + 1;
	scheduler->mean = scheduler->cheapest;
	scheduler->frames = scheduler->cost = 0;
	reckon_quantum(scheduler, scheduler->heaviest);
}

/* Even the shortest bursts make a sweep too long: too many rings are busy for this budget. Whole
 * ones cost each frame least, and rings that are this full have their time in the ring anyway. */
static void give_up_hope(struct tp_scheduler *scheduler)
{
	scheduler->least = scheduler->allotment = MOST;
	scheduler->hope_at = scheduler->sweep + HOPELESS_SWEEPS;
}

static void shorten(struct tp_scheduler *scheduler, uint64_t target)
{
	uint64_t allotment = scheduler->allotment * target / scheduler->served;

	/* One sweep that something else held up is not worth more than a half. */
	if (allotment < scheduler->allotment / 2)
		allotment = scheduler->allotment / 2;
	scheduler->allotment =
		allotment > scheduler->least ? (uint32_t)allotment : scheduler->least;
}

static void lengthen(struct tp_scheduler *scheduler)
{
	scheduler->allotment += scheduler->allotment / 8;
	if (scheduler->allotment > scheduler->most)
		scheduler->allotment = scheduler->most;
}

/*
 * Bursts may take what the rest of a sweep (polls of idle rings, for the most part) leaves of the
 * budget, or as long as that rest if it leaves less: half of the time at least is for frames.
 */
static void adapt(struct tp_scheduler *scheduler, uint64_t took)
{
	uint64_t rest = took > scheduler->served ? took - scheduler->served : 0;
	uint64_t target = scheduler->budget > 2 * rest ? scheduler->budget - rest : rest;

	if ((int32_t)(scheduler->sweep - scheduler->hope_at) >= 0)
		scheduler->least = LEAST;
	if (scheduler->served > target && scheduler->allotment == LEAST)
		give_up_hope(scheduler);
	else if (scheduler->served > target)
		shorten(scheduler, target);
	else if (scheduler->served < target - target / 8)
		lengthen(scheduler);
}

void tp_scheduler_begin(struct tp_scheduler *scheduler, uint64_t took)
{
	scheduler->sweep++;
	if (took == 0) {
		scheduler->served = 0; /* attempts that came to nothing */
		scheduler->heaviest_now = 0;
		return;
	}
	if (scheduler->frames >= FRAMES_FOR_MEAN) {
		scheduler->mean = scheduler->cost / scheduler->frames;
		scheduler->frames = scheduler->cost = 0;
	}
	adapt(scheduler, took);
	scheduler->served = 0;
	reckon_quantum(scheduler,
		scheduler->heaviest_now > 0 ? scheduler->heaviest_now : scheduler->heaviest);
	scheduler->heaviest_now = 0;
}
