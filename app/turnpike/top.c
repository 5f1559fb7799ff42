/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "commands.h"
#include "rates.h"
#include "table.h"

#define RATES                                                                                      \
	{"RX-FRAMES/S", "rx_frames_rate", tp_format_scaled},                                       \
		{"RX-RATE", "rx_bits_rate", tp_format_bit_rate},                                   \
		{"TX-FRAMES/S", "tx_frames_rate", tp_format_scaled},                               \
		{"TX-RATE", "tx_bits_rate", tp_format_bit_rate},                                   \
	{                                                                                          \
		"DROPS/S", "drops_rate", tp_format_scaled                                          \
	}

static const struct tp_column workers[] = {
	{"WORKER", "worker", tp_format_number},
	{"CORE", "core", tp_format_number},
	{"INTERFACES", "interfaces", tp_format_number},
	{"FRAMES/S", "frames_rate", tp_format_scaled},
	{"BUSY", "busy_percent", tp_format_percent},
	{NULL, NULL, NULL},
};

static const struct tp_column classes[] = {
	{"CLASS", "name", tp_format_text},
	{"INTERFACES", "interfaces", tp_format_number},
	{"RUNNING", "running", tp_format_number},
	RATES,
	{NULL, NULL, NULL},
};

static const struct tp_column interfaces[] = {
	{"TENANT", "tenant", tp_format_text},
	{"INTERFACE", "name", tp_format_text},
	{"CLASS", "class", tp_format_text},
	{"STATE", "state", tp_format_text},
	RATES,
	{NULL, NULL, NULL},
};

static const struct tp_column uplinks[] = {
	{"UPLINK", "name", tp_format_text},
	{"STATE", "state", tp_format_text},
	{"WAITING", "waiting", tp_format_number},
	RATES,
	{NULL, NULL, NULL},
};

struct sample {
	struct timespec taken;
	json_t *summary, *workers, *classes, *uplinks, *interfaces;
};

static volatile sig_atomic_t interrupted; /* handler: w, top: r */

static void interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = interrupt};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static void free_sample(struct sample *sample)
{
	json_decref(sample->summary);
	json_decref(sample->workers);
	json_decref(sample->classes);
	json_decref(sample->uplinks);
	json_decref(sample->interfaces);
	*sample = (struct sample){0};
}

static int take_sample(const char *socket, struct sample *sample, struct tp_error *error)
{
	*sample = (struct sample){0};
	sample->summary = tp_ask(socket, "show", "summary", error);
	if (sample->summary != NULL)
		sample->workers = tp_ask(socket, "show", "workers", error);
	if (sample->workers != NULL)
		sample->classes = tp_ask(socket, "show", "classes", error);
	if (sample->classes != NULL)
		sample->uplinks = tp_ask(socket, "show", "uplinks", error);
	if (sample->uplinks != NULL)
		sample->interfaces = tp_ask(socket, "show", "interfaces", error);
	clock_gettime(CLOCK_MONOTONIC, &sample->taken);
	if (sample->interfaces != NULL)
		return 0;
	free_sample(sample);
	return -EIO;
}

static double seconds_between(const struct timespec *from, const struct timespec *to)
{
	return (double)(to->tv_sec - from->tv_sec) + (double)(to->tv_nsec - from->tv_nsec) / 1e9;
}

static void write_headline(FILE *file, const json_t *summary)
{
	json_int_t uptime = json_integer_value(json_object_get(summary, "uptime_seconds"));
	char version[64], config[160];

	tp_format_text(json_object_get(summary, "version"), version, sizeof(version));
	tp_format_text(json_object_get(summary, "config"), config, sizeof(config));
	fprintf(file,
		"turnpike %s, %s, up %" JSON_INTEGER_FORMAT ":%02" JSON_INTEGER_FORMAT
		":%02" JSON_INTEGER_FORMAT "\n\n",
		version, config, uptime / 3600, uptime / 60 % 60, uptime % 60);
}

/* Rows of interfaces that the screen has room for; all of them where nothing scrolls away. */
static size_t room(const struct sample *sample, bool screen)
{
	struct winsize size = {0};
	size_t uplinks_used = json_array_size(sample->uplinks);
	size_t used = 7 + json_array_size(sample->workers) + json_array_size(sample->classes);

	if (!screen || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0)
		return SIZE_MAX;
	used += uplinks_used > 0 ? uplinks_used + 2 : 0;
	return size.ws_row > used + 2 ? size.ws_row - used - 1 : 1;
}

static void write_sample(FILE *file, const struct sample *sample, bool screen)
{
	json_t *sorted = tp_rates_sort(sample->interfaces);

	write_headline(file, sample->summary);
	tp_table_write(file, sample->workers, SIZE_MAX, workers);
	putc('\n', file);
	tp_table_write(file, sample->classes, SIZE_MAX, classes);
	putc('\n', file);
	if (json_array_size(sample->uplinks) > 0) {
		tp_table_write(file, sample->uplinks, SIZE_MAX, uplinks);
		putc('\n', file);
	}
	tp_table_write(file, sorted, room(sample, screen), interfaces);
	json_decref(sorted);
}

/* The whole screen in one write, so that it does not flicker: home, text, clear the rest. A line
 * that became shorter is cleared at its end. */
static void draw(const struct sample *sample, bool screen)
{
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	if (file == NULL)
		return;
	write_sample(file, sample, screen);
	fclose(file);
	if (screen)
		fputs("\033[H", stdout);
	for (char *c = text; c != NULL && *c != '\0'; c++) {
		if (screen && *c == '\n')
			fputs("\033[K", stdout);
		putchar(*c);
	}
	fputs(screen ? "\033[J" : "\n", stdout);
	fflush(stdout);
	free(text);
}

static void wait_seconds(double seconds)
{
	struct timespec delay = {.tv_sec = (time_t)seconds};

	delay.tv_nsec = (long)((seconds - (double)delay.tv_sec) * 1e9);
	if (!interrupted)
		nanosleep(&delay, NULL);
}

static int next_table(const struct tp_options *options, struct sample *before, bool screen,
	struct tp_error *error)
{
	struct sample now;
	double seconds;

	wait_seconds(options->delay);
	if (interrupted)
		return 0;
	if (take_sample(options->socket, &now, error) < 0)
		return -EIO;
	seconds = seconds_between(&before->taken, &now.taken);
	tp_rates_add(before->interfaces, now.interfaces, seconds);
	tp_rates_add(before->workers, now.workers, seconds);
	tp_rates_add(before->classes, now.classes, seconds);
	tp_rates_add(before->uplinks, now.uplinks, seconds);
	draw(&now, screen);
	free_sample(before);
	*before = now;
	return 0;
}

static int run(const struct tp_options *options, bool screen, struct tp_error *error)
{
	struct sample before;
	int result = take_sample(options->socket, &before, error);
	unsigned shown = 0;

	if (result < 0)
		return result;
	if (screen)
		fputs("\033[?25l\033[2J", stdout);
	while (result == 0 && !interrupted && !ferror(stdout)) {
		result = next_table(options, &before, screen, error);
		if (++shown == options->tables)
			break;
	}
	if (screen)
		fputs("\033[?25h", stdout);
	fflush(stdout);
	free_sample(&before);
	return result;
}

int tp_command_top(const struct tp_options *options)
{
	struct tp_error error = {""};

	catch_signals();
	if (run(options, isatty(STDOUT_FILENO), &error) < 0 && !interrupted) {
		fprintf(stderr, "turnpike: %s\n", error.text);
		return TP_EXIT_FAILED;
	}
	return TP_EXIT_OK;
}
