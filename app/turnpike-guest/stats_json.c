/* SPDX-License-Identifier: BSD-3-Clause */
/* The same as data: each call prints one line. */
#include <jansson.h>
#include <stdio.h>

#include "guest.h"

static void print(json_t *value)
{
	char *text =
		value != NULL ? json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;

	puts(text != NULL ? text : "{\"error\":\"no memory\"}");
	fflush(stdout);
	free(text);
	json_decref(value);
}

void json_ok(void)
{
	print(json_pack("{s:b}", "ok", 1));
}

void json_error(const char *text)
{
	json_t *value = json_pack("{s:s}", "error", text);

	print(value != NULL ? value : json_pack("{s:s}", "error", "not UTF-8"));
}

void json_attached(const struct guest *guest, uint64_t elapsed_ns)
{
	print(json_pack("{s:i, s:f, s:i}", "attached", (int)guest->guests.count, "attach_seconds",
		(double)elapsed_ns / 1e9, "threads", (int)guest->options.threads));
}

static double us(uint64_t ns)
{
	return (double)ns / 1e3;
}

static json_t *latency_object(const struct tp_histogram *latency)
{
	return json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "count",
		(json_int_t)latency->count, "min", us(latency->least), "mean",
		tp_histogram_mean(latency) / 1e3, "p50", us(tp_histogram_quantile(latency, 0.5)),
		"p90", us(tp_histogram_quantile(latency, 0.9)), "p99",
		us(tp_histogram_quantile(latency, 0.99)), "p999",
		us(tp_histogram_quantile(latency, 0.999)), "max", us(latency->most));
}

static json_t *stalls_object(const struct tp_engine_report *report)
{
	return json_pack("{s:I, s:f, s:f}", "count", (json_int_t)report->stalls, "seconds",
		report->stall_seconds, "longest_us", report->stall_longest * 1e6);
}

static json_t *order_object(const struct tp_engine_order *order)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "sent", (json_int_t)order->sent,
		"in_ring", (json_int_t)order->in_ring, "received", (json_int_t)order->received,
		"lost", (json_int_t)order->lost, "duplicates", (json_int_t)order->duplicates,
		"reordered", (json_int_t)order->reordered, "late", (json_int_t)order->late);
}

static json_t *counts_object(const struct tp_engine_counts *counts)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "tx_frames",
		(json_int_t)counts->tx_frames, "tx_bytes", (json_int_t)counts->tx_bytes,
		"rx_frames", (json_int_t)counts->rx_frames, "rx_bytes",
		(json_int_t)counts->rx_bytes, "missed", (json_int_t)counts->tx_missed, "strays",
		(json_int_t)counts->rx_strays, "corrupt", (json_int_t)counts->rx_corrupt, "wrong",
		(json_int_t)counts->rx_wrong);
}

static json_t *device_objects(const struct guest *guest)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < guest->guests.count; i++)
		json_array_append_new(array, counts_object(&guest->results.device[i]));
	return array;
}

static json_t *flow_objects(const struct guest *guest)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < tp_engine_flow_count(guest->engine); i++) {
		struct tp_engine_order order;
		unsigned from, to;
		json_t *object;

		tp_engine_flow_order(guest->engine, i, &order, &from, &to);
		object = order_object(&order);
		json_object_del(object, "in_ring");
		json_object_set_new(object, "from", json_integer(from));
		json_object_set_new(object, "to", json_integer(to));
		json_array_append_new(array, object);
	}
	return array;
}

/* Of the time measured, but for the faults, which may still come after it. */
static json_t *counts_of(
	const struct tp_engine_report *during, const struct tp_engine_report *after)
{
	struct tp_engine_counts counts = during->counts;

	counts.rx_strays = after->counts.rx_strays;
	counts.rx_corrupt = after->counts.rx_corrupt;
	counts.rx_wrong = after->counts.rx_wrong;
	return counts_object(&counts);
}

/* What became of the frames that the devices of a group send, or of those sent to them. */
static void add_fate(
	json_t *object, const struct tp_engine_report *during, const struct tp_engine_report *after)
{
	json_object_set_new(object, "order", order_object(&after->order));
	json_object_set_new(object, "jain", json_real(after->jain));
	json_object_set_new(object, "latency_us", latency_object(&during->latency));
}

static double per_second(uint64_t count, const struct tp_engine_report *during)
{
	return during->seconds > 0 ? (double)count / during->seconds : 0;
}

static json_t *group_objects(const struct guest *guest)
{
	const struct tp_engine_reports *during = &guest->results.during;
	const struct tp_engine_reports *after = &guest->results.after;
	json_t *array = json_array();

	for (unsigned i = 0; i < during->groups; i++) {
		json_t *object, *sent = json_object();

		if (guest->guests.group_name[i] == NULL) {
			json_decref(sent);
			continue;
		}
		object = counts_of(&during->to[i], &after->to[i]);
		json_object_set_new(object, "name", json_string(guest->guests.group_name[i]));
		json_object_set_new(object, "devices", json_integer(during->to[i].devices));
		add_fate(object, &during->to[i], &after->to[i]);
		json_object_set_new(sent, "mpps",
			json_real(per_second(during->from[i].order.received, &during->all) / 1e6));
		json_object_set_new(
			sent, "waiting", json_integer((json_int_t)during->from[i].order.in_ring));
		add_fate(sent, &during->from[i], &after->from[i]);
		json_object_set_new(object, "from", sent);
		json_array_append_new(array, object);
	}
	return array;
}

