/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config_tables.h"

typedef const struct tp_interface_config *interface_pointer;
typedef int (*comparison)(const void *left, const void *right);

static int compare_numbers(uint32_t left, uint32_t right)
{
	return (left > right) - (left < right);
}

static int compare_names(const void *left, const void *right)
{
	interface_pointer a = *(const interface_pointer *)left;
	interface_pointer b = *(const interface_pointer *)right;
	int tenants = compare_numbers(a->tenant_index, b->tenant_index);

	return tenants != 0 ? tenants : strcmp(a->name, b->name);
}

static int compare_sockets(const void *left, const void *right)
{
	interface_pointer a = *(const interface_pointer *)left;
	interface_pointer b = *(const interface_pointer *)right;

	return strcmp(a->socket, b->socket);
}

/* Two interfaces that compare equal, in the order of the file; NULL in pair[0] if there are none.
 */
static void find_equal(
	interface_pointer *order, uint32_t count, comparison compare, interface_pointer pair[2])
{
	qsort(order, count, sizeof(*order), compare);
	pair[0] = NULL;
	for (uint32_t i = 1; i < count; i++) {
		if (compare(&order[i - 1], &order[i]) != 0)
			continue;
		pair[0] = order[i - 1] < order[i] ? order[i - 1] : order[i];
		pair[1] = order[i - 1] < order[i] ? order[i] : order[i - 1];
		return;
	}
}

static const char *tenant_name(const struct tp_config *config, interface_pointer interface)
{
	return config->tenants[interface->tenant_index].name;
}

/* Refuses at the place "$.tenants.NAME.interfaces.NAME.key" of the second of the two. A counted
 * interface is named as what it becomes. */
static int refuse_at(const struct tp_config *config, struct tp_json_reader *reader,
	interface_pointer interface, const char *key, const char *text)
{
	struct tp_json_value root = {.reader = reader};
	struct tp_json_value tenants = tp_json_member(&root, "tenants", NULL);
	struct tp_json_value tenant =
		tp_json_member(&tenants, tenant_name(config, interface), NULL);
	struct tp_json_value interfaces = tp_json_member(&tenant, "interfaces", NULL);
	struct tp_json_value entry = tp_json_member(&interfaces, interface->name, NULL);
	struct tp_json_value field = tp_json_member(&entry, key, NULL);

	return tp_json_fail(key != NULL ? &field : &entry, EINVAL, "%s", text);
}

static int refuse_name(const struct tp_config *config, struct tp_json_reader *reader,
	const interface_pointer pair[2])
{
	return refuse_at(config, reader, pair[1], NULL,
		"found this name twice, once made by a count; accepted: each name once in a "
		"tenant");
}

/* A MAC, and whose it is. */
struct owned_mac {
	interface_pointer interface;
	const uint8_t *mac;
};

static int compare_macs(const void *left, const void *right)
{
	const struct owned_mac *a = left;
	const struct owned_mac *b = right;
	int tenants = compare_numbers(a->interface->tenant_index, b->interface->tenant_index);

	return tenants != 0 ? tenants : memcmp(a->mac, b->mac, 6);
}

static int refuse_mac(const struct tp_config *config, struct tp_json_reader *reader,
	const struct owned_mac *a, const struct owned_mac *b)
{
	const struct owned_mac *second = a->interface < b->interface ? b : a;
	const struct owned_mac *first = second == a ? b : a;
	const uint8_t *mac = second->mac;
	struct tp_error text;

	if (first->interface == second->interface && second->mac == second->interface->mac)
		mac = first->mac;
	tp_error_set(&text, EINVAL,
		"found %02x:%02x:%02x:%02x:%02x:%02x, which interface %s has too; "
		"accepted: each MAC once in a tenant",
		mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], first->interface->name);
	return refuse_at(config, reader, second->interface,
		mac == second->interface->mac ? "mac" : "macs", text.text);
}

static uint64_t list_macs(const struct tp_config *config, struct owned_mac *list)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < config->interface_count; i++) {
		interface_pointer interface = &config->interfaces[i];

		if (list != NULL)
			list[count] = (struct owned_mac){interface, interface->mac};
		count++;
		for (uint32_t n = 0; n < interface->mac_count; n++, count++)
			if (list != NULL)
				list[count] = (struct owned_mac){interface, interface->macs[n]};
	}
	return count;
}

