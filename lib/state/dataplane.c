/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sched.h>
#include <stdio.h>

#include <rte_common.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include "state/dataplane.h"
#include "state/node_memory.h"

#define NO_MEMORY                                                                                  \
	"dataplane: not enough memory in the EAL's heap; give it more with -m MEGABYTES before --"

static struct rte_rcu_qsbr *qsbr_new(unsigned workers, int socket)
{
	struct rte_rcu_qsbr *qsbr = rte_zmalloc_socket(
		"qsbr", rte_rcu_qsbr_get_memsize(workers), RTE_CACHE_LINE_SIZE, socket);

	if (qsbr != NULL)
		rte_rcu_qsbr_init(qsbr, workers);
	return qsbr;
}

static int make_shares(struct tp_dataplane *dataplane, struct tp_error *error)
{
	for (unsigned i = 0; i < dataplane->worker_count; i++) {
		dataplane->worker[i] = tp_worker_share_new(&dataplane->settings, i, error);
		if (dataplane->worker[i] == NULL)
			return -ENOMEM;
	}
	return 0;
}

/* Lines of its own, since others change theirs all the time. */
static uint8_t *tenant_marks(const char *name, uint32_t tenants)
{
	return tp_node_zalloc(name,
		RTE_ALIGN_CEIL(RTE_MAX(tenants, 1u), (uint32_t)RTE_CACHE_LINE_SIZE), TP_NO_NODE);
}

/* @return 0, or negative errno with *error set; then the caller frees what there is. */
static int make(struct tp_dataplane *dataplane, struct tp_error *error)
{
	const struct tp_dataplane_settings *settings = &dataplane->settings;
	int result;

	dataplane->qsbr = qsbr_new(TP_WORKERS_MAX, settings->socket);
	dataplane->out_of_credit = tenant_marks("out of credit", settings->tenants);
	dataplane->enough_beyond = tenant_marks("enough beyond", settings->tenants);
	if (dataplane->qsbr == NULL || dataplane->out_of_credit == NULL ||
		dataplane->enough_beyond == NULL)
		return tp_error_set(error, ENOMEM, NO_MEMORY);
	result = make_shares(dataplane, error);
	if (result < 0 || settings->learned_macs == 0)
		return result;
	dataplane->learned =
		tp_learned_new(settings->learned_macs, settings->socket, dataplane->qsbr, error);
	return dataplane->learned == NULL ? -ENOMEM : 0;
}

struct tp_dataplane *tp_dataplane_new(
	const struct tp_dataplane_settings *settings, struct tp_error *error)
{
	struct tp_dataplane *dataplane = rte_zmalloc_socket(
		"dataplane", sizeof(*dataplane), RTE_CACHE_LINE_SIZE, settings->socket);

	if (dataplane == NULL) {
		tp_error_set(error, ENOMEM, NO_MEMORY);
		return NULL;
	}
	dataplane->settings = *settings;
	dataplane->worker_count = settings->workers;
	if (make(dataplane, error) < 0) {
		tp_dataplane_free(dataplane);
		return NULL;
	}
	dataplane->settings.worker_nodes = NULL; /* the caller's; each share knows its own */
	return dataplane;
}

void tp_dataplane_free(struct tp_dataplane *dataplane)
{
	if (dataplane == NULL)
		return;
	for (unsigned i = 0; i < dataplane->worker_count; i++)
		tp_worker_share_free(dataplane->worker[i]);
	rte_free(dataplane->out_of_credit);
	rte_free(dataplane->enough_beyond);
	tp_learned_free(dataplane->learned);
	tp_snapshot_free((struct tp_snapshot *)atomic_load(&dataplane->snapshot));
	rte_free(dataplane->qsbr);
	rte_free(dataplane);
}

void tp_dataplane_quiesce(struct tp_dataplane *dataplane)
{
	uint64_t token = rte_rcu_qsbr_start(dataplane->qsbr);

	while (!rte_rcu_qsbr_check(dataplane->qsbr, token, false))
		sched_yield(); /* a worker may need this very CPU to become quiescent */
}

void tp_dataplane_publish_snapshot(struct tp_dataplane *dataplane, struct tp_snapshot *snapshot)
{
	const struct tp_snapshot *old =
		atomic_load_explicit(&dataplane->snapshot, memory_order_relaxed);

	snapshot->number = ++dataplane->published;
	/* release: partner is the acquire load at the head of a worker's sweep */
	atomic_store_explicit(&dataplane->snapshot, snapshot, memory_order_release);
	tp_dataplane_quiesce(dataplane);
	tp_snapshot_free((struct tp_snapshot *)old);
}

