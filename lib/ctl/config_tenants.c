/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_tables.h"

/* Far above any real rate, far below where sums of credits could overflow. */
#define CREDITS_MAX 1000000000000000

bool tp_config_is_name(const char *name)
{
	static const char accepted[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
	size_t length = strspn(name, accepted);

	return length > 0 && length <= TP_CONFIG_NAME_MAX && name[length] == '\0';
}

int tp_config_copy(const struct tp_json_value *value, const char *text, char **field)
{
	char *copy = strdup(text);

	if (copy == NULL)
		return tp_json_fail(value, ENOMEM, "no memory");
	free(*field);
	*field = copy;
	return 0;
}

static int read_budget(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	static const struct tp_json_key keys[] = {
		{"credits_per_second", tp_json_read_u64,
			offsetof(struct tp_tenant_config, credits_per_second), 1, CREDITS_MAX,
			true},
		{"burst", tp_json_read_u64, offsetof(struct tp_tenant_config, burst), 1,
			CREDITS_MAX, true},
	};
	struct tp_tenant_config *tenant = field;

	(void)key;
	tenant->has_budget = true;
	return tp_json_read_object(value, keys, sizeof(keys) / sizeof(keys[0]), tenant);
}

static int read_unknown_unicast(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	const char *word = json_string_value(value->json);
	enum tp_unknown_unicast *unknown_unicast = field;

	(void)key;
	if (word != NULL && strcmp(word, "drop") == 0)
		*unknown_unicast = TP_UNKNOWN_UNICAST_DROP;
	else if (word != NULL && strcmp(word, "flood") == 0)
		*unknown_unicast = TP_UNKNOWN_UNICAST_FLOOD;
	else
		return tp_json_refuse(value, "\"drop\" or \"flood\"");
	return 0;
}

static int read_interfaces(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	struct tp_config *config = tp_config_draft_of(value)->config;
	struct tp_tenant_config *tenant = field;

	(void)key;
	return tp_config_read_interfaces(value, (uint32_t)(tenant - config->tenants));
}

static int read_tenant(const struct tp_json_value *value, struct tp_tenant_config *tenant)
{
	static const struct tp_json_key keys[] = {
		{"budget", read_budget, 0, 0, 0, false},
		{"network", tp_config_read_network, offsetof(struct tp_tenant_config, network), 0,
			0, false},
		{"mac_learning", tp_config_read_mac_learning, 0, 0, 0, false},
		{"unknown_unicast", read_unknown_unicast,
			offsetof(struct tp_tenant_config, unknown_unicast), 0, 0, false},
		{"sockets", tp_config_read_access, offsetof(struct tp_tenant_config, sockets), 0, 0,
			false},
		{"interfaces", read_interfaces, 0, 0, 0, false},
	};
	const struct tp_config *config = tp_config_draft_of(value)->config;
	int result;

	if (!tp_config_is_name(value->key))
		return tp_json_fail(
			value, EINVAL, "found this name; accepted: " TP_CONFIG_NAME_ACCEPTED);
	tenant->first_interface = config->interface_count;
	result = tp_json_read_object(value, keys, sizeof(keys) / sizeof(keys[0]), tenant);
	tp_config_settle_learning(tenant);
	if (result < 0)
		return result;
	return tp_config_inherit_access(value, &tenant->sockets, &config->guest_sockets);
}

static int read_each(const struct tp_json_value *value, struct tp_config *config)
{
	const char *name;
	json_t *json;

	json_object_foreach(value->json, name, json)
	{
		struct tp_json_value member = tp_json_member(value, name, json);
		struct tp_tenant_config *tenant = &config->tenants[config->tenant_count];
		int result = tp_config_copy(&member, name, &tenant->name);

		if (result < 0)
			return result;
		tenant->place = config->tenant_count++;
		result = read_tenant(&member, tenant);
		if (result < 0)
			return result;
	}
	return 0;
}

int tp_config_read_tenants(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	struct tp_config *config = field;
	size_t count = json_object_size(value->json);

	(void)key;
	if (!json_is_object(value->json))
		return tp_json_refuse(value, "an object of 1 to %d tenants, each by its name",
			TP_CONFIG_TENANTS_MAX);
	if (count == 0 || count > TP_CONFIG_TENANTS_MAX)
		return tp_json_fail(value, EINVAL, "found %zu tenants; accepted: 1 to %d", count,
			TP_CONFIG_TENANTS_MAX);
	config->tenants = calloc(count, sizeof(*config->tenants));
	if (config->tenants == NULL)
		return tp_json_fail(value, ENOMEM, "no memory");
	return read_each(value, config);
}
