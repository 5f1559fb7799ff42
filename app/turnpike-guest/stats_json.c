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

	tp_engine_hold(guest->engine);
	for (unsigned i = 0; i < guest->guests.count; i++) {
		struct tp_engine_counts counts;

		tp_engine_device_counts(guest->engine, i, &counts);
		json_array_append_new(array, counts_object(&counts));
	}
	tp_engine_go_on(guest->engine);
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

static json_t *group_objects(const struct guest *guest)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < TP_ENGINE_CLASSES_MAX; i++) {
		struct tp_engine_report report;
		json_t *object;

		if (guest->guests.group_name[i] == NULL)
			continue;
		tp_engine_group_report(guest->engine, i, &report);
		object = counts_object(&report.counts);
		json_object_set_new(object, "class", json_string(guest->guests.group_name[i]));
		json_object_set_new(object, "devices", json_integer(report.devices));
		json_object_set_new(object, "order", order_object(&report.order));
		json_object_set_new(object, "jain", json_real(report.jain));
		json_object_set_new(object, "latency_us", latency_object(&report.latency));
		json_array_append_new(array, object);
	}
	return array;
}

static void add_rates(json_t *run, const struct tp_engine_report *report)
{
	double seconds = report->seconds > 0 ? report->seconds : 1;

	json_object_set_new(run, "seconds", json_real(report->seconds));
	json_object_set_new(
		run, "mpps", json_real((double)report->counts.rx_frames / seconds / 1e6));
	json_object_set_new(
		run, "tx_mpps", json_real((double)report->counts.tx_frames / seconds / 1e6));
	json_object_set_new(
		run, "gbits", json_real(8 * (double)report->counts.rx_bytes / seconds / 1e9));
	json_object_set_new(run, "cpu", json_real(report->cpu));
}

void json_run(struct guest *guest, const struct tp_engine_report *report)
{
	json_t *run = counts_object(&report->counts);
	char size[80];

	add_rates(run, report);
	json_object_set_new(run, "mode", json_string(tp_mode_name(guest->load.mode)));
	json_object_set_new(
		run, "size", json_string(tp_size_text(&guest->load.size, size, sizeof(size))));
	json_object_set_new(run, "devices", json_integer(report->devices));
	json_object_set_new(run, "connected", json_integer(report->connected));
	json_object_set_new(run, "reconnects", json_integer((json_int_t)report->reconnects));
	json_object_set_new(run, "order", order_object(&report->order));
	json_object_set_new(run, "jain", json_real(report->jain));
	json_object_set_new(run, "flows", json_integer(report->flows));
	json_object_set_new(run, "latency_us", latency_object(&report->latency));
	json_object_set_new(run, "stalls", stalls_object(report));
	if (guest->guests.config != NULL)
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
