/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include <rte_malloc.h>

#include "spread.h"
#include "uplinks.h"

static struct tp_port **first_port(const struct tp_appliance *appliance, uint32_t tenant)
{
	return &appliance->ports[appliance->config->tenants[tenant].first_interface];
}

static uint32_t port_count(const struct tp_appliance *appliance, uint32_t tenant)
{
	return appliance->config->tenants[tenant].interface_count;
}

static uint32_t tenant_of(const struct tp_port *port)
{
	return port->appliance->config->interfaces[port->index].tenant_index;
}

bool tp_spread_is(const struct tp_appliance *appliance, uint32_t tenant)
{
	return appliance->balance.tenant[tenant].spread;
}

bool tp_spread_shared(const struct tp_config *config)
{
	return config->worker_count > 1 && config->uplink_count > 0;
}

/* --- Taking rings from their workers, and giving them --- */

static void take(struct tp_port *port, uint32_t pair)
{
	atomic_store_explicit(
		&port->context->pair[pair].worker, TP_NO_WORKER, memory_order_relaxed);
}

/* No worker serves the ring: this one does, and its doorbell. */
static void give(struct tp_port *port, uint32_t pair, unsigned worker)
{
	struct tp_ring_pair *ring = &port->context->pair[pair];
	bool running = tp_vring_running(&ring->tx);
	int kick_fd = port->kick[pair].fd;

	if (running) {
		tp_kick_stop(port, pair);
		tp_kick_prepare(port, pair);
	}
	/* release: partner is the acquire load of a worker that looks whether it is its own */
	atomic_store_explicit(&ring->worker, (uint16_t)worker, memory_order_release);
	if (running)
		tp_kick_start(port, pair, kick_fd);
}

/* Nobody serves any ring of the tenant from the return on. */
static void take_all(struct tp_appliance *appliance, uint32_t tenant)
{
	struct tp_dataplane *dataplane = appliance->dataplane;
	struct tp_port **port = first_port(appliance, tenant);

	for (uint32_t i = 0; i < port_count(appliance, tenant); i++)
		for (uint32_t pair = 0; pair < port[i]->context->pair_count; pair++)
			take(port[i], pair);
	if (!tp_spread_is(appliance, tenant)) {
		tp_dataplane_leave(dataplane, appliance->balance.tenant[tenant].worker);
		tp_uplinks_settle(appliance);
		return;
	}
	for (unsigned w = 0; w < dataplane->worker_count; w++)
		tp_dataplane_leave(dataplane, w);
	tp_uplinks_settle(appliance);
}

static void give_all(struct tp_appliance *appliance, uint32_t tenant, unsigned worker)
{
	struct tp_port **port = first_port(appliance, tenant);

	for (uint32_t i = 0; i < port_count(appliance, tenant); i++)
		for (uint32_t pair = 0; pair < port[i]->context->pair_count; pair++)
			give(port[i], pair, worker);
}

/* --- What workers share --- */

static uint16_t *new_baton(uint16_t size)
{
	return rte_malloc("baton", size * sizeof(uint16_t), RTE_CACHE_LINE_SIZE);
}

int tp_spread_ring_prepare(const struct tp_port *port, uint16_t size, uint16_t **baton)
{
	*baton = NULL;
	if (!port->context->spread)
		return 0;
	*baton = new_baton(size);
	return *baton == NULL ? -ENOMEM : 0;
}

void tp_spread_ring_stopped(struct tp_vring *ring)
{
	if (ring->baton != NULL)
		rte_free(tp_vring_unshare(ring));
}

static void share_no_more(struct tp_appliance *appliance, uint32_t tenant)
{
	struct tp_port **port = first_port(appliance, tenant);

	appliance->balance.tenant[tenant].spread = false;
	/* Frames of an uplink may come in at this moment, whoever serves the tenant. */
	if (appliance->config->uplink_count > 0)
		return;
	for (uint32_t i = 0; i < port_count(appliance, tenant); i++) {
		for (uint32_t pair = 0; pair < port[i]->context->pair_count; pair++)
			tp_spread_ring_stopped(&port[i]->context->pair[pair].rx);
		port[i]->context->spread = false;
	}
}

struct tp_spread_words {
	uint32_t count;
	struct {
		struct tp_vring *ring;
		uint16_t *baton;
	} of[];
};

static uint32_t count_pairs(struct tp_port *const *ports, uint32_t count)
{
	uint32_t pairs = 0;

	for (uint32_t i = 0; i < count; i++)
		pairs += ports[i]->context->pair_count;
	return pairs;
}

