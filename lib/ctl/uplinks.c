/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_mbuf.h>

#include "base/log.h"
#include "capabilities.h"
#include "ctl/plan.h"
#include "steering.h"
#include "uplinks.h"

#define SETTLE_MS    10   /* that a move of rings waits for the wires */
#define LOOK_MS      100  /* between two looks at devices and links */
#define TRY_AGAIN_MS 2000 /* between two searches for a device that is away */

/* --- Making --- */

static int make_pool(struct tp_uplink_port *port, const struct tp_config *config, uint16_t queues,
	struct tp_error *error)
{
	static unsigned serial; /* names must differ */
	uint32_t count = tp_plan_mbufs(config, port->config, queues);
	uint16_t room = tp_plan_mbuf_room(port->config);
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "uplink_%u", serial++);
	port->pool = rte_pktmbuf_pool_create(
		name, count, TP_PLAN_MBUF_CACHE, 0, room, port->device.socket);
	if (port->pool == NULL) /* a node without room is no error, here as elsewhere */
		port->pool = rte_pktmbuf_pool_create(
			name, count, TP_PLAN_MBUF_CACHE, 0, room, SOCKET_ID_ANY);
	if (port->pool == NULL)
		return tp_error_set(error, rte_errno,
			"%u mbufs of %u bytes are more than the EAL's heap has room for (%s); give "
			"it more with -m MEGABYTES before --, or the uplink fewer descriptors",
			count, room, rte_strerror(rte_errno));
	return 0;
}

static int make_uplink(struct tp_uplink_port *port, const struct tp_config *config, uint8_t number,
	const int *nodes, struct tp_error *error)
{
	uint16_t queues = port->device.queues;
	int result = make_pool(port, config, queues, error);

	if (result < 0)
		return result;
	port->uplink = tp_uplink_new(number, queues, tp_plan_work_entries(port->config),
		config->worker_count, nodes, error);
	if (port->uplink == NULL)
		return -ENOMEM;
	port->uplink->pool = port->pool;
	port->uplink->mtu = port->config->mtu;
	return 0;
}

/* --- Coming and going --- */

static void show_link(const struct tp_uplink_port *port)
{
	atomic_store_explicit(&port->uplink->link_up, port->device.link_up, memory_order_relaxed);
}

static int start(struct tp_uplink_port *port, struct tp_error *error)
{
	int result = tp_device_start(&port->device, port->config, port->pool, error);

	if (result < 0)
		return result;
	port->uplink->port = port->device.port;
	port->uplink->offloads = tp_device_nic_bits(port->device.does);
	port->reason[0] = '\0';
	show_link(port);
	/* release: partner is the acquire load in tp_uplink_running */
	atomic_store_explicit(&port->uplink->running, 1, memory_order_release);
	tp_log(TP_LOG_INFO, "uplink %s: %s (%s), %u queue%s, link %s", port->config->name,
		port->config->device, port->device.driver, port->device.queues,
		port->device.queues == 1 ? "" : "s", port->device.link_up ? "up" : "down");
	return 0;
}

static int open_first(struct tp_appliance *appliance, struct tp_uplink_port *port, uint8_t number,
	const int *nodes, struct tp_error *error)
{
	const struct tp_config *config = appliance->config;
	int result = tp_device_open(
		&port->device, port->config, tp_plan_uplink_queues(config, port->config), error);

	if (result < 0)
		return result;
	port->open = true;
	result = make_uplink(port, config, number, nodes, error);
	return result < 0 ? result : start(port, error);
}

static void take_down(struct tp_appliance *appliance, struct tp_uplink_port *port)
{
	atomic_store_explicit(&port->uplink->running, 0, memory_order_release);
	tp_dataplane_quiesce(appliance->dataplane);
	tp_uplink_discard(port->uplink);
	tp_flow_rules_forget(&port->rules);
	tp_device_close(&port->device);
	port->open = false;
	port->tried_ms = tp_loop_now_ms();
	snprintf(port->reason, sizeof(port->reason), "its device went away");
	tp_forget_beyond(appliance, port->uplink->number);
	tp_log(TP_LOG_WARNING,
		"uplink %s: %s went away; frames for it are dropped until it is back",
		port->config->name, port->config->device);
}

/* @return false if the device is still away. */
static bool bring_back(struct tp_uplink_port *port)
{
	struct tp_error error = {0};
	uint16_t queues = port->uplink->queue_count;
	int result = tp_device_open(&port->device, port->config, queues, &error);

	port->tried_ms = tp_loop_now_ms();
	if (result == 0) {
		port->open = true;
		if (port->device.queues < queues)
			result = tp_error_set(&error, ENODEV, "it came back with %u queues of %u",
				port->device.queues, queues);
		else
			result = start(port, &error);
	}
	if (result == 0)
		return true;
	if (port->open)
		tp_device_close(&port->device);
	port->open = false;
	snprintf(port->reason, sizeof(port->reason), "%.150s", error.text);
	return false;
}

/* --- Looking --- */

