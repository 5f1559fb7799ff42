/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

/* The operator's command: one function a subcommand, each returns the exit code. */

#define TP_EXIT_OK     0
#define TP_EXIT_FAILED 1 /* refused, or nobody answers */
#define TP_EXIT_USAGE  2

struct tp_options {
	const char *socket; /* of the appliance's control socket */
	bool json;          /* the answer as JSON */
	bool dry_run;       /* change nothing */
	unsigned tables;    /* top: tables to show, 0: until interrupted */
	double delay;       /* top: seconds between two tables */
	bool csv;           /* bill: the answer as CSV */
	const char *from;   /* bill: TIME, NULL: from the first interval on */
	const char *to;     /* bill: TIME, NULL: up to now */
	const char *by;     /* bill: "tenant", "class" or "interface" */
};

/** Read and check a configuration file, without the appliance. */
int tp_command_check(const char *path);

/** What a configuration needs of this machine, and whether it is there. Without the appliance. */
int tp_command_plan(const struct tp_options *options, const char *path);

/** Have the appliance serve what a file says. */
int tp_command_apply(const struct tp_options *options, const char *path);

/** Have it go back to what it served before. */
int tp_command_rollback(const struct tp_options *options);

/** Write what it serves into a file, NULL: to the standard output. */
int tp_command_save(const struct tp_options *options, const char *path);

/**
 * Change one thing of what it serves.
 * @param kind   "interface", "tenant", "class" or "tariff"
 * @param words  add, remove or set; a name, but for "tariff"; KEY=VALUE or --key VALUE
 */
int tp_command_edit(
	const struct tp_options *options, const char *kind, char *const *words, unsigned count);

/** Is it something that the appliance can show? */
bool tp_command_can_show(const char *what);

/** Show what the appliance knows of `what`: interfaces, tenants, classes, drops, workers, cache,
 * macs, latency, summary.
 */
int tp_command_show(const struct tp_options *options, const char *what);

/** Show rates, computed from two samples, again and again. */
int tp_command_top(const struct tp_options *options);

/** Is it something that a bill can be divided by? */
bool tp_command_can_bill(const char *by);

/** Show what was charged. */
int tp_command_bill(const struct tp_options *options);

/** Have it forget the learned MACs of TENANT, TENANT/INTERFACE, or all (NULL). */
int tp_command_flush(const struct tp_options *options, const char *whose);

/** Ask the appliance to end. */
int tp_command_stop(const struct tp_options *options);
