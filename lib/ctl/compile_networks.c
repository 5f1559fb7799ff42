/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <rte_memory.h>

#include "compile_networks.h"

static_assert(TP_CONFIG_REMOTES_MAX <= TP_TUNNELS_MAX, "each remote has a tunnel");
static_assert(TP_CONFIG_UPLINKS_MAX <= TP_FIRST_TUNNEL - TP_FIRST_UPLINK, "look-ups tell both");

/* --- Tags --- */

/* Tags that guests may put on a frame beyond its plain length. */
static uint32_t room_for_tags(const struct tp_network_config *config)
{
	if (config->trunk != NULL)
		return 4;
	/* Stacked, and not an access: a customer's tag, and one below it. */
	return config->kind == TP_NETWORK_STACKED && config->vlan == 0 ? 8 : 0;
}

static int compile_tags(
	struct tp_network *network, const struct tp_network_config *config, struct tp_error *error)
{
	struct tp_vlan_set *trunk;

	network->rule.service = config->service_vlan;
	network->rule.vlan = config->vlan;
	network->rule.any = config->kind == TP_NETWORK_STACKED && config->vlan == 0;
	if (config->trunk == NULL)
		return 0;
	trunk = tp_snapshot_add_trunk(network, SOCKET_ID_ANY, error);
	if (trunk == NULL)
		return -ENOMEM;
	static_assert(sizeof(trunk->bits) == 4096 / 8, "a bit a VLAN, as in the configuration");
	memcpy(trunk->bits, config->trunk, sizeof(trunk->bits));
	return 0;
}

/* --- Tunnels --- */

/* One that is flooded takes what is unknown itself; of several each gets a copy. */
static uint32_t find_unknown(const struct tp_tunnels *tunnels)
{
	uint32_t flooded = 0;
	uint32_t last = 0;

	for (uint32_t i = 0; i < tunnels->count; i++) {
		if (!tunnels->tunnel[i].flood)
			continue;
		flooded++;
		last = i;
	}
	if (flooded == 0)
		return TP_NO_INTERFACE;
	return flooded == 1 ? TP_TO_TUNNEL(last) : TP_TO_REMOTES;
}

static int compile_tunnels(struct tp_network *network, const struct tp_network_config *config,
	const struct tp_uplink_config *uplink, struct tp_underlays *underlays,
	struct tp_error *error)
{
	struct tp_tunnels *tunnels = &network->tunnels;

	if (tp_snapshot_add_tunnels(network, config->remote_count, SOCKET_ID_ANY, error) < 0)
		return -ENOMEM;
	tunnels->vni = config->vni;
	for (uint32_t i = 0; i < config->remote_count; i++) {
		const struct tp_remote_config *remote = &config->remotes[i];
		struct tp_tunnel_parts parts = {
			.local = uplink->underlay.address,
			.remote = remote->address,
			.mac = tp_underlay_mac(underlays, config->uplink_index),
			.vlan = uplink->underlay.vlan,
			.port = uplink->underlay.port,
			.vni = config->vni,
			.flood = remote->flood,
			.next_hop = tp_underlay_next_hop(
				underlays, config->uplink_index, &remote->address, error),
		};

		if (parts.next_hop == NULL)
			return -ENOMEM;
		tp_tunnel_make(&tunnels->tunnel[i], &parts);
	}
	tp_tunnels_index(tunnels);
	network->unknown = find_unknown(tunnels);
	return 0;
}

static uint32_t count_far_macs(const struct tp_config *config)
{
	uint32_t macs = 0;

	for (uint32_t t = 0; t < config->tenant_count; t++)
		for (uint32_t r = 0; r < config->tenants[t].network.remote_count; r++)
			macs += config->tenants[t].network.remotes[r].mac_count;
	return macs;
}

static int compile_far_macs(
	struct tp_snapshot *snapshot, const struct tp_config *config, struct tp_error *error)
{
	struct tp_far_mac *next;

	if (tp_snapshot_add_far_macs(snapshot, count_far_macs(config), SOCKET_ID_ANY, error) < 0)
		return -ENOMEM;
	next = snapshot->far_macs;
	for (uint32_t t = 0; t < config->tenant_count; t++)
		for (uint32_t r = 0; r < config->tenants[t].network.remote_count; r++) {
			const struct tp_remote_config *remote =
				&config->tenants[t].network.remotes[r];

			for (uint32_t m = 0; m < remote->mac_count; m++)
				*next++ = (struct tp_far_mac){
					.key = tp_mac_key(config->tenants[t].place,
						tp_mac_of(remote->macs[m])),
					.tunnel = r,
				};
		}
	return 0;
}

/* --- All of it --- */

static int compile_network(struct tp_network *network, const struct tp_config *config,
	const struct tp_tenant_config *tenant, struct tp_underlays *underlays,
	struct tp_error *error)
{
	static const enum tp_wire wires[] = {
		[TP_NETWORK_NONE] = TP_WIRE_NONE,
		[TP_NETWORK_UNTAGGED] = TP_WIRE_UNTAGGED,
		[TP_NETWORK_VLAN] = TP_WIRE_TAGGED,
		[TP_NETWORK_TRUNK] = TP_WIRE_TAGGED,
		[TP_NETWORK_STACKED] = TP_WIRE_TAGGED,
		[TP_NETWORK_TUNNEL] = TP_WIRE_TUNNEL,
	};
	const struct tp_network_config *from = &tenant->network;
	const struct tp_uplink_config *uplink = &config->uplinks[from->uplink_index];
	int result;

	network->wire = (uint8_t)wires[from->kind];
	if (from->kind == TP_NETWORK_NONE)
		return 0;
	network->uplink = (uint8_t)from->uplink_index;
	network->extra = (int16_t)(tp_config_network_mtu(config, tenant) - uplink->mtu +
				   (int)room_for_tags(from));
	result = compile_tags(network, from, error);
	if (result == 0 && from->kind == TP_NETWORK_TUNNEL)
		result = compile_tunnels(network, from, uplink, underlays, error);
	return result;
}

static int compile_uplink(struct tp_snapshot *snapshot, uint32_t index,
	const struct tp_underlay_config *config, const struct tp_underlays *underlays,
	struct tp_error *error)
{
	struct tp_underlay *underlay;

	if (config->address.length == 0)
		return 0;
	underlay = tp_snapshot_add_underlay(snapshot, index, SOCKET_ID_ANY, error);
	if (underlay == NULL)
		return -ENOMEM;
	*underlay = (struct tp_underlay){
		.mac = tp_underlay_mac(underlays, index),
		.address = config->address,
		.vlan = config->vlan,
		.port = config->port,
	};
	return 0;
}

int tp_compile_networks(struct tp_snapshot *snapshot, const struct tp_config *config,
	struct tp_uplink *const *uplinks, struct tp_underlays *underlays, struct tp_error *error)
{
	int result;

	if (config->uplink_count == 0)
		return 0;
	tp_underlays_begin(underlays);
	result = tp_snapshot_add_uplinks(snapshot, config->uplink_count, SOCKET_ID_ANY, error);
	for (uint32_t i = 0; i < config->uplink_count && result == 0; i++) {
		snapshot->uplinks[i].uplink = uplinks[i];
		result =
			compile_uplink(snapshot, i, &config->uplinks[i].underlay, underlays, error);
	}
	for (uint32_t t = 0; t < config->tenant_count && result == 0; t++)
		result = compile_network(&snapshot->tenants[config->tenants[t].place].network,
			config, &config->tenants[t], underlays, error);
	return result == 0 ? compile_far_macs(snapshot, config, error) : result;
}
