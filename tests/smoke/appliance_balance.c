/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "appliance.h"

/* The sums that hold whenever no burst is under way (state/counter.h). */

/* Drops are whatever stands in `counters` and in the table of drops. */
struct sums {
	uint64_t tx, rx, delivered, flooded, copies, drops;
};

static uint64_t figure(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

static struct sums sums_of(const json_t *interface, const json_t *drop_table)
{
	const json_t *counters = json_object_get(interface, "counters");
	struct sums sums = {
		.tx = figure(counters, "tx_frames"),
		.rx = figure(counters, "rx_frames"),
		.delivered = figure(counters, "delivered"),
		.flooded = figure(counters, "flooded"),
		.copies = figure(counters, "copies"),
	};
	const json_t *drop;
	size_t i;

	json_array_foreach(drop_table, i, drop) sums.drops +=
		figure(counters, json_string_value(json_object_get(drop, "name")));
	return sums;
}

/* Nothing has moved between two looks. @return the later one. */
static json_t *still_interfaces(const struct appliance *appliance)
{
	json_t *before = appliance_show(appliance, "interfaces");

	for (int i = 0; i < 200; i++) {
		json_t *now;

		usleep(10000);
		now = appliance_show(appliance, "interfaces");
		if (json_equal(before, now)) {
			json_decref(before);
			return now;
		}
		json_decref(before);
		before = now;
	}
	fail_msg("the counters do not come to rest");
	return NULL;
}

static uint64_t column(const struct appliance *appliance, const char *what, const char *key)
{
	json_t *table = appliance_show(appliance, what);
	uint64_t sum = 0;
	json_t *row;
	size_t i;

	json_array_foreach(table, i, row) sum += figure(row, key);
	json_decref(table);
	return sum;
}

void appliance_expect_balance(const struct appliance *appliance)
{
	json_t *interfaces = still_interfaces(appliance);
	json_t *drop_table = appliance_show(appliance, "drops");
	struct sums total = {0};
	const json_t *interface;
	size_t i;

	json_array_foreach(interfaces, i, interface)
	{
		struct sums sums = sums_of(interface, drop_table);

		assert_int_equal(sums.tx, sums.delivered + sums.drops);
		assert_int_equal(sums.drops, figure(interface, "drops"));
		total.tx += sums.tx;
		total.rx += sums.rx;
		total.delivered += sums.delivered;
		total.flooded += sums.flooded;
		total.copies += sums.copies;
		total.drops += sums.drops;
	}
	assert_int_equal(total.rx, total.delivered - total.flooded + total.copies);
	assert_int_equal(total.drops, column(appliance, "drops", "frames"));
	for (i = 0; i < 2; i++) {
		const char *what = i == 0 ? "tenants" : "classes";

		assert_int_equal(total.tx, column(appliance, what, "tx_frames"));
		assert_int_equal(total.rx, column(appliance, what, "rx_frames"));
		assert_int_equal(total.drops, column(appliance, what, "drops"));
	}
	json_decref(drop_table);
	json_decref(interfaces);
}
