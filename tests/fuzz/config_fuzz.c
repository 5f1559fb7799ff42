/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any bytes as a configuration: it is refused with words, or what it gives keeps every promise of
 * ctl/config.h. Behind a NUL another one, to which the first is changed, or a list of edits of it.
 */
#include "config_tables.h"
#include "ctl/plan.h"
#include "diff.h"
#include "edit.h"
#include "messages.h"

static void check_rate(const struct tp_rate_config *rate)
{
	bool shaped = rate->bits_per_second > 0 || rate->frames_per_second > 0;

	EXPECT(rate->bits_per_second == 0 || rate->frames_per_second == 0);
	EXPECT(rate->burst_bytes == 0 || rate->burst_ns == 0);
	EXPECT(shaped || (rate->burst_bytes == 0 && rate->burst_ns == 0));
	EXPECT(rate->burst_bytes == 0 || rate->bits_per_second > 0);
}

static void check_classes(const struct tp_config *config)
{
	EXPECT(config->class_count >= 1 && config->class_count <= TP_CONFIG_CLASSES_MAX);
	for (uint32_t i = 0; i < config->class_count; i++) {
		const struct tp_class_config *class = &config->classes[i];

		EXPECT(tp_config_is_name(class->name));
		EXPECT(class->bid > 1 && class->weight >= 1);
		check_rate(&class->rate);
	}
}

static void check_interface(const struct tp_config *config, uint32_t i)
{
	const struct tp_interface_config *interface = &config->interfaces[i];
	const uint8_t *mac = interface->mac;

	EXPECT(tp_config_is_name(interface->name));
	EXPECT(tp_config_is_socket_path(interface->socket));
	EXPECT(strcmp(interface->socket, config->control_socket) != 0);
	EXPECT((mac[0] & 1) == 0 && (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]) != 0);
	EXPECT(interface->queue_pairs >= 1 && interface->queue_pairs <= 8);
	EXPECT(interface->class_index < config->class_count);
	EXPECT(interface->tenant_index < config->tenant_count);
	check_rate(&interface->rate);
}

#define COMPARED 64 /* of a tenant's interfaces, each with each before it */

static void check_differs(const struct tp_config *config, uint32_t first, uint32_t number)
{
	const struct tp_interface_config *interface = &config->interfaces[first + number];

	for (uint32_t i = number > COMPARED ? number - COMPARED : 0; i < number; i++) {
		EXPECT(memcmp(config->interfaces[first + i].mac, interface->mac, 6) != 0);
		EXPECT(strcmp(config->interfaces[first + i].name, interface->name) != 0);
		EXPECT(strcmp(config->interfaces[first + i].socket, interface->socket) != 0);
	}
}

/* Interfaces of a tenant are consecutive, and differ from each other. */
static void check_tenants(const struct tp_config *config)
{
	uint32_t next = 0;

	EXPECT(config->tenant_count >= 1 && config->tenant_count <= TP_CONFIG_TENANTS_MAX);
	for (uint32_t i = 0; i < config->tenant_count; i++) {
		const struct tp_tenant_config *tenant = &config->tenants[i];

		EXPECT(tp_config_is_name(tenant->name) && tenant->first_interface == next);
		for (uint32_t n = 0; n < tenant->interface_count; n++, next++) {
			EXPECT(next < config->interface_count);
			EXPECT(config->interfaces[next].tenant_index == i);
			check_interface(config, next);
			check_differs(config, tenant->first_interface, n);
		}
	}
	EXPECT(next == config->interface_count && next <= TP_CONFIG_INTERFACES_MAX);
}

static void check_config(const struct tp_config *config)
{
	uint32_t pinned, rings = tp_config_count_rings(config, &pinned);
	int nodes[TP_CONFIG_WORKERS_MAX] = {0};

	EXPECT(config->worker_count >= 1 && config->worker_count <= TP_CONFIG_WORKERS_MAX);
	EXPECT(tp_config_is_socket_path(config->control_socket));
	EXPECT(config->billing_interval_ns >= 1000000);
	check_classes(config);
	check_tenants(config);
	EXPECT(pinned <= rings && pinned <= config->hot_contexts);
	EXPECT(tp_plan_memory(config) > 0);
	EXPECT(tp_plan_node_memory(config, nodes, 0) <= tp_plan_memory(config));
}

static struct tp_config *parse(const char *text, size_t size)
{
	static const char name[] = "fuzz.json: ";
	struct tp_error error = {""};
	struct tp_config *config = tp_config_parse(text, size, "fuzz.json", &error);

	if (config != NULL) {
		check_config(config);
		return config;
	}
	expect_message(&error);
	EXPECT(strncmp(error.text, name, sizeof(name) - 1) == 0);
	return NULL;
}

/* @return how many changes there are. */
static uint32_t compare(const struct tp_config *from, const struct tp_config *to)
{
	struct tp_diff *diff = tp_diff_new(from, to);
	struct tp_error error = {""};
	uint32_t count;
	json_t *json;

	EXPECT(diff != NULL);
	count = diff->count;
	json = tp_diff_to_json(diff);
	EXPECT(json_array_size(json) == count);
	if (tp_diff_check(diff, &error) < 0)
		expect_message(&error);
	json_decref(json);
	tp_diff_free(diff);
	return count;
}

/* The way there and the way back are as long, and from itself there is none. */
static void change(const struct tp_config *config, const char *text, size_t size)
{
	struct tp_config *other = parse(text, size);

	EXPECT(compare(config, config) == 0);
	if (other != NULL)
		EXPECT(compare(config, other) == compare(other, config));
	tp_config_free(other);
}

static void edit(const char *text, size_t size, const char *edits, size_t edits_size)
{
	json_t *list = json_loadb(edits, edits_size, 0, NULL);
	struct tp_error error = {""};
	char *edited = NULL;

	if (list == NULL)
		return;
	if (tp_config_edit(text, size, list, &edited, &error) == 0)
		tp_config_free(parse(edited, strlen(edited)));
	else
		EXPECT(error.text[0] != '\0');
	free(edited);
	json_decref(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *end = size > 0 ? memchr(text, '\0', size) : NULL;
	size_t length = end != NULL ? (size_t)(end - text) : size;
	struct tp_config *config = parse(text, length);

	if (config != NULL && end != NULL) {
		change(config, end + 1, size - length - 1);
		edit(text, length, end + 1, size - length - 1);
	}
	tp_config_free(config);
	return 0;
}
