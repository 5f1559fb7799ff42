/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "config_tables.h"
#include "ctl/moment.h"
#include "ledger_record.h"

#define CHARGE_PARTS 6

static json_t *charge_to_json(const struct tp_charge *charge)
{
	return json_pack("[s, s, s, I, I, I]", charge->tenant, charge->interface, charge->class,
		(json_int_t)charge->sixteenths, (json_int_t)charge->frames,
		(json_int_t)charge->bytes);
}

char *tp_record_write(const struct tp_record *record)
{
	char begin[TP_MOMENT_SIZE], end[TP_MOMENT_SIZE];
	json_t *charges = json_array();
	char *text, *line;
	json_t *json;

	for (size_t i = 0; i < record->count; i++)
		if (json_array_append_new(charges, charge_to_json(&record->charges[i])) < 0) {
			json_decref(charges);
			return NULL;
		}
	json = json_pack("{s:s, s:I, s:s, s:s, s:o}", "run", record->run, "number",
		(json_int_t)record->number, "begin", tp_moment_format(record->begin, begin), "end",
		tp_moment_format(record->end, end), "charges", charges);
	text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	line = text != NULL ? realloc(text, strlen(text) + 2) : NULL;
	if (line == NULL)
		free(text);
	else
		strcat(line, "\n");
	return line;
}

/* A number that is not negative. */
static bool read_number(const json_t *json, uint64_t *number)
{
	if (!json_is_integer(json) || json_integer_value(json) < 0)
		return false;
	*number = (uint64_t)json_integer_value(json);
	return true;
}

static bool read_moment(const json_t *json, int64_t *moment)
{
	const char *text = json_string_value(json);

	return text != NULL && tp_moment_parse(text, 0, moment, NULL) == 0;
}

static bool read_name(const json_t *json, const char **name)
{
	*name = json_string_value(json);
	return *name != NULL && tp_config_is_name(*name);
}

static bool read_charge(const json_t *json, struct tp_charge *charge)
{
	return json_array_size(json) == CHARGE_PARTS &&
	       read_name(json_array_get(json, 0), &charge->tenant) &&
	       read_name(json_array_get(json, 1), &charge->interface) &&
	       read_name(json_array_get(json, 2), &charge->class) &&
	       read_number(json_array_get(json, 3), &charge->sixteenths) &&
	       read_number(json_array_get(json, 4), &charge->frames) &&
	       read_number(json_array_get(json, 5), &charge->bytes);
}

static int read_charges(const json_t *json, struct tp_record *record)
{
	if (!json_is_array(json))
		return -EINVAL;
	record->count = json_array_size(json);
	record->charges = calloc(record->count + 1, sizeof(*record->charges));
	if (record->charges == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < record->count; i++)
		if (!read_charge(json_array_get(json, i), &record->charges[i]))
			return -EINVAL;
	return 0;
}

static int read_record(struct tp_record *record)
{
	const char *run = json_string_value(json_object_get(record->source, "run"));

	if (run == NULL || strlen(run) >= sizeof(record->run) ||
		!read_number(json_object_get(record->source, "number"), &record->number) ||
		!read_moment(json_object_get(record->source, "begin"), &record->begin) ||
		!read_moment(json_object_get(record->source, "end"), &record->end) ||
		record->end < record->begin)
		return -EINVAL;
	strcpy(record->run, run);
	return read_charges(json_object_get(record->source, "charges"), record);
}

int tp_record_read(const char *line, size_t length, struct tp_record *record)
{
	int result;

	*record = (struct tp_record){.source = json_loadb(line, length, 0, NULL)};
	if (record->source == NULL)
		return -EINVAL;
	result = read_record(record);
	if (result < 0)
		tp_record_clear(record);
	return result;
}

void tp_record_clear(struct tp_record *record)
{
	free(record->charges);
	json_decref(record->source);
	record->charges = NULL;
	record->source = NULL;
	record->count = 0;
}
