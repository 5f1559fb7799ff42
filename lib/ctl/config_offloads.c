/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "config_tables.h"

/* What a NIC may be asked to do instead of a worker. */

static const char *const names[] = {
#define X(NAME, name) [TP_OFFLOAD_NUMBER_##NAME] = name,
	TP_OFFLOADS(X)
#undef X
};

#define ACCEPTED                                                                                   \
	"\"auto\", \"none\", or an array of: vlan_insert, vlan_strip, ipv4_checksum, "             \
	"udp_checksum, rss"

const char *tp_config_offload_name(unsigned number)
{
	return number < TP_OFFLOAD_COUNT ? names[number] : "";
}

static uint32_t offload_of(const char *name)
{
	for (unsigned i = 0; i < TP_OFFLOAD_COUNT && name != NULL; i++)
		if (strcmp(names[i], name) == 0)
			return 1u << i;
	return TP_OFFLOAD_NONE;
}

int tp_config_read_offloads(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	const char *word = json_string_value(value->json);
	uint32_t *offloads = field;

	(void)key;
	*offloads = word != NULL && strcmp(word, "auto") == 0 ? TP_OFFLOAD_AUTO : TP_OFFLOAD_NONE;
	if (word != NULL && (strcmp(word, "auto") == 0 || strcmp(word, "none") == 0))
		return 0;
	if (!json_is_array(value->json))
		return tp_json_refuse(value, ACCEPTED);
	for (size_t i = 0; i < json_array_size(value->json); i++) {
		struct tp_json_value element = tp_json_element(value, i);
		uint32_t offload = offload_of(json_string_value(element.json));

		if (offload == TP_OFFLOAD_NONE)
			return tp_json_refuse(&element, ACCEPTED);
		if (*offloads & offload)
			return tp_json_refuse(&element, "each of them once");
		*offloads |= offload;
	}
	return 0;
}
