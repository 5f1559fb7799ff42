/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "base/error.h"
#include "ctl/config.h"

/*
 * The appliance: a configuration at work. Endpoints and the control socket run in one event loop on
 * the main lcore; workers poll on the other lcores.
 */

struct tp_appliance;
struct tp_dataplane;

/**
 * How the appliance has other workers come when its configuration asks for them; whoever knows both
 * planes gives it. The dataplane tells what workers it wants when these are called.
 */
struct tp_worker_ops {
	void *owner;
	/** Make the workers that the dataplane asks for now; others are at work.
	 * @return 0, or negative errno with *error set. */
	int (*prepare)(void *owner, struct tp_error *error);
	/** Free what was made and did not begin. */
	void (*discard)(void *owner);
	/** Wait until those at work, who have been told to stop, have returned, and free them. */
	void (*end)(void *owner);
	/** Those that were made begin. Cannot fail. */
	void (*begin)(void *owner);
};

/**
 * Keep SIGINT and SIGTERM for tp_appliance_run. Call first of all: threads started later inherit
 * it, and a signal must not reach one that does not know it. Threading: main thread, before
 * rte_eal_init.
 */
void tp_appliance_prepare(void);

/**
 * Build everything that a configuration asks for: contexts, snapshot, endpoints (listening or
 * connecting), control socket, telemetry commands. The workers are the caller's to start.
 *
 * @param config  checked; now the appliance's
 * @param source  name of the file that it came from, for `show`
 * @param vector  name of the vector width that the workers use, for `show`
 * @return the appliance, or NULL with *error set and nothing left behind; config is then freed too.
 * Threading: main lcore, after rte_eal_init.
 */
struct tp_appliance *tp_appliance_new(
	struct tp_config *config, const char *source, const char *vector, struct tp_error *error);

/** The dataplane for the workers: worker i belongs on lcore ->worker[i].lcore. Threading: main
 * lcore. */
struct tp_dataplane *tp_appliance_dataplane(struct tp_appliance *appliance);

/**
 * Serve, the workers running, until SIGINT, SIGTERM or the `stop` command.
 * @param ops  borrowed
 * @return 0, or negative errno with *error set. Threading: main lcore.
 */
int tp_appliance_run(
	struct tp_appliance *appliance, const struct tp_worker_ops *ops, struct tp_error *error);

/**
 * Hang up on all guests, remove the sockets, free; after the workers have returned. NULL is
 * allowed. Threading: main lcore.
 */
void tp_appliance_free(struct tp_appliance *appliance);
