/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config_tables.h"

/* What networks must be beside each other: no frame of an uplink is of two tenants, and all fit it.
 */

#define OVERHEAD_IPV4                                                                              \
	50 /* bytes between the MTU of guests and that of the uplink: inner Ethernet, */
#define OVERHEAD_IPV6 70 /* VXLAN, UDP, IP */

/* Whose an identifier on an uplink is. */
enum { NOBODY = 0, UNDERLAY = UINT16_MAX }; /* others: a tenant's index + 1 */

/* The identifiers of an uplink's tags, 0 for no tag. S-tags and C-tags share them: a NIC that
 * strips tags tells the identifier, and not always which of the two it was. */
struct claims {
	uint16_t owner[4096];
};

/* The place of a key of a tenant's network. */
struct place {
	struct tp_json_value root, tenants, tenant, network, key;
};

static void set_place(struct place *place, struct tp_json_reader *reader,
	const struct tp_tenant_config *tenant, const char *key)
{
	place->root = (struct tp_json_value){.reader = reader};
	place->tenants = tp_json_member(&place->root, "tenants", NULL);
	place->tenant = tp_json_member(&place->tenants, tenant->name, NULL);
	place->network = tp_json_member(&place->tenant, "network", NULL);
	place->key = tp_json_member(&place->network, key, NULL);
}

static int refuse_claim(const struct tp_config *config, struct tp_json_reader *reader,
	const struct tp_tenant_config *tenant, const char *key, uint16_t vlan, uint16_t owner)
{
	const char *uplink = config->uplinks[tenant->network.uplink_index].name;
	const char *whose = owner == UNDERLAY ? "its \"vxlan\"" : "tenant ";
	const char *other = owner == UNDERLAY ? "" : config->tenants[owner - 1].name;
	struct place place;

	set_place(&place, reader, tenant, key);
	if (vlan != 0)
		return tp_json_fail(&place.key, EINVAL,
			"found %u, which %s%s has on uplink %s too; accepted: each VLAN once on an "
			"uplink",
			vlan, whose, other, uplink);
	return tp_json_fail(&place.network, EINVAL,
		"found an untagged network on uplink %s, which %s%s has too; accepted: one on an "
		"uplink; give the others a \"vlan\"",
		uplink, whose, other);
}

static int claim(const struct tp_config *config, struct tp_json_reader *reader,
	struct claims *claims, uint32_t tenant_index, const char *key, uint16_t vlan)
{
	const struct tp_tenant_config *tenant = &config->tenants[tenant_index];
	uint16_t *owner = &claims[tenant->network.uplink_index].owner[vlan];

	if (*owner != NOBODY)
		return refuse_claim(config, reader, tenant, key, vlan, *owner);
	*owner = (uint16_t)(tenant_index + 1);
	return 0;
}

static int claim_trunk(const struct tp_config *config, struct tp_json_reader *reader,
	struct claims *claims, uint32_t tenant_index)
{
	const uint64_t *trunk = config->tenants[tenant_index].network.trunk;
	int result = 0;

	for (uint16_t vlan = 1; vlan < 4095 && result == 0; vlan++)
		if (trunk[vlan / 64] >> (vlan % 64) & 1)
			result = claim(config, reader, claims, tenant_index, "trunk", vlan);
	return result;
}

static int claim_for(const struct tp_config *config, struct tp_json_reader *reader,
	struct claims *claims, uint32_t tenant_index)
{
	const struct tp_network_config *network = &config->tenants[tenant_index].network;

	switch (network->kind) {
	case TP_NETWORK_UNTAGGED:
		return claim(config, reader, claims, tenant_index, NULL, 0);
	case TP_NETWORK_VLAN:
		return claim(config, reader, claims, tenant_index, "vlan", network->vlan);
	case TP_NETWORK_TRUNK:
		return claim_trunk(config, reader, claims, tenant_index);
	case TP_NETWORK_STACKED:
		return claim(config, reader, claims, tenant_index, "service_vlan",
			network->service_vlan);
	case TP_NETWORK_NONE:
	case TP_NETWORK_TUNNEL:
		break;
	}
	return 0;
}

static int check_tags(const struct tp_config *config, struct tp_json_reader *reader)
{
	struct claims *claims = calloc((size_t)config->uplink_count + 1, sizeof(*claims));
	int result = 0;

	if (claims == NULL)
		return tp_error_set(reader->error, ENOMEM, "%s: no memory", reader->file);
	for (uint32_t u = 0; u < config->uplink_count; u++)
		if (config->uplinks[u].underlay.address.length != 0)
			claims[u].owner[config->uplinks[u].underlay.vlan] = UNDERLAY;
	for (uint32_t t = 0; t < config->tenant_count && result == 0; t++)
		result = claim_for(config, reader, claims, t);
	free(claims);
	return result;
}

/* --- Tunnels --- */

