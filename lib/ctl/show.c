/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "budget.h"
#include "figures.h"
#include "underlay.h"
#include "uplinks.h"

/*
 * What `show` tells, as JSON.
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
	set_count(object, "bill_sixteenths", sum->bill);
}

static json_t *all_counters(const struct tp_counters *sum)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < TP_COUNTER_COUNT; i++)
		set_count(object, tp_counter_name(i), sum->value[i]);
	for (unsigned i = 1; i < TP_DROP_COUNT; i++)
		set_count(object, tp_drop_name(i), sum->drop[i]);
	set_count(object, "bill_sixteenths", sum->bill);
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
		[TP_RESIDENCE_WAITING] = 1,
		[TP_RESIDENCE_DRAINING] = 2,
		[TP_RESIDENCE_HOT] = 3,
		[TP_RESIDENCE_PINNED] = 4,
	};

	if (port->rings_running == 0)
		return "";
	for (uint32_t pair = 0; pair < port->context->pair_count; pair++) {
		enum tp_residence one = port->context->pair[pair].residence;

		if (tp_vring_running(&port->context->pair[pair].tx) && rank[one] > rank[found])
			found = one;
	}
	return tp_residence_name(found);
}

static void set_mac(json_t *object, const uint8_t mac[6])
{
	char text[TP_CONFIG_MAC_TEXT];

	set_text(object, "mac", tp_config_format_mac(mac, text));
}

/* Of a process that this one cannot see the pid is 0 and the program unknown. */
static void set_peer(json_t *object, bool connected, const struct tp_unix_peer *peer)
{
	set_count(object, "peer_pid", (uint64_t)peer->pid);
	json_object_set_new(object, "peer_uid", connected ? json_integer(peer->uid) : json_null());
	json_object_set_new(object, "peer_gid", connected ? json_integer(peer->gid) : json_null());
	set_text(object, "peer_program", peer->program);
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
	set_peer(object, status.state == TP_VHOST_CONNECTED, &port->peer);
}

/* Who serves each of its queue pairs. */
static json_t *workers_of(const struct tp_port *port)
{
	json_t *list = json_array();

	for (uint32_t pair = 0; pair < port->context->pair_count; pair++)
		json_array_append_new(list, json_integer(port->context->pair[pair].worker));
	return list;
}

static json_t *interface_object(const struct tp_appliance *appliance, uint32_t index)
{
	const struct tp_interface_config *config = &appliance->config->interfaces[index];
	const struct tp_port *port = appliance->ports[index];
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
	set_count(object, "worker", port->context->pair[0].worker);
	if (port->context->spread)
		json_object_set_new(object, "workers", workers_of(port));
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

/* Of who has none the table tells nothing. */
static void set_budget(json_t *object, const struct tp_budget *budget)
{
	if (budget == NULL)
		return;
	set_count(object, "credits_per_second", budget->income / 16);
	set_count(object, "burst", (uint64_t)budget->burst / 16);
	json_object_set_new(object, "credit_sixteenths", json_integer(budget->credit));
	json_object_set_new(object, "demoted", json_boolean(budget->out_of_credit));
	set_count(object, "demotions", tp_counter_read(&budget->demotions));
	json_object_set_new(object, "demoted_seconds", json_real((double)budget->demoted_ns / 1e9));
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
			running += appliance->ports[config->first_interface + i]->rings_running > 0;
			learned += appliance->ports[config->first_interface + i]->learned;
		}
		tp_sum_tenant(&sum, appliance, t);
		set_text(object, "name", config->name);
		set_count(object, "interfaces", config->interface_count);
		set_count(object, "running", running);
		set_count(object, "learned_macs", learned);
		set_text(object, "unknown_unicast",
			config->unknown_unicast == TP_UNKNOWN_UNICAST_FLOOD ? "flood" : "drop");
		set_count(object, "worker", appliance->balance.tenant[t].worker);
		json_object_set_new(
			object, "spread", json_boolean(appliance->balance.tenant[t].spread));
		set_budget(object, tp_budget_of(appliance, t));
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
		*running += appliance->ports[i]->rings_running > 0;
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
		set_count(object, "rate_bits_per_second", config->rate.bits_per_second);
		set_count(object, "rate_frames_per_second", config->rate.frames_per_second);
		set_text(object, "on_full", config->on_full == TP_ON_FULL_DROP ? "drop" : "hold");
		set_count(object, "hold_ns", config->hold_ns);
		set_count(object, "interfaces", interfaces);
		set_count(object, "running", running);
		set_figures(object, &sum);
		json_object_set_new(object, "counters", all_counters(&sum));
		json_array_append_new(list, object);
	}
	return list;
}

