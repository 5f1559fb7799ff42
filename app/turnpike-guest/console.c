/* SPDX-License-Identifier: BSD-3-Clause */
/* testpmd's commands, as far as they make sense here, and our own. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

#define WORDS_MAX 8

static const char help_text[] =
	"start | start tx_first [N]       forward; N bursts first (modes that forward)\n"
	"stop                             stop, wait for frames on their way, show what was done\n"
	"set fwd MODE                     io mac macswap txonly rxonly flowgen 5tswap icmpecho\n"
	"set txpkts X[,Y] | set size S    size of frames: 64 | 64,128 | 64-1514 | imix\n"
	"set burst N                      most frames of a device in one go\n"
	"set rate R | set arrival A       full, 1Mpps/total, ... | constant, poisson, "
	"on-off:ON,OFF\n"
	"set rate|arrival|size GROUP=...  of one group, until it is set for all\n"
	"set talk T | set talking N | set churn S | set verify V\n"
	"set deaf LIST|none | set slow LIST:FPS|none\n"
	"show port stats all|N            counters and rates since the last show\n"
	"show fwd stats all | show config fwd | show latency\n"
	"clear port stats all|N           counters to zero (always all)\n"
	"run SECONDS [SIZE]               one measured run\n"
	"search ndr|pdr [PERCENT] [SECONDS]  the highest rate without loss, or with so much\n"
	"quit\n";

struct command {
	struct guest *guest;
	unsigned count;
	char *word[WORDS_MAX];
};

static void answer(struct guest *guest, int status, const struct tp_error *error)
{
	if (status < 0 && guest->options.json)
		json_error(error->text);
	else if (status < 0)
		fprintf(stderr, "%s\n", error->text);
	else if (guest->options.json)
		json_ok();
}

static int bad_arguments(const struct command *command, struct tp_error *error)
{
	return tp_error_set(error, EINVAL, "Bad arguments: \"%s%s%s\"; try help", command->word[0],
		command->count > 1 ? " " : "", command->count > 1 ? command->word[1] : "");
}

static bool is(const struct command *command, unsigned word, const char *text)
{
	return word < command->count && strcmp(command->word[word], text) == 0;
}

static bool read_number(const struct command *command, unsigned word, double least, double *value)
{
	char *end;

	if (word >= command->count)
		return false;
	*value = strtod(command->word[word], &end);
	return end != command->word[word] && *end == '\0' && *value >= least && *value <= 1e9;
}

static int do_start(struct command *command, struct tp_error *error)
{
	double bursts = 0;
	int status;

	if (is(command, 1, "tx_first")) {
		bursts = 1;
		if (command->count > 3 ||
			(command->count == 3 && !read_number(command, 2, 1, &bursts)))
			return bad_arguments(command, error);
	} else if (command->count > 1) {
		return bad_arguments(command, error);
	}
	status = run_start(command->guest, (uint64_t)bursts, error);
	if (status == 0)
		tp_engine_clear(command->guest->engine);
	return status;
}

static void show_run(struct guest *guest)
{
	if (guest->options.json)
		json_run(guest);
	else
		text_run(guest);
}

/* @return 1: the answer was given. */
static int do_stop(struct command *command, struct tp_error *error)
{
	struct guest *guest = command->guest;
	int status;

	if (command->count > 1)
		return bad_arguments(command, error);
	if (!guest->running)
		return tp_error_set(error, EINVAL, "Packet forwarding not started");
	status = run_stop(guest, error);
	if (status < 0)
		return status;
	run_look(guest);
	show_run(guest);
	return 1;
}

static int set_appetite(
	struct guest *guest, const char *what, const char *text, struct tp_error *error)
{
	const struct tp_engine_device *devices = guest->guests.devices;
	int status = what[0] == 'd' ? habits_set_deaf(&guest->guests, text, error)
				    : habits_set_slow(&guest->guests, text, error);

	for (unsigned i = 0; status == 0 && i < guest->guests.count; i++)
		status = tp_engine_set_appetite(
			guest->engine, i, devices[i].deaf, devices[i].slow, error);
	return status;
}

static int do_set(struct command *command, struct tp_error *error)
{
	struct guest *guest = command->guest;
	struct tp_engine_load *load = &guest->load;
	const char *what = command->count == 3 ? command->word[1] : "";
	const char *text = command->count == 3 ? command->word[2] : "";
	double number;
	int status;

	if (command->guest->running)
		return tp_error_set(error, EBUSY, "Please stop forwarding first");
	if (strcmp(what, "deaf") == 0 || strcmp(what, "slow") == 0)
		return set_appetite(guest, what, text, error);
	status = load_set(load, &guest->guests, what, text, error);
	if (status != -ENOENT)
		return status;
	if (!read_number(command, 2, 0, &number))
		return bad_arguments(command, error);
	if (strcmp(what, "burst") == 0)
		load->burst = (unsigned)number;
	else if (strcmp(what, "talking") == 0)
		load->talk.talking = (unsigned)number;
	else if (strcmp(what, "churn") == 0)
		load->talk.churn = number;
	else
		return bad_arguments(command, error);
	return 0;
}

/* "all" is -1. @return whether the word is "all" or one of our devices. */
static bool read_port(const struct command *command, unsigned word, int *port)
{
	double number;

	*port = -1;
	if (is(command, word, "all"))
		return true;
	if (!read_number(command, word, 0, &number) || number >= command->guest->guests.count)
		return false;
	*port = (int)number;
	return true;
}

