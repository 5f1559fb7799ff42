/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "ctl/appliance.h"
#include "path/worker.h"
#include "state/dataplane.h"

/*
 * The workers of the appliance at work: each on an lcore of the EAL, or, where it comes later and
 * the EAL has no lcore for its CPU, in a thread of its own. Threading: main lcore.
 */

struct tp_crew;

/** @return a crew of nobody, or NULL with *error set. */
struct tp_crew *tp_crew_new(
	struct tp_dataplane *dataplane, const char *vector, struct tp_error *error);

/** Make the workers that the dataplane asks for. @return 0, or negative errno with *error set. */
int tp_crew_make(struct tp_crew *crew, struct tp_error *error);

/** Those that were made begin. */
void tp_crew_begin(struct tp_crew *crew);

/** How the appliance has other workers come. */
struct tp_worker_ops tp_crew_ops(struct tp_crew *crew);

/** Wait until all have returned, who have been told to stop, and free them. NULL is allowed. */
void tp_crew_free(struct tp_crew *crew);
