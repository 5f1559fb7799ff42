/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "balance.h"
#include "base/log.h"
#include "figures.h"

/*
 * Answers to the commands of the control socket, as JSON.
 */

static void set_count(json_t *object, const char *name, uint64_t value)
{
	json_object_set_new(object, name, json_integer((json_int_t)value));
}

/* null where it is not known. */
static void set_node(json_t *object, const char *name, int node)
{
	json_object_set_new(object, name, node == TP_NO_NODE ? json_null() : json_integer(node));
}

static void set_text(json_t *object, const char *name, const char *value)
{
	json_object_set_new(object, name, json_string(value));
}

/* The figures that every table has. */
static void set_figures(json_t *object, const struct tp_counters *sum)
{
	set_count(object, "rx_frames", sum->value[TP_COUNTER_RX_FRAMES]);
	set_count(object, "rx_bytes", sum->value[TP_COUNTER_RX_BYTES]);
	set_count(object, "tx_frames", sum->value[TP_COUNTER_TX_FRAMES]);
	set_count(object, "tx_bytes", sum->value[TP_COUNTER_TX_BYTES]);
	set_count(object, "drops", tp_total_drops(sum));
}

static json_t *all_counters(const struct tp_counters *sum)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < TP_COUNTER_COUNT; i++)
		set_count(object, tp_counter_name(i), sum->value[i]);
	for (unsigned i = 1; i < TP_DROP_COUNT; i++)
		set_count(object, tp_drop_name(i), sum->drop[i]);
	return object;
}

static const char *state_text(const struct tp_port *port, const struct tp_vhost_status *status)
{
	static const char *const text[] = {
		[TP_VHOST_LISTENING] = "listening",
		[TP_VHOST_CONNECTING] = "connecting",
		[TP_VHOST_CONNECTED] = "connected",
	};

	return port->rings_running > 0 ? "running" : text[status->state];
}

/* Of all its queue pairs the one that is polled most. */
static const char *residence_text(const struct tp_port *port)
{
	enum tp_residence found = TP_RESIDENCE_COLD;
	static const uint8_t rank[TP_RESIDENCE_COUNT] = {
		[TP_RESIDENCE_DRAINING] = 1, [TP_RESIDENCE_HOT] = 2, [TP_RESIDENCE_PINNED] = 3};

	if (port->rings_running == 0)
		return "";
	for (uint32_t pair = 0; pair < port->context->pair_count; pair++) {
		enum tp_residence one = port->context->pair[pair].residence;

		if (rank[one] > rank[found])
			found = one;
	}
	return tp_residence_name(found);
}

static void set_mac(json_t *object, const uint8_t mac[6])
{
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		mac[3], mac[4], mac[5]);
	set_text(object, "mac", text);
}

static void set_endpoint(json_t *object, const struct tp_port *port)
{
	struct tp_vhost_status status;
	char features[19];

	tp_vhost_get_status(port->endpoint, &status);
	snprintf(features, sizeof(features), "0x%llx", (unsigned long long)status.features);
	set_text(object, "state", state_text(port, &status));
	set_text(object, "reason", status.last_reason);
	set_text(object, "features", features);
	set_count(object, "connections", status.connections);
	set_count(object, "descriptors", status.descriptors);
	set_count(object, "mtu", port->mtu);
	set_count(object, "peer_pid", (uint64_t)port->peer_pid);
}

static json_t *interface_object(const struct tp_appliance *appliance, uint32_t index)
{
	const struct tp_interface_config *config = &appliance->config->interfaces[index];
	const struct tp_port *port = &appliance->ports[index];
	struct tp_counters sum = {0};
	json_t *object = json_object();

	tp_sum_interface(&sum, port);
	set_text(object, "tenant", appliance->config->tenants[config->tenant_index].name);
	set_text(object, "name", config->name);
	set_text(object, "class", appliance->config->classes[config->class_index].name);
	set_mac(object, config->mac);
	set_text(object, "socket", config->socket);
	set_text(object, "mode", config->client ? "client" : "server");
	set_endpoint(object, port);
	set_count(object, "queue_pairs", config->queue_pairs);
	set_count(object, "worker", port->context->worker);
	set_text(object, "residence", residence_text(port));
	set_node(object, "memory_node", port->memory_node);
	set_figures(object, &sum);
	json_object_set_new(object, "counters", all_counters(&sum));
	return object;
}

static json_t *show_interfaces(const struct tp_appliance *appliance)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < appliance->config->interface_count; i++)
		json_array_append_new(list, interface_object(appliance, i));
	return list;
}

