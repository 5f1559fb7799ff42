/* SPDX-License-Identifier: BSD-3-Clause */
#include <argp.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "base/histogram.h"

/*
 * How long a CPU stands still under a loop that does nothing but look at the clock: the part of a
 * worker's gaps that is the machine's. Prints the gaps between two looks as one line of JSON,
 * {"cpu": 0, "seconds": 1.0, "gaps": [[nanoseconds, count], ...]}, as `turnpike show workers -j`
 * has the gaps of pinned interfaces. Scheduling is that of the caller.
 */

#define SECONDS_MAX 20 /* a bucket counts up to 2^32, and a look takes some nanoseconds */

static struct {
	unsigned cpu;
	double seconds;
} options = {.seconds = 1};

static error_t read_option(int key, char *text, struct argp_state *state)
{
	char *end = text;

	switch (key) {
	case 'c':
		options.cpu = (unsigned)strtoul(text, &end, 10);
		if (end == text || *end != '\0' || options.cpu >= CPU_SETSIZE)
			argp_error(state, "--cpu: found \"%s\"; accepted: 0 to %d", text,
				CPU_SETSIZE - 1);
		return 0;
	case 's':
		options.seconds = strtod(text, &end);
		if (end == text || *end != '\0' ||
			!(options.seconds > 0 && options.seconds <= SECONDS_MAX))
			argp_error(state, "--seconds: found \"%s\"; accepted: above 0, up to %d",
				text, SECONDS_MAX);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option option_list[] = {{"cpu", 'c', "N", 0, "CPU to spin on (0)", 0},
	{"seconds", 's', "S", 0, "How long (1)", 0}, {0}};
static const struct argp parser = {option_list, read_option, NULL,
	"Spin, and tell how long the CPU stood still.", NULL, NULL, NULL};

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The clock is looked at seldom: the TSC alone is what the loop reads. @return its cycles a ns. */
static double spin(struct tp_histogram *gaps, double *elapsed)
{
	double begin = now_seconds();
	uint64_t first = __rdtsc(), last = first;

	do {
		for (unsigned i = 0; i < 1000; i++) {
			uint64_t now = __rdtsc();

			tp_histogram_add(gaps, now - last, 1);
			last = now;
		}
		*elapsed = now_seconds() - begin;
		last = __rdtsc(); /* looking was no stall */
	} while (*elapsed < options.seconds);
	return (double)(last - first) / *elapsed / 1e9;
}

static void print(const struct tp_histogram *gaps, double cycles_per_ns, double elapsed)
{
	const char *separator = "";

	printf("{\"cpu\": %u, \"seconds\": %.6f, \"gaps\": [", options.cpu, elapsed);
	for (unsigned i = 0; i < TP_HISTOGRAM_BUCKETS; i++) {
		if (gaps->bucket[i] == 0)
			continue;
		printf("%s[%.0f, %u]", separator,
			(double)tp_histogram_bucket_start(i) / cycles_per_ns, gaps->bucket[i]);
		separator = ", ";
	}
	printf("]}\n");
}

int main(int argc, char **argv)
{
	static struct tp_histogram gaps;
	double elapsed, cycles_per_ns;
	cpu_set_t set;

	argp_parse(&parser, argc, argv, 0, NULL, NULL);
	CPU_ZERO(&set);
	CPU_SET(options.cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0) {
		fprintf(stderr, "spin_stalls: CPU %u: %s\n", options.cpu, strerror(errno));
		return EXIT_FAILURE;
	}
	cycles_per_ns = spin(&gaps, &elapsed);
	print(&gaps, cycles_per_ns, elapsed);
	return EXIT_SUCCESS;
}
