/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "config_tables.h"

/* Ways out of the host: DPDK ethdevs, by the words in which DPDK names them. */

#define QUEUES_MAX          64
#define DESCRIPTORS_MIN     64
#define DESCRIPTORS_MAX     32768
#define DEFAULT_DESCRIPTORS 1024
#define MTU_MIN             68 /* RFC 791 */
#define MTU_MAX             9600
#define DEFAULT_MTU         1500
#define DEVICE_MAX          1024 /* bytes */

/* What stands before the first comma: an address on the PCI bus, or a virtual device. */
#define PCI_DEVICE     "^([0-9A-Fa-f]{4}:)?[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}[.][0-7](,.*)?$"
#define VIRTUAL_DEVICE "^net_[A-Za-z0-9_]+(,.*)?$"

static bool matches(const char *text, const char *pattern)
{
	regex_t compiled;
	bool found;

	if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	found = regexec(&compiled, text, 0, NULL, 0) == 0;
	regfree(&compiled);
	return found;
}

bool tp_config_device_is_pci(const char *device)
{
	return matches(device, PCI_DEVICE);
}

static int read_device(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	const char *device = json_string_value(value->json);

	(void)key;
	if (device == NULL || strlen(device) > DEVICE_MAX || strchr(device, '\n') != NULL ||
		(!tp_config_device_is_pci(device) && !matches(device, VIRTUAL_DEVICE)))
		return tp_json_refuse(value,
			"a device as DPDK names it: a PCI address (\"0000:03:00.0\"), or a "
			"virtual device and its arguments (\"net_af_packet0,iface=eth0\")");
	return tp_config_copy(value, device, field);
}

/* The name of a device, in one way of writing it. */
static void name_of_device(const char *device, char *name, size_t size)
{
	size_t length = strcspn(device, ",");
	bool pci = tp_config_device_is_pci(device);
	bool domain = !pci || length > strlen("00:00.0");

	snprintf(name, size, "%s%.*s", domain ? "" : "0000:", (int)length, device);
	for (char *c = name; pci && *c != '\0'; c++)
		*c |= 0x20; /* hexadecimal digits in lower case; the others keep theirs */
}

bool tp_config_device_interface(const char *device, char *name, size_t size)
{
	const char *argument = strstr(device, ",iface=");

	name[0] = '\0';
	if (argument == NULL)
		return false;
	argument += strlen(",iface=");
	snprintf(name, size, "%.*s", (int)strcspn(argument, ","), argument);
	return true;
}

static int check_device(const struct tp_json_value *value, const struct tp_config *config,
	const struct tp_uplink_config *uplink)
{
	struct tp_json_value device = tp_json_member(value, "device", NULL);
	char name[DEVICE_MAX + 8], other[DEVICE_MAX + 8];
	char interface[DEVICE_MAX + 1];

	name_of_device(uplink->device, name, sizeof(name));
	tp_config_device_interface(uplink->device, interface, sizeof(interface));
	for (const struct tp_uplink_config *before = config->uplinks; before < uplink; before++) {
		name_of_device(before->device, other, sizeof(other));
		if (strcmp(name, other) == 0)
			return tp_json_fail(&device, EINVAL,
				"found %.64s, which uplink %s has too; accepted: each device once",
				name, before->name);
		tp_config_device_interface(before->device, other, sizeof(other));
		if (interface[0] != '\0' && strcmp(interface, other) == 0)
			return tp_json_fail(&device, EINVAL,
				"found interface %.64s, which uplink %s has too; accepted: each "
				"interface once",
				interface, before->name);
	}
	return 0;
}

static int read_steering(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	const char *word = json_string_value(value->json);

	(void)key;
	if (word == NULL || (strcmp(word, "auto") != 0 && strcmp(word, "off") != 0))
		return tp_json_refuse(value, "\"auto\" or \"off\"");
	*(bool *)field = strcmp(word, "auto") == 0;
	return 0;
}

static int read_uplink(const struct tp_json_value *value, const struct tp_config *config,
	struct tp_uplink_config *uplink)
{
	static const struct tp_json_key keys[] = {
		{"device", read_device, offsetof(struct tp_uplink_config, device), 0, 0, true},
		{"queues", tp_json_read_u16, offsetof(struct tp_uplink_config, queues), 1,
			QUEUES_MAX, false},
		{"rx_descriptors", tp_json_read_u16,
			offsetof(struct tp_uplink_config, rx_descriptors), DESCRIPTORS_MIN,
			DESCRIPTORS_MAX, false},
		{"tx_descriptors", tp_json_read_u16,
			offsetof(struct tp_uplink_config, tx_descriptors), DESCRIPTORS_MIN,
			DESCRIPTORS_MAX, false},
		{"mtu", tp_json_read_u16, offsetof(struct tp_uplink_config, mtu), MTU_MIN, MTU_MAX,
			false},
		{"offloads", tp_config_read_offloads, offsetof(struct tp_uplink_config, offloads),
			0, 0, false},
		{"steering", read_steering, offsetof(struct tp_uplink_config, steering), 0, 0,
			false},
		{"vxlan", tp_config_read_underlay, offsetof(struct tp_uplink_config, underlay), 0,
			0, false},
	};
	int result;

	if (!tp_config_is_name(value->key))
		return tp_json_fail(
			value, EINVAL, "found this name; accepted: " TP_CONFIG_NAME_ACCEPTED);
	uplink->rx_descriptors = uplink->tx_descriptors = DEFAULT_DESCRIPTORS;
	uplink->mtu = DEFAULT_MTU;
	uplink->offloads = TP_OFFLOAD_AUTO;
	uplink->steering = true;
	result = tp_json_read_object(value, keys, sizeof(keys) / sizeof(keys[0]), uplink);
	return result < 0 ? result : check_device(value, config, uplink);
}

static int read_each(const struct tp_json_value *value, struct tp_config *config)
{
	const char *name;
	json_t *json;

	json_object_foreach(value->json, name, json)
	{
		struct tp_json_value member = tp_json_member(value, name, json);
		struct tp_uplink_config *uplink = &config->uplinks[config->uplink_count];
		int result = tp_config_copy(&member, name, &uplink->name);

		if (result < 0)
			return result;
		config->uplink_count++;
		result = read_uplink(&member, config, uplink);
		if (result < 0)
			return result;
	}
	return 0;
}

int tp_config_read_uplinks(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	struct tp_config *config = field;
	size_t count = json_object_size(value->json);

	(void)key;
	if (!json_is_object(value->json))
		return tp_json_refuse(value, "an object of at most %d uplinks, each by its name",
			TP_CONFIG_UPLINKS_MAX);
	if (count > TP_CONFIG_UPLINKS_MAX)
		return tp_json_fail(value, EINVAL, "found %zu uplinks; accepted: at most %d", count,
			TP_CONFIG_UPLINKS_MAX);
	config->uplinks = calloc(count + 1, sizeof(*config->uplinks));
	if (config->uplinks == NULL)
		return tp_json_fail(value, ENOMEM, "no memory");
	return read_each(value, config);
}
