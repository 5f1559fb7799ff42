/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>

#include "rates.h"

static const struct rate {
	const char *counter, *rate;
	double factor;
} rates[] = {
	{"rx_frames", "rx_frames_rate", 1},
	{"rx_bytes", "rx_bits_rate", 8},
	{"tx_frames", "tx_frames_rate", 1},
	{"tx_bytes", "tx_bits_rate", 8},
	{"drops", "drops_rate", 1},
	{"frames", "frames_rate", 1},
};

static const char *text_of(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text != NULL ? text : "";
}

/* "/" is in no name. A worker has a number only. */
static const char *name_of(const json_t *row, char *name, size_t size)
{
	snprintf(name, size, "%s/%s/%" JSON_INTEGER_FORMAT, text_of(row, "tenant"),
		text_of(row, "name"),
		json_object_get(row, "name") == NULL
			? json_integer_value(json_object_get(row, "worker"))
			: 0);
	return name;
}

static json_t *index_rows(const json_t *rows)
{
	json_t *by_name = json_object();
	char name[128];

	for (size_t i = 0; i < json_array_size(rows); i++) {
		json_t *row = json_array_get(rows, i);

		json_object_set(by_name, name_of(row, name, sizeof(name)), row);
	}
	return by_name;
}

static double gain(const json_t *before, const json_t *now, const char *counter)
{
	double from = json_number_value(json_object_get(before, counter));
	double to = json_number_value(json_object_get(now, counter));

	if (before == NULL)
		return 0;
	return to >= from ? to - from : to;
}

/* The appliance tells the share since it started; here it is that of the time between. */
static void add_busy(const json_t *before, json_t *now, double seconds)
{
	if (before != NULL && json_object_get(now, "busy_ns") != NULL)
		json_object_set_new(now, "busy_percent",
			json_real(100 * gain(before, now, "busy_ns") / (seconds * 1e9)));
}

void tp_rates_add(const json_t *before, json_t *now, double seconds)
{
	json_t *by_name = index_rows(before);
	char name[128];

	for (size_t i = 0; i < json_array_size(now); i++) {
		json_t *row = json_array_get(now, i);
		json_t *old = json_object_get(by_name, name_of(row, name, sizeof(name)));

		for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++)
			json_object_set_new(row, rates[r].rate,
				json_real(gain(old, row, rates[r].counter) * rates[r].factor /
					  seconds));
		add_busy(old, row, seconds);
	}
	json_decref(by_name);
}

struct ranked {
	double rate;
	size_t index;
};

static int busiest_first(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;

	if (a->rate != b->rate)
		return a->rate < b->rate ? 1 : -1;
	return (a->index > b->index) - (a->index < b->index);
}

json_t *tp_rates_sort(const json_t *rows)
{
	size_t count = json_array_size(rows);
	struct ranked *ranks = calloc(count + 1, sizeof(*ranks));
	json_t *sorted = json_array();

	for (size_t i = 0; ranks != NULL && i < count; i++) {
		const json_t *row = json_array_get(rows, i);

		ranks[i].index = i;
		ranks[i].rate = json_number_value(json_object_get(row, "rx_frames_rate")) +
				json_number_value(json_object_get(row, "tx_frames_rate"));
	}
	if (ranks != NULL)
		qsort(ranks, count, sizeof(*ranks), busiest_first);
	for (size_t i = 0; ranks != NULL && i < count; i++)
		json_array_append(sorted, json_array_get(rows, ranks[i].index));
	free(ranks);
	return sorted;
}