static int do_show(struct command *command, struct tp_error *error)
{
	struct guest *guest = command->guest;
	const struct tp_engine_report *report = &guest->results.during.all;
	bool json = guest->options.json;
	int port;

	run_look(guest);
	if (is(command, 1, "port") && is(command, 2, "stats") && command->count == 4 &&
		read_port(command, 3, &port)) {
		json ? json_port_stats(guest, port) : text_port_stats(guest, port);
	} else if (is(command, 1, "fwd") && is(command, 2, "stats") && is(command, 3, "all")) {
		json ? json_run(guest) : text_forward_stats(guest);
	} else if (is(command, 1, "config") && is(command, 2, "fwd") && command->count == 3) {
		json ? json_config(guest) : text_config(guest);
	} else if (is(command, 1, "latency") && command->count == 2) {
		json ? json_latency(report) : text_latency(report);
	} else {
		return bad_arguments(command, error);
	}
	return 1;
}

static int do_clear(struct command *command, struct tp_error *error)
{
	int port;

	if (!is(command, 1, "port") || !is(command, 2, "stats") || command->count != 4 ||
		!read_port(command, 3, &port))
		return bad_arguments(command, error);
	tp_engine_clear(command->guest->engine);
	return 0;
}

static int do_run(struct command *command, struct tp_error *error)
{
	struct guest *guest = command->guest;
	double seconds;
	int status;

	if (guest->running)
		return tp_error_set(error, EBUSY, "Please stop forwarding first");
	if (command->count > 3 || !read_number(command, 1, 0.001, &seconds))
		return bad_arguments(command, error);
	if (command->count == 3) {
		status = load_set(&guest->load, &guest->guests, "size", command->word[2], error);
		if (status < 0)
			return status;
	}
	status = run_measured(guest, seconds, true, error);
	if (status < 0)
		return status;
	show_run(guest);
	return 1;
}

static int do_search(struct command *command, struct tp_error *error)
{
	struct guest *guest = command->guest;
	struct tp_search_goal goal = {.partial = is(command, 1, "pdr")};
	double seconds = guest->options.trial;
	unsigned next = goal.partial ? 3 : 2;
	struct tp_search_result result;
	int status;

	if (guest->running)
		return tp_error_set(error, EBUSY, "Please stop forwarding first");
	if (!goal.partial && !is(command, 1, "ndr"))
		return bad_arguments(command, error);
	if (goal.partial && !read_number(command, 2, 0, &goal.percent))
		return bad_arguments(command, error);
	if (command->count > next + 1 ||
		(command->count == next + 1 && !read_number(command, next, 0.01, &seconds)))
		return bad_arguments(command, error);
	status = run_search(guest, &goal, seconds, &result, error);
	if (status < 0)
		return status;
	if (guest->options.json)
		json_search(guest, &goal, &result);
	else
		text_search(&goal, &result);
	return 1;
}

static int do_help(struct command *command, struct tp_error *error)
{
	(void)error;
	if (!command->guest->options.json)
		fputs(help_text, stdout);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct command *command, struct tp_error *error);
} commands[] = {{"start", do_start}, {"stop", do_stop}, {"set", do_set}, {"show", do_show},
	{"clear", do_clear}, {"run", do_run}, {"search", do_search}, {"help", do_help}};

/* @return false to quit. */
static bool obey(struct guest *guest, char *line)
{
	struct command command = {.guest = guest};
	struct tp_error error = {{0}};
	char *rest = line;
	char *word;
	int status;

	while (command.count < WORDS_MAX && (word = strsep(&rest, " \t\r\n")) != NULL) {
		if (*word != '\0')
			command.word[command.count++] = word;
	}
	if (command.count == 0)
		return true;
	if (is(&command, 0, "quit"))
		return false;
	status = tp_engine_failed(guest->engine, &error);
	if (status == 0) {
		status = tp_error_set(
			&error, EINVAL, "Command not found: \"%s\"; try help", command.word[0]);
		for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
			if (is(&command, 0, commands[i].name))
				status = commands[i].run(&command, &error);
		}
	}
	if (status <= 0)
		answer(guest, status, &error);
	return true;
}

static void prompt(const struct guest *guest)
{
	if (guest->options.json)
		return;
	fputs("turnpike-guest> ", stdout);
	fflush(stdout);
}

/* Wait for a line. @return 1: there is one, 0: the end of input, interrupted, or *failed. */
static int wait_line(struct guest *guest, double *next_show, bool *failed)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

	for (;;) {
		int ready = poll(&input, 1, 100);

		if (guest_interrupted)
			return 0;
		if (ready > 0)
			return 1;
		*failed = !guest->options.json && tp_engine_failed(guest->engine, NULL) < 0;
		if (*failed)
			return 0;
		if (guest->running && guest->options.stats_period > 0 && !guest->options.json &&
			now_seconds() >= *next_show) {
			text_port_stats(guest, -1);
			*next_show = now_seconds() + guest->options.stats_period;
		}
	}
}

int console_run(struct guest *guest)
{
	double next_show = 0;
	bool failed = false;
	char *line = NULL;
	size_t capacity = 0;
	struct tp_error error;

	/* Unbuffered: what poll does not see must not wait in a buffer. */
	setvbuf(stdin, NULL, _IONBF, 0);
	prompt(guest);
	while (wait_line(guest, &next_show, &failed) > 0) {
		if (getline(&line, &capacity, stdin) < 0 || !obey(guest, line))
			break;
		/* An interrupt ended that command, and only that. */
		if (guest_interrupted && !guest->running)
			guest_interrupted = 0;
		prompt(guest);
	}
	free(line);
	if (guest->running && run_stop(guest, NULL) == 0 && !guest->options.json)
		text_forward_stats(guest);
	if (tp_engine_failed(guest->engine, &error) < 0) {
		fprintf(stderr, "turnpike-guest: %s\n", error.text);
		return EXIT_FAILED;
	}
	return EXIT_OK;
}
