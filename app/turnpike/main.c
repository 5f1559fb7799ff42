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
#define COMMANDS                                                                                   \
	"check, plan, apply, rollback, save, interface, tenant, class, tariff, show, top, bill, "  \
	"flush, stop"

enum { OPTION_FROM = 0x100, OPTION_TO, OPTION_BY, OPTION_CSV, OPTION_DRY_RUN };

const char *argp_program_version = "turnpike " TP_VERSION;

static const char usage[] =
	"check FILE\n"
	"plan FILE\n"
	"apply FILE\n"
	"rollback\n"
	"save [FILE]\n"
	"interface|tenant|class add|remove|set NAME [KEY=VALUE...]\n"
	"tariff set KEY=VALUE...\n"
	"show "
	"interfaces|tenants|classes|drops|workers|cache|macs|latency|uplinks|neighbours|summary\n"
	"top\n"
	"bill\n"
	"flush [TENANT[/INTERFACE]]\n"
	"stop";

static const char help[] =
	"Check configurations of the appliance; change, see and stop the one that runs.\v"
	"check FILE  read and check a configuration; needs no appliance\n"
	"plan FILE   tell what it needs of this machine, and whether that is there\n"
	"apply FILE  have the appliance serve this configuration; tells what changes\n"
	"rollback    go back to the configuration before the present one\n"
	"save [FILE] give the configuration in force back\n"
	"interface, tenant, class, tariff: change one thing of the configuration in force, for "
	"example\n"
	"            interface add acme/vm9 --mac 02:00:00:00:00:09 --class gold --socket "
	"/run/vm9.sock\n"
	"            interface set acme/vm9 class=bronze rate=1Gbit/s\n"
	"            A value null takes a key away. Options stand before the command, or after it "
	"as -j,\n"
	"            --dry-run and -s.\n"
	"show WHAT   show what the appliance serves and has counted\n"
	"top         show rates, again and again; Ctrl-C ends it\n"
	"bill        show what was charged\n"
	"flush       have it forget learned MACs: all, a tenant's or an interface's\n"
	"stop        end the appliance\n"
	"\n"
	"A TIME is a date or a date and time in UTC, 2026-11-03 or 2026-11-03T14:30:00, or a time "
	"before now, -30m, -1h or -7d.\n"
	"\n"
	"Exit code: 0 done, 1 refused or no appliance answers, 2 wrong usage.";

