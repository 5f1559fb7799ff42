/* SPDX-License-Identifier: BSD-3-Clause */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "base/log.h"
#include "base/unix_socket.h"
#include "crew.h"
#include "ctl/appliance.h"
#include "ctl/capabilities_probe.h"
#include "ctl/eal_args.h"
#include "ctl/eal_failure.h"
#include "ctl/privilege.h"
#include "path/worker.h"
#include "state/dataplane.h"

/*
 * turnpiked: the appliance. This file joins the two planes: control knows no workers, workers know
 * no control; both know the dataplane that lies between them.
 */

const char *argp_program_version = "turnpiked " TP_VERSION;

enum { OPTION_VECTOR = 0x100, OPTION_CAPABILITIES };

struct options {
	const char *config;
	const char *vector;
	bool verbose;
	bool capabilities;
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'c':
		options->config = argument;
		return 0;
	case OPTION_VECTOR:
		options->vector = argument;
		return 0;
	case OPTION_CAPABILITIES:
		options->capabilities = true;
		return 0;
	case 'v':
		options->verbose = true;
		return 0;
	case ARGP_KEY_END:
		if (options->config == NULL)
			argp_error(state, "no configuration: give --config FILE");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option option_table[] = {
	{"config", 'c', "FILE", 0, "Serve what this JSON file describes", 0},
	{"vector", OPTION_VECTOR, "WIDTH", 0,
		"Copy with avx512, avx2 or sse (default: the widest that this CPU has)", 0},
	{"verbose", 'v', NULL, 0,
		"Log every message of the guests' front-ends, and each ring that starts and stops",
		0},
	{"capabilities", OPTION_CAPABILITIES, NULL, 0,
		"Tell what the devices of the uplinks can, as JSON, and serve nothing", 0},
	{0},
};

static const struct argp argp = {
	.options = option_table,
	.parser = parse_option,
	.args_doc = "",
	.doc = "Turnpike: a host-side virtual switch for guests with vhost-user interfaces.\v"
	       "EAL options of DPDK may stand before \"--\": turnpiked --lcores 0@0,1@3 -- "
	       "--config "
	       "FILE. They win over what follows from the configuration.",
};

/* Where our own options begin: behind "--" if there is one, else at once. */
static int find_separator(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--") == 0)
			return i;
	return 0;
}

static char runtime_directory[256]; /* of the EAL's sockets */

/* The EAL leaves it behind; it is empty now unless somebody else uses it. So is the one that it
 * lies in, if that is not everybody's. */
static void remove_runtime_directory(void)
{
	char *end = strrchr(runtime_directory, '/');

	if (end == NULL)
		return;
	rmdir(runtime_directory);
	*end = '\0';
	if (getenv("RUNTIME_DIRECTORY") != NULL)
		rmdir(runtime_directory);
}

static int start_eal(const struct tp_config *config, int argc, char **argv, struct tp_error *error)
{
	int given = argc > 1 ? argc - 1 : 0;
	static struct tp_eal_args args;
	static char **shuffled; /* the EAL overwrites some: ours stay whole in args */
	char notice[256];
	int result = tp_eal_args_derive(config, argv[0], argv + 1, given, &args, notice, error);

	if (result < 0)
		return result;
	if (notice[0] != '\0')
		tp_log(TP_LOG_WARNING, "%s", notice);
	shuffled = calloc(args.count + 1, sizeof(shuffled[0]));
	if (shuffled == NULL)
		return tp_error_set(error, ENOMEM, "EAL arguments: no memory");
	memcpy(shuffled, args.argument, args.count * sizeof(shuffled[0]));
	atexit(remove_runtime_directory); /* before the EAL's own, so that it runs after them */
	/* The EAL keeps pointers into its arguments: they stay until the process ends. */
	if (rte_eal_init(args.count, shuffled) < 0)
		return tp_eal_explain(rte_errno, error);
	snprintf(runtime_directory, sizeof(runtime_directory), "%s", rte_eal_get_runtime_dir());
	return 0;
}

static int serve(struct tp_appliance *appliance, const char *vector, struct tp_error *error)
{
	struct tp_dataplane *dataplane = tp_appliance_dataplane(appliance);
	struct tp_crew *crew = tp_crew_new(dataplane, vector, error);
	int result = crew == NULL ? -ENOMEM : tp_crew_make(crew, error);

	if (result == 0) {
		const struct tp_worker_ops ops = tp_crew_ops(crew);

		tp_crew_begin(crew);
		result = tp_appliance_run(appliance, &ops, error);
	}
	tp_dataplane_stop(dataplane);
	tp_crew_free(crew);
	return result;
}

static struct tp_config *read_config(const char *path, struct tp_error *error)
{
	struct tp_config *config = tp_config_read(path, error);

	if (config == NULL)
		return NULL;
	if (tp_config_check_machine(config, error) < 0)
		tp_error_prefix(error, "%s", path);
	/* Before anything is touched that an appliance with the same configuration uses. */
	else if (tp_unix_check_free(config->control_socket, error) < 0)
		tp_error_prefix(error, "control socket");
	else
		return config;
	tp_config_free(config);
	return NULL;
}

static int become_ready(
	const struct tp_config *config, int separator, char **argv, struct tp_error *error)
{
	int result = tp_privilege_prepare(config, error);

	return result < 0 ? result : start_eal(config, separator, argv, error);
}

static int fail(const struct tp_error *error)
{
	fprintf(stderr, "turnpiked: %s\n", error->text);
	return EXIT_FAILURE;
}

/* For `turnpike plan`: a process of its own, which disturbs none that serves. */
static int tell_capabilities(const struct tp_config *config, char *program, struct tp_error *error)
{
	static char words[][24] = {"--no-huge", "--no-shconf", "--no-telemetry", "-m64", "-l0",
		"--log-level=*:critical"};
	char *args[1 + sizeof(words) / sizeof(words[0])] = {program};
	json_t *told;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		args[1 + i] = words[i];
	if (start_eal(config, sizeof(args) / sizeof(args[0]), args, error) < 0)
		return -1;
	told = tp_capabilities_probe(config);
	json_dumpf(told, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(told);
	rte_eal_cleanup();
	return 0;
}

int main(int argc, char **argv)
{
	int separator = find_separator(argc, argv);
	struct options options = {0};
	struct tp_appliance *appliance;
	struct tp_config *config;
	struct tp_error error = {0};
	int result;

	tp_appliance_prepare();
	argv[separator] = argv[0];
	argp_parse(&argp, argc - separator, argv + separator, 0, NULL, &options);
	if (options.verbose)
		tp_log_set_level(TP_LOG_DEBUG);
	config = options.capabilities ? tp_config_read(options.config, &error)
				      : read_config(options.config, &error);
	if (options.capabilities && config != NULL) {
		result = tell_capabilities(config, argv[0], &error);
		tp_config_free(config);
		return result < 0 ? fail(&error) : EXIT_SUCCESS;
	}
	if (config == NULL || become_ready(config, separator, argv, &error) < 0) {
		tp_config_free(config);
		return fail(&error);
	}
	appliance = tp_appliance_new(config, options.config,
		options.vector == NULL ? tp_worker_vector() : options.vector, &error);
	if (appliance == NULL) {
		rte_eal_cleanup();
		return fail(&error);
	}
	result = serve(appliance, options.vector, &error);
	tp_appliance_free(appliance);
	rte_eal_cleanup();
	if (result < 0)
		return fail(&error);
	tp_log(TP_LOG_INFO, "stopped");
	return EXIT_SUCCESS;
}
