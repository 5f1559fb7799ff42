/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bill.h"
#include "ctl/moment.h"

#define NOTE_SIZE     400
#define DAMAGED_SHOWN 10

struct tp_bill {
	int64_t from, to;
	int64_t begin, end; /* of the records counted */
	uint64_t intervals;
	unsigned long damaged;
	json_t *notes;
	json_t *places; /* of a sum by "tenant/interface/class" */
	struct tp_charge *sums;
	size_t count, size;
};

struct tp_bill *tp_bill_new(int64_t from, int64_t to)
{
	struct tp_bill *bill = calloc(1, sizeof(*bill));

	if (bill == NULL)
		return NULL;
	bill->from = from;
	bill->to = to;
	bill->notes = json_array();
	bill->places = json_object();
	if (bill->notes != NULL && bill->places != NULL)
		return bill;
	tp_bill_free(bill);
	return NULL;
}

void tp_bill_free(struct tp_bill *bill)
{
	if (bill == NULL)
		return;
	for (size_t i = 0; i < bill->count; i++) {
		free((char *)bill->sums[i].tenant);
		free((char *)bill->sums[i].interface);
		free((char *)bill->sums[i].class);
	}
	free(bill->sums);
	json_decref(bill->places);
	json_decref(bill->notes);
	free(bill);
}

void tp_bill_note(struct tp_bill *bill, const char *format, ...)
{
	char text[NOTE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	json_array_append_new(bill->notes, json_string(text));
}

void tp_bill_note_damaged(struct tp_bill *bill, const char *file, unsigned long line)
{
	/* The first of them are enough to find the trouble. */
	if (bill->damaged++ < DAMAGED_SHOWN)
		tp_bill_note(bill, "%s: line %lu is no whole record: skipped", file, line);
}

static int make_room(struct tp_bill *bill)
{
	size_t size = bill->size > 0 ? 2 * bill->size : 64;
	struct tp_charge *sums;

	if (bill->count < bill->size)
		return 0;
	sums = realloc(bill->sums, size * sizeof(*sums));
	if (sums == NULL)
		return -ENOMEM;
	bill->sums = sums;
	bill->size = size;
	return 0;
}

/* @return the new sum, or NULL: no memory. */
static struct tp_charge *add_sum(
	struct tp_bill *bill, const char *key, const struct tp_charge *charge)
{
	struct tp_charge *sum;

	if (make_room(bill) < 0 ||
		json_object_set_new(bill->places, key, json_integer((json_int_t)bill->count)) < 0)
		return NULL;
	sum = &bill->sums[bill->count++];
	*sum = (struct tp_charge){
		.tenant = strdup(charge->tenant),
		.interface = strdup(charge->interface),
		.class = strdup(charge->class),
	};
	return sum->tenant != NULL && sum->interface != NULL && sum->class != NULL ? sum : NULL;
}

/* "/" is in no name. */
static struct tp_charge *find_sum(struct tp_bill *bill, const struct tp_charge *charge)
{
	char key[160];
	const json_t *place;

	snprintf(key, sizeof(key), "%s/%s/%s", charge->tenant, charge->interface, charge->class);
	place = json_object_get(bill->places, key);
	return place != NULL ? &bill->sums[json_integer_value(place)] : add_sum(bill, key, charge);
}

/* "from 14:30:30 lies inside the interval 14:30:00 to 14:31:00, which is ..." */
static void note_cut(struct tp_bill *bill, const char *which, int64_t moment,
	const struct tp_record *record, const char *consequence)
{
	char when[TP_MOMENT_SIZE], begin[TP_MOMENT_SIZE], end[TP_MOMENT_SIZE];

	tp_bill_note(bill,
		"%s %s lies inside the interval from %s to %s, which is %s: an interval counts "
		"where it begins",
		which, tp_moment_format(moment, when), tp_moment_format(record->begin, begin),
		tp_moment_format(record->end, end), consequence);
}

static void count_interval(struct tp_bill *bill, const struct tp_record *record)
{
	if (bill->intervals == 0 || record->begin < bill->begin)
		bill->begin = record->begin;
	if (bill->intervals == 0 || record->end > bill->end)
		bill->end = record->end;
	bill->intervals++;
}

int tp_bill_add(struct tp_bill *bill, const struct tp_record *record)
{
	if (record->begin < bill->from && bill->from < record->end)
		note_cut(bill, "from", bill->from, record, "not counted");
	if (record->begin < bill->from || record->begin >= bill->to)
		return 0;
	if (bill->to < record->end)
		note_cut(bill, "to", bill->to, record, "counted whole");
	count_interval(bill, record);
	for (size_t i = 0; i < record->count; i++) {
		const struct tp_charge *charge = &record->charges[i];
		struct tp_charge *sum = find_sum(bill, charge);

		if (sum == NULL)
			return -ENOMEM;
		sum->sixteenths += charge->sixteenths;
		sum->frames += charge->frames;
		sum->bytes += charge->bytes;
	}
	return 0;
}

static json_t *moment_or_null(int64_t moment, bool there)
{
	char text[TP_MOMENT_SIZE];

	return there ? json_string(tp_moment_format(moment, text)) : json_null();
}

static json_t *sum_to_json(const struct tp_charge *sum)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "tenant", sum->tenant, "interface",
		sum->interface, "class", sum->class, "frames", (json_int_t)sum->frames, "bytes",
		(json_int_t)sum->bytes, "sixteenths", (json_int_t)sum->sixteenths);
}

/* The notes, and how many more there would be. */
static json_t *notes_to_json(const struct tp_bill *bill)
{
	json_t *notes = json_copy(bill->notes);
	char text[NOTE_SIZE];

	if (bill->damaged > DAMAGED_SHOWN) {
		snprintf(text, sizeof(text), "%lu further lines are no whole records: skipped",
			bill->damaged - DAMAGED_SHOWN);
		json_array_append_new(notes, json_string(text));
	}
	return notes;
}

json_t *tp_bill_to_json(const struct tp_bill *bill)
{
	bool any = bill->intervals > 0;
	json_t *charges = json_array();

	for (size_t i = 0; i < bill->count; i++)
		json_array_append_new(charges, sum_to_json(&bill->sums[i]));
	return json_pack("{s:o, s:o, s:o, s:o, s:I, s:o, s:o}", "from",
		moment_or_null(bill->from, bill->from != INT64_MIN), "to",
		moment_or_null(bill->to, bill->to != INT64_MAX), "begin",
		moment_or_null(bill->begin, any), "end", moment_or_null(bill->end, any),
		"intervals", (json_int_t)bill->intervals, "notes", notes_to_json(bill), "charges",
		charges);
}