static void look_at(struct tp_appliance *appliance, struct tp_uplink_port *port)
{
	bool was_up = port->device.link_up;

	if (!port->open) {
		if (tp_loop_now_ms() - port->tried_ms >= TRY_AGAIN_MS)
			bring_back(port);
		return;
	}
	if (!tp_device_look(&port->device)) {
		take_down(appliance, port);
		return;
	}
	if (port->device.link_up == was_up)
		return;
	show_link(port);
	tp_log(TP_LOG_INFO, "uplink %s: link %s", port->config->name, was_up ? "down" : "up");
}

void tp_uplinks_look(struct tp_appliance *appliance)
{
	struct tp_uplinks_control *uplinks = appliance->uplinks;
	uint64_t now = tp_loop_now_ms();

	if (uplinks == NULL || now - uplinks->looked_ms < LOOK_MS)
		return;
	uplinks->looked_ms = now;
	for (uint32_t i = 0; i < uplinks->count; i++)
		look_at(appliance, &uplinks->port[i]);
	tp_steering_look(appliance, TP_STEERING_SOME);
}

/* --- Settling --- */

static bool has_left(const struct tp_uplink_queue *queue, uint64_t accepted)
{
	return tp_counter_read(&queue->sent.sent) + tp_counter_read(&queue->sent.lost_link_down) +
		       tp_counter_read(&queue->sent.lost_device_gone) >=
	       accepted;
}

static void settle(const struct tp_uplink *uplink, uint64_t until_ms)
{
	for (uint16_t q = 0; q < uplink->queue_count; q++) {
		uint64_t accepted = tp_uplink_accepted(uplink->queue[q]);

		while (!has_left(uplink->queue[q], accepted) && tp_loop_now_ms() < until_ms)
			sched_yield(); /* its owner may need this very CPU */
	}
}

void tp_uplinks_settle(struct tp_appliance *appliance)
{
	const struct tp_uplinks_control *uplinks = appliance->uplinks;
	uint64_t until_ms = tp_loop_now_ms() + SETTLE_MS;

	for (uint32_t i = 0; uplinks != NULL && i < uplinks->count; i++)
		if (tp_uplink_running(uplinks->uplink[i]))
			settle(uplinks->uplink[i], until_ms);
}

void tp_uplinks_deal_out(struct tp_appliance *appliance)
{
	const struct tp_uplinks_control *uplinks = appliance->uplinks;

	for (uint32_t i = 0; uplinks != NULL && i < uplinks->count; i++)
		tp_uplink_deal_out(uplinks->uplink[i], appliance->dataplane->worker_count);
}

/* --- All of them --- */

static struct tp_uplinks_control *new_control(const struct tp_config *config)
{
	struct tp_uplinks_control *uplinks =
		calloc(1, sizeof(*uplinks) + config->uplink_count * sizeof(uplinks->port[0]));

	if (uplinks == NULL)
		return NULL;
	uplinks->uplink = calloc(config->uplink_count, sizeof(struct tp_uplink *));
	if (uplinks->uplink != NULL)
		return uplinks;
	free(uplinks);
	return NULL;
}

int tp_uplinks_open(struct tp_appliance *appliance, const int *nodes, struct tp_error *error)
{
	const struct tp_config *config = appliance->config;
	struct tp_uplinks_control *uplinks;

	if (config->uplink_count == 0)
		return 0;
	uplinks = appliance->uplinks = new_control(config);
	if (uplinks == NULL)
		return tp_error_set(error, ENOMEM, "no memory");
	uplinks->workers_most = tp_plan_uplink_workers(config);
	for (uint32_t i = 0; i < config->uplink_count; i++) {
		struct tp_uplink_port *port = &uplinks->port[uplinks->count++];
		int result;

		port->config = &config->uplinks[i];
		result = open_first(appliance, port, (uint8_t)i, nodes, error);
		if (result < 0) {
			tp_error_prefix(error, "%s: $.uplinks.%s.device: found \"%.64s\"",
				appliance->source, port->config->name, port->config->device);
			return result;
		}
		uplinks->uplink[i] = port->uplink;
	}
	tp_steering_look(appliance, TP_STEERING_ALL); /* rights are given up after it */
	return 0;
}

void tp_uplinks_change(struct tp_appliance *appliance)
{
	struct tp_uplinks_control *uplinks = appliance->uplinks;

	for (uint32_t i = 0; uplinks != NULL && i < uplinks->count; i++)
		uplinks->port[i].config = &appliance->config->uplinks[i];
	tp_steering_look(appliance, TP_STEERING_SOME);
}

void tp_uplinks_close(struct tp_appliance *appliance)
{
	struct tp_uplinks_control *uplinks = appliance->uplinks;

	if (uplinks == NULL)
		return;
	for (uint32_t i = uplinks->count; i-- > 0;) {
		struct tp_uplink_port *port = &uplinks->port[i];

		if (port->uplink != NULL)
			tp_uplink_discard(port->uplink);
		tp_flow_rules_forget(&port->rules);
		if (port->open)
			tp_device_close(&port->device);
		tp_uplink_free(port->uplink);
		rte_mempool_free(port->pool);
	}
	free(uplinks->uplink);
	free(uplinks);
	appliance->uplinks = NULL;
}
