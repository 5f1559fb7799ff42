/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdint.h>
#include <string.h>

#include "client.h"
#include "commands.h"
#include "table.h"

/* What the appliance tells, a line a column. */

#define TRAFFIC                                                                                    \
	{"RX-FRAMES", "rx_frames", tp_format_number}, {"RX-BYTES", "rx_bytes", tp_format_number},  \
		{"TX-FRAMES", "tx_frames", tp_format_number},                                      \
		{"TX-BYTES", "tx_bytes", tp_format_number},                                        \
	{                                                                                          \
		"DROPS", "drops", tp_format_number                                                 \
	}

static const struct tp_column interfaces[] = {
	{"TENANT", "tenant", tp_format_text},
	{"INTERFACE", "name", tp_format_text},
	{"CLASS", "class", tp_format_text},
	{"MAC", "mac", tp_format_text},
	{"STATE", "state", tp_format_text},
	{"WORKER", "worker", tp_format_number},
	{"RESIDENCE", "residence", tp_format_text},
	TRAFFIC,
	{"SOCKET", "socket", tp_format_text},
	{"REASON", "reason", tp_format_text},
	{NULL, NULL, NULL},
};

static const struct tp_column tenants[] = {
	{"TENANT", "name", tp_format_text},
	{"INTERFACES", "interfaces", tp_format_number},
	{"RUNNING", "running", tp_format_number},
	{"LEARNED-MACS", "learned_macs", tp_format_number},
	{"CREDIT", "credit_sixteenths", tp_format_credits},
	{"DEMOTED", "demoted", tp_format_yes},
	TRAFFIC,
	{NULL, NULL, NULL},
};

static const struct tp_column classes[] = {
	{"CLASS", "name", tp_format_text},
	{"BID", "bid", tp_format_number},
	{"WEIGHT", "weight", tp_format_number},
	{"PINNED", "pinned", tp_format_yes},
	{"RATE", "rate_bits_per_second", tp_format_bit_rate},
	{"RATE-FRAMES", "rate_frames_per_second", tp_format_frame_rate},
	{"ON-FULL", "on_full", tp_format_text},
	{"HOLD", "hold_ns", tp_format_time},
	{"INTERFACES", "interfaces", tp_format_number},
	{"RUNNING", "running", tp_format_number},
	TRAFFIC,
	{NULL, NULL, NULL},
};

static const struct tp_column drops[] = {
	{"DROP", "name", tp_format_text},
	{"FRAMES", "frames", tp_format_number},
	{"FROM-UPLINKS", "uplink_frames", tp_format_number},
	{"MEANING", "help", tp_format_text},
	{NULL, NULL, NULL},
};

static const struct tp_column workers[] = {
	{"WORKER", "worker", tp_format_number},
	{"CORE", "core", tp_format_number},
	{"NODE", "node", tp_format_number},
	{"TENANTS", "tenants", tp_format_number},
	{"INTERFACES", "interfaces", tp_format_number},
	{"HOT", "hot", tp_format_number},
	{"SWEEPS", "sweeps", tp_format_number},
	{"BUSY-SWEEPS", "busy_sweeps", tp_format_number},
	{"SLEEPS", "sleeps", tp_format_number},
	{"PINNED-GAP-P99.9", "pinned_gap_p999_ns", tp_format_time},
	{"FRAMES", "frames", tp_format_number},
	{"BUSY", "busy_percent", tp_format_percent},
	{"REASON", "reason", tp_format_text},
	{NULL, NULL, NULL},
};

static const struct tp_column cache[] = {
	{"CLASS", "name", tp_format_text},
	{"PINNED", "pinned", tp_format_number},
	{"HOT", "hot", tp_format_number},
	{"DRAINING", "draining", tp_format_number},
	{"WAITING", "waiting", tp_format_number},
	{"COLD", "cold", tp_format_number},
	{"HITS", "hits", tp_format_number},
	{"MISSES", "misses", tp_format_number},
	{"LOADS", "loads", tp_format_number},
	{"WRITE-BACKS", "write_backs", tp_format_number},
	{"EVICTIONS", "evictions", tp_format_number},
	{"WAITS", "waits", tp_format_number},
	{NULL, NULL, NULL},
};

static const struct tp_column macs[] = {
	{"TENANT", "tenant", tp_format_text},
	{"MAC", "mac", tp_format_text},
	{"INTERFACE", "interface", tp_format_text},
	{"KIND", "kind", tp_format_text},
	{"AGE-SECONDS", "age_seconds", tp_format_number},
	{NULL, NULL, NULL},
};

