/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define STEP_S 0.1 /* between two looks at what else happens */

double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int run_start(struct guest *guest, uint64_t tx_first, struct tp_error *error)
{
	int status;

	if (guest->running)
		return tp_error_set(error, EBUSY, "Packet forwarding already started");
	guest->load.tx_first = tx_first;
	status = tp_engine_set_load(guest->engine, &guest->load, error);
	if (status == 0)
		status = tp_engine_start(guest->engine, error);
	guest->running = status == 0;
	return status;
}

int run_stop(struct guest *guest, struct tp_error *error)
{
	guest->running = false;
	return tp_engine_stop(guest->engine, error);
}

static void pause_until(double when)
{
	double left = when - now_seconds();
	struct timespec time = {
		.tv_sec = (time_t)left, .tv_nsec = (long)((left - (double)(time_t)left) * 1e9)};

	if (left > 0)
		nanosleep(&time, NULL);
}

/* How often to show how it goes: as asked, or each second to somebody who watches. */
static double show_period(const struct guest *guest, bool show)
{
	if (!show || guest->options.json)
		return 0;
	if (guest->options.stats_period > 0)
		return guest->options.stats_period;
	return isatty(STDERR_FILENO) ? 1 : 0;
}

/* Until the time is over, somebody interrupts or the run fails. */
static int wait_for(struct guest *guest, double seconds, bool show, struct tp_error *error)
{
	double end = now_seconds() + seconds;
	double period = show_period(guest, show);
	double next_show = now_seconds() + period;

	for (;;) {
		double now = now_seconds();
		int status = tp_engine_failed(guest->engine, error);

		if (status < 0 || guest_interrupted || (seconds > 0 && now >= end))
			return status;
		if (period > 0 && now >= next_show) {
			if (guest->options.stats_period > 0)
				text_port_stats(guest, -1);
			else
				text_progress(guest);
			next_show += period;
		}
		pause_until(seconds > 0 && end < now + STEP_S ? end : now + STEP_S);
	}
}

static void look_during(struct guest *guest)
{
	struct results *results = &guest->results;

	tp_engine_hold(guest->engine);
	tp_engine_reports(guest->engine, &results->during);
	for (unsigned i = 0; i < guest->guests.count; i++)
		tp_engine_device_counts(guest->engine, i, &results->device[i]);
	tp_engine_go_on(guest->engine);
}

void run_look(struct guest *guest)
{
	look_during(guest);
	guest->results.after = guest->results.during;
}

int run_measured(struct guest *guest, double seconds, bool show, struct tp_error *error)
{
	int status = run_start(guest, guest->options.tx_first, error);

	if (status < 0)
		return status;
	if (guest->options.warm_up > 0)
		status = wait_for(guest, guest->options.warm_up, false, error);
	tp_engine_clear(guest->engine);
	if (status == 0)
		status = wait_for(guest, seconds, show, error);
	look_during(guest);
	if (status < 0) {
		run_stop(guest, NULL);
		return status;
	}
	status = run_stop(guest, error);
	tp_engine_reports(guest->engine, &guest->results.after);
	return status;
}

struct search_run {
	struct guest *guest;
	double seconds;
};

static int run_trial(
	void *context, struct tp_trial *trial, struct tp_histogram *latency, struct tp_error *error)
{
	struct search_run *search = context;
	struct guest *guest = search->guest;
	const struct tp_engine_report *during = &guest->results.during.all;
	const struct tp_engine_report *after = &guest->results.after.all;
	int status;

	guest->load.load.frames_per_second = trial->offered;
	guest->load.load.bits_per_second = 0;
	guest->load.load.total = true;
	status = run_measured(guest, search->seconds, false, error);
	if (status == 0 && guest_interrupted)
		status = tp_error_set(error, EINTR, "interrupted");
	trial->seconds = during->seconds;
	trial->sent = after->order.sent;
	trial->received = during->counts.rx_frames;
	trial->lost = after->order.lost;
	trial->missed = during->counts.tx_missed;
	trial->stall = during->stall_longest;
	if (latency != NULL)
		*latency = during->latency;
	if (!guest->options.json)
		fprintf(stderr,
			"  offered %.3f Mpps: sent %llu, lost %llu, not sent in time %llu\n",
			trial->offered / 1e6, (unsigned long long)trial->sent,
			(unsigned long long)trial->lost, (unsigned long long)trial->missed);
	return status;
}

int run_search(struct guest *guest, const struct tp_search_goal *goal, double trial_seconds,
	struct tp_search_result *result, struct tp_error *error)
{
	struct search_run search = {guest, trial_seconds};
	struct tp_load load = guest->load.load;
	int status;

	if (guest->load.mode != TP_MODE_FLOWGEN)
		return tp_error_set(error, EINVAL, "a search needs the forwarding mode flowgen");
	if (load_has_own_rates(&guest->load) || guest->load.load.silent)
		return tp_error_set(error, EINVAL,
			"a search sets the rate of all: no group may have one of its own, or be "
			"silent");
	status = tp_search(goal, run_trial, &search, result, error);
	guest->load.load = load;
	return status;
}
