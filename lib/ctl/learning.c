/* SPDX-License-Identifier: BSD-3-Clause */

#include <string.h>

#include <rte_ring_elem.h>

#include "base/log.h"
#include "uplinks.h"

/*
 * Learned MACs: taken from what workers sight, within the bounds of the interface and the tenant;
 * forgotten when they have been silent for too long, when their guest goes, or when an operator
 * says so. One guest's addresses never push out another's: who has reached its bound learns no
 * more, and strangers behind the tenant's uplink have a bound together.
 */

#define SIGHTINGS_A_LOOK 1024 /* bounds what one look costs, whatever guests send */
#define LOOKS_A_ROUND    50   /* each place is looked at once a second: looks are 20 ms apart */

/* Workers forget their look-ups when the generation moves. */
static void announce_change(struct tp_dataplane *dataplane)
{
	/* release: partner is the acquire load at the head of a worker's sweep */
	atomic_fetch_add_explicit(&dataplane->learned_generation, 1, memory_order_release);
}

static const struct tp_interface_config *config_of(const struct tp_port *port)
{
	return &port->config->interfaces[port->index];
}

static const struct tp_tenant_config *tenant_of(const struct tp_port *port)
{
	return &port->config->tenants[config_of(port)->tenant_index];
}

/* @return NULL: there is no tenant at that place. */
static const struct tp_tenant_config *tenant_at(const struct tp_appliance *appliance, uint64_t key)
{
	uint32_t place = tp_mac_key_tenant(key);

	return place < TP_CONFIG_TENANTS_MAX ? appliance->tenant_at[place] : NULL;
}

static uint32_t *learned_in(struct tp_appliance *appliance, uint64_t key)
{
	return &appliance->learned_by_tenant[tp_mac_key_tenant(key)];
}

/* Behind an uplink or a tunnel? */
static bool is_beyond(uint32_t owner)
{
	return owner >= TP_FIRST_UPLINK && owner != TP_NO_INTERFACE;
}

/* Tell workers whether sightings at a port are of use. */
static void tell_enough(struct tp_port *port)
{
	atomic_store_explicit(&port->context->learned_enough,
		port->learned >= tenant_of(port)->macs_per_interface, memory_order_relaxed);
}

static bool has_enough_beyond(const struct tp_appliance *appliance, uint32_t place)
{
	const struct tp_tenant_config *tenant = appliance->tenant_at[place];

	return tenant != NULL && appliance->learned_beyond[place] >= tp_config_macs_beyond(tenant);
}

/* The same for what comes from the wire. */
static void tell_enough_beyond(const struct tp_appliance *appliance, uint32_t place)
{
	__atomic_store_n(&appliance->dataplane->enough_beyond[place],
		has_enough_beyond(appliance, place), __ATOMIC_RELAXED);
}

/* One more at an interface or behind an uplink, or one less. */
static void count_learned(struct tp_appliance *appliance, uint64_t key, uint32_t owner, int more)
{
	struct tp_port *port;

	*learned_in(appliance, key) += (uint32_t)more;
	if (is_beyond(owner)) {
		appliance->learned_beyond[tp_mac_key_tenant(key)] += (uint32_t)more;
		tell_enough_beyond(appliance, tp_mac_key_tenant(key));
		return;
	}
	port = tp_port_at(appliance, owner);
	port->learned += (uint32_t)more;
	tell_enough(port);
}

static bool may_learn_at_port(
	const struct tp_appliance *appliance, const struct tp_sighting *sighting)
{
	const struct tp_port *port = tp_port_at(appliance, sighting->interface);

	/* What was sighted before it went, or was told not to learn, may come after. */
	return port != NULL && !config_of(port)->source_mac_check &&
	       port->learned < tenant_of(port)->macs_per_interface && port->rings_running > 0;
}

static bool is_behind(const struct tp_tenant_config *tenant, uint32_t owner)
{
	if (tenant->network.kind == TP_NETWORK_TUNNEL)
		return owner >= TP_FIRST_TUNNEL &&
		       TP_TUNNEL_OF(owner) < tenant->network.remote_count;
	return tenant->network.kind != TP_NETWORK_NONE &&
	       owner == TP_TO_UPLINK(tenant->network.uplink_index);
}

static bool may_learn_beyond(const struct tp_appliance *appliance,
	const struct tp_tenant_config *tenant, const struct tp_sighting *sighting, uint32_t before)
{
	return is_behind(tenant, sighting->interface) &&
	       (is_beyond(before) || !has_enough_beyond(appliance, tenant->place));
}

