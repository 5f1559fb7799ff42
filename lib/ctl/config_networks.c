/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_tables.h"

/* A tenant's network beyond this host: on which uplink, and how its frames are told from others'.
 */

#define VLAN_MAX 4094     /* 0 means "no VLAN", 4095 is reserved (IEEE 802.1Q, 9.6) */
#define VNI_MAX  0xffffff /* 24 bits (RFC 7348, 5) */
#define MTU_MIN  68       /* RFC 791 */
#define MTU_MAX  9600

#define TRUNK_ACCEPTED                                                                             \
	"an array of VLANs, 1 to 4094, and ranges of them, for example [100, \"200-209\"]"

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

/* "200-209", or a number. */
static bool read_range(const json_t *json, long *first, long *last)
{
	const char *text = json_string_value(json);
	int used = 0;

	if (json_is_integer(json)) {
		json_int_t number = json_integer_value(json);

		*first = *last = number >= 1 && number <= VLAN_MAX ? (long)number : 0;
	} else if (text == NULL || strlen(text) > 9 ||
		   sscanf(text, "%4ld-%4ld%n", first, last, &used) != 2 || text[used] != '\0' ||
		   strspn(text, "0123456789-") != strlen(text)) {
		return false;
	}
	return *first >= 1 && *first <= *last && *last <= VLAN_MAX;
}

static int read_trunk(const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	struct tp_network_config *network = field;
	size_t count = json_array_size(value->json);

	(void)key;
	if (count == 0)
		return tp_json_refuse(value, TRUNK_ACCEPTED);
	network->trunk = calloc(4096 / 64, sizeof(*network->trunk));
	if (network->trunk == NULL)
		return tp_json_fail(value, ENOMEM, "no memory");
	for (size_t i = 0; i < count; i++) {
		struct tp_json_value element = tp_json_element(value, i);
		long first = 0, last = 0;

		if (!read_range(element.json, &first, &last))
			return tp_json_refuse(&element, "a VLAN, 1 to 4094, or a range of them, "
							"for example \"200-209\"");
		for (long vlan = first; vlan <= last; vlan++)
			network->trunk[vlan / 64] |= UINT64_C(1) << (vlan % 64);
	}
	return 0;
}

static int refuse_pair(const struct tp_json_value *value, const char *key, const char *other)
{
	struct tp_json_value member = tp_json_member(value, key, json_object_get(value->json, key));

	return tp_json_fail(
		&member, EINVAL, "found \"%s\" beside \"%s\"; accepted: one of them", key, other);
}

/* Which kind it is, from what was given; and what does not go together. */
static int tell_kind(const struct tp_json_value *value, struct tp_network_config *network)
{
	struct tp_json_value remotes =
		tp_json_member(value, "remotes", json_object_get(value->json, "remotes"));

	if (network->vlan != 0 && network->trunk != NULL)
		return refuse_pair(value, "trunk", "vlan");
	if (network->vni != 0 && network->vlan != 0)
		return refuse_pair(value, "vlan", "vni");
	if (network->vni != 0 && network->service_vlan != 0)
		return refuse_pair(value, "service_vlan", "vni");
	if (network->vni == 0 && network->remote_count > 0)
		return tp_json_fail(&remotes, EINVAL,
			"found \"remotes\" without \"vni\"; accepted: both, for a network in "
			"VXLAN");
	network->kind = network->vni != 0            ? TP_NETWORK_TUNNEL
			: network->service_vlan != 0 ? TP_NETWORK_STACKED
			: network->trunk != NULL     ? TP_NETWORK_TRUNK
			: network->vlan != 0         ? TP_NETWORK_VLAN
						     : TP_NETWORK_UNTAGGED;
	return 0;
}

int tp_config_read_network(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	static const struct tp_json_key keys[] = {
		{"uplink", read_uplink_name, offsetof(struct tp_network_config, uplink_index), 0, 0,
			true},
		{"vlan", tp_json_read_u16, offsetof(struct tp_network_config, vlan), 1, VLAN_MAX,
			false},
		{"trunk", read_trunk, 0, 0, 0, false},
		{"service_vlan", tp_json_read_u16, offsetof(struct tp_network_config, service_vlan),
			1, VLAN_MAX, false},
		{"vni", tp_json_read_u32, offsetof(struct tp_network_config, vni), 1, VNI_MAX,
			false},
		{"remotes", tp_config_read_remotes, 0, 0, 0, false},
		{"mtu", tp_json_read_u16, offsetof(struct tp_network_config, mtu), MTU_MIN, MTU_MAX,
			false},
	};
	struct tp_network_config *network = field;
	int result;

	(void)key;
	result = tp_json_read_object(value, keys, sizeof(keys) / sizeof(keys[0]), network);
	return result < 0 ? result : tell_kind(value, network);
}
