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

static int set_mac(
	struct tp_snapshot *snapshot, uint64_t key, uint32_t destination, struct tp_error *error)
{
	int result = tp_mac_table_set(snapshot->macs, key, destination);

	if (result < 0)
		return tp_error_set(error, -result,
			"snapshot: its MAC table takes no more than %u addresses",
			tp_mac_table_count(snapshot->macs));
	return 0;
}

static int add_mac(
	struct tp_snapshot *snapshot, uint64_t mac, uint32_t interface, struct tp_error *error)
{
	return set_mac(snapshot, tp_mac_key(snapshot->interfaces[interface].tenant, mac), interface,
		error);
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
	for (uint32_t i = 0; i < snapshot->far_mac_count && result == 0; i++)
		result = set_mac(snapshot, snapshot->far_macs[i].key,
			TP_TO_TUNNEL(snapshot->far_macs[i].tunnel), error);
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

static int no_memory(struct tp_error *error)
{
	return tp_error_set(error, ENOMEM, "snapshot: not enough memory in the EAL's heap");
}

struct tp_underlay *tp_snapshot_add_underlay(
	struct tp_snapshot *snapshot, uint32_t uplink, int socket, struct tp_error *error)
{
	struct tp_underlay *underlay = table(1, sizeof(*underlay), socket);

	if (underlay == NULL)
		no_memory(error);
	snapshot->uplinks[uplink].underlay = underlay;
	return underlay;
}

int tp_snapshot_add_tunnels(
	struct tp_network *network, uint32_t tunnels, int socket, struct tp_error *error)
{
	network->tunnels.count = tunnels;
	network->tunnels.slots = tp_tunnels_slots(tunnels);
	network->tunnels.tunnel = table(tunnels, sizeof(struct tp_tunnel), socket);
	network->tunnels.slot = table(network->tunnels.slots, sizeof(uint16_t), socket);
	if (network->tunnels.tunnel == NULL || network->tunnels.slot == NULL)
		return no_memory(error);
	return 0;
}

int tp_snapshot_add_far_macs(
	struct tp_snapshot *snapshot, uint32_t macs, int socket, struct tp_error *error)
{
	snapshot->far_macs = table(macs, sizeof(struct tp_far_mac), socket);
	if (snapshot->far_macs == NULL)
		return no_memory(error);
	snapshot->far_mac_count = macs;
	return 0;
}

struct tp_vlan_set *tp_snapshot_add_trunk(
	struct tp_network *network, int socket, struct tp_error *error)
{
	struct tp_vlan_set *trunk = table(1, sizeof(*trunk), socket);

	if (trunk == NULL)
		no_memory(error);
	network->rule.trunk = trunk;
	return trunk;
}

/* --- Sealing --- */

/* The identifiers of the outermost tags of a network's frames. */
static void claim_vlans(uint16_t *tenant_of_vlan, const struct tp_vlan_rule *rule, uint16_t tenant)
{
	if (rule->service == TP_VLAN_NONE && rule->trunk != NULL) {
		for (uint16_t vlan = 1; vlan <= TP_VLAN_LAST; vlan++)
			if (tp_vlan_set_has(rule->trunk, vlan))
				tenant_of_vlan[vlan] = tenant;
		return;
	}
	tenant_of_vlan[rule->service != TP_VLAN_NONE ? rule->service : rule->vlan] = tenant;
}

/* Whose the frames of the wires are. */
static int deal_out_frames(struct tp_snapshot *snapshot, int socket, struct tp_error *error)
{
	for (uint32_t u = 0; u < snapshot->uplink_count; u++) {
		struct tp_uplink_table *uplink = &snapshot->uplinks[u];

		if (uplink->underlay == NULL)
			continue;
		uplink->tenant_of_vlan[uplink->underlay->vlan] = TP_UNDERLAY;
		uplink->underlay->tenants =
			tp_mac_table_new(snapshot->tenant_count, socket, NULL, error);
		if (uplink->underlay->tenants == NULL)
			return -ENOMEM;
	}
	for (uint32_t t = 0; t < snapshot->tenant_count; t++) {
		const struct tp_network *network = &snapshot->tenants[t].network;
		struct tp_uplink_table *uplink = &snapshot->uplinks[network->uplink];

		if (network->wire == TP_WIRE_TUNNEL)
			tp_mac_table_set(uplink->underlay->tenants,
				tp_underlay_key(network->tunnels.vni), t);
		else if (network->wire != TP_WIRE_NONE)
			claim_vlans(uplink->tenant_of_vlan, &network->rule, (uint16_t)t);
	}
	return 0;
}

static void find_least_threshold(struct tp_snapshot *snapshot)
{
	snapshot->least_threshold = UINT32_MAX;
	for (uint32_t i = 0; i < snapshot->interface_count; i++) {
		const struct tp_interface *interface = &snapshot->interfaces[i];
		uint32_t threshold = snapshot->classes[interface->class].threshold;

		if (interface->context != NULL &&
			snapshot->tenants[interface->tenant].network.wire != TP_WIRE_NONE)
			snapshot->least_threshold = RTE_MIN(snapshot->least_threshold, threshold);
	}
}

int tp_snapshot_seal(struct tp_snapshot *snapshot, int socket, struct tp_error *error)
{
	uint32_t macs =
		snapshot->interface_count + snapshot->static_mac_count + snapshot->far_mac_count;

	snapshot->macs = tp_mac_table_new(macs, socket, NULL, error);
	if (snapshot->macs == NULL)
		return -ENOMEM;
	list_members(snapshot);
	count_pinned(snapshot);
	if (deal_out_frames(snapshot, socket, error) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < snapshot->class_count; i++)
		if (snapshot->classes[i].weight == 0)
			snapshot->classes[i].weight = 1;
	find_least_threshold(snapshot);
	return add_macs(snapshot, error);
}

static void free_uplinks(struct tp_snapshot *snapshot)
{
	for (uint32_t u = 0; u < snapshot->uplink_count; u++) {
		struct tp_underlay *underlay = snapshot->uplinks[u].underlay;

		if (underlay != NULL)
			tp_mac_table_free(underlay->tenants);
		rte_free(underlay);
	}
	rte_free(snapshot->uplinks);
}

static void free_tenants(struct tp_snapshot *snapshot)
{
	for (uint32_t t = 0; snapshot->tenants != NULL && t < snapshot->tenant_count; t++) {
		struct tp_network *network = &snapshot->tenants[t].network;

		rte_free(network->tunnels.tunnel);
		rte_free(network->tunnels.slot);
		rte_free((void *)(uintptr_t)network->rule.trunk);
	}
	rte_free(snapshot->tenants);
}

void tp_snapshot_free(struct tp_snapshot *snapshot)
{
	if (snapshot == NULL)
		return;
	tp_mac_table_free(snapshot->macs);
	free_uplinks(snapshot);
	rte_free(snapshot->far_macs);
	rte_free(snapshot->members);
	rte_free(snapshot->static_macs);
	rte_free(snapshot->interfaces);
	free_tenants(snapshot);
	rte_free(snapshot->classes);
	rte_free(snapshot);
}
