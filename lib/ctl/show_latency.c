/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>

#include "figures.h"

/* What the workers count of times, as rows that have the same figures. */

/* All counts, for who wants those of a time between two looks: [nanoseconds from, count]. */
static json_t *all_counts(const struct tp_times *sum)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < TP_HISTOGRAM_BUCKETS; i++)
		if (sum->bucket[i] > 0)
			json_array_append_new(
				list, json_pack("[I, I]", (json_int_t)tp_times_bucket_ns(i),
					      (json_int_t)sum->bucket[i]));
	return list;
}

static json_t *times_object(const char *what, const char *name, const struct tp_times *sum)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "what", what, "name",
		name, "count", (json_int_t)tp_times_count(sum), "p50_ns",
		(json_int_t)tp_times_ns(sum, 0.5), "p90_ns", (json_int_t)tp_times_ns(sum, 0.9),
		"p99_ns", (json_int_t)tp_times_ns(sum, 0.99), "p999_ns",
		(json_int_t)tp_times_ns(sum, 0.999), "most_ns", (json_int_t)tp_times_ns(sum, 1),
		"counts", all_counts(sum));
}

static json_t *worker_object(const char *what, unsigned worker, const struct tp_times *times)
{
	struct tp_times sum = {0};
	char name[24];

	snprintf(name, sizeof(name), "worker %u", worker);
	tp_times_sum(&sum, times);
	return times_object(what, name, &sum);
}

json_t *tp_show_latency(const struct tp_appliance *appliance)
{
	const struct tp_dataplane *dataplane = appliance->dataplane;
	json_t *list = json_array();

	for (uint32_t c = 0; c < appliance->config->class_count; c++) {
		struct tp_times sum = {0};

		tp_sum_latency(&sum, appliance, c);
		json_array_append_new(
			list, times_object("frames", appliance->config->classes[c].name, &sum));
	}
	for (unsigned w = 0; w < dataplane->worker_count; w++) {
		json_array_append_new(
			list, worker_object("pinned polls", w, &dataplane->worker[w]->pinned_gap));
		json_array_append_new(
			list, worker_object("sweeps", w, &dataplane->worker[w]->sweep));
	}
	return list;
}
