/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include <rte_cpuflags.h>
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_pause.h>
#include <rte_rcu_qsbr.h>

#include "burst.h"
#include "path/worker.h"
#include "state/node_memory.h"

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
		tp_error_set(error, ENOMEM, "worker: not enough memory in the EAL's heap");
		return NULL;
	}
	worker->dataplane = dataplane;
	worker->share = dataplane->worker[index];
	worker->index = index;
	worker->forward = chosen->forward;
	empty_cache(worker);
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

/* Control looks for it, and ends its connection. */
static void tell_of_broken(struct tp_worker *worker)
{
	worker->burst.broken = false;
	/* release: partner is control's acquire load before it looks at the rings' faults */
	__atomic_store_n(&worker->share->broken, worker->share->broken + 1, __ATOMIC_RELEASE);
}

/* A burst of a ring that shows frames. @return frames completed. */
static unsigned serve(struct tp_worker *worker, struct tp_hot_entry *entry)
{
	unsigned frames;

	if (!tp_vring_running(&entry->ring->tx))
		return 0;
	tp_hot_use(&worker->hot, entry, &worker->snapshot->classes[entry->class]);
	frames = worker->forward(worker, &entry->poll);
	if (TP_UNLIKELY(worker->burst.broken))
		tell_of_broken(worker);
	entry->next_avail = entry->ring->tx.next_avail;
	if (frames > 0)
		tp_counter_add(&worker->share->cache[entry->class].hits, 1);
	return frames;
}

static void count_gap(struct tp_worker *worker)
{
	uint64_t now = rte_rdtsc();

	if (worker->pins_polled_at != 0)
		tp_counter_add(
			&worker->share
				 ->pinned_gap[tp_histogram_bucket(now - worker->pins_polled_at)],
			1);
	worker->pins_polled_at = now;
}

static unsigned serve_pinned(struct tp_worker *worker)
{
	const struct tp_hot_table *pinned = &worker->hot.pinned;
	unsigned frames = 0;

	if (pinned->count > 0)
		count_gap(worker);
	for (uint32_t i = 0; i < pinned->count; i++)
		if (tp_hot_has_frames(&pinned->entry[i]))
			frames += serve(worker, &pinned->entry[i]);
	return frames;
}

static inline bool stays(const struct tp_hot *hot, const struct tp_hot_entry *entry)
{
	return !hot->caching || hot->now - entry->used_at <= hot->stay;
}

/* Every ring that is hot, and the pinned ones between every two bursts. */
static unsigned serve_hot(struct tp_worker *worker)
{
	struct tp_hot *hot = &worker->hot;
	struct tp_hot_table *table = &hot->table;
	unsigned frames = 0;

	for (uint32_t i = 0; i < table->count;) {
		struct tp_hot_entry *entry = &table->entry[i];

		/* The next index is probably in its guest's cache: let it come meanwhile. */
		if (i + 1 < table->count)
			__builtin_prefetch(entry[1].available);
		if (tp_hot_has_frames(entry)) {
			frames += serve(worker, entry);
			frames += serve_pinned(worker);
		} else if (!stays(hot, entry) && tp_hot_cool(worker, i)) {
			continue; /* another entry stands here now */
		}
		i++;
	}
	return frames;
}

/* How long the last sweep took, if it found frames. */
static void count_busy(struct tp_worker *worker, uint64_t began)
{
	if (worker->was_busy)
		tp_counter_add(&worker->share->busy_cycles, worker->hot.now - began);
}

unsigned tp_worker_sweep(struct tp_worker *worker)
{
	uint64_t began = worker->hot.now;
	unsigned frames;

	take_snapshot(worker);
	tp_hot_begin(worker);
	count_busy(worker, began);
	frames = serve_pinned(worker);
	frames += serve_hot(worker);
	tp_call_pending(&worker->calls);
	tp_counter_add(&worker->share->sweeps, 1);
	__atomic_store_n(&worker->share->hot, worker->hot.table.count + worker->hot.pinned.count,
		__ATOMIC_RELAXED);
	worker->was_busy = frames > 0;
	if (frames > 0) {
		tp_counter_add(&worker->share->busy_sweeps, 1);
		tp_counter_add(&worker->share->frames, frames);
	}
	return frames;
}

/* Nobody waits for a worker that sleeps, and it holds nothing meanwhile. */
static void sleep_until_kicked(struct tp_worker *worker)
{
	struct tp_dataplane *dataplane = worker->dataplane;

	rte_rcu_qsbr_thread_offline(dataplane->qsbr, worker->index);
	tp_hot_sleep(worker);
	rte_rcu_qsbr_thread_online(dataplane->qsbr, worker->index);
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
		if (dataplane->settings.idle_sleep && tp_hot_all_cold(worker))
			sleep_until_kicked(worker);
		/* Where the worker has its CPU to itself nobody needs it; elsewhere the guests do.
		 */
		else if (dataplane->shared_core)
			sched_yield();
		else
			rte_pause();
	}
	rte_rcu_qsbr_thread_offline(dataplane->qsbr, worker->index);
	rte_rcu_qsbr_thread_unregister(dataplane->qsbr, worker->index);
	return 0;
}
