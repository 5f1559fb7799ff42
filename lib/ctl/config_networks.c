/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config_tables.h"

/* A tenant's network beyond this host: on which uplink, and how its frames are told from others'.
 */

#define VLAN_MAX 4094 /* 0 means "no VLAN", 4095 is reserved (IEEE 802.1Q, 9.6) */

static int refuse_uplink(const struct tp_json_value *value, const struct tp_config *config)
{
	char names[160] = "";
	size_t used = 0;

	for (uint32_t i = 0; i < config->uplink_count && used < sizeof(names); i++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
			i > 0 ? ", " : "", config->uplinks[i].name);
	if (config->uplink_count == 0)
		return tp_json_refuse(value, "the name of an uplink; there is none: describe it "
					     "under $.uplinks");
	return tp_json_refuse(
		value, "the name of an uplink: %s%s", names, used >= sizeof(names) ? "..." : "");
}

static int read_uplink_name(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	const struct tp_config *config = tp_config_draft_of(value)->config;
	const char *name = json_string_value(value->json);

	(void)key;
	for (uint32_t i = 0; i < config->uplink_count && name != NULL; i++) {
		if (strcmp(config->uplinks[i].name, name) == 0) {
			*(uint32_t *)field = i;
			return 0;
		}
	}
	return refuse_uplink(value, config);
}

static int read_vlan(const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	struct tp_network_config *network = field;

	network->kind = TP_NETWORK_VLAN;
	return tp_json_read_u16(value, key, &network->vlan);
}

int tp_config_read_network(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	static const struct tp_json_key keys[] = {
		{"uplink", read_uplink_name, offsetof(struct tp_network_config, uplink_index), 0, 0,
			true},
		{"vlan", read_vlan, 0, 1, VLAN_MAX, false},
	};
	struct tp_network_config *network = field;

	(void)key;
	network->kind = TP_NETWORK_UNTAGGED;
	return tp_json_read_object(value, keys, sizeof(keys) / sizeof(keys[0]), network);
}

/* Would a frame of the wire be of both? */
static bool collide(const struct tp_network_config *a, const struct tp_network_config *b)
{
	return a->kind == b->kind && a->kind != TP_NETWORK_NONE &&
	       a->uplink_index == b->uplink_index && a->vlan == b->vlan;
}

static int refuse_collision(const struct tp_config *config, struct tp_json_reader *reader,
	const struct tp_tenant_config *tenant, const struct tp_tenant_config *other)
{
	struct tp_json_value root = {.reader = reader};
	struct tp_json_value tenants = tp_json_member(&root, "tenants", NULL);
	struct tp_json_value entry = tp_json_member(&tenants, tenant->name, NULL);
	struct tp_json_value network = tp_json_member(&entry, "network", NULL);
	struct tp_json_value vlan = tp_json_member(&network, "vlan", NULL);
	const char *uplink = config->uplinks[tenant->network.uplink_index].name;

	if (tenant->network.kind == TP_NETWORK_VLAN)
		return tp_json_fail(&vlan, EINVAL,
			"found %u, which tenant %s has on uplink %s too; accepted: each VLAN once "
			"on an uplink",
			tenant->network.vlan, other->name, uplink);
	return tp_json_fail(&network, EINVAL,
		"found an untagged network on uplink %s, which tenant %s has too; accepted: one on "
		"an uplink; give the others a \"vlan\"",
		uplink, other->name);
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
	if (check_xdp(config, reader) < 0)
		return -EINVAL;
	for (uint32_t t = 1; t < config->tenant_count; t++) {
		const struct tp_tenant_config *tenant = &config->tenants[t];

		if (tenant->network.kind == TP_NETWORK_NONE)
			continue;
		for (uint32_t other = 0; other < t; other++)
			if (collide(&tenant->network, &config->tenants[other].network))
				return refuse_collision(
					config, reader, tenant, &config->tenants[other]);
	}
	return 0;
}
