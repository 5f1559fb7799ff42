/* SPDX-License-Identifier: BSD-3-Clause */
#include "scheduler.h"

#define MOST  (TP_BURST * TP_ALLOTMENT)
#define LEAST TP_ALLOTMENT

#define FRAMES_FOR_MEAN 256 /* after so many the mean cost is reckoned anew */
#define SWEEPS_TO_TRY   256 /* until shorter bursts are tried again that did not pay */

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

static void note_length(struct tp_scheduler *scheduler)
{
	scheduler->noted = (struct tp_noted){
		.allotment = scheduler->allotment,
		.bursts = scheduler->bursts,
		.served = scheduler->served,
	};
}

/*
 * Is a burst now so little shorter in time than the noted one that half of that, or more, was spent
 * on other things than frames? (F: time of a burst without frames, f: time of a frame, a and b:
 * frames now and then. (F + a f) / (F + b f) >= (1/2 b + a) / (3/2 b) where F >= b f / 2.)
 */
static bool pays_little(const struct tp_scheduler *scheduler)
{
	const struct tp_noted *noted = &scheduler->noted;

	return 3 * scheduler->served * noted->bursts * noted->allotment >=
	       noted->served * scheduler->bursts * (noted->allotment + 2 * scheduler->allotment);
}

/* Shorter bursts cost more time than they save: too many rings are busy for this budget. The noted
 * length it is, until it is time to try again, from further up. */
static bool give_up(struct tp_scheduler *scheduler)
{
	if (scheduler->allotment >= scheduler->noted.allotment) {
		note_length(scheduler);
		return false;
	}
	if (4 * scheduler->allotment > 3 * scheduler->noted.allotment)
		return false;
	if (!pays_little(scheduler)) {
		note_length(scheduler);
		return false;
	}
	scheduler->least = scheduler->allotment = scheduler->noted.allotment;
	scheduler->try_at = scheduler->sweep + SWEEPS_TO_TRY;
	return true;
}

static void try_again(struct tp_scheduler *scheduler)
{
	if (scheduler->least == LEAST || (int32_t)(scheduler->sweep - scheduler->try_at) < 0)
		return;
	scheduler->least = LEAST;
	scheduler->allotment *= 2;
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

/*
 * Bursts may take what the rest of a sweep (polls of idle rings, for the most part) leaves of the
 * budget, or as long as that rest if it leaves less: half of the time at least is for frames.
 */
static void adapt(struct tp_scheduler *scheduler, uint64_t took)
{
	uint64_t rest = took > scheduler->served ? took - scheduler->served : 0;
	uint64_t target = scheduler->budget > 2 * rest ? scheduler->budget - rest : rest;

	if (give_up(scheduler))
		return;
	if (scheduler->served > target)
		shorten(scheduler, target);
	else if (scheduler->served < target - target / 8)
		scheduler->allotment += scheduler->allotment / 8;
	try_again(scheduler);
	if (scheduler->allotment > scheduler->most)
		scheduler->allotment = scheduler->most;
}

void tp_scheduler_begin(struct tp_scheduler *scheduler, uint64_t took)
{
	scheduler->sweep++;
	if (took == 0)
		return;
	if (scheduler->frames >= FRAMES_FOR_MEAN) {
		scheduler->mean = scheduler->cost / scheduler->frames;
		scheduler->frames = scheduler->cost = 0;
	}
	adapt(scheduler, took);
	scheduler->served = scheduler->bursts = 0;
	reckon_quantum(scheduler,
		scheduler->heaviest_now > 0 ? scheduler->heaviest_now : scheduler->heaviest);
	scheduler->heaviest_now = 0;
}
