/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_tables.h"

#define QUEUE_PAIRS_MAX 8
#define NUMBER_PLACE    "%d"

/* What an entry of "interfaces" says, before its count makes interfaces of it. Strings belong to
 * the JSON tree. */
struct interface_draft {
	uint64_t mac;
	const char *socket;
	uint32_t class_index;
	uint32_t count; /* 0: not a counted one */
	uint16_t queue_pairs;
	bool client;
	bool source_mac_check;
	const json_t *macs;
	struct tp_rate_config rate;
};

static int refuse_class(const struct tp_json_value *value, const struct tp_config *config)
{
	char names[256] = "";
	size_t used = 0;

	for (uint32_t i = 0; i < config->class_count && used < sizeof(names); i++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
			i > 0 ? ", " : "", config->classes[i].name);
	return tp_json_refuse(
		value, "the name of a class: %s%s", names, used >= sizeof(names) ? "..." : "");
}

static int read_class_name(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	const struct tp_config *config = tp_config_draft_of(value)->config;
	const char *name = json_string_value(value->json);

	(void)key;
	for (uint32_t i = 0; i < config->class_count && name != NULL; i++) {
		if (strcmp(config->classes[i].name, name) == 0) {
			*(uint32_t *)field = i;
			return 0;
		}
	}
	return refuse_class(value, config);
}

static int read_socket(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	const char *path = json_string_value(value->json);

	(void)key;
	if (path == NULL || !tp_config_is_socket_path(path))
		return tp_json_refuse(value, TP_CONFIG_SOCKET_ACCEPTED);
	*(const char **)field = path;
	return 0;
}

static int read_mode(const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	const char *word = json_string_value(value->json);

	(void)key;
	if (word == NULL || (strcmp(word, "server") != 0 && strcmp(word, "client") != 0))
		return tp_json_refuse(value, "\"server\" or \"client\"");
	*(bool *)field = strcmp(word, "client") == 0;
	return 0;
}

/* What needs the interface itself. */
static int read_later(const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	(void)key;
	*(const json_t **)field = value->json;
	return 0;
}

static int read_draft(const struct tp_json_value *value, struct interface_draft *draft)
{
	static const struct tp_json_key keys[] = {
		{"mac", tp_config_read_mac, offsetof(struct interface_draft, mac), 0, 0, true},
		{"class", read_class_name, offsetof(struct interface_draft, class_index), 0, 0,
			true},
		{"socket", read_socket, offsetof(struct interface_draft, socket), 0, 0, true},
		{"mode", read_mode, offsetof(struct interface_draft, client), 0, 0, false},
		{"queue_pairs", tp_json_read_u16, offsetof(struct interface_draft, queue_pairs), 1,
			QUEUE_PAIRS_MAX, false},
		{"source_mac_check", tp_json_read_bool,
			offsetof(struct interface_draft, source_mac_check), 0, 0, false},
		{"macs", read_later, offsetof(struct interface_draft, macs), 0, 0, false},
		{"rate", tp_config_read_rate, offsetof(struct interface_draft, rate), 0, 0, false},
		{"burst", tp_config_read_burst, offsetof(struct interface_draft, rate), 0, 0,
			false},
		{"count", tp_json_read_u32, offsetof(struct interface_draft, count), 1,
			TP_CONFIG_INTERFACES_MAX, false},
	};

	*draft = (struct interface_draft){.queue_pairs = 1, .source_mac_check = true};
	if (!tp_config_is_name(value->key))
		return tp_json_fail(
			value, EINVAL, "found this name; accepted: " TP_CONFIG_NAME_ACCEPTED);
	return tp_json_read_object(value, keys, sizeof(keys) / sizeof(keys[0]), draft);
}

static unsigned places_for_number(const char *socket)
{
	unsigned places = 0;

	while ((socket = strstr(socket, NUMBER_PLACE)) != NULL) {
		places++;
		socket += strlen(NUMBER_PLACE);
	}
	return places;
}

static struct tp_json_value member_of(const struct tp_json_value *value, const char *key)
{
	return tp_json_member(value, key, json_object_get(value->json, key));
}

static unsigned decimal_digits(uint32_t number)
{
	return (unsigned)snprintf(NULL, 0, "%" PRIu32, number);
}

/* What a count makes must fit as well: the longest name and socket, the last MAC. */
static int check_counted(const struct tp_json_value *value, const struct interface_draft *draft)
{
	struct tp_json_value socket = member_of(value, "socket");
	struct tp_json_value count = member_of(value, "count");
	struct tp_json_value macs = member_of(value, "macs");
	unsigned digits = decimal_digits(draft->count - 1);

	if (draft->macs != NULL)
		return tp_json_refuse(&macs, "further MACs only of an interface without a count");
	if (places_for_number(draft->socket) != 1)
		return tp_json_refuse(&socket,
			"a path with %%d once, for the number of each of the %" PRIu32
			" interfaces",
			draft->count);
	if (strlen(draft->socket) - strlen(NUMBER_PLACE) + digits > 107)
		return tp_json_refuse(&socket,
			"a path of at most 107 bytes with the number %" PRIu32 " in place of %%d",
			draft->count - 1);
	if (strlen(value->key) + digits > TP_CONFIG_NAME_MAX)
		return tp_json_fail(value, EINVAL,
			"found a name of %zu characters; accepted: at most %d with the number "
			"%" PRIu32 " behind it",
			strlen(value->key), TP_CONFIG_NAME_MAX, draft->count - 1);
	if (!tp_config_is_unicast(draft->mac + draft->count - 1))
		return tp_json_refuse(
			&count, "a count that keeps the last MAC a unicast one of 48 bits");
	return 0;
}

