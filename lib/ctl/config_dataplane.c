/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "config_tables.h"
#include "cpus.h"

#define HOT_CONTEXTS_MAX 1048576
#define STAY_HOT_MAX_NS  10000000000
#define SWEEP_MIN_NS     1000
#define SWEEP_MAX_NS     10000000
#define NAP_MAX_NS       10000000

static bool has_core(const struct tp_config *config, uint64_t core)
{
	for (uint32_t i = 0; i < config->worker_count; i++) {
		if (config->worker_cores[i] == core)
			return true;
	}
	return false;
}

static int read_cpu(const struct tp_json_value *value, uint64_t *cpu)
{
	static const struct tp_json_key range = {.maximum = CPU_SETSIZE - 1};

	return tp_json_read_u64(value, &range, cpu);
}

static int read_worker_cores(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	struct tp_config *config = tp_config_draft_of(value)->config;
	size_t count = json_array_size(value->json);

	(void)key;
	(void)field;
	if (!json_is_array(value->json))
		return tp_json_refuse(value, "an array of CPU numbers, for example [1]");
	if (count == 0 || count > TP_CONFIG_WORKERS_MAX)
		return tp_json_fail(value, EINVAL,
			"found %zu CPU numbers; accepted: an array of 1 to %d", count,
			TP_CONFIG_WORKERS_MAX);
	for (size_t i = 0; i < count; i++) {
		struct tp_json_value element = tp_json_element(value, i);
		uint64_t cpu;

		if (read_cpu(&element, &cpu) < 0)
			return -EINVAL;
		if (has_core(config, cpu))
			return tp_json_refuse(&element, "each CPU number once");
		config->worker_cores[config->worker_count++] = (uint16_t)cpu;
	}
	return 0;
}

static int read_control_core(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	uint64_t cpu;
	int result = read_cpu(value, &cpu);

	(void)key;
	if (result == 0)
		*(int *)field = (int)cpu;
	return result;
}

bool tp_config_is_path(const char *path, size_t most)
{
	if (path[0] != '/' || strlen(path) > most)
		return false;
	while (*path == '/') {
		size_t length = strcspn(path + 1, "/");

		if (length == 0 || (length == 1 && path[1] == '.') ||
			(length == 2 && path[1] == '.' && path[2] == '.'))
			return false;
		path += 1 + length;
	}
	return true;
}

bool tp_config_is_socket_path(const char *path)
{
	return tp_config_is_path(path, sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
}

static int read_control_socket(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	const char *path = json_string_value(value->json);

	(void)key;
	if (path == NULL || !tp_config_is_socket_path(path))
		return tp_json_refuse(value, TP_CONFIG_SOCKET_ACCEPTED);
	return tp_config_copy(value, path, field);
}

int tp_config_read_switch(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	const char *word = json_string_value(value->json);

	(void)key;
	if (word == NULL || (strcmp(word, "on") != 0 && strcmp(word, "off") != 0))
		return tp_json_refuse(value, "\"on\" or \"off\"");
	*(bool *)field = strcmp(word, "on") == 0;
	return 0;
}

/* The last CPU: the first one is where a machine handles most interrupts. */
static int choose_worker_core(const struct tp_json_value *value)
{
	struct tp_config *config = tp_config_draft_of(value)->config;
	struct tp_error reason;
	cpu_set_t cpus;
	int result = tp_cpus_online(&cpus, &reason);

	if (result < 0)
		return tp_json_fail(value, -result, "no default for worker_cores: %s", reason.text);
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &cpus))
			config->worker_cores[0] = (uint16_t)cpu;
	}
	config->worker_count = 1;
	return 0;
}

int tp_config_read_dataplane(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	static const struct tp_json_key keys[] = {
		{"worker_cores", read_worker_cores, 0, 0, 0, false},
		{"control_core", read_control_core, offsetof(struct tp_config, control_core), 0, 0,
			false},
		{"hot_contexts", tp_json_read_u32, offsetof(struct tp_config, hot_contexts), 1,
			HOT_CONTEXTS_MAX, false},
		{"hot_cache", tp_config_read_switch, offsetof(struct tp_config, hot_cache), 0, 0,
			false},
		{"stay_hot", tp_json_read_time, offsetof(struct tp_config, stay_hot_ns), 0,
			STAY_HOT_MAX_NS, false},
		{"idle_sleep", tp_json_read_bool, offsetof(struct tp_config, idle_sleep), 0, 0,
			false},
		{"sweep_budget", tp_json_read_time, offsetof(struct tp_config, sweep_budget_ns),
			SWEEP_MIN_NS, SWEEP_MAX_NS, false},
		{"uplink_nap", tp_json_read_time, offsetof(struct tp_config, uplink_nap_ns), 0,
			NAP_MAX_NS, false},
		{"control_socket", read_control_socket, offsetof(struct tp_config, control_socket),
			0, 0, false},
	};
	int result = 0;

	(void)key;
	if (value->json != NULL)
		result = tp_json_read_object(value, keys, sizeof(keys) / sizeof(keys[0]), field);
	if (result == 0 && tp_config_draft_of(value)->config->worker_count == 0)
		result = choose_worker_core(value);
	return result;
}