static int check_macs(const struct tp_config *config, struct tp_json_reader *reader)
{
	uint64_t count = list_macs(config, NULL);
	struct owned_mac *list = calloc(count + 1, sizeof(*list));
	int result = 0;

	if (list == NULL)
		return tp_error_set(reader->error, ENOMEM, "%s: no memory", reader->file);
	list_macs(config, list);
	qsort(list, count, sizeof(*list), compare_macs);
	for (uint64_t i = 1; i < count && result == 0; i++)
		if (compare_macs(&list[i - 1], &list[i]) == 0)
			result = refuse_mac(config, reader, &list[i - 1], &list[i]);
	free(list);
	return result;
}

static int refuse_socket(const struct tp_config *config, struct tp_json_reader *reader,
	const interface_pointer pair[2])
{
	struct tp_error text;

	tp_error_set(&text, EINVAL,
		"found \"%s\", which interface %s of tenant %s has too; "
		"accepted: each socket once",
		pair[1]->socket, pair[0]->name, tenant_name(config, pair[0]));
	return refuse_at(config, reader, pair[1], "socket", text.text);
}

static int check_unique(
	const struct tp_config *config, struct tp_json_reader *reader, interface_pointer *order)
{
	static const struct {
		comparison compare;
		int (*refuse)(const struct tp_config *, struct tp_json_reader *,
			const interface_pointer[2]);
	} checks[] = {
		{compare_names, refuse_name},
		{compare_sockets, refuse_socket},
	};
	interface_pointer pair[2];

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		find_equal(order, config->interface_count, checks[i].compare, pair);
		if (pair[0] != NULL)
			return checks[i].refuse(config, reader, pair);
	}
	return 0;
}

static int check_control_socket(const struct tp_config *config, struct tp_json_reader *reader)
{
	struct tp_error text;

	for (uint32_t i = 0; i < config->interface_count; i++) {
		interface_pointer interface = &config->interfaces[i];

		if (strcmp(interface->socket, config->control_socket) != 0)
			continue;
		tp_error_set(&text, EINVAL,
			"found \"%s\", the control socket; accepted: each socket once",
			interface->socket);
		return refuse_at(config, reader, interface, "socket", text.text);
	}
	return 0;
}

/* A ring of a pinned interface keeps its hot entry for ever, and all may meet on one worker. */
static int check_pins(const struct tp_config *config, struct tp_json_reader *reader)
{
	struct tp_json_value root = {.reader = reader};
	struct tp_json_value dataplane = tp_json_member(&root, "dataplane", NULL);
	struct tp_json_value hot = tp_json_member(&dataplane, "hot_contexts", NULL);
	uint32_t pinned = 0;

	tp_config_count_rings(config, &pinned);
	if (pinned > config->hot_contexts)
		return tp_json_fail(&hot, EINVAL,
			"found %" PRIu32 " hot contexts for %" PRIu32 " queue pairs of pinned "
			"classes; accepted: at most as many of these as hot contexts",
			config->hot_contexts, pinned);
	return 0;
}

uint32_t tp_config_count_rings(const struct tp_config *config, uint32_t *pinned)
{
	uint32_t rings = 0;

	*pinned = 0;
	for (uint32_t i = 0; i < config->interface_count; i++) {
		const struct tp_interface_config *interface = &config->interfaces[i];

		rings += interface->queue_pairs;
		if (config->classes[interface->class_index].pinned)
			*pinned += interface->queue_pairs;
	}
	return rings;
}

static interface_pointer *file_order(const struct tp_config *config)
{
	interface_pointer *order = calloc((size_t)config->interface_count + 1, sizeof(*order));

	for (uint32_t i = 0; i < config->interface_count && order != NULL; i++)
		order[i] = &config->interfaces[i];
	return order;
}

int tp_config_check(const struct tp_config *config, struct tp_json_reader *reader)
{
	interface_pointer *order = file_order(config);
	int result;

	if (order == NULL)
		return tp_error_set(reader->error, ENOMEM, "%s: no memory", reader->file);
	result = check_unique(config, reader, order);
	free(order);
	if (result == 0)
		result = check_macs(config, reader);
	if (result == 0)
		result = check_control_socket(config, reader);
	if (result == 0)
		result = tp_config_check_networks(config, reader);
	if (result == 0)
		result = check_pins(config, reader);
	return result;
}
