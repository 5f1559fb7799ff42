/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Who talks to whom. A flow is one direction between two devices; flows of one source are adjacent.
 *
 *   "pairs"       0 with 1, 2 with 3, ... both ways
 *   "star"        all to device 0
 *   "all"         each to each of the others, in turn
 *   "wheel"       each but device 0 to device 0 and to the next one on the rim, in turn: 1 to 2,
 * ..., the last to 1 "random:S"    each to up to TP_TALK_RANDOM others, drawn once; device k is
 * drawn with a weight of 1/(k+1)^S (Zipf; S 0 is even, "random" is "random:1")
 *
 * Only `talking` of the devices send at a time; with churn another set does every period: set e
 * begins at device e * talking, modulo the count.
 */

#define TP_TALK_RANDOM    16
#define TP_TALK_FLOWS_MAX (1u << 20)

enum tp_talk_kind { TP_TALK_PAIRS, TP_TALK_STAR, TP_TALK_ALL, TP_TALK_WHEEL, TP_TALK_RANDOM_ZIPF };

struct tp_talk_settings {
	enum tp_talk_kind kind;
	double skew;      /* RANDOM_ZIPF */
	unsigned talking; /* devices that send at a time; 0: all */
	double churn;     /* seconds until the set moves; 0: never */
	uint64_t seed;
};

struct tp_talk_flow {
	uint32_t from, to; /* device numbers */
};

struct tp_talk {
	struct tp_talk_settings settings; /* talking filled in */
	unsigned devices;
	unsigned flow_count;
	struct tp_talk_flow *flows;
	uint32_t *first; /* devices + 1 entries: flows of device d are first[d]..first[d+1]-1 */
};

/** Read one of the forms above into kind and skew. @return 0, or -EINVAL with *error set. */
int tp_talk_parse(const char *text, struct tp_talk_settings *settings, struct tp_error *error);

/**
 * Lay out the flows.
 * @return 0, or negative errno with *error set: too few devices (2 at least, 3 for a wheel;
 * pairs: an odd one out is idle), more talking than devices, more flows than TP_TALK_FLOWS_MAX.
 * Free with tp_talk_free.
 */
int tp_talk_init(struct tp_talk *talk, const struct tp_talk_settings *settings, unsigned devices,
	struct tp_error *error);

void tp_talk_free(struct tp_talk *talk);

/**
 * The devices that send in a period, those without flows left out.
 * @param period   0 first
 * @param devices  room for settings.talking numbers
 * @return how many. Threading: any.
 */
unsigned tp_talk_sources(const struct tp_talk *talk, uint64_t period, uint32_t *devices);
