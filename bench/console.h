/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "traffic.h"

/*
 * What the load programs have in common on their command line: how long, how large, once or again
 * and again at the word of a script.
 */

struct console_options {
	uint32_t size;    /* --size, bytes of a frame */
	double seconds;   /* --seconds, measured */
	double warm_up;   /* --warm-up, seconds before */
	uint16_t ring;    /* --ring, descriptors */
	int core;         /* --core, CPU of the load, -1: any */
	bool json;        /* --json */
	bool interactive; /* --interactive: read "run SECONDS SIZE" from standard input */
	bool huge_pages;  /* --huge */
	uint32_t offset;  /* --frame-offset, of the frame in its buffer */
	uint8_t mac[6];   /* --mac, of guest 0 */
};

/* For getopt_long; a program adds its own options after these. */
#define CONSOLE_LONG_OPTIONS                                                                       \
	{"size", required_argument, NULL, 's'}, {"seconds", required_argument, NULL, 't'},         \
		{"warm-up", required_argument, NULL, 'w'}, {"ring", required_argument, NULL, 'r'}, \
		{"core", required_argument, NULL, 'c'}, {"json", no_argument, NULL, 'j'},          \
		{"interactive", no_argument, NULL, 'i'}, {"huge", no_argument, NULL, 'H'},         \
		{"frame-offset", required_argument, NULL, 'o'},                                    \
		{"mac", required_argument, NULL, 'm'},                                             \
	{                                                                                          \
		"help", no_argument, NULL, 'h'                                                     \
	}

#define CONSOLE_USAGE                                                                              \
	"  --size BYTES      frame from destination MAC on, without FCS (64)\n"                    \
	"  --seconds S       time measured (1)\n"                                                  \
	"  --warm-up S       time before that (0.2)\n"                                             \
	"  --ring N          descriptors a ring (256)\n"                                           \
	"  --core CPU        where the load runs (any)\n"                                          \
	"  --huge            guest memory in 2 MiB pages\n"                                        \
	"  --frame-offset N  of the frame in its buffer: 12 as in Linux's driver (12), 64 as in\n" \
	"                    DPDK's\n"                                                             \
	"  --mac MAC         of guest 0; guest i has this plus i (02:00:00:00:00:01)\n"            \
	"  --json            results as JSON, one line a run\n"                                    \
	"  --interactive     one run for every line \"run SECONDS SIZE\" on standard input\n"

/** The values when nothing is said. */
extern const struct console_options console_defaults;

/** Take one option. @return false when it is not one of these, or its value is wrong. */
bool console_take(struct console_options *options, int option, const char *value);

/** Bind the calling thread to a CPU; -1: any. @return 0, or negative errno. */
int console_pin(int core);

/**
 * Run once, or for every line of standard input, and write the results to standard output.
 * @param attach_ns  how long attaching took, for the first line
 * @return exit code.
 */
int console_run(
	const struct console_options *options, struct tp_traffic *traffic, uint64_t attach_ns);
