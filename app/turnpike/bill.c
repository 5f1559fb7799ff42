/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdint.h>
#include <string.h>

#include "bill_group.h"
#include "client.h"
#include "commands.h"
#include "table.h"

/* A ledger of years has gigabytes, which the appliance reads through. */
#define ANSWER_LIMIT 300

#define AMOUNTS                                                                                    \
	{"FRAMES", "frames", tp_format_number}, {"BYTES", "bytes", tp_format_number},              \
	{                                                                                          \
		"CREDITS", "sixteenths", tp_format_credits                                         \
	}

static const struct tp_column by_tenant[] = {
	{"TENANT", "tenant", tp_format_text},
	{"INTERFACES", "interfaces", tp_format_number},
	AMOUNTS,
	{NULL, NULL, NULL},
};

static const struct tp_column by_class[] = {
	{"CLASS", "class", tp_format_text},
	{"INTERFACES", "interfaces", tp_format_number},
	AMOUNTS,
	{NULL, NULL, NULL},
};

static const struct tp_column by_interface[] = {
	{"TENANT", "tenant", tp_format_text},
	{"INTERFACE", "interface", tp_format_text},
	{"CLASS", "class", tp_format_text},
	AMOUNTS,
	{NULL, NULL, NULL},
};

static const struct division {
	const char *by;
	const struct tp_column *columns;
} divisions[] = {
	{"tenant", by_tenant},
	{"class", by_class},
	{"interface", by_interface},
};

static const struct tp_column *find_columns(const char *by)
{
	for (size_t i = 0; i < sizeof(divisions) / sizeof(divisions[0]); i++)
		if (strcmp(divisions[i].by, by) == 0)
			return divisions[i].columns;
	return NULL;
}

bool tp_command_can_bill(const char *by)
{
	return find_columns(by) != NULL;
}

/* --- as a table ------------------------------------------------------------------------------ */

static void write_period(const json_t *bill)
{
	char begin[64], end[64], intervals[32];

	tp_format_text(json_object_get(bill, "begin"), begin, sizeof(begin));
	tp_format_text(json_object_get(bill, "end"), end, sizeof(end));
	tp_format_number(json_object_get(bill, "intervals"), intervals, sizeof(intervals));
	if (json_is_string(json_object_get(bill, "begin")))
		printf("from %s to %s, intervals: %s\n", begin, end, intervals);
	else
		printf("nothing was charged in that time\n");
}

static void write_notes(FILE *file, const json_t *bill)
{
	const json_t *notes = json_object_get(bill, "notes");
	char text[512];

	for (size_t i = 0; i < json_array_size(notes); i++) {
		tp_format_text(json_array_get(notes, i), text, sizeof(text));
		fprintf(file, "note: %s\n", text);
	}
}

/* The sum stands below, named in the first column. */
static void write_table(const json_t *bill, json_t *rows, const struct tp_column *columns)
{
	json_t *total = json_deep_copy(json_object_get(bill, "total"));

	json_object_set_new(total, columns[0].key, json_string("total"));
	json_array_append_new(rows, total);
	tp_table_write(stdout, rows, SIZE_MAX, columns);
	write_period(bill);
	write_notes(stdout, bill);
}

/* --- as CSV ---------------------------------------------------------------------------------- */

/* No name has a comma or a quote. Credits are exact. */
static void write_csv_value(const json_t *row, const char *key)
{
	const json_t *value = json_object_get(row, key);
	char text[128];

	if (json_is_string(value))
		tp_format_text(value, text, sizeof(text));
	else
		tp_format_number(value, text, sizeof(text));
	printf("%s,", text);
}

static void write_csv(const json_t *bill, const json_t *rows, const struct tp_column *columns)
{
	for (const struct tp_column *column = columns; column->title != NULL; column++)
		printf("%s,", column->key);
	printf("credits\n");
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		json_int_t amount = json_integer_value(json_object_get(row, "sixteenths"));

		for (const struct tp_column *column = columns; column->title != NULL; column++)
			write_csv_value(row, column->key);
		printf("%" JSON_INTEGER_FORMAT ".%04d\n", amount / 16, (int)(amount % 16) * 625);
	}
	write_notes(stderr, bill);
}

/* --- as asked for ---------------------------------------------------------------------------- */

/* What the appliance tells of each interface and class becomes "rows", as the bill is divided. */
static json_t *divide(json_t *bill, const char *by)
{
	const json_t *charges = json_object_get(bill, "charges");
	json_t *rows = tp_bill_group(charges, by);

	json_object_set_new(bill, "by", json_string(by));
	json_object_set_new(bill, "total", tp_bill_total(charges));
	json_object_set(bill, "rows", rows);
	json_object_del(bill, "charges");
	return rows;
}

static void write_bill(const struct tp_options *options, json_t *bill)
{
	const struct tp_column *columns = find_columns(options->by);
	json_t *rows = divide(bill, options->by);

	if (options->json) {
		json_dumpf(bill, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (options->csv) {
		write_csv(bill, rows, columns);
	} else {
		write_table(bill, rows, columns);
	}
	json_decref(rows);
}

int tp_command_bill(const struct tp_options *options)
{
	struct tp_error error = {""};
	json_t *bill = tp_ask_request(options->socket,
		json_pack("{s:s, s:s*, s:s*}", "command", "bill", "from", options->from, "to",
			options->to),
		ANSWER_LIMIT, &error);

	if (bill == NULL) {
		fprintf(stderr, "turnpike: %s\n", error.text);
		return TP_EXIT_FAILED;
	}
	write_bill(options, bill);
	json_decref(bill);
	return TP_EXIT_OK;
}
