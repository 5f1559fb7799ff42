/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/histogram.h"

/*
 * The highest rate that a switch carries without loss (NDR), or with at most a given share of it
 * (PDR), by bisection between nothing and what it carries at full load (RFC 2544, 26.1; RFC 1242).
 * A rate fails when two trials of it fail. A trial that fails while the generator itself stalled
 * says nothing: it is repeated.
 */

#define TP_SEARCH_TRIALS_MAX 48
#define TP_SEARCH_LATENCIES  3

struct tp_search_goal {
	bool partial;   /* PDR */
	double percent; /* PDR: of the frames sent, that may be lost */
};

struct tp_trial {
	double offered; /* frames a second; 0: as many as find room */
	double seconds;
	uint64_t sent;
	uint64_t received;
	uint64_t lost;
	uint64_t missed; /* due, but no room */
	double stall;    /* seconds: the longest time that the generator was away */
	bool passed;
	bool repeated; /* in vain, because of a stall: not counted */
};

struct tp_search_result {
	double rate; /* frames a second, 0: none */
	unsigned trial_count;
	struct tp_trial trial[TP_SEARCH_TRIALS_MAX];
	double share[TP_SEARCH_LATENCIES]; /* of the rate: 0.1, 0.5, 0.9 */
	struct tp_histogram latency[TP_SEARCH_LATENCIES];
	double stall[TP_SEARCH_LATENCIES];
};

/**
 * Run one trial: offer trial->offered frames a second, fill in the rest but `passed` and
 * `repeated`. @param latency  where to put it, or NULL. @return 0, or negative errno.
 */
typedef int (*tp_search_run)(void *context, struct tp_trial *trial, struct tp_histogram *latency,
	struct tp_error *error);

/** @return 0, or what the callback returned. Threading: any; calls back from this thread. */
int tp_search(const struct tp_search_goal *goal, tp_search_run run, void *context,
	struct tp_search_result *result, struct tp_error *error);

/** Does a trial meet the goal? Its sender must have come within 0.1 % of what it was to offer. */
bool tp_search_passes(const struct tp_search_goal *goal, const struct tp_trial *trial);