static void add_rates(json_t *run, const struct tp_engine_report *during)
{
	const struct tp_engine_counts *counts = &during->counts;

	json_object_set_new(run, "seconds", json_real(during->seconds));
	json_object_set_new(run, "mpps", json_real(per_second(counts->rx_frames, during) / 1e6));
	json_object_set_new(run, "tx_mpps", json_real(per_second(counts->tx_frames, during) / 1e6));
	json_object_set_new(
		run, "gbits", json_real(8 * per_second(counts->rx_bytes, during) / 1e9));
	json_object_set_new(run, "cpu", json_real(during->cpu));
}

static bool has_groups(const struct guests *guests)
{
	for (unsigned i = 0; i < TP_ENGINE_GROUPS_MAX; i++) {
		if (guests->group_name[i] != NULL)
			return true;
	}
	return false;
}

void json_run(const struct guest *guest)
{
	const struct tp_engine_report *during = &guest->results.during.all;
	const struct tp_engine_report *after = &guest->results.after.all;
	json_t *run = counts_of(during, after);
	char size[80];

	add_rates(run, during);
	json_object_set_new(run, "mode", json_string(tp_mode_name(guest->load.mode)));
	json_object_set_new(
		run, "size", json_string(tp_size_text(&guest->load.size, size, sizeof(size))));
	json_object_set_new(run, "devices", json_integer(during->devices));
	json_object_set_new(run, "connected", json_integer(during->connected));
	json_object_set_new(run, "reconnects", json_integer((json_int_t)during->reconnects));
	json_object_set_new(run, "flows", json_integer(after->flows));
	add_fate(run, during, after);
	json_object_set_new(run, "stalls", stalls_object(during));
	if (has_groups(&guest->guests))
		json_object_set_new(run, "groups", group_objects(guest));
	if (guest->options.per_device)
		json_object_set_new(run, "per_device", device_objects(guest));
	if (guest->options.per_flow)
		json_object_set_new(run, "per_flow", flow_objects(guest));
	print(json_pack("{s:o}", "run", run));
}

static json_t *trial_objects(const struct tp_search_result *result)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < result->trial_count; i++) {
		const struct tp_trial *trial = &result->trial[i];

		json_array_append_new(array,
			json_pack("{s:f, s:I, s:I, s:I, s:f, s:b, s:b}", "fps", trial->offered,
				"sent", (json_int_t)trial->sent, "lost", (json_int_t)trial->lost,
				"missed", (json_int_t)trial->missed, "stall_us", trial->stall * 1e6,
				"passed", trial->passed, "repeated", trial->repeated));
	}
	return array;
}

void json_search(const struct guest *guest, const struct tp_search_goal *goal,
	const struct tp_search_result *result)
{
	static const char *const names[TP_SEARCH_LATENCIES] = {"10", "50", "90"};
	json_t *latency = json_object();
	char size[80];

	for (unsigned i = 0; result->rate > 0 && i < TP_SEARCH_LATENCIES; i++) {
		json_t *object = latency_object(&result->latency[i]);

		json_object_set_new(object, "stall_us", json_real(result->stall[i] * 1e6));
		json_object_set_new(latency, names[i], object);
	}
	print(json_pack("{s:{s:s, s:f, s:s, s:f, s:f, s:f, s:o, s:o}}", "search", "kind",
		goal->partial ? "pdr" : "ndr", "threshold", goal->percent, "size",
		tp_size_text(&guest->load.size, size, sizeof(size)), "fps", result->rate, "mpps",
		result->rate / 1e6, "gbits", result->rate * 8 * guest->load.size.mean / 1e9,
		"trials", trial_objects(result), "latency", latency));
}

void json_port_stats(struct guest *guest, int device)
{
	struct tp_engine_counts counts;

	if (device < 0) {
		print(json_pack("{s:o}", "port_stats", device_objects(guest)));
		return;
	}
	tp_engine_device_counts(guest->engine, (unsigned)device, &counts);
	print(json_pack("{s:[o]}", "port_stats", counts_object(&counts)));
}

void json_config(const struct guest *guest)
{
	const struct options *options = &guest->options;
	char size[80];

	print(json_pack("{s:{s:s, s:i, s:i, s:i, s:i, s:i, s:s, s:b, s:b, s:b}}", "config", "mode",
		tp_mode_name(guest->load.mode), "ports", (int)guest->guests.count, "cores",
		(int)options->threads, "queue_pairs", (int)options->rxq, "descriptors",
		(int)options->rxd, "burst", (int)guest->load.burst, "size",
		tp_size_text(&guest->load.size, size, sizeof(size)), "packed", options->packed,
		"mergeable", options->mergeable, "in_order", options->in_order));
}

void json_latency(const struct tp_engine_report *report)
{
	print(json_pack("{s:o, s:o}", "latency_us", latency_object(&report->latency), "stalls",
		stalls_object(report)));
}
