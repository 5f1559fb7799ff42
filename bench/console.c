/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console.h"

const struct console_options console_defaults = {.size = 64,
	.seconds = 1,
	.warm_up = 0.2,
	.ring = 256,
	.offset = TP_FRONTEND_HEADER_BYTES,
	.core = -1,
	.mac = {0x02, 0, 0, 0, 0, 1}};

static bool take_number(double *number, const char *text, double least, double most)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value >= least && value <= most)) {
		fprintf(stderr, "'%s' is not a number from %g to %g\n", text, least, most);
		return false;
	}
	*number = value;
	return true;
}

static bool take_mac(uint8_t mac[6], const char *text)
{
	int used = 0;

	if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2],
		    &mac[3], &mac[4], &mac[5], &used) == 6 &&
		text[used] == '\0')
		return true;
	fprintf(stderr, "'%s' is not a MAC such as 02:00:00:00:00:01\n", text);
	return false;
}

bool console_take(struct console_options *options, int option, const char *value)
{
	double number = 0;
	bool good = true;

	switch (option) {
	case 's':
		good = take_number(&number, value, 60, 65535);
		options->size = (uint32_t)number;
		return good;
	case 't':
		return take_number(&options->seconds, value, 0.01, 86400);
	case 'w':
		return take_number(&options->warm_up, value, 0, 60);
	case 'r':
		good = take_number(&number, value, 64, 32768);
		options->ring = (uint16_t)number;
		return good;
	case 'c':
		good = take_number(&number, value, 0, CPU_SETSIZE - 1);
		options->core = (int)number;
		return good;
	case 'j':
		return options->json = true;
	case 'i':
		return options->interactive = true;
	case 'H':
		return options->huge_pages = true;
	case 'o':
		good = take_number(&number, value, TP_FRONTEND_HEADER_BYTES, 4096);
		options->offset = (uint32_t)number;
		return good;
	case 'm':
		return take_mac(options->mac, value);
	default:
		return false;
	}
}

int console_pin(int core)
{
	cpu_set_t cpus;

	if (core < 0)
		return 0;
	CPU_ZERO(&cpus);
	CPU_SET(core, &cpus);
	return sched_setaffinity(0, sizeof(cpus), &cpus) < 0 ? -errno : 0;
}

static void print_result(const struct console_options *options, uint32_t size,
	const struct tp_traffic_result *result)
{
	double mpps = (double)result->frames_measured / result->seconds / 1e6;
	double gbits = mpps * size * 8 / 1e3;
	int64_t lost =
		(int64_t)(result->frames_sent - result->frames_in_ring - result->frames_received);

	if (options->json)
		printf("{\"size\": %u, \"frames_sent\": %llu, \"frames_received\": %llu, "
		       "\"in_ring\": %llu, \"lost\": %lld, \"out_of_order\": %llu, "
		       "\"seconds\": %.6f, \"mpps\": %.4f, \"gbits\": %.3f, "
		       "\"fairness\": %.4f, \"cpu\": %.3f}\n",
			size, (unsigned long long)result->frames_sent,
			(unsigned long long)result->frames_received,
			(unsigned long long)result->frames_in_ring, (long long)lost,
			(unsigned long long)result->out_of_order, result->seconds, mpps, gbits,
			result->fairness, result->cpu);
	else
		printf("%u bytes: %.2f Mpps, %.2f Gbit/s, %lld lost, %llu out of order, %llu "
		       "left in rings\n",
			size, mpps, gbits, (long long)lost,
			(unsigned long long)result->out_of_order,
			(unsigned long long)result->frames_in_ring);
}

static int run_once(const struct console_options *options, struct tp_traffic *traffic,
	double seconds, uint32_t size)
{
	struct tp_traffic_result result;
	struct tp_error error;

	if (tp_traffic_run(traffic, size, options->warm_up, seconds, &result, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	print_result(options, size, &result);
	return 0;
}

int console_run(
	const struct console_options *options, struct tp_traffic *traffic, uint64_t attach_ns)
{
	char line[128];
	int status = 0;

	setlinebuf(stdout);
	if (!options->interactive)
		return run_once(options, traffic, options->seconds, options->size);
	printf("{\"ready\": true, \"guests\": %u, \"attach_ms\": %.3f}\n", traffic->guest_count,
		(double)attach_ns / 1e6);
	while (status == 0 && fgets(line, sizeof(line), stdin) != NULL) {
		double seconds;
		unsigned size;

		if (sscanf(line, "run %lf %u", &seconds, &size) != 2) {
			fprintf(stderr, "expected \"run SECONDS SIZE\", not: %s", line);
			return 2;
		}
		status = run_once(options, traffic, seconds, size);
	}
	return status;
}
