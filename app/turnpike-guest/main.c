/* SPDX-License-Identifier: BSD-3-Clause */
/* turnpike-guest: virtio-net devices that load a vhost-user switch and measure it. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "guest.h"

volatile sig_atomic_t guest_interrupted;

static void interrupt(int number)
{
	(void)number;
	guest_interrupted = 1;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = interrupt};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int report_failure(const struct guest *guest, const struct tp_error *error)
{
	if (guest->options.json)
		json_error(error->text);
	fprintf(stderr, "turnpike-guest: %s\n", error->text);
	return EXIT_FAILED;
}

/* Four descriptors a device, and one more while it connects. */
static void allow_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* We control from the CPUs of the polling threads: the other CPUs are the switch's. */
static void stay_there(const struct options *options, const struct tp_engine_settings *settings)
{
	cpu_set_t set;

	if (options->cores == NULL)
		return;
	CPU_ZERO(&set);
	for (unsigned i = 0; i < settings->threads; i++)
		CPU_SET((unsigned)settings->cpu[i], &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static int attach(struct guest *guest, struct tp_error *error)
{
	struct tp_engine_settings settings = {.threads = guest->options.threads,
		.reconnect = guest->options.reconnect,
		.pipelined = !guest->options.attach_one_by_one};
	uint64_t elapsed;
	int status = read_cores(guest->options.cores, &settings, error);

	if (status < 0)
		return status;
	stay_there(&guest->options, &settings);
	guest->engine = tp_engine_new(&settings, guest->guests.devices, guest->guests.count, error);
	if (guest->engine == NULL)
		return -EINVAL;
	status = tp_engine_attach(guest->engine, &elapsed, error);
	if (status < 0)
		return status;
	if (guest->options.json)
		json_attached(guest, elapsed);
	else
		fprintf(stderr, "turnpike-guest: %u devices attached in %.3f s\n",
			guest->guests.count, (double)elapsed / 1e9);
	guest->shown = calloc(guest->guests.count, sizeof(*guest->shown));
	guest->shown_at = calloc(guest->guests.count, sizeof(*guest->shown_at));
	guest->results.device = calloc(guest->guests.count, sizeof(*guest->results.device));
	if (guest->shown == NULL || guest->shown_at == NULL || guest->results.device == NULL)
		return tp_error_set(error, ENOMEM, "no memory");
	return 0;
}

static int search(struct guest *guest, struct tp_error *error)
{
	struct tp_search_result result;
	int status = run_search(guest, &guest->options.goal, guest->options.trial, &result, error);

	if (status < 0)
		return status;
	if (guest->options.json)
		json_search(guest, &guest->options.goal, &result);
	else
		text_search(&guest->options.goal, &result);
	return 0;
}

static int measure(struct guest *guest, struct tp_error *error)
{
	int status = run_measured(guest, guest->options.seconds, true, error);

	if (status < 0)
		return status;
	if (guest->options.json)
		json_run(guest);
	else
		text_run(guest);
	return 0;
}

static int work(struct guest *guest)
{
	struct tp_error error = {{0}};
	int status = guests_make(&guest->guests, &guest->options, &error);

	for (unsigned i = 0; status == 0 && i < guest->options.part_count; i += 2)
		status = load_set(&guest->load, &guest->guests, guest->options.parts[i],
			guest->options.parts[i + 1], &error);
	if (status == 0)
		status = attach(guest, &error);
	if (status == 0 && guest->options.interactive) {
		if (guest->options.auto_start)
			status = run_start(guest, guest->options.tx_first, &error);
		if (status == 0)
			return console_run(guest);
	} else if (status == 0) {
		status = guest->options.search ? search(guest, &error) : measure(guest, &error);
	}
	return status < 0 ? report_failure(guest, &error) : EXIT_OK;
}

int main(int argc, char **argv)
{
	static struct guest guest;
	int code;

	options_read(&guest.options, argc, argv);
	guest.load = guest.options.load;
	catch_signals();
	allow_descriptors();
	code = work(&guest);
	tp_engine_free(guest.engine);
	guests_free(&guest.guests);
	free(guest.options.sockets);
	free(guest.options.groups);
	free(guest.options.parts);
	free(guest.results.device);
	free(guest.shown);
	free(guest.shown_at);
	return code;
}