/* What workers have sighted may be of another configuration: it is checked. */
static bool may_learn(
	struct tp_appliance *appliance, const struct tp_sighting *sighting, uint32_t before)
{
	const struct tp_tenant_config *tenant = tenant_at(appliance, sighting->key);

	if (tenant == NULL || !tenant->mac_learning || before == sighting->interface)
		return false;
	if (before == TP_NO_INTERFACE &&
		*learned_in(appliance, sighting->key) >= tenant->macs_per_tenant)
		return false;
	return is_beyond(sighting->interface)
		       ? may_learn_beyond(appliance, tenant, sighting, before)
		       : may_learn_at_port(appliance, sighting);
}

/* @return true if the table changed. */
static bool learn(struct tp_appliance *appliance, const struct tp_sighting *sighting)
{
	struct tp_dataplane *dataplane = appliance->dataplane;
	const struct tp_snapshot *snapshot = atomic_load(&dataplane->snapshot);
	uint32_t before, place;

	/* A configured address stays where it is configured. */
	if (tp_mac_table_find(snapshot->macs, sighting->key) != TP_NO_INTERFACE)
		return false;
	before = tp_learned_find(dataplane->learned, sighting->key, &place);
	if (!may_learn(appliance, sighting, before) ||
		tp_learned_set(dataplane->learned, sighting->key, sighting->interface) < 0)
		return false;
	count_learned(appliance, sighting->key, sighting->interface, 1);
	if (before != TP_NO_INTERFACE)
		count_learned(appliance, sighting->key, before, -1);
	return true;
}

static bool take_sightings(struct tp_appliance *appliance, struct rte_ring *ring)
{
	struct tp_sighting sighting;
	bool changed = false;

	for (unsigned i = 0; i < SIGHTINGS_A_LOOK; i++) {
		if (rte_ring_sc_dequeue_elem(ring, &sighting, sizeof(sighting)) != 0)
			break;
		changed |= learn(appliance, &sighting);
	}
	return changed;
}

static void forget(struct tp_appliance *appliance, uint32_t place)
{
	struct tp_learned *learned = atomic_load(&appliance->dataplane->learned);
	const struct tp_learned_place *one = &learned->place[place];

	count_learned(appliance, one->key, one->interface, -1);
	tp_learned_forget(learned, place);
}

static bool is_too_old(const struct tp_appliance *appliance, uint32_t place)
{
	const struct tp_learned *learned = atomic_load(&appliance->dataplane->learned);
	const struct tp_tenant_config *tenant;

	if (!tp_learned_taken(learned, place))
		return false;
	tenant = tenant_at(appliance, learned->place[place].key);
	return tenant == NULL || tp_learned_age(learned, place) > tenant->mac_age_s;
}

/* A part of the places in each look. */
static bool forget_silent(struct tp_appliance *appliance)
{
	const struct tp_learned *learned = atomic_load(&appliance->dataplane->learned);
	uint32_t part = learned->capacity / LOOKS_A_ROUND + 1;
	bool changed = false;

	for (uint32_t i = 0; i < part; i++) {
		uint32_t place = appliance->learned_looked_at++ % learned->capacity;

		if (!is_too_old(appliance, place))
			continue;
		forget(appliance, place);
		changed = true;
	}
	return changed;
}

void tp_learn_sightings(struct tp_appliance *appliance)
{
	struct tp_dataplane *dataplane = appliance->dataplane;
	bool changed = false;

	if (dataplane->learned == NULL)
		return;
	__atomic_store_n(&dataplane->learned->second,
		(uint32_t)((tp_loop_now_ms() - appliance->started_ms) / 1000), __ATOMIC_RELAXED);
	for (unsigned w = 0; w < dataplane->worker_count; w++)
		changed |= take_sightings(appliance, dataplane->worker[w]->sightings);
	changed |= forget_silent(appliance);
	if (changed)
		announce_change(dataplane);
}

/* What is to be forgotten. @param about  the caller's */
typedef bool is_to_go(const struct tp_appliance *appliance, const struct tp_learned_place *one,
	const void *about);

/* @return how many were. */
static uint32_t forget_all(struct tp_appliance *appliance, is_to_go *goes, const void *about)
{
	const struct tp_learned *learned = atomic_load(&appliance->dataplane->learned);
	uint32_t forgotten = 0;

	for (uint32_t i = 0; learned != NULL && i < learned->capacity; i++) {
		if (!tp_learned_taken(learned, i) || !goes(appliance, &learned->place[i], about))
			continue;
		forget(appliance, i);
		forgotten++;
	}
	if (forgotten > 0)
		announce_change(appliance->dataplane);
	return forgotten;
}

struct whose {
	uint32_t tenant, owner; /* by place; TP_NO_INTERFACE for all */
};

