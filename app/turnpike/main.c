/* SPDX-License-Identifier: BSD-3-Clause */
#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "ctl/moment.h"

#define DELAY_MIN 0.1
#define DELAY_MAX 3600
#define COMMANDS  "check, plan, show, top, bill, stop"

enum { OPTION_FROM = 0x100, OPTION_TO, OPTION_BY, OPTION_CSV };

const char *argp_program_version = "turnpike " TP_VERSION;

static const char usage[] = "check FILE\n"
			    "plan FILE\n"
			    "show interfaces|tenants|classes|drops|workers|cache|latency|uplinks|"
			    "neighbours|summary\n"
			    "top\n"
			    "bill\n"
			    "stop";

static const char help[] =
	"Check configurations of the appliance, and see and stop the one that runs.\v"
	"check FILE  read and check a configuration; needs no appliance\n"
	"plan FILE   tell what it needs of this machine, and whether that is there\n"
	"show WHAT   show what the appliance serves and has counted\n"
	"top         show rates, again and again; Ctrl-C ends it\n"
	"bill        show what was charged\n"
	"stop        end the appliance\n"
	"\n"
	"A TIME is a date or a date and time in UTC, 2026-11-03 or 2026-11-03T14:30:00, or a time "
	"before now, -30m, -1h or -7d.\n"
	"\n"
	"Exit code: 0 done, 1 refused or no appliance answers, 2 wrong usage.";

static const struct argp_option option_list[] = {
	{"socket", 's', "PATH", 0,
		"Control socket of the appliance (default /run/turnpike/control.sock)", 0},
	{"json", 'j', NULL, 0, "show, plan, bill: as JSON", 0},
	{"count", 'n', "COUNT", 0, "top: end after this many tables", 0},
	{"delay", 'd', "SECONDS", 0, "top: seconds between two tables (default 1)", 0},
	{"from", OPTION_FROM, "TIME", 0, "bill: count from this time on (default: all there is)",
		0},
	{"to", OPTION_TO, "TIME", 0, "bill: count up to this time (default: up to now)", 0},
	{"by", OPTION_BY, "WHAT", 0, "bill: a line for each tenant (default), class or interface",
		0},
	{"csv", OPTION_CSV, NULL, 0, "bill: as CSV", 0},
	{0},
};

struct command_line {
	struct tp_options options;
	const char *command;
	const char *argument;
	bool top_only;  /* an option that only top takes was given */
	bool bill_only; /* the same for bill */
};

static void read_count(struct argp_state *state, const char *text, unsigned *count)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || number == 0 || number > 1000000000)
		argp_error(state, "-n: found \"%s\"; accepted: a whole number from 1", text);
	*count = (unsigned)number;
}

static void read_delay(struct argp_state *state, const char *text, double *delay)
{
	char *end;

	*delay = strtod(text, &end);
	if (end == text || *end != '\0' || !(*delay >= DELAY_MIN && *delay <= DELAY_MAX))
		argp_error(state, "-d: found \"%s\"; accepted: seconds from %g to %d", text,
			DELAY_MIN, DELAY_MAX);
}

/* The appliance reads it again; bad ones need not go there. */
static void check_moment(struct argp_state *state, const char *option, const char *text)
{
	struct tp_error error;
	int64_t moment;

	if (tp_moment_parse(text, tp_moment_now(), &moment, &error) < 0)
		argp_error(state, "%s: %s", option, error.text);
}

static void read_bill_option(
	struct argp_state *state, struct command_line *line, int key, const char *text)
{
	line->bill_only = true;
	if (key == OPTION_FROM) {
		check_moment(state, "--from", text);
		line->options.from = text;
	} else if (key == OPTION_TO) {
		check_moment(state, "--to", text);
		line->options.to = text;
	} else if (key == OPTION_CSV) {
		line->options.csv = true;
	} else if (tp_command_can_bill(text)) {
		line->options.by = text;
	} else {
		argp_error(state, "--by: found \"%s\"; accepted: tenant, class, interface", text);
	}
}

