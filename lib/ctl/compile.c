/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include <rte_cycles.h>
#include <rte_memory.h>

#include "appliance_private.h"
#include "compile_networks.h"
#include "ctl/plan.h"
#include "vring/price.h"

#define LEARNED_MOST (1u << 20)

/* What turnpike plan promises. */
static_assert(sizeof(struct tp_context) + sizeof(void *) <= TP_PLAN_CONTEXT_BYTES, "a context");
static_assert(sizeof(struct tp_ring_pair) <= TP_PLAN_PAIR_BYTES, "a queue pair");
static_assert(TP_CONFIG_UPLINKS_MAX <= TP_UPLINKS_MAX, "uplinks have numbers in look-ups");
static_assert(TP_CONFIG_WORKERS_MAX <= TP_WORKERS_MAX, "each worker has a queue to send by");
static_assert(TP_CONFIG_CLASSES_MAX <= TP_CLASSES_MAX, "workers count by class");

uint32_t tp_learned_limit(const struct tp_config *config)
{
	uint64_t limit = 0;

	for (uint32_t i = 0; i < config->tenant_count; i++)
		if (config->tenants[i].mac_learning)
			limit += (uint64_t)config->tenants[i].interface_count *
					 TP_LEARNED_PER_INTERFACE +
				 (config->tenants[i].network.kind == TP_NETWORK_NONE
						 ? 0
						 : TP_LEARNED_PER_NETWORK);
	return limit < LEARNED_MOST ? (uint32_t)limit : LEARNED_MOST;
}

static void compile_class(struct tp_class *class, const struct tp_class_config *config)
{
	/* hold_ns is at most 10 s, so the product stays far below 2^64 in floating point terms */
	class->hold_cycles = (uint64_t)((double)config->hold_ns * rte_get_tsc_hz() / 1e9);
	class->bid = (uint32_t)(config->bid * TP_PRICE_ONE);
	class->threshold = tp_price_threshold(class->bid);
	class->weight = config->weight;
	class->pinned = config->pinned;
	class->drop_when_full = config->on_full == TP_ON_FULL_DROP;
}

/* With strict comparisons, so that the first of equals stays. */
static uint16_t find_lowest_class(const struct tp_class *classes, uint32_t count)
{
	uint32_t lowest = 0;

	for (uint32_t i = 1; i < count; i++)
		if (classes[i].bid < classes[lowest].bid ||
			(classes[i].bid == classes[lowest].bid &&
				classes[i].weight < classes[lowest].weight))
			lowest = i;
	return (uint16_t)lowest;
}

static void compile_tenant(struct tp_tenant *tenant, const struct tp_tenant_config *config)
{
	tenant->first_interface = config->first_interface;
	tenant->interface_count = config->interface_count;
	tenant->flood_unknown = config->unknown_unicast == TP_UNKNOWN_UNICAST_FLOOD;
	tenant->learning = config->mac_learning;
}

static struct tp_shape compile_rate(const struct tp_rate_config *config)
{
	const struct tp_rate rate = {
		.bits_per_second = config->bits_per_second,
		.frames_per_second = config->frames_per_second,
		.burst_bytes = config->burst_bytes,
		.burst_ns = config->burst_ns,
		.layer1 = config->layer1,
	};

	return tp_shape_make(&rate, rte_get_tsc_hz());
}

static void compile_interface(struct tp_interface *interface, const struct tp_config *config,
	uint32_t index, const struct tp_context_store *store)
{
	const struct tp_interface_config *from = &config->interfaces[index];
	uint8_t mac[8] = {0};

	memcpy(mac, from->mac, sizeof(from->mac));
	interface->mac = tp_mac_load(mac);
	interface->context = tp_context_at(store, index);
	interface->tenant = from->tenant_index;
	interface->class = (uint16_t)from->class_index;
	interface->source_mac_check = from->source_mac_check;
	interface->shape = compile_rate(&from->rate);
}

struct tp_snapshot *tp_compile(const struct tp_config *config, const struct tp_context_store *store,
	struct tp_uplink *const *uplinks, struct tp_underlays *underlays, struct tp_error *error)
{
	struct tp_snapshot *snapshot = tp_snapshot_new(config->class_count, config->tenant_count,
		config->interface_count, SOCKET_ID_ANY, error);

	if (snapshot == NULL)
		return NULL;
	for (uint32_t i = 0; i < config->class_count; i++)
		compile_class(&snapshot->classes[i], &config->classes[i]);
	snapshot->lowest_class = find_lowest_class(snapshot->classes, config->class_count);
	snapshot->tariff = (struct tp_tariff){
		.per_frame = (uint32_t)config->tariff_per_frame,
		.per_64_bytes = (uint32_t)config->tariff_per_64_bytes,
	};
	for (uint32_t i = 0; i < config->tenant_count; i++)
		compile_tenant(&snapshot->tenants[i], &config->tenants[i]);
	for (uint32_t i = 0; i < config->interface_count; i++)
		compile_interface(&snapshot->interfaces[i], config, i, store);
	if (tp_compile_networks(snapshot, config, uplinks, underlays, error) < 0 ||
		tp_snapshot_seal(snapshot, SOCKET_ID_ANY, error) < 0) {
		tp_snapshot_free(snapshot);
		return NULL;
	}
	return snapshot;
}
