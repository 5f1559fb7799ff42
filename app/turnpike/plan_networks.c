/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>

#include "capabilities.h"
#include "ctl/offloads.h"
#include "plan_networks.h"
#include "table.h"

static const struct tp_column wish_columns[] = {
	{"UPLINK", "uplink", tp_format_text},
	{"WISH", "wish", tp_format_text},
	{"DONE-BY", "done_by", tp_format_text},
	{"WHY", "why", tp_format_text},
	{NULL, NULL, NULL},
};

static const struct tp_column tenant_columns[] = {
	{"TENANT", "tenant", tp_format_text},
	{"UPLINK", "uplink", tp_format_text},
	{"NETWORK", "network", tp_format_text},
	{"GUEST-MTU", "guest_mtu", tp_format_number},
	{NULL, NULL, NULL},
};

static void add_wishes(json_t *rows, const struct tp_config *config, uint32_t uplink, json_t *told)
{
	const char *name = config->uplinks[uplink].name;
	const char *error = json_string_value(json_object_get(told, "error"));
	struct tp_wish wishes[TP_WISHES_MAX];
	uint32_t can = (uint32_t)json_integer_value(json_object_get(told, "can"));
	unsigned count = tp_offloads_plan(config, uplink, can, wishes);

	if (json_object_get(told, "can") == NULL) {
		count = 0;
		json_array_append_new(rows,
			json_pack("{s:s, s:s, s:s, s:s}", "uplink", name, "wish",
				"what the device can", "done_by", "unknown", "why",
				error != NULL ? error : "turnpiked --capabilities does not tell"));
	}
	for (unsigned i = 0; i < count; i++)
		json_array_append_new(rows,
			json_pack("{s:s, s:s, s:s, s:s}", "uplink", name, "wish", wishes[i].what,
				"done_by", tp_doer_name(wishes[i].doer), "why", wishes[i].why));
}

json_t *tp_plan_wishes(const struct tp_config *config, const char *path)
{
	json_t *rows = json_array();
	json_t *told = config->uplink_count > 0 ? tp_ask_capabilities(path) : NULL;

	for (uint32_t i = 0; i < config->uplink_count; i++)
		add_wishes(rows, config, i, json_object_get(told, config->uplinks[i].name));
	json_decref(told);
	return rows;
}

static void name_network(const struct tp_network_config *network, char *text, size_t size)
{
	switch (network->kind) {
	case TP_NETWORK_VLAN:
		snprintf(text, size, "VLAN %u", network->vlan);
		return;
	case TP_NETWORK_TRUNK:
		snprintf(text, size, "trunk");
		return;
	case TP_NETWORK_STACKED:
		snprintf(text, size, "S-VLAN %u", network->service_vlan);
		return;
	case TP_NETWORK_TUNNEL:
		snprintf(text, size, "VXLAN %" PRIu32 ", %" PRIu32 " remotes", network->vni,
			network->remote_count);
		return;
	case TP_NETWORK_UNTAGGED:
	case TP_NETWORK_NONE:
		snprintf(text, size, "untagged");
	}
}

json_t *tp_plan_tenants(const struct tp_config *config)
{
	json_t *rows = json_array();
	char text[64];

	for (uint32_t t = 0; t < config->tenant_count; t++) {
		const struct tp_tenant_config *tenant = &config->tenants[t];

		if (tenant->network.kind == TP_NETWORK_NONE)
			continue;
		name_network(&tenant->network, text, sizeof(text));
		json_array_append_new(rows,
			json_pack("{s:s, s:s, s:s, s:i}", "tenant", tenant->name, "uplink",
				config->uplinks[tenant->network.uplink_index].name, "network", text,
				"guest_mtu", (int)tp_config_network_mtu(config, tenant)));
	}
	return rows;
}

void tp_plan_write_networks(json_t *wishes, json_t *tenants)
{
	if (json_array_size(wishes) > 0) {
		putchar('\n');
		tp_table_write(stdout, wishes, SIZE_MAX, wish_columns);
	}
	if (json_array_size(tenants) > 0) {
		putchar('\n');
		tp_table_write(stdout, tenants, SIZE_MAX, tenant_columns);
		puts("GUEST-MTU: the longest packets of guests; give them no more (host_mtu= of "
		     "QEMU's virtio-net-pci)");
	}
}
