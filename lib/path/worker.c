/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include <rte_cpuflags.h>
#include <rte_malloc.h>
#include <rte_pause.h>
#include <rte_rcu_qsbr.h>

#include "burst.h"
#include "path/worker.h"

struct vector {
	const char *name;
	unsigned (*forward)(struct tp_worker *worker, const struct tp_poll *poll);
	enum rte_cpu_flag_t needs[6];
	unsigned needs_count;
};

/* Widest first. */
static const struct vector vectors[] = {
	{"avx512", tp_forward_avx512,
		{RTE_CPUFLAG_AVX512F, RTE_CPUFLAG_AVX512BW, RTE_CPUFLAG_AVX512VL,
			RTE_CPUFLAG_AVX512DQ, RTE_CPUFLAG_AVX2, RTE_CPUFLAG_BMI2},
		6},
	{"avx2", tp_forward_avx2, {RTE_CPUFLAG_AVX2, RTE_CPUFLAG_BMI2}, 2},
	{"sse", tp_forward_sse, {RTE_CPUFLAG_SSE4_2}, 1},
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

static void empty_cache(struct tp_worker *worker)
{
	/* Key 0 is tenant 0's MAC 00:00:00:00:00:00, which nobody has. */
	memset(worker->cache, 0, sizeof(worker->cache));
	for (unsigned i = 0; i < TP_CACHED_MACS; i++)
		worker->cache[i].interface = TP_NO_INTERFACE;
}

struct tp_worker *tp_worker_new(
	struct tp_dataplane *dataplane, unsigned index, const char *vector, struct tp_error *error)
{
	const struct vector *chosen = choose_vector(vector);
	struct tp_worker *worker;

	if (chosen == NULL) {
		tp_error_set(error, ENOTSUP,
			"vector: found \"%s\"; accepted: avx512, avx2, sse, of those that this "
			"CPU has (its widest: %s)",
			vector == NULL ? "" : vector, tp_worker_vector());
		return NULL;
	}
	worker = rte_zmalloc("worker", sizeof(*worker), RTE_CACHE_LINE_SIZE);
	if (worker == NULL) {
		tp_error_set(error, ENOMEM, "worker: not enough memory in the EAL's heap");
		return NULL;
	}
	if (tp_calls_open(&worker->calls, error) < 0) {
		tp_worker_free(worker);
		return NULL;
	}
	worker->dataplane = dataplane;
	worker->share = &dataplane->worker[index];
	worker->index = index;
	worker->forward = chosen->forward;
	empty_cache(worker);
	return worker;
}

void tp_worker_free(struct tp_worker *worker)
{
	if (worker != NULL)
		tp_calls_close(&worker->calls);
	rte_free(worker);
}

/* Take the present snapshot for the whole sweep; look-ups of an older one are forgotten. */
static void take_snapshot(struct tp_worker *worker)
{
	struct tp_dataplane *dataplane = worker->dataplane;
	/* acquire: partners are the release stores of tp_dataplane_publish_snapshot and of learning
	 */
	const struct tp_snapshot *snapshot =
		atomic_load_explicit(&dataplane->snapshot, memory_order_acquire);
	uint64_t learned =
		atomic_load_explicit(&dataplane->learned_generation, memory_order_acquire);

	if (snapshot == worker->snapshot && learned == worker->learned_generation)
		return;
	worker->snapshot = snapshot;
	worker->learned_generation = learned;
	empty_cache(worker);
}

/* The next ring's available index is probably in its guest's cache: let it come meanwhile. */
static inline void prefetch_ring(const struct tp_poll *poll)
{
	const struct tp_vring *ring = &poll->context->pair[poll->pair].tx;

	if (tp_vring_running(ring))
		__builtin_prefetch(&ring->avail->idx);
}

unsigned tp_worker_sweep(struct tp_worker *worker)
{
	/* acquire: partner is the release store of tp_dataplane_publish_polls */
	const struct tp_poll_list *polls =
		atomic_load_explicit(&worker->share->polls, memory_order_acquire);
	unsigned frames = 0;

	take_snapshot(worker);
	for (uint32_t i = 0; i < polls->count; i++) {
		const struct tp_poll *poll = &polls->poll[i];

		if (i + 1 < polls->count)
			prefetch_ring(poll + 1);
		if (tp_vring_running(&poll->context->pair[poll->pair].tx))
			frames += worker->forward(worker, poll);
	}
	tp_call_pending(&worker->calls);
	tp_counter_add(&worker->share->sweeps, 1);
	if (frames > 0) {
		tp_counter_add(&worker->share->busy_sweeps, 1);
		tp_counter_add(&worker->share->frames, frames);
	}
	return frames;
}

int tp_worker_run(void *argument)
{
	struct tp_worker *worker = argument;
	struct tp_dataplane *dataplane = worker->dataplane;

	rte_rcu_qsbr_thread_register(dataplane->qsbr, worker->index);
	rte_rcu_qsbr_thread_online(dataplane->qsbr, worker->index);
	while (!atomic_load_explicit(&dataplane->stop, memory_order_relaxed)) {
		unsigned frames = tp_worker_sweep(worker);

		rte_rcu_qsbr_quiescent(dataplane->qsbr, worker->index);
		if (frames > 0)
			continue;
		/* Where the worker has its CPU to itself nobody needs it; elsewhere the guests do.
		 */
		if (dataplane->shared_core)
			sched_yield();
		else
			rte_pause();
	}
	rte_rcu_qsbr_thread_offline(dataplane->qsbr, worker->index);
	rte_rcu_qsbr_thread_unregister(dataplane->qsbr, worker->index);
	return 0;
}
