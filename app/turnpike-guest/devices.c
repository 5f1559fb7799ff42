/* SPDX-License-Identifier: BSD-3-Clause */
/* From options to devices. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/config.h"
#include "guest.h"

#define PLACE  "%d"
#define OTHERS "others"

static int add_device(struct guests *guests, const struct options *options, const char *path,
	const uint8_t mac[6], struct tp_error *error)
{
	unsigned number = guests->count;
	struct tp_engine_device *devices =
		realloc(guests->devices, (number + 1) * sizeof(*devices));
	char **paths;

	if (devices != NULL)
		guests->devices = devices;
	paths = realloc(guests->paths, (number + 1) * sizeof(*paths));
	if (paths != NULL)
		guests->paths = paths;
	if (devices == NULL || paths == NULL || (paths[number] = strdup(path)) == NULL)
		return tp_error_set(error, ENOMEM, "no memory for %u devices", number + 1);
	devices[number] = (struct tp_engine_device){.frontend = options->frontend};
	devices[number].frontend.path = paths[number];
	memcpy(devices[number].mac, mac, 6);
	guests->count++;
	return 0;
}

static void count_mac(const uint8_t first[6], unsigned number, uint8_t mac[6])
{
	uint64_t value = 0;

	for (unsigned i = 0; i < 6; i++)
		value = value << 8 | first[i];
	value += number;
	for (unsigned i = 6; i-- > 0; value >>= 8)
		mac[i] = (uint8_t)value;
}

/* Only one %d is replaced: a pattern is not a format. */
static int add_pattern(struct guests *guests, const struct options *options, const char *pattern,
	struct tp_error *error)
{
	const char *place = strstr(pattern, PLACE);
	unsigned count = place != NULL ? options->count : 1;
	int status = 0;

	for (unsigned i = 0; status == 0 && i < count; i++) {
		char path[512];
		uint8_t mac[6];

		if (place != NULL)
			snprintf(path, sizeof(path), "%.*s%u%s", (int)(place - pattern), pattern,
				options->first + i, place + strlen(PLACE));
		else
			snprintf(path, sizeof(path), "%s", pattern);
		count_mac(options->mac, guests->count, mac);
		status = add_device(guests, options, path, mac, error);
	}
	return status;
}

static int add_tenant(struct guests *guests, const struct options *options,
	const struct tp_tenant_config *tenant, struct tp_error *error)
{
	const struct tp_config *config = guests->config;
	int status = 0;

	for (uint32_t i = 0; status == 0 && i < tenant->interface_count; i++) {
		const struct tp_interface_config *interface =
			&config->interfaces[tenant->first_interface + i];
		unsigned group = interface->class_index % TP_ENGINE_GROUPS_MAX;

		status = add_device(guests, options, interface->socket, interface->mac, error);
		if (status < 0)
			break;
		guests->devices[guests->count - 1].group = group;
		guests->devices[guests->count - 1].frontend.serve = interface->client;
		if (guests->group_name[group] == NULL)
			guests->group_name[group] =
				strdup(config->classes[interface->class_index].name);
	}
	return status;
}

/* Guests of different tenants do not meet: pairs must not have one of each. */
static int check_tenants(
	const struct tp_config *config, const struct options *options, struct tp_error *error)
{
	bool even = options->load.talk.kind == TP_TALK_PAIRS;

	if (config->tenant_count == 1)
		return 0;
	for (uint32_t i = 0; i < config->tenant_count; i++)
		even = even && config->tenants[i].interface_count % 2 == 0;
	if (even)
		return 0;
	return tp_error_set(error, EINVAL,
		"%s has %u tenants, whose guests do not meet: they can be played together if they "
		"talk in pairs and each has an even number; choose one with --tenant, such as %s",
		options->config, config->tenant_count, config->tenants[0].name);
}

static int add_configured(
	struct guests *guests, const struct options *options, struct tp_error *error)
{
	const struct tp_config *config = guests->config = tp_config_read(options->config, error);
	int status = 0;

	if (config == NULL)
		return -EINVAL;
	if (options->tenant == NULL)
		status = check_tenants(config, options, error);
	for (uint32_t i = 0; status == 0 && i < config->tenant_count; i++) {
		const struct tp_tenant_config *tenant = &config->tenants[i];

		if (options->tenant == NULL || strcmp(tenant->name, options->tenant) == 0)
			status = add_tenant(guests, options, tenant, error);
	}
	if (status == 0 && guests->count == 0)
		return tp_error_set(error, EINVAL, "%s has no tenant \"%s\"; it has %s%s",
			options->config, options->tenant, config->tenants[0].name,
			config->tenant_count > 1 ? " and others" : "");
	return status;
}

