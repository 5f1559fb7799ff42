/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_tables.h"

/* What the appliance is on the network below an uplink: where its tunnels begin. */

#define DEFAULT_PORT 4789 /* RFC 7348, 5 */
#define VLAN_MAX     4094

#define ADDRESS_ACCEPTED                                                                           \
	"the address of this appliance there and the bits of its network, for example "            \
	"\"192.0.2.1/24\" or \"2001:db8::1/64\""

static int read_own_address(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	struct tp_underlay_config *underlay = field;
	const char *text = json_string_value(value->json);
	char copy[TP_ADDRESS_TEXT] = "";
	const char *slash = text == NULL ? NULL : strchr(text, '/');
	unsigned long prefix;
	char *end;

	(void)key;
	if (slash == NULL || (size_t)(slash - text) >= sizeof(copy) || slash[1] < '0' ||
		slash[1] > '9')
		return tp_json_refuse(value, ADDRESS_ACCEPTED);
	memcpy(copy, text, (size_t)(slash - text));
	prefix = strtoul(slash + 1, &end, 10);
	if (*end != '\0' || !tp_address_parse(copy, &underlay->address) ||
		!tp_address_is_station(&underlay->address) || prefix < 1 ||
		prefix > 8u * underlay->address.length)
		return tp_json_refuse(value, ADDRESS_ACCEPTED);
	underlay->prefix = (uint8_t)prefix;
	if (tp_address_is_network_end(&underlay->address, underlay->prefix))
		return tp_json_refuse(value, "neither the first nor the last address of a network");
	return 0;
}

static int check_gateway(
	const struct tp_json_value *value, const struct tp_underlay_config *underlay)
{
	struct tp_json_value gateway =
		tp_json_member(value, "gateway", json_object_get(value->json, "gateway"));

	if (underlay->gateway.length == 0)
		return 0;
	if (underlay->gateway.length != underlay->address.length)
		return tp_json_refuse(&gateway, "an address of the same family as \"address\"");
	if (tp_address_equal(&underlay->gateway, &underlay->address))
		return tp_json_refuse(&gateway, "another address than our own");
	/* A router's link-local address is a neighbour's whatever the prefix (RFC 4861, 6.3.4). */
	if (underlay->gateway.length == 16 && underlay->gateway.bytes[0] == 0xfe &&
		(underlay->gateway.bytes[1] & 0xc0) == 0x80)
		return 0;
	if (!tp_address_same_network(&underlay->gateway, &underlay->address, underlay->prefix) ||
		tp_address_is_network_end(&underlay->gateway, underlay->prefix))
		return tp_json_refuse(&gateway, "a station in the network of \"address\"");
	return 0;
}

int tp_config_read_underlay(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	static const struct tp_json_key keys[] = {
		{"address", read_own_address, 0, 0, 0, true},
		{"gateway", tp_config_read_address, offsetof(struct tp_underlay_config, gateway), 0,
			0, false},
		{"port", tp_json_read_u16, offsetof(struct tp_underlay_config, port), 1, UINT16_MAX,
			false},
		{"vlan", tp_json_read_u16, offsetof(struct tp_underlay_config, vlan), 1, VLAN_MAX,
			false},
	};
	struct tp_underlay_config *underlay = field;
	int result;

	(void)key;
	underlay->port = DEFAULT_PORT;
	result = tp_json_read_object(value, keys, sizeof(keys) / sizeof(keys[0]), underlay);
	return result < 0 ? result : check_gateway(value, underlay);
}