void tp_dataplane_set_learned(struct tp_dataplane *dataplane, struct tp_learned *learned)
{
	struct tp_learned *old = atomic_load_explicit(&dataplane->learned, memory_order_relaxed);

	/* release: partner is the acquire load of a worker that looks an address up */
	atomic_store_explicit(&dataplane->learned, learned, memory_order_release);
	tp_dataplane_quiesce(dataplane);
	tp_learned_free(old);
}

void tp_dataplane_clear_class(struct tp_dataplane *dataplane, uint32_t place)
{
	for (unsigned i = 0; i < dataplane->worker_count; i++) {
		struct tp_worker_share *share = dataplane->worker[i];

		share->cache[place] = (struct tp_cache_counters){0};
		memset(&share->latency[place], 0, sizeof(share->latency[place]));
	}
}

int tp_dataplane_attend(struct tp_dataplane *dataplane, const struct tp_ring_id *id)
{
	const struct tp_snapshot *snapshot =
		atomic_load_explicit(&dataplane->snapshot, memory_order_relaxed);
	unsigned worker = snapshot->interfaces[id->interface].context->pair[id->pair].worker;

	return tp_doorbell_ring(&dataplane->worker[worker]->doorbell, id);
}

static void note_departure(struct tp_dataplane *dataplane, unsigned worker)
{
	/* release: partner is the acquire load at the head of a worker's sweep */
	atomic_fetch_add_explicit(&dataplane->worker[worker]->departures, 1, memory_order_release);
}

void tp_dataplane_leave_all(struct tp_dataplane *dataplane)
{
	for (unsigned i = 0; i < dataplane->worker_count; i++)
		note_departure(dataplane, i);
	tp_dataplane_quiesce(dataplane);
	tp_dataplane_quiesce(dataplane);
}

void tp_dataplane_leave(struct tp_dataplane *dataplane, unsigned worker)
{
	note_departure(dataplane, worker);
	/* The sweep that it is in may have begun before; the next one lets go at its head. */
	tp_dataplane_quiesce(dataplane);
	tp_dataplane_quiesce(dataplane);
}

/* --- other workers ---------------------------------------------------------------------------- */

static void put_in_place(struct tp_dataplane *dataplane, const struct tp_workers *workers)
{
	dataplane->settings = workers->settings;
	dataplane->worker_count = workers->count;
	memset(dataplane->worker, 0, sizeof(dataplane->worker));
	memcpy(dataplane->worker, workers->share, workers->count * sizeof(workers->share[0]));
}

int tp_dataplane_replace_workers(struct tp_dataplane *dataplane,
	const struct tp_dataplane_settings *settings, struct tp_workers *before,
	struct tp_error *error)
{
	struct tp_workers next = {.settings = *settings, .count = settings->workers};

	*before = (struct tp_workers){
		.settings = dataplane->settings, .count = dataplane->worker_count};
	memcpy(before->share, dataplane->worker, before->count * sizeof(before->share[0]));
	put_in_place(dataplane, &next);
	if (make_shares(dataplane, error) < 0) {
		tp_dataplane_restore_workers(dataplane, before);
		return -ENOMEM;
	}
	dataplane->settings.worker_nodes = NULL;
	return 0;
}

void tp_dataplane_restore_workers(struct tp_dataplane *dataplane, const struct tp_workers *before)
{
	for (unsigned i = 0; i < dataplane->worker_count; i++)
		tp_worker_share_free(dataplane->worker[i]);
	put_in_place(dataplane, before);
}

void tp_workers_free(struct tp_workers *before)
{
	for (unsigned i = 0; i < before->count; i++)
		tp_worker_share_free(before->share[i]);
	before->count = 0;
}

static void stop(struct tp_worker_share *share)
{
	const struct tp_ring_id nobody = {.bell = TP_BELL_WAKE};

	atomic_store_explicit(&share->stop, true, memory_order_relaxed);
	/* A doorbell that takes no more has rung already. */
	tp_doorbell_ring(&share->doorbell, &nobody);
}

void tp_workers_stop(struct tp_workers *workers)
{
	for (unsigned i = 0; i < workers->count; i++)
		stop(workers->share[i]);
}

void tp_dataplane_stop(struct tp_dataplane *dataplane)
{
	for (unsigned i = 0; i < dataplane->worker_count; i++)
		stop(dataplane->worker[i]);
}
