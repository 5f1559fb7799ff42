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

#define SIGHTINGS 1023 /* kept for control between two of its looks */

static struct rte_rcu_qsbr *qsbr_new(unsigned workers, int socket)
{
	struct rte_rcu_qsbr *qsbr = rte_zmalloc_socket(
		"qsbr", rte_rcu_qsbr_get_memsize(workers), RTE_CACHE_LINE_SIZE, socket);

	if (qsbr != NULL)
		rte_rcu_qsbr_init(qsbr, workers);
	return qsbr;
}

/* Lines of its own, since others change theirs all the time. */
static void *tenant_array(
	const struct tp_dataplane_settings *settings, const char *name, size_t element, int node)
{
	size_t size = RTE_MAX(settings->tenants, 1u) * element;

	return tp_node_zalloc(name, RTE_ALIGN_CEIL(size, (size_t)RTE_CACHE_LINE_SIZE), node);
}

/* The kernel's part of a doorbell is taken like any memory of this thread. */
static int open_doorbell(struct tp_worker_share *share,
	const struct tp_dataplane_settings *settings, struct tp_error *error)
{
	struct tp_node_policy before;
	int result;

	tp_node_prefer(share->node, &before);
	result = tp_doorbell_open(&share->doorbell, settings->rings, error);
	tp_node_restore(&before);
	return result;
}

static int worker_share_new(struct tp_dataplane *dataplane, unsigned index, struct tp_error *error)
{
	const struct tp_dataplane_settings *settings = &dataplane->settings;
	int node = settings->worker_nodes == NULL ? TP_NO_NODE : settings->worker_nodes[index];
	struct tp_worker_share *share = tp_node_zalloc("worker share", sizeof(*share), node);

	if (share == NULL)
		return tp_error_set(error, ENOMEM, NO_MEMORY);
	dataplane->worker[index] = share;
	share->node = node;
	share->sightings = tp_node_ring("sightings", sizeof(struct tp_sighting), SIGHTINGS, node);
	if (settings->underlays)
		share->underlay = tp_node_ring(
			"underlay", sizeof(struct tp_underlay_frame), TP_UNDERLAY_FRAMES, node);
	share->arms = tp_node_ring("arms", sizeof(struct tp_ring_id), settings->rings, node);
	share->tenant_bill = tenant_array(settings, "bills", sizeof(share->tenant_bill[0]), node);
	if (share->sightings == NULL || share->arms == NULL || share->tenant_bill == NULL ||
		(settings->underlays && share->underlay == NULL))
		return tp_error_set(error, ENOMEM, NO_MEMORY);
	return open_doorbell(share, settings, error);
}

static void worker_share_free(struct tp_worker_share *share)
{
	if (share == NULL)
		return;
	rte_ring_free(share->sightings);
	rte_ring_free(share->underlay);
	rte_ring_free(share->arms);
	rte_free(share->tenant_bill);
	tp_doorbell_close(&share->doorbell);
	rte_free(share);
}

/* @return 0, or negative errno with *error set; then the caller frees what there is. */
static int make(struct tp_dataplane *dataplane, struct tp_error *error)
{
	const struct tp_dataplane_settings *settings = &dataplane->settings;
	int result = 0;

	dataplane->qsbr = qsbr_new(settings->workers, settings->socket);
	dataplane->out_of_credit = tenant_array(
		settings, "out of credit", sizeof(dataplane->out_of_credit[0]), TP_NO_NODE);
	if (dataplane->qsbr == NULL || dataplane->out_of_credit == NULL)
		return tp_error_set(error, ENOMEM, NO_MEMORY);
	for (unsigned i = 0; i < settings->workers && result == 0; i++)
		result = worker_share_new(dataplane, i, error);
	if (result < 0 || settings->learned_macs == 0)
		return result;
	dataplane->learned =
		tp_learned_new(settings->learned_macs, settings->socket, dataplane->qsbr, error);
	return dataplane->learned == NULL ? -ENOMEM : 0;
}

struct tp_dataplane *tp_dataplane_new(
	const struct tp_dataplane_settings *settings, struct tp_error *error)
{
	struct tp_dataplane *dataplane = rte_zmalloc_socket("dataplane",
		sizeof(*dataplane) + settings->workers * sizeof(dataplane->worker[0]),
		RTE_CACHE_LINE_SIZE, settings->socket);

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
		worker_share_free(dataplane->worker[i]);
	rte_free(dataplane->out_of_credit);
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

void tp_dataplane_stop(struct tp_dataplane *dataplane)
{
	const struct tp_ring_id nobody = {.bell = TP_BELL_WAKE};

	atomic_store_explicit(&dataplane->stop, true, memory_order_relaxed);
	/* A doorbell that takes no more has rung already. */
	for (unsigned i = 0; i < dataplane->worker_count; i++)
		tp_doorbell_ring(&dataplane->worker[i]->doorbell, &nobody);
}
