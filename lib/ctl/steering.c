/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "flow_rules.h"
#include "steering.h"
#include "uplinks.h"

/* Devices have room for few rules; who has more tags than this is served by all queues. */
#define TAGS_OF_A_TENANT 16

/* --- What is wished --------------------------------------------------------------------------- */

struct list {
	struct tp_steering_wish *wish;
	uint32_t count;
	uint32_t room;
};

static bool append(struct list *list, struct tp_steering_wish wish)
{
	if (list->count == list->room) {
		uint32_t room = list->room == 0 ? 16 : 2 * list->room;
		struct tp_steering_wish *more = realloc(list->wish, room * sizeof(*more));

		if (more == NULL)
			return false;
		list->wish = more;
		list->room = room;
	}
	list->wish[list->count++] = wish;
	return true;
}

static unsigned count_tags(const uint64_t *trunk)
{
	unsigned count = 0;

	for (unsigned i = 0; i < 4096 / 64; i++)
		count += (unsigned)__builtin_popcountll(trunk[i]);
	return count;
}

static bool append_nothing(struct list *list, struct tp_steering_wish wish, const char *why)
{
	wish.kind = TP_STEER_NONE;
	wish.number = wish.tenant;
	wish.why = why;
	return append(list, wish);
}

static bool append_trunk(
	struct list *list, const struct tp_network_config *network, struct tp_steering_wish wish)
{
	if (count_tags(network->trunk) > TAGS_OF_A_TENANT)
		return append_nothing(list, wish, "it has more tags than a device has room for");
	for (uint32_t vlan = 0; vlan < 4096; vlan++) {
		wish.number = vlan;
		if ((network->trunk[vlan / 64] >> (vlan % 64) & 1) && !append(list, wish))
			return false;
	}
	return true;
}

static bool append_tenant(
	struct list *list, const struct tp_network_config *network, struct tp_steering_wish wish)
{
	switch (network->kind) {
	case TP_NETWORK_VLAN:
		wish.number = network->vlan;
		return append(list, wish);
	case TP_NETWORK_TRUNK:
		return append_trunk(list, network, wish);
	case TP_NETWORK_TUNNEL:
		wish.kind = TP_STEER_VNI;
		wish.number = network->vni;
		return append(list, wish);
	case TP_NETWORK_STACKED:
		return append_nothing(
			list, wish, "devices differ in which of two tags they look at");
	case TP_NETWORK_UNTAGGED:
		return append_nothing(list, wish, "its frames have no tag to be told by");
	case TP_NETWORK_NONE:
		break;
	}
	return true;
}

/* The queue of the worker that serves a tenant. */
static void choose_queue(struct tp_steering_wish *wish, const struct tp_steering_queues *queues,
	const struct tp_tenant_place *place)
{
	wish->why = "the worker that serves it owns no queue of the uplink";
	for (uint16_t q = queues->count; q-- > 0;) {
		if (queues->owner[q] != place->worker)
			continue;
		wish->queue = q;
		wish->why = NULL;
	}
	if (place->spread)
		wish->why = "several workers serve it";
}

static int order(const void *a, const void *b)
{
	return tp_steering_order(a, b);
}

int tp_steering_order(const struct tp_steering_wish *a, const struct tp_steering_wish *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return (a->number > b->number) - (a->number < b->number);
}

int tp_steering_wishes(const struct tp_config *config, uint32_t uplink,
	const struct tp_steering_queues *queues, const struct tp_tenant_place *places,
	struct tp_steering_wish **wishes)
{
	struct list list = {0};
	bool enough = true;

	*wishes = NULL;
	if (queues->count < 2 || !config->uplinks[uplink].steering)
		return 0;
	for (uint32_t t = 0; t < config->tenant_count && enough; t++) {
		const struct tp_network_config *network = &config->tenants[t].network;
		struct tp_steering_wish wish = {.kind = TP_STEER_VLAN, .tenant = t};

		if (network->kind == TP_NETWORK_NONE || network->uplink_index != uplink)
			continue;
		choose_queue(&wish, queues, &places[t]);
		enough = append_tenant(&list, network, wish);
	}
	if (!enough) {
		free(list.wish);
		return -ENOMEM;
	}
	if (list.count > 0)
		qsort(list.wish, list.count, sizeof(list.wish[0]), order);
	*wishes = list.wish;
	return (int)list.count;
}

/* --- Having it so ----------------------------------------------------------------------------- */

static void look_at(struct tp_appliance *appliance, struct tp_uplink_port *port, uint32_t most)
{
	const struct tp_uplink *uplink = port->uplink;
	struct tp_steering_queues queues = {.count = uplink->queue_count};
	struct tp_steering_wish *wishes;
	int count;

	for (uint16_t q = 0; q < uplink->queue_count; q++)
		queues.owner[q] = uplink->queue[q]->worker;
	count = tp_steering_wishes(
		appliance->config, uplink->number, &queues, appliance->balance.tenant, &wishes);
	if (count >= 0)
		tp_flow_rules_fulfil(
			&port->rules, port->config, &port->device, wishes, (uint32_t)count, most);
	free(wishes);
}

void tp_steering_look(struct tp_appliance *appliance, uint32_t most)
{
	for (uint32_t i = 0; appliance->uplinks != NULL && i < appliance->uplinks->count; i++) {
		struct tp_uplink_port *port = &appliance->uplinks->port[i];

		if (port->open && port->uplink->queue_count > 1)
			look_at(appliance, port, most);
	}
}