/* The devices of one --group. */
struct membership {
	struct guests *guests;
	unsigned group;
	unsigned twice; /* a device of two groups, plus one */
};

static void take_member(void *context, unsigned number)
{
	struct membership *membership = context;
	struct tp_engine_device *device = &membership->guests->devices[number];

	if (device->group != 0)
		membership->twice = number + 1;
	device->group = membership->group;
}

static bool is_group_name(const struct guests *guests, const char *text, size_t length)
{
	for (unsigned i = 0; i < TP_ENGINE_GROUPS_MAX; i++) {
		if (guests->group_name[i] != NULL && strlen(guests->group_name[i]) == length &&
			strncmp(guests->group_name[i], text, length) == 0)
			return false;
	}
	return length > 0;
}

static int set_group(
	struct guests *guests, unsigned group, const char *text, struct tp_error *error)
{
	struct membership membership = {.guests = guests, .group = group};
	const char *equals = strchr(text, '=');
	const char *end = NULL;

	if (equals != NULL && is_group_name(guests, text, (size_t)(equals - text)))
		end = read_list(equals + 1, guests->count, take_member, &membership);
	if (end == NULL || *end != '\0')
		return tp_error_set(error, EINVAL,
			"--group: found \"%s\"; accepted: NAME=LIST such as gold=0,3-5, each NAME "
			"once, devices 0 to %u",
			text, guests->count - 1);
	if (membership.twice > 0)
		return tp_error_set(error, EINVAL,
			"--group: found \"%s\", but device %u is in "
			"another group; accepted: one for each",
			text, membership.twice - 1);
	guests->group_name[group] = strndup(text, (size_t)(equals - text));
	return guests->group_name[group] == NULL ? tp_error_set(error, ENOMEM, "no memory") : 0;
}

/* Devices of no group are together in the first, which has a name if there is another. */
static int set_groups(struct guests *guests, const struct options *options, struct tp_error *error)
{
	bool others = false;
	int status = 0;

	for (unsigned i = 0; status == 0 && i < options->group_count; i++)
		status = set_group(guests, i + 1, options->groups[i], error);
	for (unsigned i = 0; i < guests->count; i++)
		others |= guests->devices[i].group == 0;
	if (status < 0 || options->group_count == 0 || !others)
		return status;
	if (!is_group_name(guests, OTHERS, strlen(OTHERS)))
		return tp_error_set(error, EINVAL,
			"--group: \"" OTHERS
			"\" is the name of all that are in no group, and some are");
	guests->group_name[0] = strdup(OTHERS);
	return guests->group_name[0] == NULL ? tp_error_set(error, ENOMEM, "no memory") : 0;
}

int guests_make(struct guests *guests, const struct options *options, struct tp_error *error)
{
	int status = 0;

	if (options->config != NULL)
		status = add_configured(guests, options, error);
	for (unsigned i = 0; status == 0 && i < options->socket_count; i++)
		status = add_pattern(guests, options, options->sockets[i], error);
	if (status == 0)
		status = set_groups(guests, options, error);
	return status < 0 ? status : habits_set(guests, options, error);
}

void guests_free(struct guests *guests)
{
	for (unsigned i = 0; i < guests->count; i++)
		free(guests->paths[i]);
	for (unsigned i = 0; i < TP_ENGINE_GROUPS_MAX; i++)
		free(guests->group_name[i]);
	free(guests->paths);
	free(guests->devices);
	tp_config_free(guests->config);
}

struct core_list {
	struct tp_engine_settings *settings;
	unsigned count;
};

static void take_core(void *context, unsigned number)
{
	struct core_list *list = context;

	if (list->count < TP_ENGINE_THREADS_MAX)
		list->settings->cpu[list->count++] = (int)number;
}

int read_cores(const char *text, struct tp_engine_settings *settings, struct tp_error *error)
{
	struct core_list list = {.settings = settings};
	const char *end;

	for (unsigned i = 0; i < TP_ENGINE_THREADS_MAX; i++)
		settings->cpu[i] = -1;
	if (text == NULL)
		return 0;
	end = read_list(text, 1024, take_core, &list);
	if (end == NULL || *end != '\0' || list.count < settings->threads)
		return tp_error_set(error, EINVAL,
			"--cores: found \"%s\"; accepted: CPU numbers such as 1,3-4, one for each "
			"of %u threads",
			text, settings->threads);
	return 0;
}
