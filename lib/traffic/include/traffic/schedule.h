/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * When frames are due. A source asks once a round how many are due by now; those that find no room
 * stay due, up to a backlog of TP_SCHEDULE_BACKLOG_US; what is older is given up and counted.
 */

#define TP_SCHEDULE_BACKLOG_US 1000 /* or 64 frames, whatever is more */

enum tp_arrival { TP_ARRIVAL_CONSTANT, TP_ARRIVAL_POISSON, TP_ARRIVAL_ON_OFF };

/** What the user asked for. All zeros: as fast as the rings allow. */
struct tp_load {
	double frames_per_second; /* 0: not given in frames */
	double bits_per_second; /* of frames without FCS, preamble and gap; 0: not given in bits */
	bool total;             /* shared evenly by all sources that talk; else each has it */
	bool silent;            /* nothing is sent */
	enum tp_arrival arrival;
	double on_seconds;  /* ON_OFF: full given rate (or as fast as possible) for so long, */
	double off_seconds; /* then silence */
};

/**
 * Read a rate: a number with "pps", "kpps", "Mpps", "bit/s", "kbit/s", "Mbit/s", "Gbit/s" behind
 * it, then "/device" or "/total" ("/device" if neither); "full" for no limit; "none" for nothing.
 * Sets frames_per_second, bits_per_second, total and silent alone.
 * @return 0, or -EINVAL with *error set.
 */
int tp_load_parse_rate(const char *text, struct tp_load *load, struct tp_error *error);

/** Read "constant", "poisson" or "on-off:ON,OFF", times as "10ms", "100us", "1s". As above. */
int tp_load_parse_arrival(const char *text, struct tp_load *load, struct tp_error *error);

/** Frames a second of one source. @param mean_size bytes. @return 0: no limit. */
double tp_load_rate(const struct tp_load *load, unsigned sources, double mean_size);

/** One source's. Zeroed and then set up. Times in TSC cycles. */
struct tp_schedule {
	double interval;   /* cycles between frames, mean; 0: no limit */
	double next;       /* when the next frame is due */
	double backlog;    /* cycles */
	double on, off;    /* cycles; off 0: always on */
	double phase_from; /* start of the first on phase */
	enum tp_arrival arrival;
	uint64_t random; /* state of the generator */
	uint64_t missed; /* frames given up for want of room */
};

/**
 * @param rate  frames a second, 0: no limit
 * @param hz    of the TSC
 * @param now   TSC at the start
 * @param seed  of the random numbers; sources with different seeds are out of step, also CONSTANT
 */
void tp_schedule_init(struct tp_schedule *schedule, const struct tp_load *load, double rate,
	double hz, uint64_t now, uint64_t seed);

/**
 * Frames due, and take them: those that then cannot be sent are given back.
 * @param most  at most so many. @return 0..most. Threading: one thread a schedule.
 */
unsigned tp_schedule_take(struct tp_schedule *schedule, uint64_t now, unsigned most);

/** `count` of the frames just taken found no room: they stay due, unless the backlog is over. */
void tp_schedule_give_back(struct tp_schedule *schedule, uint64_t now, unsigned count);

/** No frame is due before this TSC value (now or earlier: some may be). */
static inline bool tp_schedule_idle(const struct tp_schedule *schedule, uint64_t now)
{
	return schedule->interval != 0 && schedule->next > (double)now;
}