static int check_tunnel(
	const struct tp_config *config, struct tp_json_reader *reader, uint32_t tenant_index)
{
	const struct tp_tenant_config *tenant = &config->tenants[tenant_index];
	const struct tp_uplink_config *uplink = &config->uplinks[tenant->network.uplink_index];
	struct place place;

	set_place(&place, reader, tenant, "vni");
	if (uplink->underlay.address.length == 0)
		return tp_json_fail(&place.key, EINVAL,
			"found a VNI on uplink %s, which has no address for tunnels; accepted: an "
			"uplink with \"vxlan\": {\"address\": \"192.0.2.1/24\"}",
			uplink->name);
	for (uint32_t t = 0; t < tenant_index; t++) {
		const struct tp_network_config *other = &config->tenants[t].network;

		if (other->vni == tenant->network.vni &&
			other->uplink_index == tenant->network.uplink_index)
			return tp_json_fail(&place.key, EINVAL,
				"found %" PRIu32 ", which tenant %s has on uplink %s too; "
				"accepted: each VNI once on an uplink",
				other->vni, config->tenants[t].name, uplink->name);
	}
	return tp_config_check_remotes(config, reader, tenant);
}

/* --- How long frames may be --- */

/* What an uplink's MTU leaves to the guests' packets. */
static uint32_t room_for_guests(
	const struct tp_config *config, const struct tp_network_config *network)
{
	const struct tp_uplink_config *uplink = &config->uplinks[network->uplink_index];
	uint32_t overhead = 0;

	/* Tags do not count, but those of guests inside a tunnel do. */
	if (network->kind == TP_NETWORK_TUNNEL)
		overhead = (uplink->underlay.address.length == 4 ? OVERHEAD_IPV4 : OVERHEAD_IPV6) +
			   (network->trunk != NULL ? 4 : 0);
	return uplink->mtu > overhead ? uplink->mtu - overhead : 0;
}

uint16_t tp_config_network_mtu(
	const struct tp_config *config, const struct tp_tenant_config *tenant)
{
	if (tenant->network.kind == TP_NETWORK_NONE)
		return 0;
	if (tenant->network.mtu != 0)
		return tenant->network.mtu;
	return (uint16_t)room_for_guests(config, &tenant->network);
}

static int check_mtu(const struct tp_config *config, struct tp_json_reader *reader,
	const struct tp_tenant_config *tenant)
{
	const struct tp_uplink_config *uplink = &config->uplinks[tenant->network.uplink_index];
	uint32_t room = room_for_guests(config, &tenant->network);
	uint32_t overhead = uplink->mtu - room;
	uint32_t wanted = tenant->network.mtu != 0 ? tenant->network.mtu : 68;
	struct place place;

	if (wanted <= room)
		return 0;
	set_place(&place, reader, tenant, tenant->network.mtu != 0 ? "mtu" : "vni");
	return tp_json_fail(&place.key, EINVAL,
		"found packets of %" PRIu32 " bytes for uplink %s, whose MTU of %u leaves %" PRIu32
		"%s; accepted: at most that, or an uplink with \"mtu\": %" PRIu32 " or more",
		wanted, uplink->name, uplink->mtu, room,
		tenant->network.kind == TP_NETWORK_TUNNEL ? " to frames in VXLAN" : "",
		wanted + overhead);
}

/* XDP's driver loads a program into the kernel, by a system call that the filter takes for an
 * attack.
 */
static int check_xdp(const struct tp_config *config, struct tp_json_reader *reader)
{
	struct tp_json_value root = {.reader = reader};
	struct tp_json_value uplinks = tp_json_member(&root, "uplinks", NULL);

	for (uint32_t i = 0; i < config->uplink_count && config->system_call_filter; i++) {
		struct tp_json_value entry =
			tp_json_member(&uplinks, config->uplinks[i].name, NULL);
		struct tp_json_value device = tp_json_member(&entry, "device", NULL);

		if (strncmp(config->uplinks[i].device, "net_af_xdp", strlen("net_af_xdp")) == 0)
			return tp_json_fail(&device, EINVAL,
				"found net_af_xdp, whose driver loads a program into the kernel, "
				"which the filter of system calls forbids; accepted: "
				"net_af_packet, "
				"or $.process.system_call_filter \"off\"");
	}
	return 0;
}

int tp_config_check_networks(const struct tp_config *config, struct tp_json_reader *reader)
{
	int result = check_tags(config, reader);

	if (check_xdp(config, reader) < 0)
		return -EINVAL;
	for (uint32_t t = 0; t < config->tenant_count && result == 0; t++) {
		const struct tp_tenant_config *tenant = &config->tenants[t];

		if (tenant->network.kind == TP_NETWORK_TUNNEL)
			result = check_tunnel(config, reader, t);
		if (result == 0 && tenant->network.kind != TP_NETWORK_NONE)
			result = check_mtu(config, reader, tenant);
	}
	return result;
}
