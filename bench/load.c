/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * turnpike-bench-load: guests at full rate from one core, for any vhost-user back-end.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console.h"

static const char usage[] =
	"usage: turnpike-bench-load --socket PATH --socket PATH [...] [options]\n"
	"       turnpike-bench-load --socket-pattern PATH%d --count N [options]\n"
	"  --socket PATH     socket of one guest; as often as there are guests\n"
	"  --socket-pattern  the same with %d for the number of the guest, from 0\n"
	"  --count N         how many guests the pattern makes (2)\n"
	"  --pairs N         how many pairs talk, the other guests are idle (1)\n"
	"  --server          serve the sockets for a back-end that connects\n" CONSOLE_USAGE;

struct load {
	struct console_options console;
	const char *pattern;
	char **paths;
	unsigned count;
	unsigned pairs;
	bool serve;
};

static bool add_path(struct load *load, const char *path)
{
	char **paths = realloc(load->paths, (load->count + 1) * sizeof(*paths));

	if (paths == NULL)
		return false;
	load->paths = paths;
	paths[load->count] = strdup(path);
	return paths[load->count] != NULL && ++load->count;
}

/* Only one %d is put in: a pattern is not a format. */
static bool add_pattern(struct load *load, unsigned count)
{
	const char *place = strstr(load->pattern, "%d");
	char path[256];

	if (place == NULL) {
		fprintf(stderr, "%s: no %%d in the pattern\n", load->pattern);
		return false;
	}
	for (unsigned i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%.*s%u%s", (int)(place - load->pattern),
			load->pattern, i, place + 2);
		if (!add_path(load, path))
			return false;
	}
	return true;
}

static bool parse(struct load *load, int argc, char **argv)
{
	static const struct option options[] = {CONSOLE_LONG_OPTIONS,
		{"socket", required_argument, NULL, 'S'},
		{"socket-pattern", required_argument, NULL, 'P'},
		{"count", required_argument, NULL, 'n'}, {"pairs", required_argument, NULL, 'p'},
		{"server", no_argument, NULL, 'L'}, {0}};
	unsigned count = 2;
	bool good = true;
	int option;

	while (good && (option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'S')
			good = add_path(load, optarg);
		else if (option == 'P')
			load->pattern = optarg;
		else if (option == 'n')
			good = (count = (unsigned)atoi(optarg)) >= 2;
		else if (option == 'p')
			good = (load->pairs = (unsigned)atoi(optarg)) >= 1;
		else if (option == 'L')
			load->serve = true;
		else
			good = console_take(&load->console, option, optarg);
	}
	if (good && load->pattern != NULL)
		good = add_pattern(load, count);
	return good && optind == argc && load->count >= 2 && 2 * load->pairs <= load->count;
}

static int attach(const struct load *load, struct tp_frontend **guests, uint64_t *elapsed,
	struct tp_error *error)
{
	struct tp_frontend_settings *settings = calloc(load->count, sizeof(*settings));
	int status = -ENOMEM;

	for (unsigned i = 0; settings != NULL && i < load->count; i++)
		settings[i] = (struct tp_frontend_settings){.path = load->paths[i],
			.serve = load->serve,
			.ring_size = load->console.ring,
			.frame_offset = load->console.offset,
			.features = 1ull << VIRTIO_NET_F_MRG_RXBUF,
			.huge_pages = load->console.huge_pages,
			.timeout_ms = 30000};
	if (settings != NULL)
		status = tp_frontend_attach_many(
			settings, load->count, guests, true, elapsed, error);
	free(settings);
	return status;
}

int main(int argc, char **argv)
{
	struct load load = {.console = console_defaults, .pairs = 1};
	struct tp_frontend **guests;
	struct tp_traffic traffic;
	struct tp_error error = {{0}};
	uint64_t elapsed;
	int status;

	if (!parse(&load, argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	guests = calloc(load.count, sizeof(*guests));
	if (guests == NULL || console_pin(load.console.core) < 0) {
		fprintf(stderr, "cannot run on CPU %d\n", load.console.core);
		return 1;
	}
	if (attach(&load, guests, &elapsed, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	if (tp_traffic_init(&traffic, guests, load.count, load.pairs, load.console.mac, &error) <
		0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	status = console_run(&load.console, &traffic, elapsed);
	tp_traffic_free(&traffic);
	/* After an error the back-end may be in any state: say no more, hang up. */
	for (unsigned i = 0; i < load.count; i++) {
		if (status == 0)
			tp_frontend_detach(guests[i]);
		else
			tp_frontend_free(guests[i]);
		free(load.paths[i]);
	}
	free(load.paths);
	free(guests);
	return status;
}
