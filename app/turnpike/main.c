/* SPDX-License-Identifier: BSD-3-Clause */
#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"

#define DELAY_MIN 0.1
#define DELAY_MAX 3600

const char *argp_program_version = "turnpike " TP_VERSION;

static const char usage[] = "check FILE\n"
			    "plan FILE\n"
			    "show interfaces|tenants|classes|drops|workers|cache|summary\n"
			    "top\n"
			    "stop";

static const char help[] =
	"Check configurations of the appliance, and see and stop the one that runs.\v"
	"check FILE  read and check a configuration; needs no appliance\n"
	"plan FILE   tell what it needs of this machine, and whether that is there\n"
	"show WHAT   show what the appliance serves and has counted\n"
	"top         show rates, again and again; Ctrl-C ends it\n"
	"stop        end the appliance\n"
	"\n"
	"Exit code: 0 done, 1 refused or no appliance answers, 2 wrong usage.";

static const struct argp_option option_list[] = {
	{"socket", 's', "PATH", 0,
		"Control socket of the appliance (default /run/turnpike/control.sock)", 0},
	{"json", 'j', NULL, 0, "show, plan: as JSON", 0},
	{"count", 'n', "COUNT", 0, "top: end after this many tables", 0},
	{"delay", 'd', "SECONDS", 0, "top: seconds between two tables (default 1)", 0},
	{0},
};

struct command_line {
	struct tp_options options;
	const char *command;
	const char *argument;
	bool top_only; /* an option that only top takes was given */
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

	if (command == NULL)
		argp_error(state, "found no command; accepted: check, plan, show, top, stop");
	else if (!show && !check && !plan && !top && strcmp(command, "stop") != 0)
		argp_error(state, "found command \"%s\"; accepted: check, plan, show, top, stop",
			command);
	else if ((check || plan) && line->argument == NULL)
		argp_error(state, "%s: found no file; accepted: %s FILE", command, command);
	else if (show && (line->argument == NULL || !tp_command_can_show(line->argument)))
		argp_error(state,
			"show: found \"%s\"; accepted: interfaces, tenants, classes, drops, "
			"workers, cache, latency, summary",
			line->argument != NULL ? line->argument : "");
	else if (!show && !check && !plan && line->argument != NULL)
		argp_error(state, "%s: found one word too many: \"%s\"", command, line->argument);
	else if (line->options.json && !show && !plan)
		argp_error(state, "-j is for show and plan only");
	else if (line->top_only && !top)
		argp_error(state, "-n and -d are for top only");
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
	return tp_command_stop(&line->options);
}

int main(int argc, char **argv)
{
	static const struct argp parser = {option_list, read_option, usage, help};
	struct command_line line = {
		.options = {.socket = "/run/turnpike/control.sock", .delay = 1}};
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
