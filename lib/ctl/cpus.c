/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "accounts.h"
#include "cpus.h"
#include "ctl/config.h"

static bool read_list(FILE *file, cpu_set_t *cpus)
{
	unsigned first, last;

	CPU_ZERO(cpus);
	while (fscanf(file, "%u", &first) == 1) {
		last = first;
		if (fscanf(file, "-%u", &last) < 0)
			break;
		for (unsigned cpu = first; cpu <= last && cpu < CPU_SETSIZE; cpu++)
			CPU_SET(cpu, cpus);
		if (fscanf(file, ",") < 0)
			break;
	}
	return CPU_COUNT(cpus) > 0;
}

int tp_cpus_online(cpu_set_t *cpus, struct tp_error *error)
{
	FILE *file = fopen("/sys/devices/system/cpu/online", "re");
	bool found = false;

	if (file != NULL) {
		found = read_list(file, cpus);
		fclose(file);
	}
	if (found)
		return 0;
	if (sched_getaffinity(0, sizeof(*cpus), cpus) < 0)
		return tp_error_set(
			error, errno, "this machine does not tell its CPUs: %s", strerror(errno));
	return 0;
}

const char *tp_cpus_format(const cpu_set_t *cpus, char *buffer, size_t size)
{
	size_t used = 0;

	buffer[0] = '\0';
	for (unsigned cpu = 0; cpu < CPU_SETSIZE && used < size; cpu++) {
		unsigned last = cpu;

		if (!CPU_ISSET(cpu, cpus))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, cpus))
			last++;
		used += (size_t)snprintf(
			buffer + used, size - used, "%s%u", used > 0 ? "," : "", cpu);
		if (last > cpu && used < size)
			used += (size_t)snprintf(buffer + used, size - used, "-%u", last);
		cpu = last;
	}
	return buffer;
}

static int refuse_core(
	const char *key, unsigned core, const cpu_set_t *cpus, struct tp_error *error)
{
	char present[256];

	return tp_error_set(error, ENODEV,
		"$.dataplane.%s: found CPU %u, which this machine does not have online; "
		"accepted: %s",
		key, core, tp_cpus_format(cpus, present, sizeof(present)));
}

int tp_cpus_check(const struct tp_config *config, struct tp_error *error)
{
	cpu_set_t cpus;
	int result = tp_cpus_online(&cpus, error);

	if (result < 0)
		return result;
	for (uint32_t i = 0; i < config->worker_count; i++) {
		if (!CPU_ISSET(config->worker_cores[i], &cpus))
			return refuse_core("worker_cores", config->worker_cores[i], &cpus, error);
	}
	if (config->control_core >= 0 && !CPU_ISSET((unsigned)config->control_core, &cpus))
		return refuse_core("control_core", (unsigned)config->control_core, &cpus, error);
	return 0;
}

int tp_config_check_machine(struct tp_config *config, struct tp_error *error)
{
	int result = tp_cpus_check(config, error);

	return result < 0 ? result : tp_accounts_find(config, error);
}
