/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_ring_elem.h>

#include "base/log.h"
#include "uplinks.h"

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

/* A MAC is no more where it was. */
static void count_left(struct tp_appliance *appliance, uint64_t key, uint32_t before)
{
	if (before < TP_FIRST_UPLINK)
		count_learned(&appliance->ports[before], appliance->ports[before].learned - 1);
	else if (before != TP_NO_INTERFACE)
		appliance->uplinks->learned[tp_mac_key_tenant(key)]--;
}

bool tp_learn_beyond(struct tp_appliance *appliance, const struct tp_sighting *sighting)
{
	struct tp_dataplane *dataplane = appliance->dataplane;
	uint32_t *learned = &appliance->uplinks->learned[tp_mac_key_tenant(sighting->key)];
	uint32_t before = tp_mac_table_find(dataplane->learned, sighting->key);

	if (before == sighting->interface || *learned >= TP_LEARNED_PER_NETWORK ||
		tp_mac_table_set(dataplane->learned, sighting->key, sighting->interface) < 0)
		return false;
	(*learned)++;
	count_left(appliance, sighting->key, before);
	return true;
}

/* @return true if the table changed. */
static bool learn(struct tp_appliance *appliance, const struct tp_sighting *sighting)
{
	struct tp_dataplane *dataplane = appliance->dataplane;
	const struct tp_snapshot *snapshot = atomic_load(&dataplane->snapshot);
	struct tp_port *port = &appliance->ports[sighting->interface];
	uint32_t before;

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
	count_left(appliance, sighting->key, before);
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
			changed |= sighting.interface < TP_FIRST_UPLINK
					   ? learn(appliance, &sighting)
					   : tp_learn_beyond(appliance, &sighting);
		}
	}
	if (changed)
		announce_change(appliance->dataplane);
}

void tp_forget_learned(struct tp_appliance *appliance, uint32_t interface)
{
	struct tp_mac_table *learned = appliance->dataplane->learned;
	uint64_t keys[TP_LEARNED_PER_INTERFACE];
	uint32_t count = 0;
	uint32_t next = 0;
	uint32_t owner;
	uint64_t key;

	if (learned == NULL || appliance->ports[interface].learned == 0)
		return;
	while (count < TP_LEARNED_PER_INTERFACE && tp_mac_table_next(learned, &next, &key, &owner))
		if (owner == interface)
			keys[count++] = key;
	for (uint32_t i = 0; i < count; i++)
		tp_mac_table_remove(learned, keys[i]);
	count_learned(&appliance->ports[interface], 0);
	announce_change(appliance->dataplane);
}

/* Keys are removed after the walk over them, some at a time. */
static uint32_t find_beyond(const struct tp_appliance *appliance, uint32_t uplink, uint64_t *keys)
{
	const struct tp_mac_table *learned = appliance->dataplane->learned;
	const struct tp_tenant_config *tenants = appliance->config->tenants;
	uint32_t count = 0;
	uint32_t next = 0;
	uint32_t owner;
	uint64_t key;

	while (count < TP_LEARNED_PER_INTERFACE && tp_mac_table_next(learned, &next, &key, &owner))
		if (owner >= TP_FIRST_UPLINK &&
			tenants[tp_mac_key_tenant(key)].network.uplink_index == uplink)
			keys[count++] = key;
	return count;
}

void tp_forget_beyond(struct tp_appliance *appliance, uint32_t uplink)
{
	struct tp_mac_table *learned = appliance->dataplane->learned;
	uint64_t keys[TP_LEARNED_PER_INTERFACE];
	uint32_t count;

	if (learned == NULL)
		return;
	while ((count = find_beyond(appliance, uplink, keys)) > 0)
		for (uint32_t i = 0; i < count; i++) {
			tp_mac_table_remove(learned, keys[i]);
			appliance->uplinks->learned[tp_mac_key_tenant(keys[i])]--;
		}
	announce_change(appliance->dataplane);
}