/* Both are good, each by itself. */
static void check_order(struct argp_state *state, const struct tp_options *options)
{
	int64_t now = tp_moment_now();
	int64_t from, to;

	if (options->from == NULL || options->to == NULL ||
		tp_moment_parse(options->from, now, &from, NULL) < 0 ||
		tp_moment_parse(options->to, now, &to, NULL) < 0)
		return;
	if (from >= to)
		argp_error(state,
			"--to: found \"%s\", which is not after \"%s\"; accepted: a time "
			"after --from",
			options->to, options->from);
}

static void read_word(struct argp_state *state, struct command_line *line, const char *word)
{
	if (line->command == NULL)
		line->command = word;
	else if (line->argument == NULL)
		line->argument = word;
	else
		argp_error(state, "found one word too many: \"%s\"", word);
}

static void check_command(struct argp_state *state, const struct command_line *line)
{
	const char *command = line->command;
	bool show = command != NULL && strcmp(command, "show") == 0;
	bool check = command != NULL && strcmp(command, "check") == 0;
	bool plan = command != NULL && strcmp(command, "plan") == 0;
	bool top = command != NULL && strcmp(command, "top") == 0;
	bool bill = command != NULL && strcmp(command, "bill") == 0;

	if (command == NULL)
		argp_error(state, "found no command; accepted: " COMMANDS);
	else if (!show && !check && !plan && !top && !bill && strcmp(command, "stop") != 0)
		argp_error(state, "found command \"%s\"; accepted: " COMMANDS, command);
	else if ((check || plan) && line->argument == NULL)
		argp_error(state, "%s: found no file; accepted: %s FILE", command, command);
	else if (show && (line->argument == NULL || !tp_command_can_show(line->argument)))
		argp_error(state,
			"show: found \"%s\"; accepted: interfaces, tenants, classes, drops, "
			"workers, cache, latency, uplinks, neighbours, summary",
			line->argument != NULL ? line->argument : "");
	else if (!show && !check && !plan && line->argument != NULL)
		argp_error(state, "%s: found one word too many: \"%s\"", command, line->argument);
	else if (line->options.json && !show && !plan && !bill)
		argp_error(state, "-j is for show, plan and bill only");
	else if (line->top_only && !top)
		argp_error(state, "-n and -d are for top only");
	else if (line->bill_only && !bill)
		argp_error(state, "--from, --to, --by and --csv are for bill only");
	else if (line->options.json && line->options.csv)
		argp_error(state, "found -j and --csv; accepted: one of them");
	else
		check_order(state, &line->options);
}

static error_t read_option(int key, char *text, struct argp_state *state)
{
	struct command_line *line = state->input;

	switch (key) {
	case 's':
		line->options.socket = text;
		break;
	case 'j':
		line->options.json = true;
		break;
	case 'n':
		read_count(state, text, &line->options.tables);
		line->top_only = true;
		break;
	case 'd':
		read_delay(state, text, &line->options.delay);
		line->top_only = true;
		break;
	case OPTION_FROM:
	case OPTION_TO:
	case OPTION_BY:
	case OPTION_CSV:
		read_bill_option(state, line, key, text);
		break;
	case ARGP_KEY_ARG:
		read_word(state, line, text);
		break;
	case ARGP_KEY_END:
		check_command(state, line);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static int run(const struct command_line *line)
{
	if (strcmp(line->command, "check") == 0)
		return tp_command_check(line->argument);
	if (strcmp(line->command, "plan") == 0)
		return tp_command_plan(&line->options, line->argument);
	if (strcmp(line->command, "show") == 0)
		return tp_command_show(&line->options, line->argument);
	if (strcmp(line->command, "top") == 0)
		return tp_command_top(&line->options);
	if (strcmp(line->command, "bill") == 0)
		return tp_command_bill(&line->options);
	return tp_command_stop(&line->options);
}

int main(int argc, char **argv)
{
	static const struct argp parser = {option_list, read_option, usage, help};
	struct command_line line = {
		.options = {.socket = "/run/turnpike/control.sock", .delay = 1, .by = "tenant"}};
	int result;

	argp_err_exit_status = TP_EXIT_USAGE;
	argp_parse(&parser, argc, argv, 0, NULL, &line);
	result = run(&line);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "turnpike: the output cannot be written: %s\n", strerror(errno));
		return TP_EXIT_FAILED;
	}
	return result;
}