static bool is_theirs(
	const struct tp_appliance *appliance, const struct tp_learned_place *one, const void *about)
{
	const struct whose *whose = about;

	(void)appliance;
	return (whose->owner == TP_NO_INTERFACE || one->interface == whose->owner) &&
	       (whose->tenant == TP_NO_INTERFACE || tp_mac_key_tenant(one->key) == whose->tenant);
}

void tp_forget_learned(struct tp_port *port)
{
	const struct whose its = {.tenant = TP_NO_INTERFACE, .owner = port->place};

	if (port->learned > 0)
		forget_all(port->appliance, is_theirs, &its);
}

static bool is_beyond_uplink(
	const struct tp_appliance *appliance, const struct tp_learned_place *one, const void *about)
{
	const struct tp_tenant_config *tenant = tenant_at(appliance, one->key);
	const uint32_t *uplink = about;

	return is_beyond(one->interface) &&
	       (tenant == NULL || tenant->network.uplink_index == *uplink);
}

void tp_forget_beyond(struct tp_appliance *appliance, uint32_t uplink)
{
	forget_all(appliance, is_beyond_uplink, &uplink);
}

/* Is what was learned behind an uplink or a tunnel still there? Remotes may have other numbers. */
static bool stays(
	const struct tp_tenant_config *before, const struct tp_tenant_config *after, uint32_t owner)
{
	const struct tp_network_config *old, *new;

	if (before == NULL || after == NULL || !after->mac_learning || !is_behind(before, owner) ||
		!is_behind(after, owner))
		return false;
	old = &before->network;
	new = &after->network;
	return old->kind == new->kind && old->uplink_index == new->uplink_index &&
	       old->service_vlan == new->service_vlan && old->vlan == new->vlan &&
	       old->vni == new->vni &&
	       (owner < TP_FIRST_TUNNEL ||
		       tp_address_equal(&old->remotes[TP_TUNNEL_OF(owner)].address,
			       &new->remotes[TP_TUNNEL_OF(owner)].address));
}

/* @param about  as appliance->tenant_at, of the configuration that comes */
static bool is_stray(
	const struct tp_appliance *appliance, const struct tp_learned_place *one, const void *about)
{
	const struct tp_tenant_config *const *next = about;

	return is_beyond(one->interface) &&
	       !stays(tenant_at(appliance, one->key), next[tp_mac_key_tenant(one->key)],
		       one->interface);
}

void tp_learning_prepare(struct tp_appliance *appliance, const struct tp_config *config)
{
	static const struct tp_tenant_config *next[TP_CONFIG_TENANTS_MAX];

	memset(next, 0, sizeof(next));
	for (uint32_t i = 0; i < config->tenant_count; i++)
		next[config->tenants[i].place] = &config->tenants[i];
	forget_all(appliance, is_stray, next);
	memcpy(appliance->tenant_at, next, sizeof(next));
}

/* Remotes and places may be others' now. */
static void discard_sightings(struct rte_ring *ring)
{
	struct tp_sighting sighting;

	for (unsigned i = 0; i < SIGHTINGS_A_LOOK; i++)
		if (rte_ring_sc_dequeue_elem(ring, &sighting, sizeof(sighting)) != 0)
			return;
}

void tp_learning_change(struct tp_appliance *appliance)
{
	const struct tp_dataplane *dataplane = appliance->dataplane;

	for (uint32_t i = 0; i < appliance->config->interface_count; i++)
		tell_enough(appliance->ports[i]);
	for (uint32_t i = 0; i < TP_CONFIG_TENANTS_MAX; i++)
		tell_enough_beyond(appliance, i);
	for (unsigned w = 0; w < dataplane->worker_count; w++)
		discard_sightings(dataplane->worker[w]->sightings);
}

json_t *tp_answer_flush(
	struct tp_appliance *appliance, const json_t *request, struct tp_error *error)
{
	const json_t *tenant_name = json_object_get(request, "tenant");
	const json_t *interface_name = json_object_get(request, "interface");
	struct whose whose = {.tenant = TP_NO_INTERFACE, .owner = TP_NO_INTERFACE};
	uint32_t index = 0;

	if (tenant_name != NULL || interface_name != NULL) {
		if (tp_find_tenant(appliance, "flush", tenant_name, &index, error) < 0)
			return NULL;
		whose.tenant = appliance->config->tenants[index].place;
	}
	if (interface_name != NULL) {
		const struct tp_port *port =
			tp_find_port(appliance, "flush", index, interface_name, error);

		if (port == NULL)
			return NULL;
		whose.owner = port->place;
	}
	return json_pack(
		"{s:I}", "forgotten", (json_int_t)forget_all(appliance, is_theirs, &whose));
}
