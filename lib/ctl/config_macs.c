/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_tables.h"

/* MACs: how they are written, those beside an interface's own, and how many may be learned. */

#define NS             UINT64_C(1000000000)
#define AGE_MAX_S      UINT64_C(86400)
#define AGE_S          300 /* the ageing time that IEEE 802.1Q recommends */
#define PER_INTERFACE  64
#define INTERFACE_MOST 1024
#define TENANT_MOST    1048576
#define BEHIND_UPLINK  4096 /* of a tenant, unless it says how many in all */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool tp_config_parse_mac(const char *text, uint64_t *mac)
{
	*mac = 0;
	for (unsigned i = 0; i < 17; i++) {
		if (i % 3 == 2 && text[i] != ':')
			return false;
		if (i % 3 == 2)
			continue;
		if (hex_digit(text[i]) < 0)
			return false;
		*mac = *mac << 4 | (uint64_t)hex_digit(text[i]);
	}
	return text[17] == '\0';
}

/* IEEE 802: the lowest bit of the first byte marks a group address. */
bool tp_config_is_unicast(uint64_t mac)
{
	return mac != 0 && mac >> 48 == 0 && (mac >> 40 & 1) == 0;
}

void tp_config_write_mac(uint64_t mac, uint8_t bytes[6])
{
	for (unsigned i = 0; i < 6; i++)
		bytes[i] = (uint8_t)(mac >> (40 - 8 * i));
}

const char *tp_config_format_mac(const uint8_t mac[6], char text[TP_CONFIG_MAC_TEXT])
{
	snprintf(text, TP_CONFIG_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		mac[3], mac[4], mac[5]);
	return text;
}

int tp_config_read_mac(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	const char *text = json_string_value(value->json);
	uint64_t *mac = field;

	(void)key;
	if (text == NULL || !tp_config_parse_mac(text, mac) || !tp_config_is_unicast(*mac))
		return tp_json_refuse(
			value, "a unicast MAC that is not zero, for example \"02:00:00:00:00:01\"");
	return 0;
}

int tp_config_read_macs(const struct tp_json_value *value, struct tp_interface_config *interface)
{
	size_t count = json_array_size(value->json);

	if (!json_is_array(value->json) || count == 0 || count > TP_CONFIG_MACS_MAX)
		return tp_json_refuse(
			value, "an array of 1 to %d MACs beside \"mac\"", TP_CONFIG_MACS_MAX);
	interface->macs = calloc(count, sizeof(interface->macs[0]));
	if (interface->macs == NULL)
		return tp_json_fail(value, ENOMEM, "no memory");
	for (size_t i = 0; i < count; i++) {
		struct tp_json_value element = tp_json_element(value, i);
		uint64_t mac;
		int result = tp_config_read_mac(&element, NULL, &mac);

		if (result < 0)
			return result;
		tp_config_write_mac(mac, interface->macs[interface->mac_count++]);
	}
	return 0;
}

static int read_age(const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	uint64_t ns;
	int result = tp_json_read_time(value, key, &ns);

	if (result == 0)
		*(uint32_t *)field = (uint32_t)(ns / NS);
	return result;
}

int tp_config_read_mac_learning(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	static const struct tp_json_key keys[] = {
		{"age", read_age, offsetof(struct tp_tenant_config, mac_age_s), NS, AGE_MAX_S * NS,
			false},
		{"per_interface", tp_json_read_u32,
			offsetof(struct tp_tenant_config, macs_per_interface), 1, INTERFACE_MOST,
			false},
		{"per_tenant", tp_json_read_u32, offsetof(struct tp_tenant_config, macs_per_tenant),
			1, TENANT_MOST, false},
	};
	struct tp_tenant_config *tenant = field;

	(void)key;
	if (json_is_boolean(value->json)) {
		tenant->mac_learning = json_is_true(value->json);
		return 0;
	}
	if (!json_is_object(value->json))
		return tp_json_refuse(value, "true, false, or an object of \"age\", "
					     "\"per_interface\" and \"per_tenant\"");
	tenant->mac_learning = true;
	return tp_json_read_object(value, keys, sizeof(keys) / sizeof(keys[0]), tenant);
}

void tp_config_settle_learning(struct tp_tenant_config *tenant)
{
	uint64_t all;

	if (tenant->mac_age_s == 0)
		tenant->mac_age_s = AGE_S;
	if (tenant->macs_per_interface == 0)
		tenant->macs_per_interface = PER_INTERFACE;
	all = (uint64_t)tenant->macs_per_interface * tenant->interface_count;
	if (tenant->network.kind != TP_NETWORK_NONE)
		all += BEHIND_UPLINK;
	if (tenant->macs_per_tenant == 0)
		tenant->macs_per_tenant = all < TENANT_MOST ? (uint32_t)all : TENANT_MOST;
}

uint32_t tp_config_macs_beyond(const struct tp_tenant_config *tenant)
{
	uint64_t guests = (uint64_t)tenant->macs_per_interface * tenant->interface_count;
	uint32_t all = tenant->macs_per_tenant;
	uint32_t left = guests < all ? all - (uint32_t)guests : 0;
	uint32_t least = (all + 1) / 2 < BEHIND_UPLINK ? (all + 1) / 2 : BEHIND_UPLINK;

	return left > least ? left : least;
}
