/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include <rte_ethdev.h>

#include "ctl/offloads.h"
#include "figures.h"
#include "uplinks.h"

/* What `show uplinks` tells. "rx" is what came from the wire, "tx" what went there. */

static void set_count(json_t *object, const char *name, uint64_t value)
{
	json_object_set_new(object, name, json_integer((json_int_t)value));
}

static void set_text(json_t *object, const char *name, const char *value)
{
	json_object_set_new(object, name, json_string(value));
}

static const char *state_of(const struct tp_uplink_port *port)
{
	return !port->open ? "away" : port->device.link_up ? "up" : "link down";
}

static void set_device(json_t *object, const struct tp_uplink_port *port)
{
	const struct tp_device *device = &port->device;
	char mac[TP_CONFIG_MAC_TEXT];

	set_text(object, "device", port->config->device);
	set_text(object, "driver", device->driver);
	set_text(object, "state", state_of(port));
	set_text(object, "reason", port->reason);
	set_text(object, "mac", tp_config_format_mac(device->mac, mac));
	set_count(object, "speed_bits_per_second", (uint64_t)device->speed_mbps * 1000000);
	set_count(object, "mtu", port->uplink->mtu);
}

/* What the device has counted itself: nobody else knows what it dropped. */
static json_t *device_counters(const struct tp_uplink_port *port)
{
	struct rte_eth_stats stats = {0};
	json_t *object = json_object();

	if (port->open)
		rte_eth_stats_get(port->device.port, &stats);
	set_count(object, "rx_missed", stats.imissed);
	set_count(object, "rx_errors", stats.ierrors);
	set_count(object, "rx_no_mbuf", stats.rx_nombuf);
	set_count(object, "tx_errors", stats.oerrors);
	return object;
}

static json_t *workers_of(const struct tp_uplink *uplink)
{
	json_t *list = json_array();

	for (uint16_t q = 0; q < uplink->queue_count; q++)
		json_array_append_new(list, json_integer(uplink->queue[q]->worker));
	return list;
}

/* What the device does instead of the workers. */
static json_t *offloads_of(const struct tp_device *device)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < TP_OFFLOAD_COUNT; i++)
		if (device->does & (1u << i))
			json_array_append_new(list, json_string(tp_config_offload_name(i)));
	return list;
}

/* What came in by each queue, and went out. */
static json_t *queues_of(const struct tp_uplink *uplink)
{
	json_t *list = json_array();

	for (uint16_t q = 0; q < uplink->queue_count; q++) {
		const struct tp_uplink_queue *queue = uplink->queue[q];
		const struct tp_counters *counters = &queue->source.counters;
		json_t *object = json_object();

		set_count(object, "queue", q);
		set_count(object, "worker", queue->worker);
		set_count(object, "rx_frames",
			tp_counter_read(&counters->value[TP_COUNTER_TX_FRAMES]));
		set_count(object, "tx_frames", tp_counter_read(&queue->sent.sent));
		json_array_append_new(list, object);
	}
	return list;
}

static void name_match(const struct tp_steering_wish *wish, char *text, size_t size)
{
	if (wish->kind == TP_STEER_NONE)
		snprintf(text, size, "none");
	else
		snprintf(text, size, "%s %u", wish->kind == TP_STEER_VLAN ? "vlan" : "vni",
			wish->number);
}

/* Which queue the frames of each tenant come in by, and why not by its worker's. */
static json_t *steering_of(const struct tp_uplink_port *port, const struct tp_config *config)
{
	json_t *list = json_array();
	char match[32];

	for (uint32_t i = 0; i < port->rules.count; i++) {
		const struct tp_flow_rule *rule = &port->rules.rule[i];
		json_t *object;

		if (rule->wish.tenant >= config->tenant_count)
			continue; /* it has just gone */
		object = json_object();
		name_match(&rule->wish, match, sizeof(match));
		set_text(object, "tenant", config->tenants[rule->wish.tenant].name);
		set_text(object, "match", match);
		set_text(object, "done_by",
			tp_doer_name(rule->flow_count > 0 ? TP_DOER_HARDWARE : TP_DOER_SOFTWARE));
		json_object_set_new(object, "queue",
			rule->flow_count > 0 ? json_integer(rule->queue) : json_null());
		set_text(object, "why", rule->why);
		json_array_append_new(list, object);
	}
	return list;
}

static json_t *all_counters(const struct tp_uplink_sum *sum)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < TP_UPLINK_FIGURES; i++)
		set_count(object, tp_uplink_figure_name(i), tp_uplink_figure(sum, i));
	for (unsigned i = 1; i < TP_DROP_COUNT; i++)
		set_count(object, tp_drop_name(i), sum->received.drop[i]);
	return object;
}

static json_t *uplink_object(const struct tp_uplink_port *port, const struct tp_config *config)
{
	const struct tp_uplink *uplink = port->uplink;
	struct tp_uplink_sum sum = {0};
	json_t *object = json_object();

	tp_sum_uplink(&sum, uplink);
	set_text(object, "name", port->config->name);
	set_device(object, port);
	set_count(object, "queues", uplink->queue_count);
	json_object_set_new(object, "workers", workers_of(uplink));
	json_object_set_new(object, "per_queue", queues_of(uplink));
	json_object_set_new(object, "offloads", offloads_of(&port->device));
	set_count(object, "steered", tp_flow_rules_in_force(&port->rules));
	json_object_set_new(object, "steering", steering_of(port, config));
	set_count(object, "waiting", sum.waiting);
	set_count(object, "rx_frames", sum.received.value[TP_COUNTER_TX_FRAMES]);
	set_count(object, "rx_bytes", sum.received.value[TP_COUNTER_TX_BYTES]);
	set_count(object, "tx_frames", sum.sent.sent);
	set_count(object, "tx_bytes", sum.sent.sent_bytes);
	set_count(object, "drops",
		tp_total_drops(&sum.received) + sum.sent.lost_link_down +
			sum.sent.lost_device_gone);
	json_object_set_new(object, "counters", all_counters(&sum));
	json_object_set_new(object, "device_counters", device_counters(port));
	return object;
}

json_t *tp_show_uplinks(const struct tp_appliance *appliance)
{
	json_t *list = json_array();

	for (uint32_t i = 0; appliance->uplinks != NULL && i < appliance->uplinks->count; i++)
		json_array_append_new(
			list, uplink_object(&appliance->uplinks->port[i], appliance->config));
	return list;
}
