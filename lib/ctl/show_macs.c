/* SPDX-License-Identifier: BSD-3-Clause */
#include "appliance_private.h"

/*
 * What `show macs` tells: where each MAC leads, and why.
 */

/* @param age  seconds, or NULL where an address does not age */
static json_t *mac_object(const char *tenant, const char *interface, const uint8_t mac[6],
	const char *kind, json_t *age)
{
	char text[TP_CONFIG_MAC_TEXT];

	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "tenant", tenant, "mac",
		tp_config_format_mac(mac, text), "interface", interface, "kind", kind,
		"age_seconds", age != NULL ? age : json_null());
}

static void list_configured(const struct tp_appliance *appliance, json_t *list)
{
	for (uint32_t i = 0; i < appliance->config->interface_count; i++) {
		const struct tp_interface_config *config = &appliance->config->interfaces[i];
		const char *tenant = appliance->config->tenants[config->tenant_index].name;

		json_array_append_new(
			list, mac_object(tenant, config->name, config->mac, "configured", NULL));
		for (uint32_t n = 0; n < config->mac_count; n++)
			json_array_append_new(list,
				mac_object(tenant, config->name, config->macs[n], "static", NULL));
	}
}

/* An interface or an uplink by its name, a remote by its address. */
static const char *owner_name(const struct tp_appliance *appliance,
	const struct tp_tenant_config *tenant, uint32_t owner, char text[TP_ADDRESS_TEXT])
{
	if (owner >= TP_FIRST_TUNNEL)
		return tp_address_format(
			&tenant->network.remotes[TP_TUNNEL_OF(owner)].address, text);
	if (owner >= TP_FIRST_UPLINK)
		return appliance->config->uplinks[owner - TP_FIRST_UPLINK].name;
	return appliance->config->interfaces[tp_port_at(appliance, owner)->index].name;
}

static void list_learned(const struct tp_appliance *appliance, json_t *list)
{
	const struct tp_learned *learned = atomic_load(&appliance->dataplane->learned);

	for (uint32_t i = 0; learned != NULL && i < learned->capacity; i++) {
		const struct tp_learned_place *one = &learned->place[i];
		const struct tp_tenant_config *tenant;
		char text[TP_ADDRESS_TEXT];
		uint8_t mac[8];

		if (!tp_learned_taken(learned, i))
			continue;
		tenant = appliance->tenant_at[tp_mac_key_tenant(one->key)];
		memcpy(mac, &one->key, sizeof(mac)); /* as tp_mac_load took it */
		json_array_append_new(
			list, mac_object(tenant->name,
				      owner_name(appliance, tenant, one->interface, text), mac,
				      "learned", json_integer(tp_learned_age(learned, i))));
	}
}

json_t *tp_show_macs(const struct tp_appliance *appliance)
{
	json_t *list = json_array();

	list_configured(appliance, list);
	list_learned(appliance, list);
	return list;
}
