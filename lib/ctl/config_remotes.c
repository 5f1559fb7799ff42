/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_tables.h"

/* Where the tunnels of a tenant end, and which MACs are reached there. */

int tp_config_read_address(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	const char *text = json_string_value(value->json);
	struct tp_address *address = field;

	(void)key;
	if (text == NULL || !tp_address_parse(text, address) || !tp_address_is_station(address))
		return tp_json_refuse(value,
			"the IPv4 or IPv6 address of one station, for example \"192.0.2.7\"");
	return 0;
}

static int read_macs(const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	struct tp_remote_config *remote = field;
	size_t count = json_array_size(value->json);

	if (!json_is_array(value->json) || count > TP_CONFIG_FAR_MACS_MAX)
		return tp_json_refuse(value, "an array of at most %d MACs", TP_CONFIG_FAR_MACS_MAX);
	remote->macs = calloc(count + 1, sizeof(*remote->macs));
	if (remote->macs == NULL)
		return tp_json_fail(value, ENOMEM, "no memory");
	for (size_t i = 0; i < count; i++) {
		struct tp_json_value element = tp_json_element(value, i);
		uint64_t mac;

		if (tp_config_read_mac(&element, key, &mac) < 0)
			return -EINVAL;
		tp_config_write_mac(mac, remote->macs[remote->mac_count++]);
	}
	return 0;
}

static int read_remote(const struct tp_json_value *value, struct tp_remote_config *remote)
{
	static const struct tp_json_key keys[] = {
		{"address", tp_config_read_address, offsetof(struct tp_remote_config, address), 0,
			0, true},
		{"macs", read_macs, 0, 0, 0, false},
		{"flood", tp_json_read_bool, offsetof(struct tp_remote_config, flood), 0, 0, false},
	};

	remote->flood = true;
	return tp_json_read_object(value, keys, sizeof(keys) / sizeof(keys[0]), remote);
}

int tp_config_read_remotes(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	struct tp_network_config *network = field;
	size_t count = json_array_size(value->json);

	(void)key;
	if (!json_is_array(value->json) || count == 0 || count > TP_CONFIG_REMOTES_MAX)
		return tp_json_refuse(
			value, "an array of 1 to %d remote endpoints", TP_CONFIG_REMOTES_MAX);
	network->remotes = calloc(count, sizeof(*network->remotes));
	if (network->remotes == NULL)
		return tp_json_fail(value, ENOMEM, "no memory");
	for (size_t i = 0; i < count; i++) {
		struct tp_json_value element = tp_json_element(value, i);
		int result = read_remote(&element, &network->remotes[network->remote_count++]);

		if (result < 0)
			return result;
	}
	return 0;
}

/* --- The checks that need the whole file --- */

/* The place of a key of a remote. */
struct place {
	struct tp_json_value root, tenants, tenant, network, remotes, remote, key;
};

static void set_place(struct place *place, struct tp_json_reader *reader,
	const struct tp_tenant_config *tenant, uint32_t index, const char *key)
{
	place->root = (struct tp_json_value){.reader = reader};
	place->tenants = tp_json_member(&place->root, "tenants", NULL);
	place->tenant = tp_json_member(&place->tenants, tenant->name, NULL);
	place->network = tp_json_member(&place->tenant, "network", NULL);
	place->remotes = tp_json_member(&place->network, "remotes", NULL);
	place->remote =
		(struct tp_json_value){.reader = reader, .parent = &place->remotes, .index = index};
	place->key = tp_json_member(&place->remote, key, NULL);
}

