/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/eal_args.h"
#include "ctl/plan.h"

static bool is_option(const char *argument, const char *option)
{
	size_t length = strlen(option);

	if (strncmp(argument, option, length) != 0)
		return false;
	/* "-l" also as "-l1,2"; "--lcores" also as "--lcores=..." */
	return option[1] != '-' || argument[length] == '\0' || argument[length] == '=';
}

static bool given_any(char *const *given, int count, const char *const *options)
{
	for (int i = 0; i < count; i++)
		for (const char *const *option = options; *option != NULL; option++)
			if (is_option(given[i], *option))
				return true;
	return false;
}

__attribute__((format(printf, 2, 3))) static int append(
	struct tp_eal_args *args, const char *format, ...)
{
	char **grown = realloc(args->argument, (args->count + 2) * sizeof(char *));
	va_list arguments;
	int length;

	if (grown == NULL)
		return -ENOMEM;
	args->argument = grown;
	va_start(arguments, format);
	length = vasprintf(&args->argument[args->count], format, arguments);
	va_end(arguments);
	if (length < 0) {
		args->argument[args->count] = NULL;
		return -ENOMEM;
	}
	args->argument[++args->count] = NULL;
	return 0;
}

/* The CPU of the control plane: the one asked for, else the first that no worker has, else CPU 0.
 */
static int control_core(const struct tp_config *config)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (config->control_core >= 0)
		return config->control_core;
	for (int cpu = 0; cpu < cpus; cpu++) {
		bool taken = false;

		for (uint32_t i = 0; i < config->worker_count; i++)
			taken |= config->worker_cores[i] == cpu;
		if (!taken)
			return cpu;
	}
	return 0;
}

static int append_lcores(struct tp_eal_args *args, const struct tp_config *config)
{
	char list[16 * 129];
	int length = snprintf(list, sizeof(list), "0@%d", control_core(config));

	for (uint32_t i = 0; i < config->worker_count; i++)
		length += snprintf(list + length, sizeof(list) - length, ",%u@%u", i + 1,
			config->worker_cores[i]);
	return append(args, "--lcores=%s", list);
}

static int append_memory(struct tp_eal_args *args, const struct tp_config *config, char notice[256])
{
	unsigned megabytes = (unsigned)((tp_plan_memory(config) + (1u << 20) - 1) >> 20);
	long free_megabytes = (long)(tp_plan_free_memory() >> 20);
	int result;

	if (free_megabytes >= (long)megabytes)
		return append(args, "--in-memory") < 0 ? -ENOMEM : append(args, "-m%u", megabytes);
	snprintf(notice, 256,
		"%u MiB of free 2 MiB hugepages wanted, %ld found: going on without hugepages "
		"(slower; echo %u > /proc/sys/vm/nr_hugepages reserves them)",
		megabytes, free_megabytes, (megabytes + 1) / 2);
	result = append(args, "--no-huge");
	if (result == 0)
		result = append(args, "--no-shconf"); /* leaves no files, like --in-memory */
	/* Without hugepages the heap cannot grow, so be generous; what is not touched costs
	 * nothing. */
	return result < 0 ? result : append(args, "-m%u", megabytes * 2 + 64);
}

/* Of the PCI bus no device but those that are uplinks. */
static int append_pci(struct tp_eal_args *args, const struct tp_config *config)
{
	bool any = false;
	int result = 0;

	for (uint32_t i = 0; i < config->uplink_count && result == 0; i++) {
		const char *device = config->uplinks[i].device;

		if (!tp_config_device_is_pci(device))
			continue;
		result = append(args, "--allow=%s", device);
		any = true;
	}
	return any || result < 0 ? result : append(args, "--no-pci");
}

int tp_eal_args_derive(const struct tp_config *config, const char *program, char *const *given,
	int given_count, struct tp_eal_args *args, char notice[256], struct tp_error *error)
{
	static const char *const lcores[] = {"-l", "-c", "--lcores", "-s", "-S", NULL};
	static const char *const memory[] = {"-m", "--socket-mem", "--no-huge", "--in-memory",
		"--huge-dir", "--legacy-mem", "--single-file-segments", NULL};
	static const char *const pci[] = {"--no-pci", "-a", "--allow", "-b", "--block", NULL};
	static const char *const prefix[] = {"--file-prefix", NULL};
	static const char *const level[] = {"--log-level", NULL};
	int result;

	*args = (struct tp_eal_args){0};
	notice[0] = '\0';
	result = append(args, "%s", program);
	for (int i = 0; i < given_count && result == 0; i++)
		result = append(args, "%s", given[i]);
	if (result == 0 && !given_any(given, given_count, lcores))
		result = append_lcores(args, config);
	if (result == 0 && !given_any(given, given_count, memory))
		result = append_memory(args, config, notice);
	if (result == 0 && !given_any(given, given_count, pci))
		result = append_pci(args, config);
	if (result == 0 && !given_any(given, given_count, prefix))
		result = append(args, "--file-prefix=turnpike");
	if (result == 0 && !given_any(given, given_count, level))
		result = append(args, "--log-level=*:error");
	if (result < 0) {
		tp_eal_args_free(args);
		return tp_error_set(error, ENOMEM, "EAL arguments: no memory");
	}
	return 0;
}

void tp_eal_args_free(struct tp_eal_args *args)
{
	for (int i = 0; i < args->count; i++)
		free(args->argument[i]);
	free(args->argument);
	*args = (struct tp_eal_args){0};
}
