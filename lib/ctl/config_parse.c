/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_tables.h"
#include "json_place.h"

#define DEFAULT_HOT_CONTEXTS   4096
#define DEFAULT_STAY_HOT_NS    2000000
#define DEFAULT_SWEEP_BUDGET   20000
#define DEFAULT_UPLINK_NAP     50000
#define DEFAULT_PER_FRAME      16
#define DEFAULT_PER_64_BYTES   1
#define DEFAULT_INTERVAL_NS    60000000000
#define DEFAULT_CONTROL_SOCKET "/run/turnpike/control.sock"
#define COST_MAX               1000000

static int read_schema(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	(void)key;
	(void)field;
	if (!json_is_string(value->json))
		return tp_json_refuse(value, "a string, the place of the JSON Schema");
	return 0;
}

static int read_tariff(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	static const struct tp_json_key keys[] = {
		{"per_frame", tp_json_read_u64, offsetof(struct tp_config, tariff_per_frame), 0,
			COST_MAX, false},
		{"per_64_bytes", tp_json_read_u64, offsetof(struct tp_config, tariff_per_64_bytes),
			0, COST_MAX, false},
	};

	(void)key;
	return tp_json_read_object(value, keys, sizeof(keys) / sizeof(keys[0]), field);
}

/* Classes and uplinks stand before tenants, which name them. */
static const struct tp_json_key root_keys[] = {
	{"$schema", read_schema, 0, 0, 0, false},
	{"dataplane", tp_config_read_dataplane, 0, 0, 0, false},
	{"process", tp_config_read_process, 0, 0, 0, false},
	{"sockets", tp_config_read_sockets, 0, 0, 0, false},
	{"tariff", read_tariff, 0, 0, 0, false},
	{"billing", tp_config_read_billing, 0, 0, 0, false},
	{"classes", tp_config_read_classes, 0, 0, 0, true},
	{"uplinks", tp_config_read_uplinks, 0, 0, 0, false},
	{"tenants", tp_config_read_tenants, 0, 0, 0, true},
};

/* Jansson's own texts speak to programmers who call it in these cases. */
static const char *syntax_text(const json_error_t *syntax, char *buffer, size_t size)
{
	switch (json_error_code(syntax)) {
	case json_error_invalid_utf8:
		return "found a byte that is not UTF-8; accepted: JSON in UTF-8";
	case json_error_stack_overflow:
		return "found objects or arrays nested too deeply; accepted: the keys of "
		       "docs/config.md";
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return "found a NUL character in a string; accepted: strings without it";
	case json_error_numeric_overflow:
		return "found a number beyond 64 bits; accepted: what docs/config.md says of "
		       "this key";
	default:
		return tp_json_quote(syntax->text, "", sizeof(syntax->text), buffer, size);
	}
}

static void refuse_syntax(const char *name, const json_error_t *syntax, struct tp_error *error)
{
	char buffer[sizeof(syntax->text) + 32];

	tp_error_set(error, EINVAL, "%s: line %d, column %d: %s", name, syntax->line,
		syntax->column, syntax_text(syntax, buffer, sizeof(buffer)));
}

static struct tp_config *new_config(void)
{
	struct tp_config *config = calloc(1, sizeof(*config));

	if (config == NULL)
		return NULL;
	config->control_core = -1;
	config->hot_cache = true;
	config->hot_contexts = DEFAULT_HOT_CONTEXTS;
	config->stay_hot_ns = DEFAULT_STAY_HOT_NS;
	config->idle_sleep = true;
	config->sweep_budget_ns = DEFAULT_SWEEP_BUDGET;
	config->system_call_filter = true;
	config->guest_sockets.access.mode = 0660;
	config->control_sockets.access.mode = 0600;
	config->uplink_nap_ns = DEFAULT_UPLINK_NAP;
	config->tariff_per_frame = DEFAULT_PER_FRAME;
	config->tariff_per_64_bytes = DEFAULT_PER_64_BYTES;
	config->billing_interval_ns = DEFAULT_INTERVAL_NS;
	config->control_socket = strdup(DEFAULT_CONTROL_SOCKET);
	if (config->control_socket == NULL) {
		free(config);
		return NULL;
	}
	return config;
}

static int read_root(
	struct tp_config_draft *draft, json_t *json, const char *name, struct tp_error *error)
{
	struct tp_json_reader reader = {.file = name, .owner = draft, .error = error};
	struct tp_json_value root = {.reader = &reader, .json = json};
	static const struct tp_json_key no_dataplane;
	int result = tp_json_read_object(
		&root, root_keys, sizeof(root_keys) / sizeof(root_keys[0]), draft->config);

	if (result == 0 && draft->config->worker_count == 0) {
		struct tp_json_value dataplane = tp_json_member(&root, "dataplane", NULL);

		result = tp_config_read_dataplane(&dataplane, &no_dataplane, draft->config);
	}
	return result < 0 ? result : tp_config_check(draft->config, &reader);
}

static struct tp_config *read_json(json_t *json, const char *name, struct tp_error *error)
{
	struct tp_config_draft draft = {.config = new_config()};

	if (draft.config == NULL) {
		tp_error_set(error, ENOMEM, "%s: no memory", name);
		return NULL;
	}
	if (read_root(&draft, json, name, error) < 0) {
		tp_config_free(draft.config);
		return NULL;
	}
	return draft.config;
}

struct tp_config *tp_config_parse(
	const char *text, size_t length, const char *name, struct tp_error *error)
{
	struct tp_config *config;
	json_error_t syntax;
	json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &syntax);

	if (json == NULL) {
		refuse_syntax(name, &syntax, error);
		return NULL;
	}
	config = read_json(json, name, error);
	json_decref(json);
	if (config == NULL)
		return NULL;
	config->text = malloc(length + 1);
	if (config->text == NULL) {
		tp_error_set(error, ENOMEM, "%s: no memory", name);
		tp_config_free(config);
		return NULL;
	}
	memcpy(config->text, text, length);
	config->text[length] = '\0';
	config->text_length = length;
	return config;
}

static void free_sockets(struct tp_socket_config *sockets)
{
	free(sockets->owner);
	free(sockets->group);
}

static void free_tenant(struct tp_tenant_config *tenant)
{
	for (uint32_t i = 0; i < tenant->network.remote_count; i++)
		free(tenant->network.remotes[i].macs);
	free(tenant->network.remotes);
	free(tenant->network.trunk);
	free(tenant->name);
	free_sockets(&tenant->sockets);
}

void tp_config_free(struct tp_config *config)
{
	if (config == NULL)
		return;
	for (uint32_t i = 0; i < config->class_count; i++)
		free(config->classes[i].name);
	for (uint32_t i = 0; i < config->uplink_count; i++) {
		free(config->uplinks[i].name);
		free(config->uplinks[i].device);
	}
	for (uint32_t i = 0; i < config->tenant_count; i++)
		free_tenant(&config->tenants[i]);
	for (uint32_t i = 0; i < config->interface_count; i++) {
		free(config->interfaces[i].name);
		free(config->interfaces[i].socket);
		free(config->interfaces[i].macs);
	}
	free(config->classes);
	free(config->uplinks);
	free(config->tenants);
	free(config->interfaces);
	free(config->billing_directory);
	free(config->control_socket);
	free(config->user);
	free(config->group);
	free_sockets(&config->guest_sockets);
	free_sockets(&config->control_sockets);
	free(config->text);
	free(config);
}