static const struct tp_column latency[] = {
	{"OF", "what", tp_format_text},
	{"NAME", "name", tp_format_text},
	{"COUNT", "count", tp_format_number},
	{"P50", "p50_ns", tp_format_time},
	{"P90", "p90_ns", tp_format_time},
	{"P99", "p99_ns", tp_format_time},
	{"P99.9", "p999_ns", tp_format_time},
	{"MAX", "most_ns", tp_format_time},
	{NULL, NULL, NULL},
};

static const struct tp_column uplinks[] = {
	{"UPLINK", "name", tp_format_text},
	{"DEVICE", "device", tp_format_text},
	{"DRIVER", "driver", tp_format_text},
	{"STATE", "state", tp_format_text},
	{"SPEED", "speed_bits_per_second", tp_format_bit_rate},
	{"MAC", "mac", tp_format_text},
	{"MTU", "mtu", tp_format_number},
	{"QUEUES", "queues", tp_format_number},
	{"STEERED", "steered", tp_format_number},
	{"WAITING", "waiting", tp_format_number},
	TRAFFIC,
	{"REASON", "reason", tp_format_text},
	{NULL, NULL, NULL},
};

static const struct tp_column neighbours[] = {
	{"UPLINK", "uplink", tp_format_text},
	{"ADDRESS", "address", tp_format_text},
	{"STATE", "state", tp_format_text},
	{"MAC", "mac", tp_format_text},
	{"QUESTIONS", "questions", tp_format_number},
	{NULL, NULL, NULL},
};

static const struct view {
	const char *what;
	const struct tp_column *columns; /* NULL: one object, a line a key */
} views[] = {
	{"interfaces", interfaces},
	{"tenants", tenants},
	{"classes", classes},
	{"drops", drops},
	{"workers", workers},
	{"cache", cache},
	{"macs", macs},
	{"latency", latency},
	{"uplinks", uplinks},
	{"neighbours", neighbours},
	{"summary", NULL},
};

static const struct view *find_view(const char *what)
{
	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
		if (strcmp(views[i].what, what) == 0)
			return &views[i];
	}
	return NULL;
}

bool tp_command_can_show(const char *what)
{
	return find_view(what) != NULL;
}

/* Parts with parts of their own are for JSON only. */
static void write_object(json_t *object)
{
	char cell[256];
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		if (json_is_object(value) || json_is_array(value))
			continue;
		if (json_is_string(value))
			tp_format_text(value, cell, sizeof(cell));
		else
			tp_format_number(value, cell, sizeof(cell));
		printf("%s: %s\n", key, cell);
	}
}

int tp_command_show(const struct tp_options *options, const char *what)
{
	const struct view *view = find_view(what);
	struct tp_error error = {""};
	json_t *result = tp_ask(options->socket, "show", what, &error);

	if (result == NULL) {
		fprintf(stderr, "turnpike: %s\n", error.text);
		return TP_EXIT_FAILED;
	}
	if (options->json) {
		json_dumpf(result, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (view->columns != NULL) {
		tp_table_write(stdout, result, SIZE_MAX, view->columns);
	} else {
		write_object(result);
	}
	json_decref(result);
	return TP_EXIT_OK;
}

int tp_command_flush(const struct tp_options *options, const char *whose)
{
	const char *slash = whose == NULL ? NULL : strchr(whose, '/');
	struct tp_error error = {""};
	json_t *request = json_pack("{s:s}", "command", "flush");
	json_t *result;

	if (whose != NULL)
		json_object_set_new(request, "tenant",
			slash == NULL ? json_string(whose)
				      : json_stringn(whose, (size_t)(slash - whose)));
	if (slash != NULL)
		json_object_set_new(request, "interface", json_string(slash + 1));
	result = tp_ask_request(options->socket, request, TP_ANSWER_LIMIT, &error);
	if (result == NULL) {
		fprintf(stderr, "turnpike: %s\n", error.text);
		return TP_EXIT_FAILED;
	}
	printf("forgotten: %" JSON_INTEGER_FORMAT " learned MACs\n",
		json_integer_value(json_object_get(result, "forgotten")));
	json_decref(result);
	return TP_EXIT_OK;
}

int tp_command_stop(const struct tp_options *options)
{
	struct tp_error error = {""};
	json_t *result = tp_ask(options->socket, "stop", NULL, &error);

	if (result == NULL) {
		fprintf(stderr, "turnpike: %s\n", error.text);
		return TP_EXIT_FAILED;
	}
	json_decref(result);
	return TP_EXIT_OK;
}