static int add_words(struct tp_spread_words *words, const struct tp_port *port)
{
	for (uint32_t pair = 0; pair < port->context->pair_count; pair++) {
		struct tp_vring *ring = &port->context->pair[pair].rx;
		uint16_t *baton;

		if (!tp_vring_running(ring) || ring->baton != NULL)
			continue;
		baton = new_baton(ring->size);
		if (baton == NULL)
			return -ENOMEM;
		words->of[words->count].ring = ring;
		words->of[words->count++].baton = baton;
	}
	return 0;
}

struct tp_spread_words *tp_spread_words_new(struct tp_port *const *ports, uint32_t count)
{
	struct tp_spread_words *words =
		calloc(1, sizeof(*words) + count_pairs(ports, count) * sizeof(words->of[0]));

	for (uint32_t i = 0; words != NULL && i < count; i++)
		if (add_words(words, ports[i]) < 0) {
			tp_spread_words_free(words);
			return NULL;
		}
	return words;
}

void tp_spread_words_free(struct tp_spread_words *words)
{
	for (uint32_t i = 0; words != NULL && i < words->count; i++)
		rte_free(words->of[i].baton);
	free(words);
}

void tp_spread_all(struct tp_port *const *ports, uint32_t count, struct tp_spread_words *words)
{
	for (uint32_t i = 0; i < count; i++)
		ports[i]->context->spread = true;
	for (uint32_t i = 0; i < words->count; i++)
		tp_vring_share(words->of[i].ring, words->of[i].baton);
	free(words);
}

/* @return 0, or -ENOMEM with nothing shared. */
static int share(struct tp_appliance *appliance, uint32_t tenant)
{
	struct tp_port **port = first_port(appliance, tenant);
	struct tp_spread_words *words = tp_spread_words_new(port, port_count(appliance, tenant));

	if (words == NULL)
		return -ENOMEM;
	tp_spread_all(port, port_count(appliance, tenant), words);
	appliance->balance.tenant[tenant].spread = true;
	return 0;
}

static bool limits_floods(const struct tp_snapshot *snapshot)
{
	for (uint32_t i = 0; i < snapshot->class_count; i++)
		if (tp_shaped(&snapshot->classes[i].flood))
			return true;
	return false;
}

/* What a rate has left is known to one worker. */
static bool stays_together(const struct tp_port *port)
{
	const struct tp_snapshot *snapshot =
		atomic_load_explicit(&port->appliance->dataplane->snapshot, memory_order_relaxed);

	return tp_shaped(&snapshot->interfaces[port->place].shape) || limits_floods(snapshot);
}

/* --- The same rings, anew --- */

void tp_spread_take(struct tp_port *port)
{
	for (uint32_t pair = 0; pair < port->context->pair_count; pair++) {
		port->kick[pair].home = port->context->pair[pair].worker;
		take(port, pair);
	}
}

void tp_spread_give_back(struct tp_port *port)
{
	bool together = stays_together(port);

	for (uint32_t pair = 0; pair < port->context->pair_count; pair++)
		give(port, pair, port->kick[together ? 0 : pair].home);
}

/* --- Moves --- */

int tp_spread_gather(struct tp_appliance *appliance, uint32_t tenant, unsigned worker)
{
	struct tp_tenant_place *place = &appliance->balance.tenant[tenant];

	if (!place->spread && place->worker == worker)
		return -EALREADY;
	take_all(appliance, tenant);
	if (place->spread)
		share_no_more(appliance, tenant);
	place->worker = worker;
	give_all(appliance, tenant, worker);
	return 0;
}

static int spread_out(struct tp_appliance *appliance, uint32_t tenant)
{
	int result;

	take_all(appliance, tenant);
	result = share(appliance, tenant);
	give_all(appliance, tenant, appliance->balance.tenant[tenant].worker);
	return result;
}

/* Rings from `first` on, `count` of them, which one worker serves, go to another at once. */
static void hand_over(struct tp_port *port, uint32_t first, uint32_t count, unsigned worker)
{
	unsigned from = port->context->pair[first].worker;

	for (uint32_t i = 0; i < count; i++)
		take(port, first + i);
	tp_dataplane_leave(port->appliance->dataplane, from);
	tp_uplinks_settle(port->appliance);
	for (uint32_t i = 0; i < count; i++)
		give(port, first + i, worker);
}

int tp_spread_move(
	struct tp_appliance *appliance, struct tp_port *port, uint32_t pair, unsigned worker)
{
	uint32_t tenant = tenant_of(port);

	if (port->context->pair[pair].worker == worker)
		return -EALREADY;
	if (!tp_spread_is(appliance, tenant)) {
		int result = spread_out(appliance, tenant);

		if (result < 0)
			return result;
	}
	if (stays_together(port))
		hand_over(port, 0, port->context->pair_count, worker);
	else
		hand_over(port, pair, 1, worker);
	return 0;
}