/* Of frames from guests, and of those that came by uplinks. */
static json_t *show_drops(const struct tp_appliance *appliance)
{
	struct tp_counters sum = {0};
	struct tp_uplink_sum uplinks = {0};
	json_t *list = json_array();

	tp_sum_all(&sum, appliance);
	for (uint32_t u = 0; appliance->uplinks != NULL && u < appliance->uplinks->count; u++)
		tp_sum_uplink(&uplinks, appliance->uplinks->port[u].uplink);
	for (unsigned i = 1; i < TP_DROP_COUNT; i++) {
		json_t *object = json_object();

		set_text(object, "name", tp_drop_name(i));
		set_count(object, "frames", sum.drop[i]);
		set_count(object, "uplink_frames", uplinks.received.drop[i]);
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
		const struct tp_context *context = appliance->ports[i]->context;

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
		uint64_t count = tp_counter_read(&share->pinned_gap.bucket[i]);

		if (count > 0)
			json_array_append_new(
				list, json_pack("[I, I]", (json_int_t)tp_times_bucket_ns(i),
					      (json_int_t)count));
	}
	return list;
}

/* Interfaces and tenants of which a worker serves anything. */
static void count_served(json_t *object, const struct tp_appliance *appliance, unsigned w)
{
	const struct tp_config *config = appliance->config;
	uint32_t last_tenant = UINT32_MAX;
	uint32_t interfaces = 0;
	uint32_t tenants = 0;

	for (uint32_t i = 0; i < config->interface_count; i++) {
		const struct tp_context *context = appliance->ports[i]->context;
		bool any = false;

		for (uint32_t pair = 0; pair < context->pair_count; pair++)
			any |= context->pair[pair].worker == w;
		interfaces += any;
		tenants += any && config->interfaces[i].tenant_index != last_tenant;
		if (any)
			last_tenant = config->interfaces[i].tenant_index;
	}
	set_count(object, "interfaces", interfaces);
	set_count(object, "tenants", tenants);
}

static json_t *worker_object(const struct tp_appliance *appliance, unsigned w)
{
	const struct tp_worker_share *share = appliance->dataplane->worker[w];
	double uptime_ns = 1e6 * (double)(tp_loop_now_ms() - appliance->started_ms);
	uint64_t busy_ns = tp_busy_ns(share);
	struct tp_times gaps = {0};
	json_t *object = json_object();

	set_count(object, "worker", w);
	set_count(object, "core", (uint64_t)share->core);
	set_node(object, "node", share->node);
	count_served(object, appliance, w);
	set_text(object, "reason", appliance->balance.worker[w].reason);
	set_count(object, "hot", tp_counter_read(&share->hot));
	set_count(object, "sleeps", tp_counter_read(&share->sleeps));
	tp_times_sum(&gaps, &share->pinned_gap);
	set_count(object, "pinned_gap_p50_ns", tp_times_ns(&gaps, 0.5));
	set_count(object, "pinned_gap_p999_ns", tp_times_ns(&gaps, 0.999));
	set_count(object, "pinned_gap_most_ns", tp_times_ns(&gaps, 1));
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
	{"macs", tp_show_macs},
	{"latency", tp_show_latency},
	{"uplinks", tp_show_uplinks},
	{"neighbours", tp_underlays_show},
	{"summary", show_summary},
};

json_t *tp_show(const struct tp_appliance *appliance, const char *what, struct tp_error *error)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (what != NULL && strcmp(what, tables[i].what) == 0)
			return tables[i].show(appliance);
	tp_error_set(error, EINVAL,
		"show: found \"%.40s\"; accepted: interfaces, tenants, classes, drops, workers, "
		"cache, macs, latency, uplinks, neighbours, summary",
		what == NULL ? "" : what);
	return NULL;
}