static json_t *show_tenants(const struct tp_appliance *appliance)
{
	json_t *list = json_array();

	for (uint32_t t = 0; t < appliance->config->tenant_count; t++) {
		const struct tp_tenant_config *config = &appliance->config->tenants[t];
		struct tp_counters sum = {0};
		json_t *object = json_object();
		uint32_t running = 0;
		uint32_t learned = 0;

		for (uint32_t i = 0; i < config->interface_count; i++) {
			running += appliance->ports[config->first_interface + i].rings_running > 0;
			learned += appliance->ports[config->first_interface + i].learned;
		}
		tp_sum_tenant(&sum, appliance, t);
		set_text(object, "name", config->name);
		set_count(object, "interfaces", config->interface_count);
		set_count(object, "running", running);
		set_count(object, "learned_macs", learned);
		set_text(object, "unknown_unicast",
			config->unknown_unicast == TP_UNKNOWN_UNICAST_FLOOD ? "flood" : "drop");
		set_count(object, "worker", appliance->balance.tenant[t].worker);
		set_figures(object, &sum);
		json_array_append_new(list, object);
	}
	return list;
}

static void count_class(const struct tp_appliance *appliance, uint32_t class, uint32_t *interfaces,
	uint32_t *running)
{
	*interfaces = 0;
	*running = 0;
	for (uint32_t i = 0; i < appliance->config->interface_count; i++) {
		if (appliance->config->interfaces[i].class_index != class)
			continue;
		(*interfaces)++;
		*running += appliance->ports[i].rings_running > 0;
	}
}

static json_t *show_classes(const struct tp_appliance *appliance)
{
	json_t *list = json_array();

	for (uint32_t c = 0; c < appliance->config->class_count; c++) {
		const struct tp_class_config *config = &appliance->config->classes[c];
		struct tp_counters sum = {0};
		json_t *object = json_object();
		uint32_t interfaces;
		uint32_t running;

		count_class(appliance, c, &interfaces, &running);
		tp_sum_class(&sum, appliance, c);
		set_text(object, "name", config->name);
		json_object_set_new(object, "bid", json_real(config->bid));
		set_count(object, "weight", config->weight);
		json_object_set_new(object, "pinned", json_boolean(config->pinned));
		set_count(object, "rate_bits_per_second", config->rate_bits_per_second);
		set_text(object, "on_full", config->on_full == TP_ON_FULL_DROP ? "drop" : "hold");
		set_count(object, "hold_ns", config->hold_ns);
		set_count(object, "interfaces", interfaces);
		set_count(object, "running", running);
		set_figures(object, &sum);
		json_array_append_new(list, object);
	}
	return list;
}

static json_t *show_drops(const struct tp_appliance *appliance)
{
	struct tp_counters sum = {0};
	json_t *list = json_array();

	tp_sum_all(&sum, appliance);
	for (unsigned i = 1; i < TP_DROP_COUNT; i++) {
		json_t *object = json_object();

		set_text(object, "name", tp_drop_name(i));
		set_count(object, "frames", sum.drop[i]);
		set_text(object, "help", tp_drop_help(i));
		json_array_append_new(list, object);
	}
	return list;
}

/* How the interfaces of a class stand towards the hot-context caches. */
static json_t *cache_object(const struct tp_appliance *appliance, uint32_t class)
{
	struct tp_cache_counters sum = {0};
	uint64_t standing[TP_RESIDENCE_COUNT] = {0};
	json_t *object = json_object();

	tp_sum_cache(&sum, appliance, class);
	for (uint32_t i = 0; i < appliance->config->interface_count; i++) {
		const struct tp_context *context = appliance->ports[i].context;

		if (appliance->config->interfaces[i].class_index != class)
			continue;
		for (uint32_t pair = 0; pair < context->pair_count; pair++)
			if (tp_vring_running(&context->pair[pair].tx))
				standing[context->pair[pair].residence]++;
	}
	set_text(object, "name", appliance->config->classes[class].name);
	for (unsigned i = 0; i < TP_RESIDENCE_COUNT; i++)
		set_count(object, tp_residence_name(i), standing[i]);
#define X(name, help) set_count(object, #name, sum.name);
	TP_CACHE_COUNTERS(X)
#undef X
	return object;
}

static json_t *show_cache(const struct tp_appliance *appliance)
{
	json_t *list = json_array();

	for (uint32_t c = 0; c < appliance->config->class_count; c++)
		json_array_append_new(list, cache_object(appliance, c));
	return list;
}

/* All of them, for who wants those of a time between two looks: [nanoseconds from, count]. */
static json_t *pinned_gaps(const struct tp_worker_share *share)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < TP_HISTOGRAM_BUCKETS; i++) {
		uint64_t count = tp_counter_read(&share->pinned_gap[i]);

		if (count > 0)
			json_array_append_new(
				list, json_pack("[I, I]", (json_int_t)tp_gap_bucket_ns(i),
					      (json_int_t)count));
	}
	return list;
}

