/* SPDX-License-Identifier: BSD-3-Clause */
/* From options to devices. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/config.h"
#include "guest.h"

#define PLACE "%d"

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
		unsigned group = interface->class_index % TP_ENGINE_CLASSES_MAX;

		status = add_device(guests, options, interface->socket, interface->mac, error);
		if (status < 0)
			break;
		guests->devices[guests->count - 1].group = group;
		guests->devices[guests->count - 1].frontend.serve = interface->client;
		guests->group_name[group] = config->classes[interface->class_index].name;
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

static bool read_whole(const char **text, unsigned *value)
{
	char *end;
	unsigned long number;

	if (!isdigit((unsigned char)**text))
		return false;
	number = strtoul(*text, &end, 10);
	*text = end;
	*value = (unsigned)number;
	return number <= 1u << 30;
}

/* "0,3-5" up to the end or a colon: calls back for each. @return what stands behind it, or NULL. */
static const char *read_list(const char *text, unsigned limit,
	void (*take)(void *context, unsigned number), void *context)
{
	for (;;) {
		unsigned from, to;

		if (!read_whole(&text, &from))
			return NULL;
		to = from;
		if (*text == '-') {
			text++;
			if (!read_whole(&text, &to))
				return NULL;
		}
		if (from > to || to >= limit)
			return NULL;
		for (unsigned i = from; i <= to; i++)
			take(context, i);
		if (*text != ',')
			return text;
		text++;
	}
}

/* What --deaf, --slow and --leave make of a device. */
struct habit {
	struct tp_engine_device *devices;
	bool deaf;
	double slow;
	double away_every, away_for;
};

static void take_habit(void *context, unsigned number)
{
	const struct habit *habit = context;
	struct tp_engine_device *device = &habit->devices[number];

	device->deaf |= habit->deaf;
	if (habit->slow > 0)
		device->slow = habit->slow;
	if (habit->away_every > 0) {
		device->away_every = habit->away_every;
		device->away_for = habit->away_for;
	}
}

static bool read_positive(const char **text, double *value)
{
	char *end;

	*value = strtod(*text, &end);
	if (end == *text || !isfinite(*value) || *value <= 0)
		return false;
	*text = end;
	return true;
}

static int refuse(const char *option, const char *text, const char *accepted, unsigned count,
	struct tp_error *error)
{
	return tp_error_set(error, EINVAL, "--%s: found \"%s\"; accepted: %s, devices 0 to %u",
		option, text, accepted, count - 1);
}

static int set_habits(struct guests *guests, const struct options *options, struct tp_error *error)
{
	struct habit habit = {.devices = guests->devices};
	const char *end;

	if (options->deaf != NULL) {
		habit.deaf = true;
		end = read_list(options->deaf, guests->count, take_habit, &habit);
		if (end == NULL || *end != '\0')
			return refuse("deaf", options->deaf, "0,3-5", guests->count, error);
		habit.deaf = false;
	}
	if (options->slow != NULL) {
		const char *rate = strchr(options->slow, ':');

		if (rate == NULL || (rate++, !read_positive(&rate, &habit.slow)) || *rate != '\0' ||
			(end = read_list(options->slow, guests->count, take_habit, &habit)) ==
				NULL ||
			*end != ':')
			return refuse("slow", options->slow, "0,3-5:FRAMES_A_SECOND", guests->count,
				error);
		habit.slow = 0;
	}
	if (options->leave != NULL) {
		const char *times = strchr(options->leave, ':');

		if (times == NULL || (times++, !read_positive(&times, &habit.away_every)) ||
			*times++ != ',' || !read_positive(&times, &habit.away_for) ||
			*times != '\0' ||
			(end = read_list(options->leave, guests->count, take_habit, &habit)) ==
				NULL ||
			*end != ':')
			return refuse("leave", options->leave, "0,3-5:EVERY,FOR in seconds",
				guests->count, error);
	}
	return 0;
}

int guests_make(struct guests *guests, const struct options *options, struct tp_error *error)
{
	int status = 0;

	if (options->config != NULL)
		status = add_configured(guests, options, error);
	for (unsigned i = 0; status == 0 && i < options->socket_count; i++)
		status = add_pattern(guests, options, options->sockets[i], error);
	return status < 0 ? status : set_habits(guests, options, error);
}

void guests_free(struct guests *guests)
{
	for (unsigned i = 0; i < guests->count; i++)
		free(guests->paths[i]);
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
