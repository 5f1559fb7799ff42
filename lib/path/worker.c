/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include <rte_cpuflags.h>
#include <rte_malloc.h>
#include <rte_pause.h>
#include <rte_rcu_qsbr.h>

#include "burst.h"
#include "flood_share.h"
#include "path/worker.h"
#include "state/cycles.h"
#include "state/node_memory.h"
#include "uplink_queue.h"

#define SWEEP_BUDGET_NS 20000 /* where nobody states one */

struct vector {
	const char *name;
	unsigned (*forward)(
		struct tp_worker *worker, const struct tp_poll *poll, const struct tp_limit *limit);
	unsigned (*receive)(struct tp_worker *worker, struct tp_uplink_queue *queue);
	enum rte_cpu_flag_t needs[6];
	unsigned needs_count;
};

/* Widest first. */
static const struct vector vectors[] = {
	{"avx512", tp_forward_avx512, tp_receive_avx512,
		{RTE_CPUFLAG_AVX512F, RTE_CPUFLAG_AVX512BW, RTE_CPUFLAG_AVX512VL,
			RTE_CPUFLAG_AVX512DQ, RTE_CPUFLAG_AVX2, RTE_CPUFLAG_BMI2},
		6},
	{"avx2", tp_forward_avx2, tp_receive_avx2, {RTE_CPUFLAG_AVX2, RTE_CPUFLAG_BMI2}, 2},
	{"sse", tp_forward_sse, tp_receive_sse, {RTE_CPUFLAG_SSE4_2}, 1},
};

static bool cpu_has(const struct vector *vector)
{
	for (unsigned i = 0; i < vector->needs_count; i++)
		if (rte_cpu_get_flag_enabled(vector->needs[i]) <= 0)
			return false;
	return true;
}

static const struct vector *choose_vector(const char *name)
{
	for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		if ((name == NULL || strcmp(name, vectors[i].name) == 0) && cpu_has(&vectors[i]))
			return &vectors[i];
	return NULL;
}

const char *tp_worker_vector(void)
{
	const struct vector *vector = choose_vector(NULL);

	return vector == NULL ? "none" : vector->name;
}

static uint64_t sweep_budget(const struct tp_dataplane_settings *settings)
{
	return tp_cycles_of_ns(
		settings->sweep_budget_ns > 0 ? settings->sweep_budget_ns : SWEEP_BUDGET_NS);
}

/* On the node where the worker runs, what the kernel has of it as well. */
static int open_tables(struct tp_worker *worker, int node, struct tp_error *error)
{
	struct tp_node_policy before;
	int result;

	tp_node_prefer(node, &before);
	result = tp_calls_open(&worker->calls, error);
	tp_node_restore(&before);
	if (result < 0)
		return result;
	return tp_hot_open(&worker->hot, &worker->dataplane->settings, node, error);
}

struct tp_worker *tp_worker_new(
	struct tp_dataplane *dataplane, unsigned index, const char *vector, struct tp_error *error)
{
	const struct vector *chosen = choose_vector(vector);
	int node = dataplane->worker[index]->node;
	struct tp_worker *worker;

	if (chosen == NULL) {
		tp_error_set(error, ENOTSUP,
			"vector: found \"%s\"; accepted: avx512, avx2, sse, of those that this "
			"CPU has (its widest: %s)",
			vector == NULL ? "" : vector, tp_worker_vector());
		return NULL;
	}
	worker = tp_node_zalloc("worker", sizeof(*worker), node);
	if (worker == NULL) {
		tp_error_set(error, ENOMEM,
			"worker: not enough memory in the EAL's heap; give it more with -m "
			"MEGABYTES before --");
		return NULL;
	}
	worker->dataplane = dataplane;
	worker->share = dataplane->worker[index];
	worker->index = index;
	worker->flooding.most = TP_FLOOD_COPIES;
	worker->flood.piece = TP_FLOOD_PIECE;
	worker->forward = chosen->forward;
	worker->receive = chosen->receive;
	worker->uplinks.stay = tp_cycles_of_ns(dataplane->settings.stay_hot_ns);
	worker->uplinks.nap_ns = dataplane->settings.uplink_nap_ns;
	worker->idle_sleep = dataplane->settings.idle_sleep;
	worker->shared_core = dataplane->shared_core;
	tp_scheduler_open(&worker->scheduler, sweep_budget(&dataplane->settings));
	if (open_tables(worker, node, error) == 0)
		return worker;
	tp_worker_free(worker);
	return NULL;
}

void tp_worker_free(struct tp_worker *worker)
{
	if (worker != NULL) {
		tp_calls_close(&worker->calls);
		tp_hot_close(&worker->hot);
	}
	rte_free(worker);
}

/* Nobody waits for a worker that sleeps, and it holds nothing meanwhile. */
static void sleep_until_kicked(struct tp_worker *worker, uint64_t ns)
{
	struct tp_dataplane *dataplane = worker->dataplane;

	rte_rcu_qsbr_thread_offline(dataplane->qsbr, worker->index);
	tp_hot_sleep(worker, ns);
	rte_rcu_qsbr_thread_online(dataplane->qsbr, worker->index);
}

/* How long the worker may sleep, in nanoseconds. */
static uint64_t rest_of(const struct tp_worker *worker)
{
	uint64_t rest = worker->idle_sleep ? tp_hot_rest(worker) : 0;

	if (worker->calls.costly.late > 0)
		return 0; /* guests wait to be called */
	return worker->uplinks.count > 0 ? tp_uplinks_rest(worker, rest) : rest;
}

int tp_worker_run(void *argument)
{
	struct tp_worker *worker = argument;
	struct tp_dataplane *dataplane = worker->dataplane;

	rte_rcu_qsbr_thread_register(dataplane->qsbr, worker->index);
	rte_rcu_qsbr_thread_online(dataplane->qsbr, worker->index);
	while (!atomic_load_explicit(&worker->share->stop, memory_order_relaxed)) {
		unsigned frames = tp_worker_sweep(worker);
		uint64_t rest;

		rte_rcu_qsbr_quiescent(dataplane->qsbr, worker->index);
		if (frames > 0)
			continue;
		rest = rest_of(worker);
		if (rest > 0)
			sleep_until_kicked(worker, rest);
		/* Where the worker has its CPU to itself nobody needs it; elsewhere the guests do.
		 */
		else if (worker->shared_core)
			sched_yield();
		else
			rte_pause();
	}
	tp_calls_late(&worker->calls, true);
	tp_uplinks_leave(worker);
	rte_rcu_qsbr_thread_offline(dataplane->qsbr, worker->index);
	rte_rcu_qsbr_thread_unregister(dataplane->qsbr, worker->index);
	return 0;
}
