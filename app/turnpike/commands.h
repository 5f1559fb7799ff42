/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

/* The operator's command: one function a subcommand, each returns the exit code. */

#define TP_EXIT_OK     0
#define TP_EXIT_FAILED 1 /* refused, or nobody answers */
#define TP_EXIT_USAGE  2

struct tp_options {
	const char *socket;     /* of the appliance's control socket */
	bool json;              /* show the answer as it came */
	unsigned samples;       /* top: tables to show, 0: until interrupted */
	unsigned delay_seconds; /* top: between two tables */
};

/** Read and check a configuration file, without the appliance. */
int tp_command_check(const char *path);

/** Show what the appliance knows of `what`: interfaces, tenants, classes, drops, workers. */
int tp_command_show(const struct tp_options *options, const char *what);

/** Show the interfaces' rates again and again. */
int tp_command_top(const struct tp_options *options);

/** Ask the appliance to end. */
int tp_command_stop(const struct tp_options *options);
