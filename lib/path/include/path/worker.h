/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "base/error.h"
#include "state/dataplane.h"

/*
 * A worker: an lcore that sweeps over its source rings and takes each burst through the stages of
 * the design: peek, classify, lookup, reserve, copy, publish, complete.
 */

struct tp_worker;

/**
 * Make a worker.
 * @param dataplane  must outlive the worker
 * @param index      below dataplane->worker_count
 * @param vector     "avx512", "avx2", "sse", or NULL for the widest that this CPU has
 * @return the worker, or NULL with *error set. Threading: control thread.
 */
struct tp_worker *tp_worker_new(
	struct tp_dataplane *dataplane, unsigned index, const char *vector, struct tp_error *error);

/** Free a worker that does not run. NULL is allowed. Threading: control thread. */
void tp_worker_free(struct tp_worker *worker);

/**
 * Poll until its share says stop. For rte_eal_remote_launch.
 * @param worker  struct tp_worker *
 * @return 0. Threading: the worker's lcore.
 */
int tp_worker_run(void *worker);

/** One sweep over all source rings. @return frames completed. Threading: the worker's lcore. */
unsigned tp_worker_sweep(struct tp_worker *worker);

/** Name of the vector width that a worker of this CPU uses by default. Threading: any. */
const char *tp_worker_vector(void);