static const struct argp_option option_list[] = {
	{"socket", 's', "PATH", 0,
		"Control socket of the appliance (default /run/turnpike/control.sock)", 0},
	{"json", 'j', NULL, 0, "show, plan, bill, and what changes the configuration: as JSON", 0},
	{"dry-run", OPTION_DRY_RUN, NULL, 0, "Tell what would change, and change nothing", 0},
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
	char **words; /* of a command that edits: all that follows it */
	unsigned word_count;
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

/* What may follow a command. */
enum argument {
	ARGUMENT_NONE,
	ARGUMENT_FILE,
	ARGUMENT_IF_ANY,
	ARGUMENT_WHAT,
	ARGUMENT_WORDS,
};

static const struct command {
	const char *name;
	enum argument argument;
	bool json;    /* -j is for it */
	bool dry_run; /* --dry-run is */
} commands[] = {
	{"check", ARGUMENT_FILE, false, false},
	{"plan", ARGUMENT_FILE, true, false},
	{"apply", ARGUMENT_FILE, true, true},
	{"rollback", ARGUMENT_NONE, true, true},
	{"save", ARGUMENT_IF_ANY, false, false},
	{"interface", ARGUMENT_WORDS, true, true},
	{"tenant", ARGUMENT_WORDS, true, true},
	{"class", ARGUMENT_WORDS, true, true},
	{"tariff", ARGUMENT_WORDS, true, true},
	{"show", ARGUMENT_WHAT, true, false},
	{"top", ARGUMENT_NONE, false, false},
	{"bill", ARGUMENT_NONE, true, false},
	{"flush", ARGUMENT_IF_ANY, false, false},
	{"stop", ARGUMENT_NONE, false, false},
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* Its words are its own, however they look, but for three options. */
static void take_words(struct argp_state *state, struct command_line *line)
{
	line->words = &state->argv[state->next];
	for (int i = state->next; i < state->argc; i++) {
		char *word = state->argv[i];

		if (strcmp(word, "-j") == 0 || strcmp(word, "--json") == 0)
			line->options.json = true;
		else if (strcmp(word, "--dry-run") == 0)
			line->options.dry_run = true;
		else if (strcmp(word, "-s") == 0 && i + 1 < state->argc)
			line->options.socket = state->argv[++i];
		else
			line->words[line->word_count++] = word;
	}
	state->next = state->argc;
}

static void read_word(struct argp_state *state, struct command_line *line, const char *word)
{
	const struct command *command = line->command == NULL ? find_command(word) : NULL;

	if (line->command == NULL)
		line->command = word;
	else if (line->argument == NULL)
		line->argument = word;
	else
		argp_error(state, "found one word too many: \"%s\"", word);
	if (command != NULL && command->argument == ARGUMENT_WORDS)
		take_words(state, line);
}

static void check_argument(
	struct argp_state *state, const struct command *command, const char *argument)
{
	if (command->argument == ARGUMENT_FILE && argument == NULL)
		argp_error(state, "%s: found no file; accepted: %s FILE", command->name,
			command->name);
	else if (command->argument == ARGUMENT_WHAT &&
		 (argument == NULL || !tp_command_can_show(argument)))
		argp_error(state,
			"show: found \"%s\"; accepted: interfaces, tenants, classes, drops, "
			"workers, cache, macs, latency, uplinks, summary",
			argument != NULL ? argument : "");
	else if (command->argument == ARGUMENT_NONE && argument != NULL)
		argp_error(state, "%s: found one word too many: \"%s\"", command->name, argument);
}

static void check_command(struct argp_state *state, const struct command_line *line)
{
	const struct command *command = line->command == NULL ? NULL : find_command(line->command);

	if (line->command == NULL)
		argp_error(state, "found no command; accepted: " COMMANDS);
	if (command == NULL) {
		argp_error(state, "found command \"%s\"; accepted: " COMMANDS, line->command);
		return;
	}
	check_argument(state, command, line->argument);
	if (line->options.json && !command->json)
		argp_error(state, "-j is for show, plan, bill and what changes the configuration "
				  "only");
	if (line->options.dry_run && !command->dry_run)
		argp_error(state, "--dry-run is for what changes the configuration only");
	if (line->top_only && strcmp(command->name, "top") != 0)
		argp_error(state, "-n and -d are for top only");
	if (line->bill_only && strcmp(command->name, "bill") != 0)
		argp_error(state, "--from, --to, --by and --csv are for bill only");
	if (line->options.json && line->options.csv)
		argp_error(state, "found -j and --csv; accepted: one of them");
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
	case OPTION_DRY_RUN:
		line->options.dry_run = true;
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
	if (strcmp(line->command, "apply") == 0)
		return tp_command_apply(&line->options, line->argument);
	if (strcmp(line->command, "rollback") == 0)
		return tp_command_rollback(&line->options);
	if (strcmp(line->command, "save") == 0)
		return tp_command_save(&line->options, line->argument);
	if (line->words != NULL)
		return tp_command_edit(
			&line->options, line->command, line->words, line->word_count);
	if (strcmp(line->command, "show") == 0)
		return tp_command_show(&line->options, line->argument);
	if (strcmp(line->command, "top") == 0)
		return tp_command_top(&line->options);
	if (strcmp(line->command, "bill") == 0)
		return tp_command_bill(&line->options);
	if (strcmp(line->command, "flush") == 0)
		return tp_command_flush(&line->options, line->argument);
	return tp_command_stop(&line->options);
}

int main(int argc, char **argv)
{
	static const struct argp parser = {option_list, read_option, usage, help};
	struct command_line line = {
		.options = {.socket = "/run/turnpike/control.sock", .delay = 1, .by = "tenant"}};
	int result;

	argp_err_exit_status = TP_EXIT_USAGE;
	argp_parse(&parser, argc, argv, ARGP_IN_ORDER, NULL, &line);
	result = run(&line);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "turnpike: the output cannot be written: %s\n", strerror(errno));
		return TP_EXIT_FAILED;
	}
	return result;
}
