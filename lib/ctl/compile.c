/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_memory.h>

#include "appliance_private.h"
#include "compile_networks.h"
#include "ctl/plan.h"
#include "state/cycles.h"
#include "vring/price.h"

#define LEARNED_MOST   (1u << 20)
#define FLOOD_BURST_NS 100000000 /* of the rate of flooded frames that may come together */

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
			limit += config->tenants[i].macs_per_tenant;
	return limit < LEARNED_MOST ? (uint32_t)limit : LEARNED_MOST;
}

static void compile_class(struct tp_class *class, const struct tp_class_config *config)
{
	/* hold_ns is at most 10 s, so the product stays far below 2^64 in floating point terms */
	class->hold_cycles = tp_cycles_of_ns(config->hold_ns);
	class->bid = (uint32_t)(config->bid * TP_PRICE_ONE);
	class->threshold = tp_price_threshold(class->bid);
	class->weight = config->weight;
	class->pinned = config->pinned;
	class->flood = tp_shape_make(&(struct tp_rate){.frames_per_second = config->flood_rate,
					     .burst_ns = FLOOD_BURST_NS},
		rte_get_tsc_hz());
	class->drop_when_full = config->on_full == TP_ON_FULL_DROP;
}

/* With strict comparisons, so that the first of equals stays, in the order of the file. */
static uint16_t find_lowest_class(const struct tp_class *classes, const struct tp_config *config)
{
	uint32_t lowest = config->classes[0].place;

	for (uint32_t i = 1; i < config->class_count; i++) {
		uint32_t place = config->classes[i].place;

		if (classes[place].bid < classes[lowest].bid ||
			(classes[place].bid == classes[lowest].bid &&
				classes[place].weight < classes[lowest].weight))
			lowest = place;
	}
	return (uint16_t)lowest;
}

static void compile_tenant(struct tp_tenant *tenant, const struct tp_tenant_config *config)
{
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

	interface->mac = tp_mac_of(from->mac);
	interface->context = tp_context_at(store, from->place);
	interface->tenant = config->tenants[from->tenant_index].place;
	interface->class = (uint16_t)config->classes[from->class_index].place;
	interface->source_mac_check = from->source_mac_check;
	interface->shape = compile_rate(&from->rate);
}

struct tp_places tp_count_places(const struct tp_config *config)
{
	struct tp_places places = {0};

	for (uint32_t i = 0; i < config->class_count; i++)
		places.classes = RTE_MAX(places.classes, config->classes[i].place + 1);
	for (uint32_t i = 0; i < config->tenant_count; i++)
		places.tenants = RTE_MAX(places.tenants, config->tenants[i].place + 1);
	for (uint32_t i = 0; i < config->interface_count; i++)
		places.interfaces = RTE_MAX(places.interfaces, config->interfaces[i].place + 1);
	return places;
}

static int compile_static_macs(
	struct tp_snapshot *snapshot, const struct tp_config *config, struct tp_error *error)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < config->interface_count; i++)
		count += config->interfaces[i].mac_count;
	if (tp_snapshot_make_static_macs(snapshot, count, SOCKET_ID_ANY, error) < 0)
		return -ENOMEM;
	count = 0;
	for (uint32_t i = 0; i < config->interface_count; i++)
		for (uint32_t n = 0; n < config->interfaces[i].mac_count; n++)
			snapshot->static_macs[count++] = (struct tp_static_mac){
				.mac = tp_mac_of(config->interfaces[i].macs[n]),
				.interface = config->interfaces[i].place,
			};
	return 0;
}

struct tp_snapshot *tp_compile(const struct tp_config *config, const struct tp_context_store *store,
	struct tp_uplink *const *uplinks, struct tp_underlays *underlays, struct tp_error *error)
{
	struct tp_places places = tp_count_places(config);
	struct tp_snapshot *snapshot = tp_snapshot_new(
		places.classes, places.tenants, places.interfaces, SOCKET_ID_ANY, error);

	if (snapshot == NULL)
		return NULL;
	for (uint32_t i = 0; i < config->class_count; i++)
		compile_class(&snapshot->classes[config->classes[i].place], &config->classes[i]);
	snapshot->lowest_class = find_lowest_class(snapshot->classes, config);
	snapshot->tariff = (struct tp_tariff){
		.per_frame = (uint32_t)config->tariff_per_frame,
		.per_64_bytes = (uint32_t)config->tariff_per_64_bytes,
	};
	for (uint32_t i = 0; i < config->tenant_count; i++)
		compile_tenant(&snapshot->tenants[config->tenants[i].place], &config->tenants[i]);
	for (uint32_t i = 0; i < config->interface_count; i++)
		compile_interface(
			&snapshot->interfaces[config->interfaces[i].place], config, i, store);
	if (compile_static_macs(snapshot, config, error) < 0 ||
		tp_compile_networks(snapshot, config, uplinks, underlays, error) < 0 ||
		tp_snapshot_seal(snapshot, SOCKET_ID_ANY, error) < 0) {
		tp_snapshot_free(snapshot);
		return NULL;
	}
	return snapshot;
}