static int check_address(const struct tp_config *config, struct tp_json_reader *reader,
	const struct tp_tenant_config *tenant, uint32_t index)
{
	const struct tp_uplink_config *uplink = &config->uplinks[tenant->network.uplink_index];
	const struct tp_underlay_config *underlay = &uplink->underlay;
	const struct tp_address *address = &tenant->network.remotes[index].address;
	char text[TP_ADDRESS_TEXT], ours[TP_ADDRESS_TEXT];
	struct place place;

	set_place(&place, reader, tenant, index, "address");
	tp_address_format(address, text);
	tp_address_format(&underlay->address, ours);
	if (address->length != underlay->address.length)
		return tp_json_fail(&place.key, EINVAL,
			"found %s, but uplink %s has the address %s; accepted: addresses of one "
			"family",
			text, uplink->name, ours);
	if (tp_address_equal(address, &underlay->address))
		return tp_json_fail(&place.key, EINVAL,
			"found %s, which is this appliance on uplink %s; accepted: other stations",
			text, uplink->name);
	if (!tp_address_same_network(address, &underlay->address, underlay->prefix) &&
		underlay->gateway.length == 0)
		return tp_json_fail(&place.key, EINVAL,
			"found %s, which is not in %s/%u, the network of uplink %s; accepted: "
			"addresses in it, or any where the uplink's \"vxlan\" has a \"gateway\"",
			text, ours, underlay->prefix, uplink->name);
	if (tp_address_same_network(address, &underlay->address, underlay->prefix) &&
		tp_address_is_network_end(address, underlay->prefix))
		return tp_json_fail(&place.key, EINVAL,
			"found %s, which is the first or the last address of the network; "
			"accepted: one of the others",
			text);
	for (uint32_t i = 0; i < index; i++)
		if (tp_address_equal(address, &tenant->network.remotes[i].address))
			return tp_json_fail(&place.key, EINVAL,
				"found %s, which $.tenants.%s.network.remotes[%u] has too; "
				"accepted: each address once",
				text, tenant->name, i);
	return 0;
}

/* A MAC, and whose it is. */
struct owned_mac {
	uint8_t mac[6];
	uint32_t remote; /* UINT32_MAX: an interface's */
};

static int compare_owned(const void *left, const void *right)
{
	const struct owned_mac *a = left, *b = right;
	int macs = memcmp(a->mac, b->mac, sizeof(a->mac));

	return macs != 0 ? macs : (a->remote > b->remote) - (a->remote < b->remote);
}

static uint32_t add_owned(
	struct owned_mac *owned, uint32_t count, const uint8_t mac[6], uint32_t remote)
{
	memcpy(owned[count].mac, mac, 6);
	owned[count].remote = remote;
	return count + 1;
}

static uint32_t collect_macs(const struct tp_config *config, const struct tp_tenant_config *tenant,
	struct owned_mac *owned)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < tenant->interface_count; i++) {
		const struct tp_interface_config *interface =
			&config->interfaces[tenant->first_interface + i];

		count = add_owned(owned, count, interface->mac, UINT32_MAX);
		for (uint32_t n = 0; n < interface->mac_count; n++)
			count = add_owned(owned, count, interface->macs[n], UINT32_MAX);
	}
	for (uint32_t r = 0; r < tenant->network.remote_count; r++)
		for (uint32_t i = 0; i < tenant->network.remotes[r].mac_count; i++)
			count = add_owned(owned, count, tenant->network.remotes[r].macs[i], r);
	return count;
}

static int refuse_mac(struct tp_json_reader *reader, const struct tp_tenant_config *tenant,
	const struct owned_mac *owned, bool local)
{
	const uint8_t *mac = owned->mac;
	struct place place;

	set_place(&place, reader, tenant, owned->remote, "macs");
	return tp_json_fail(&place.key, EINVAL,
		"found %02x:%02x:%02x:%02x:%02x:%02x twice, %s; accepted: each MAC once in a "
		"tenant",
		mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
		local ? "an interface of the tenant has it too" : "among the remotes");
}

static int check_macs(const struct tp_config *config, struct tp_json_reader *reader,
	const struct tp_tenant_config *tenant)
{
	size_t most = tenant->interface_count;
	struct owned_mac *owned;
	uint32_t count;
	int result = 0;

	for (uint32_t i = 0; i < tenant->interface_count; i++)
		most += config->interfaces[tenant->first_interface + i].mac_count;
	for (uint32_t r = 0; r < tenant->network.remote_count; r++)
		most += tenant->network.remotes[r].mac_count;
	owned = calloc(most + 1, sizeof(*owned));
	if (owned == NULL)
		return tp_error_set(reader->error, ENOMEM, "%s: no memory", reader->file);
	count = collect_macs(config, tenant, owned);
	qsort(owned, count, sizeof(*owned), compare_owned);
	for (uint32_t i = 1; i < count && result == 0; i++)
		if (memcmp(owned[i - 1].mac, owned[i].mac, 6) == 0 &&
			owned[i - 1].remote != UINT32_MAX)
			result = refuse_mac(
				reader, tenant, &owned[i - 1], owned[i].remote == UINT32_MAX);
	free(owned);
	return result;
}

int tp_config_check_remotes(const struct tp_config *config, struct tp_json_reader *reader,
	const struct tp_tenant_config *tenant)
{
	for (uint32_t r = 0; r < tenant->network.remote_count; r++) {
		int result = check_address(config, reader, tenant, r);

		if (result < 0)
			return result;
	}
	return check_macs(config, reader, tenant);
}