static json_t *worker_object(const struct tp_appliance *appliance, unsigned w)
{
	const struct tp_worker_share *share = appliance->dataplane->worker[w];
	double uptime_ns = 1e6 * (double)(tp_loop_now_ms() - appliance->started_ms);
	uint64_t busy_ns = tp_busy_ns(share);
	json_t *object = json_object();
	uint32_t interfaces = 0;
	uint32_t tenants = 0;

	for (uint32_t t = 0; t < appliance->config->tenant_count; t++)
		if (appliance->balance.tenant[t].worker == w) {
			tenants++;
			interfaces += appliance->config->tenants[t].interface_count;
		}
	set_count(object, "worker", w);
	set_count(object, "core", (uint64_t)share->core);
	set_node(object, "node", share->node);
	set_count(object, "interfaces", interfaces);
	set_count(object, "tenants", tenants);
	set_text(object, "reason", appliance->balance.worker[w].reason);
	set_count(object, "hot", tp_counter_read(&share->hot));
	set_count(object, "sleeps", tp_counter_read(&share->sleeps));
	set_count(object, "pinned_gap_p50_ns", tp_pinned_gap_ns(share, 0.5));
	set_count(object, "pinned_gap_p999_ns", tp_pinned_gap_ns(share, 0.999));
	set_count(object, "pinned_gap_most_ns", tp_pinned_gap_ns(share, 1));
	json_object_set_new(object, "pinned_gaps", pinned_gaps(share));
	set_count(object, "sweeps", tp_counter_read(&share->sweeps));
	set_count(object, "busy_sweeps", tp_counter_read(&share->busy_sweeps));
	set_count(object, "busy_ns", busy_ns);
	set_count(object, "frames", tp_counter_read(&share->frames));
	json_object_set_new(object, "busy_percent",
		json_real(uptime_ns == 0 ? 0.0 : 100 * (double)busy_ns / uptime_ns));
	return object;
}

static json_t *show_workers(const struct tp_appliance *appliance)
{
	json_t *list = json_array();

	for (unsigned w = 0; w < appliance->dataplane->worker_count; w++)
		json_array_append_new(list, worker_object(appliance, w));
	return list;
}

static json_t *show_summary(const struct tp_appliance *appliance)
{
	struct tp_counters sum = {0};
	json_t *object = json_object();

	tp_sum_all(&sum, appliance);
	set_text(object, "version", TP_VERSION);
	set_count(object, "uptime_seconds", (tp_loop_now_ms() - appliance->started_ms) / 1000);
	set_text(object, "vector", appliance->vector);
	set_text(object, "config", appliance->source);
	set_figures(object, &sum);
	json_object_set_new(object, "counters", all_counters(&sum));
	return object;
}

static const struct {
	const char *what;
	json_t *(*show)(const struct tp_appliance *appliance);
} tables[] = {
	{"interfaces", show_interfaces},
	{"tenants", show_tenants},
	{"classes", show_classes},
	{"drops", show_drops},
	{"workers", show_workers},
	{"cache", show_cache},
	{"summary", show_summary},
};

static json_t *answer_show(
	const struct tp_appliance *appliance, const char *what, struct tp_error *error)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (what != NULL && strcmp(what, tables[i].what) == 0)
			return tables[i].show(appliance);
	tp_error_set(error, EINVAL,
		"show: found \"%.40s\"; accepted: interfaces, tenants, classes, drops, workers, "
		"cache, summary",
		what == NULL ? "" : what);
	return NULL;
}

static bool find_tenant(const struct tp_appliance *appliance, const char *name, uint32_t *tenant)
{
	for (uint32_t t = 0; name != NULL && t < appliance->config->tenant_count; t++)
		if (strcmp(appliance->config->tenants[t].name, name) == 0) {
			*tenant = t;
			return true;
		}
	return false;
}

static json_t *answer_move(
	struct tp_appliance *appliance, const json_t *request, struct tp_error *error)
{
	const char *name = json_string_value(json_object_get(request, "tenant"));
	const json_t *worker = json_object_get(request, "worker");
	json_int_t to = json_is_integer(worker) ? json_integer_value(worker) : -1;
	uint32_t tenant;

	if (!find_tenant(appliance, name, &tenant)) {
		tp_error_set(error, EINVAL,
			"move: tenant: found \"%.40s\"; accepted: a tenant's name",
			name == NULL ? "" : name);
		return NULL;
	}
	if (to < 0 || to >= appliance->config->worker_count) {
		tp_error_set(error, EINVAL, "move: worker: accepted: a number from 0 to %u",
			appliance->config->worker_count - 1);
		return NULL;
	}
	tp_balance_move(appliance, tenant, (unsigned)to, "an operator wanted it");
	return json_true();
}

json_t *tp_answer(void *owner, const char *command, const json_t *request, struct tp_error *error)
{
	struct tp_appliance *appliance = owner;

	if (strcmp(command, "show") == 0)
		return answer_show(
			appliance, json_string_value(json_object_get(request, "what")), error);
	if (strcmp(command, "move") == 0)
		return answer_move(appliance, request, error);
	if (strcmp(command, "stop") == 0) {
		tp_log(TP_LOG_INFO, "stop command: stopping");
		tp_loop_stop(appliance->loop);
		return json_true();
	}
	tp_error_set(error, EINVAL, "found command \"%.40s\"; accepted: show, move, stop", command);
	return NULL;
}
