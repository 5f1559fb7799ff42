/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_ring_elem.h>

#include "appliance_private.h"
#include "base/log.h"

#define SIGHTINGS_A_LOOK 1024 /* bounds what one look costs, whatever guests send */

/* Workers forget their look-ups when the generation moves. */
static void announce_change(struct tp_dataplane *dataplane)
{
	/* release: partner is the acquire load at the head of a worker's sweep */
	atomic_fetch_add_explicit(&dataplane->learned_generation, 1, memory_order_release);
}

static void count_learned(struct tp_port *port, uint32_t learned)
{
	port->learned = learned;
	atomic_store_explicit(&port->context->learned_enough, learned >= TP_LEARNED_PER_INTERFACE,
		memory_order_relaxed);
}

/* What was sighted before it was told not to learn may come after. */
static bool tenant_learns(const struct tp_port *port)
{
	const struct tp_interface_config *interface = &port->config->interfaces[port->index];

	return port->config->tenants[interface->tenant_index].mac_learning &&
	       !interface->source_mac_check;
}

/* @return true if the table changed. */
static bool learn(struct tp_appliance *appliance, const struct tp_sighting *sighting)
{
	struct tp_dataplane *dataplane = appliance->dataplane;
	const struct tp_snapshot *snapshot = atomic_load(&dataplane->snapshot);
	struct tp_port *port = tp_port_at(appliance, sighting->interface);
	uint32_t before;

	if (port == NULL || !tenant_learns(port))
		return false;
	/* A configured address stays where it is configured. */
	if (tp_mac_table_find(snapshot->macs, sighting->key) != TP_NO_INTERFACE)
		return false;
	before = tp_mac_table_find(dataplane->learned, sighting->key);
	if (before == sighting->interface || port->learned >= TP_LEARNED_PER_INTERFACE ||
		port->rings_running == 0)
		return false;
	if (tp_mac_table_set(dataplane->learned, sighting->key, sighting->interface) < 0)
		return false;
	count_learned(port, port->learned + 1);
	if (before != TP_NO_INTERFACE)
		count_learned(
			appliance->at_place[before], appliance->at_place[before]->learned - 1);
	return true;
}

void tp_learn_sightings(struct tp_appliance *appliance)
{
	bool changed = false;

	if (appliance->dataplane->learned == NULL)
		return;
	for (unsigned w = 0; w < appliance->dataplane->worker_count; w++) {
		struct rte_ring *ring = appliance->dataplane->worker[w]->sightings;
		struct tp_sighting sighting;

		for (unsigned i = 0; i < SIGHTINGS_A_LOOK; i++) {
			if (rte_ring_sc_dequeue_elem(ring, &sighting, sizeof(sighting)) != 0)
				break;
			changed |= learn(appliance, &sighting);
		}
	}
	if (changed)
		announce_change(appliance->dataplane);
}

void tp_forget_learned(struct tp_port *port)
{
	struct tp_dataplane *dataplane = port->appliance->dataplane;
	struct tp_mac_table *learned = dataplane->learned;
	uint64_t keys[TP_LEARNED_PER_INTERFACE];
	uint32_t count = 0;
	uint32_t next = 0;
	uint32_t owner;
	uint64_t key;

	if (learned == NULL || port->learned == 0)
		return;
	while (count < TP_LEARNED_PER_INTERFACE && tp_mac_table_next(learned, &next, &key, &owner))
		if (owner == port->place)
			keys[count++] = key;
	for (uint32_t i = 0; i < count; i++)
		tp_mac_table_remove(learned, keys[i]);
	count_learned(port, 0);
	announce_change(dataplane);
}