static int check_draft(const struct tp_json_value *value, const struct interface_draft *draft)
{
	struct tp_json_value socket = member_of(value, "socket");

	if (tp_config_check_rate(value, &draft->rate) < 0)
		return -EINVAL;
	if (draft->count > 0)
		return check_counted(value, draft);
	if (places_for_number(draft->socket) > 0)
		return tp_json_refuse(&socket, "%%d only together with \"count\"");
	return 0;
}

/* Grows by doubling; the limit is checked before anything is allocated. */
static int make_room(const struct tp_json_value *value, uint32_t count)
{
	struct tp_config_draft *draft = tp_config_draft_of(value);
	size_t needed = (size_t)draft->config->interface_count + count;
	size_t capacity = draft->interface_capacity > 0 ? draft->interface_capacity : 16;
	struct tp_interface_config *interfaces;

	if (needed > TP_CONFIG_INTERFACES_MAX)
		return tp_json_fail(value, EINVAL,
			"found interface number %zu; accepted: at most %d interfaces in all",
			needed, TP_CONFIG_INTERFACES_MAX);
	while (capacity < needed)
		capacity *= 2;
	if (capacity == draft->interface_capacity)
		return 0;
	interfaces = realloc(draft->config->interfaces, capacity * sizeof(*interfaces));
	if (interfaces == NULL)
		return tp_json_fail(value, ENOMEM, "no memory for %zu interfaces", needed);
	draft->config->interfaces = interfaces;
	draft->interface_capacity = capacity;
	return 0;
}

static char *numbered_name(const char *name, uint32_t number)
{
	char *numbered;

	return asprintf(&numbered, "%s%" PRIu32, name, number) < 0 ? NULL : numbered;
}

static char *numbered_socket(const char *socket, uint32_t number)
{
	const char *place = strstr(socket, NUMBER_PLACE);
	char *numbered;

	return asprintf(&numbered, "%.*s%" PRIu32 "%s", (int)(place - socket), socket, number,
		       place + strlen(NUMBER_PLACE)) < 0
		       ? NULL
		       : numbered;
}

static int append(const struct tp_json_value *value, const struct interface_draft *draft,
	uint32_t tenant_index, uint32_t number)
{
	struct tp_config *config = tp_config_draft_of(value)->config;
	uint32_t index = config->interface_count++;
	struct tp_interface_config *interface = &config->interfaces[index];
	bool counted = draft->count > 0;

	*interface = (struct tp_interface_config){
		.name = counted ? numbered_name(value->key, number) : strdup(value->key),
		.socket = counted ? numbered_socket(draft->socket, number) : strdup(draft->socket),
		.place = index,
		.client = draft->client,
		.source_mac_check = draft->source_mac_check,
		.queue_pairs = draft->queue_pairs,
		.class_index = draft->class_index,
		.rate = draft->rate,
		.tenant_index = tenant_index,
	};
	tp_config_write_mac(draft->mac + number, interface->mac);
	config->tenants[tenant_index].interface_count++;
	if (interface->name == NULL || interface->socket == NULL)
		return tp_json_fail(value, ENOMEM, "no memory");
	if (draft->macs != NULL) {
		struct tp_json_value macs = member_of(value, "macs");

		return tp_config_read_macs(&macs, interface);
	}
	return 0;
}

static int read_entry(const struct tp_json_value *value, uint32_t tenant_index)
{
	struct interface_draft draft;
	int result = read_draft(value, &draft);
	const struct tp_config *config = tp_config_draft_of(value)->config;
	uint32_t count = draft.count > 0 ? draft.count : 1;

	if (result == 0) {
		tp_config_inherit_rate(&draft.rate, &config->classes[draft.class_index].rate);
		result = check_draft(value, &draft);
	}
	if (result == 0)
		result = make_room(value, count);
	for (uint32_t number = 0; number < count && result == 0; number++)
		result = append(value, &draft, tenant_index, number);
	return result;
}

int tp_config_read_interfaces(const struct tp_json_value *value, uint32_t tenant_index)
{
	const char *name;
	json_t *json;

	if (tp_json_expect_object(value) < 0)
		return -EINVAL;
	json_object_foreach(value->json, name, json)
	{
		struct tp_json_value member = tp_json_member(value, name, json);
		int result = read_entry(&member, tenant_index);

		if (result < 0)
			return result;
	}
	return 0;
}
