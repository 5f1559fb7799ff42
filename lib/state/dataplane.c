/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring_elem.h>

#include "state/dataplane.h"

#define SIGHTINGS 1024 /* kept for control between two of its looks */

static struct rte_rcu_qsbr *qsbr_new(unsigned workers, int socket)
{
	struct rte_rcu_qsbr *qsbr = rte_zmalloc_socket(
		"qsbr", rte_rcu_qsbr_get_memsize(workers), RTE_CACHE_LINE_SIZE, socket);

	if (qsbr != NULL)
		rte_rcu_qsbr_init(qsbr, workers);
	return qsbr;
}

static int worker_share_init(struct tp_worker_share *share, unsigned index, int socket)
{
	static unsigned serial; /* names of rings must differ */
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "sightings_%u_%u", serial++, index);
	share->sightings = rte_ring_create_elem(
		name, sizeof(struct tp_sighting), SIGHTINGS, socket, RING_F_SP_ENQ | RING_F_SC_DEQ);
	atomic_init(&share->polls, calloc(1, sizeof(struct tp_poll_list)));
	return share->sightings == NULL || atomic_load(&share->polls) == NULL ? -ENOMEM : 0;
}

struct tp_dataplane *tp_dataplane_new(
	unsigned workers, uint32_t learned_macs, int socket, struct tp_error *error)
{
	struct tp_dataplane *dataplane = rte_zmalloc_socket("dataplane",
		sizeof(*dataplane) + workers * sizeof(dataplane->worker[0]), RTE_CACHE_LINE_SIZE,
		socket);
	int result = 0;

	if (dataplane == NULL) {
		tp_error_set(error, ENOMEM, "dataplane: not enough memory in the EAL's heap");
		return NULL;
	}
	dataplane->worker_count = workers;
	dataplane->qsbr = qsbr_new(workers, socket);
	for (unsigned i = 0; i < workers && result == 0; i++)
		result = worker_share_init(&dataplane->worker[i], i, socket);
	if (dataplane->qsbr == NULL || result < 0)
		tp_error_set(error, ENOMEM, "dataplane: not enough memory in the EAL's heap");
	else if (learned_macs == 0)
		return dataplane;
	else
		dataplane->learned = tp_mac_table_new(learned_macs, socket, dataplane->qsbr, error);
	if (dataplane->learned != NULL)
		return dataplane;
	tp_dataplane_free(dataplane);
	return NULL;
}

void tp_dataplane_free(struct tp_dataplane *dataplane)
{
	if (dataplane == NULL)
		return;
	for (unsigned i = 0; i < dataplane->worker_count; i++) {
		rte_ring_free(dataplane->worker[i].sightings);
		free((void *)atomic_load(&dataplane->worker[i].polls));
	}
	tp_mac_table_free(dataplane->learned);
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

	/* release: partner is the acquire load at the head of a worker's sweep */
	atomic_store_explicit(&dataplane->snapshot, snapshot, memory_order_release);
	tp_dataplane_quiesce(dataplane);
	tp_snapshot_free((struct tp_snapshot *)old);
}

void tp_dataplane_publish_polls(
	struct tp_dataplane *dataplane, unsigned worker, struct tp_poll_list *polls)
{
	const struct tp_poll_list *old =
		atomic_load_explicit(&dataplane->worker[worker].polls, memory_order_relaxed);

	/* release: partner is the acquire load at the head of a worker's sweep */
	atomic_store_explicit(&dataplane->worker[worker].polls, polls, memory_order_release);
	tp_dataplane_quiesce(dataplane);
	free((void *)old);
}
