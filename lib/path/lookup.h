/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <rte_ring_elem.h>

#include "burst.h"

/*
 * lookup: destination MAC to interface and ring, within the sender's tenant. Configured addresses
 * come from the snapshot, learned ones from the learned table; a small direct-mapped cache stands
 * before both and is emptied when either changes.
 */

TP_RARE void tp_find_in_tables(const struct tp_worker *worker, struct tp_cached_mac *found)
{
	const struct tp_learned *learned;

	found->place = TP_NO_PLACE;
	found->interface = tp_mac_table_find(worker->snapshot->macs, found->key);
	if (found->interface != TP_NO_INTERFACE)
		return;
	/* acquire: partner is the release store of tp_dataplane_set_learned */
	learned = atomic_load_explicit(&worker->dataplane->learned, memory_order_acquire);
	if (learned != NULL)
		found->interface = tp_learned_find(learned, found->key, &found->place);
}

/* What the tables say of a key. */
static inline const struct tp_cached_mac *tp_find(struct tp_worker *worker, uint64_t key)
{
	/* The multiplication spreads neighbouring addresses, whose last byte comes first here. */
	uint64_t slot = (key * UINT64_C(0x9e3779b97f4a7c15)) >> 54;
	struct tp_cached_mac *cached = &worker->cache[slot];

	static_assert(TP_CACHED_MACS == 1 << (64 - 54), "the slot has as many bits as the cache");
	if (TP_LIKELY(cached->key == key))
		return cached;
	cached->key = key;
	tp_find_in_tables(worker, cached);
	return cached;
}

/* A learned address has sent again, from where it was learned. */
static inline void tp_seen_again(const struct tp_worker *worker, const struct tp_cached_mac *known)
{
	if (known->place != TP_NO_PLACE)
		tp_learned_stamp(
			atomic_load_explicit(&worker->dataplane->learned, memory_order_acquire),
			known->place);
}

/* A source MAC that is not the interface's own, where the tenant learns: note that it is in use, or
 * tell control of it. */
TP_RARE void tp_sight(struct tp_worker *worker, uint64_t source_mac)
{
	struct tp_burst *burst = &worker->burst;
	struct tp_sighting sighting = {
		.key = tp_mac_key(burst->source->tenant, source_mac),
		.interface = burst->interface,
	};

	const struct tp_cached_mac *known = tp_find(worker, sighting.key);

	if (known->interface == burst->interface)
		tp_seen_again(worker, known);
	/* What control would not learn is not reported, so that one guest cannot fill the ring to
	 * control that all share. */
	if (known->interface == burst->interface ||
		(known->interface != TP_NO_INTERFACE && known->place == TP_NO_PLACE) ||
		atomic_load_explicit(&burst->context->learned_enough, memory_order_relaxed))
		return;
	if (rte_ring_sp_enqueue_elem(worker->share->sightings, &sighting, sizeof(sighting)) != 0)
		tp_counter_add(&worker->share->sightings_missed, 1);
}

/* No interface has the MAC. What is not known here is behind the tenant's uplink; where unknown
 * frames are flooded, perhaps behind a guest as well. */
static inline enum tp_drop tp_lookup_beyond(const struct tp_tenant *tenant, uint32_t *destination)
{
	if (*destination != TP_NO_INTERFACE)
		return TP_DROP_NONE; /* learned at the uplink, or behind a tunnel */
	*destination = tenant->flood_unknown ? TP_TO_MANY : tp_network_unknown(&tenant->network);
	return *destination != TP_NO_INTERFACE ? TP_DROP_NONE : TP_DROP_UNKNOWN_DESTINATION;
}

/* Decide where one unicast frame goes. @return TP_DROP_NONE with *destination set, or why it goes
 * nowhere. */
static inline enum tp_drop tp_lookup_unicast(
	struct tp_worker *worker, uint64_t mac, uint32_t *destination)
{
	const struct tp_burst *burst = &worker->burst;
	uint32_t tenant = burst->source->tenant;

	*destination = tp_find(worker, tp_mac_key(tenant, mac))->interface;
	if (TP_UNLIKELY(*destination >= TP_FIRST_UPLINK))
		return tp_lookup_beyond(&worker->snapshot->tenants[tenant], destination);
	return *destination == burst->interface ? TP_DROP_OWN_DESTINATION : TP_DROP_NONE;
}

/* The ring of a destination for frames of this source: always the same one, so that order is kept.
 */
static inline struct tp_vring *tp_ring_towards(
	const struct tp_burst *burst, const struct tp_interface *destination)
{
	struct tp_context *context = destination->context;
	uint32_t pair = burst->pair_index;

	if (TP_UNLIKELY(pair > 0) &&
		(pair >= context->pair_count || !tp_vring_running(&context->pair[pair].rx)))
		pair = 0;
	return &context->pair[pair].rx;
}

/* One frame. */
TP_FAST enum tp_drop tp_lookup_one(struct tp_worker *worker, unsigned i)
{
	struct tp_burst *burst = &worker->burst;
	uint64_t mac = burst->destination_mac[i];
	struct tp_vring *ring;
	enum tp_drop drop;

	if (TP_UNLIKELY(mac & TP_MAC_MULTICAST)) {
		burst->destination[i] = TP_TO_MANY;
		return TP_DROP_NONE;
	}
	drop = tp_lookup_unicast(worker, mac, &burst->destination[i]);
	if (TP_UNLIKELY(drop != TP_DROP_NONE || burst->destination[i] >= TP_FIRST_UPLINK))
		return drop;
	ring = tp_ring_towards(burst, &worker->snapshot->interfaces[burst->destination[i]]);
	if (TP_UNLIKELY(!tp_vring_running(ring)))
		return TP_DROP_DESTINATION_DOWN;
	burst->ring[i] = ring;
	return TP_DROP_NONE;
}

static inline void tp_lookup(struct tp_worker *worker)
{
	struct tp_burst *burst = &worker->burst;
	bool learning = !burst->source->source_mac_check &&
			worker->snapshot->tenants[burst->source->tenant].learning;

	for (unsigned i = 0; i < burst->count; i++) {
		struct tp_view *view = &burst->views.view[i];

		burst->ring[i] = NULL;
		if (TP_UNLIKELY(view->drop != TP_DROP_NONE))
			continue;
		if (TP_UNLIKELY(learning && tp_mac_load(burst->head[i] + 6) != burst->source->mac))
			tp_sight(worker, tp_mac_load(burst->head[i] + 6));
		view->drop = tp_lookup_one(worker, i);
	}
}
