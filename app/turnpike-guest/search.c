/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "search.h"

#define RESOLUTION 0.01  /* of the rate */
#define TRIALS     14    /* rates tried */
#define REPEATS    3     /* of one rate, for stalls */
#define STALL      0.001 /* seconds: a longer one may be the cause of a loss */
#define SENT_LEAST 0.999 /* of what was to be offered */

bool tp_search_passes(const struct tp_search_goal *goal, const struct tp_trial *trial)
{
	double offered = trial->offered * trial->seconds;

	if (trial->sent == 0 || (double)trial->sent < SENT_LEAST * offered)
		return false;
	if (!goal->partial)
		return trial->lost == 0 && trial->missed == 0;
	return 100.0 * (double)(trial->lost + trial->missed) <=
	       goal->percent * (double)(trial->sent + trial->missed);
}

static struct tp_trial *next_trial(struct tp_search_result *result, double offered)
{
	struct tp_trial *trial = &result->trial[result->trial_count];

	if (result->trial_count + 1 < TP_SEARCH_TRIALS_MAX)
		result->trial_count++;
	*trial = (struct tp_trial){.offered = offered};
	return trial;
}

/* Does this rate pass? It fails when it fails twice: a machine that others share disturbs a switch
 * for a millisecond now and then. A failure with a stall of our own says nothing. */
static int try_rate(const struct tp_search_goal *goal, tp_search_run run, void *context,
	struct tp_search_result *result, double rate, bool *passed, struct tp_error *error)
{
	unsigned failures = 0;

	for (unsigned repeat = 0;; repeat++) {
		struct tp_trial *trial = next_trial(result, rate);
		int status = run(context, trial, NULL, error);

		if (status < 0)
			return status;
		*passed = trial->passed = tp_search_passes(goal, trial);
		if (trial->stall <= STALL)
			failures++;
		if (*passed || failures == 2 || repeat == REPEATS)
			return 0;
		trial->repeated = true;
	}
}

static int bisect(const struct tp_search_goal *goal, tp_search_run run, void *context,
	struct tp_search_result *result, double most, struct tp_error *error)
{
	double low = 0, high = most, rate = most;

	for (unsigned i = 0; i < TRIALS && high - low > RESOLUTION * high; i++) {
		bool passed;
		int status = try_rate(goal, run, context, result, rate, &passed, error);

		if (status < 0)
			return status;
		if (passed)
			low = rate;
		else
			high = rate;
		if (low == most)
			break;
		rate = (low + high) / 2;
	}
	result->rate = low;
	return 0;
}

static int measure_latencies(
	tp_search_run run, void *context, struct tp_search_result *result, struct tp_error *error)
{
	static const double shares[TP_SEARCH_LATENCIES] = {0.1, 0.5, 0.9};

	for (unsigned i = 0; i < TP_SEARCH_LATENCIES; i++) {
		struct tp_trial trial = {.offered = shares[i] * result->rate};
		int status = run(context, &trial, &result->latency[i], error);

		if (status < 0)
			return status;
		result->share[i] = shares[i];
		result->stall[i] = trial.stall;
	}
	return 0;
}

int tp_search(const struct tp_search_goal *goal, tp_search_run run, void *context,
	struct tp_search_result *result, struct tp_error *error)
{
	struct tp_trial *full;
	double most;
	int status;

	memset(result, 0, sizeof(*result));
	full = next_trial(result, 0);
	status = run(context, full, NULL, error);
	if (status < 0)
		return status;
	/* With some loss allowed, more may be offered than arrives. */
	most = full->seconds > 0
		       ? (double)(goal->partial ? full->sent : full->received) / full->seconds
		       : 0;
	if (most == 0)
		return 0;
	status = bisect(goal, run, context, result, most, error);
	return status < 0 || result->rate == 0 ? status
					       : measure_latencies(run, context, result, error);
}
