/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include <rte_common.h>
#include <rte_malloc.h>

#include "state/snapshot.h"

static void *table(size_t count, size_t size, int socket)
{
	return rte_zmalloc_socket(
		"snapshot", RTE_MAX(count, (size_t)1) * size, RTE_CACHE_LINE_SIZE, socket);
}

struct tp_snapshot *tp_snapshot_new(
	uint32_t classes, uint32_t tenants, uint32_t interfaces, int socket, struct tp_error *error)
{
	struct tp_snapshot *snapshot = table(1, sizeof(*snapshot), socket);

	if (snapshot != NULL) {
		snapshot->class_count = classes;
		snapshot->tenant_count = tenants;
		snapshot->interface_count = interfaces;
		snapshot->classes = table(classes, sizeof(struct tp_class), socket);
		snapshot->tenants = table(tenants, sizeof(struct tp_tenant), socket);
		snapshot->interfaces = table(interfaces, sizeof(struct tp_interface), socket);
		snapshot->members = table(interfaces, sizeof(snapshot->members[0]), socket);
		if (snapshot->classes != NULL && snapshot->tenants != NULL &&
			snapshot->interfaces != NULL && snapshot->members != NULL)
			return snapshot;
		tp_snapshot_free(snapshot);
	}
	tp_error_set(error, ENOMEM,
		"snapshot of %u interfaces: not enough memory in the EAL's heap; give it more with "
		"-m MEGABYTES before --",
		interfaces);
	return NULL;
}

/* Sorted by counting, so that each tenant's stand in the order of their places. */
static void list_members(struct tp_snapshot *snapshot)
{
	uint32_t first = 0;

	for (uint32_t t = 0; t < snapshot->tenant_count; t++)
		snapshot->tenants[t].interface_count = 0;
	for (uint32_t i = 0; i < snapshot->interface_count; i++)
		if (snapshot->interfaces[i].context != NULL)
			snapshot->tenants[snapshot->interfaces[i].tenant].interface_count++;
	for (uint32_t t = 0; t < snapshot->tenant_count; t++) {
		snapshot->tenants[t].first_interface = first;
		first += snapshot->tenants[t].interface_count;
		snapshot->tenants[t].interface_count = 0;
	}
	for (uint32_t i = 0; i < snapshot->interface_count; i++) {
		struct tp_tenant *tenant = &snapshot->tenants[snapshot->interfaces[i].tenant];

		if (snapshot->interfaces[i].context != NULL)
			snapshot->members[tenant->first_interface + tenant->interface_count++] = i;
	}
}

static void count_pinned(struct tp_snapshot *snapshot)
{
	for (uint32_t i = 0; i < snapshot->interface_count; i++) {
		const struct tp_interface *interface = &snapshot->interfaces[i];

		if (interface->context != NULL && snapshot->classes[interface->class].pinned)
			snapshot->pinned_rings += interface->context->pair_count;
	}
}

int tp_snapshot_make_static_macs(
	struct tp_snapshot *snapshot, uint32_t count, int socket, struct tp_error *error)
{
	snapshot->static_macs = table(count, sizeof(snapshot->static_macs[0]), socket);
	if (snapshot->static_macs == NULL)
		return tp_error_set(error, ENOMEM,
			"snapshot of %u static MACs: not enough memory in the EAL's heap", count);
	snapshot->static_mac_count = count;
	return 0;
}

static int add_mac(
	struct tp_snapshot *snapshot, uint64_t mac, uint32_t interface, struct tp_error *error)
{
	uint64_t key = tp_mac_key(snapshot->interfaces[interface].tenant, mac);
	int result = tp_mac_table_set(snapshot->macs, key, interface);

	if (result < 0)
		return tp_error_set(error, -result,
			"snapshot: its MAC table takes no more than %u addresses",
			tp_mac_table_count(snapshot->macs));
	return 0;
}

static int add_macs(struct tp_snapshot *snapshot, struct tp_error *error)
{
	int result = 0;

	for (uint32_t i = 0; i < snapshot->interface_count && result == 0; i++)
		if (snapshot->interfaces[i].context != NULL)
			result = add_mac(snapshot, snapshot->interfaces[i].mac, i, error);
	for (uint32_t i = 0; i < snapshot->static_mac_count && result == 0; i++) {
		const struct tp_static_mac *one = &snapshot->static_macs[i];

		snapshot->interfaces[one->interface].further_macs = true;
		result = add_mac(snapshot, one->mac, one->interface, error);
	}
	return result;
}

int tp_snapshot_add_uplinks(
	struct tp_snapshot *snapshot, uint32_t uplinks, int socket, struct tp_error *error)
{
	snapshot->uplinks = table(uplinks, sizeof(struct tp_uplink_table), socket);
	if (snapshot->uplinks == NULL)
		return tp_error_set(error, ENOMEM,
			"snapshot of %u uplinks: not enough memory in the EAL's heap", uplinks);
	snapshot->uplink_count = uplinks;
	for (uint32_t i = 0; i < uplinks; i++)
		memset(snapshot->uplinks[i].tenant_of_vlan, 0xff,
			sizeof(snapshot->uplinks[i].tenant_of_vlan));
	return 0;
}

/* Whose the frames of the wires are. */
static void deal_out_vlans(struct tp_snapshot *snapshot)
{
	for (uint32_t t = 0; t < snapshot->tenant_count; t++) {
		const struct tp_network *network = &snapshot->tenants[t].network;

		if (network->wire != TP_WIRE_NONE)
			snapshot->uplinks[network->uplink]
				.tenant_of_vlan[tp_network_vlan(network)] = (uint16_t)t;
	}
}

int tp_snapshot_seal(struct tp_snapshot *snapshot, int socket, struct tp_error *error)
{
	snapshot->macs = tp_mac_table_new(
		snapshot->interface_count + snapshot->static_mac_count, socket, NULL, error);
	if (snapshot->macs == NULL)
		return -ENOMEM;
	list_members(snapshot);
	count_pinned(snapshot);
	deal_out_vlans(snapshot);
	snapshot->least_threshold = UINT32_MAX;
	for (uint32_t i = 0; i < snapshot->class_count; i++) {
		struct tp_class *class = &snapshot->classes[i];

		class->weight = RTE_MAX(class->weight, 1u);
		snapshot->least_threshold = RTE_MIN(snapshot->least_threshold, class->threshold);
	}
	return add_macs(snapshot, error);
}

void tp_snapshot_free(struct tp_snapshot *snapshot)
{
	if (snapshot == NULL)
		return;
	tp_mac_table_free(snapshot->macs);
	rte_free(snapshot->members);
	rte_free(snapshot->static_macs);
	rte_free(snapshot->uplinks);
	rte_free(snapshot->interfaces);
	rte_free(snapshot->tenants);
	rte_free(snapshot->classes);
	rte_free(snapshot);
}
