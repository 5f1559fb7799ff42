/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include <rte_common.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_ring_elem.h>

#include "state/dataplane.h"
#include "state/node_memory.h"

#define NO_MEMORY "dataplane: not enough memory in the EAL's heap"

#define SIGHTINGS 1023 /* kept for control between two of its looks */

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

static int make(struct tp_worker_share *share, const struct tp_dataplane_settings *settings,
	struct tp_error *error)
{
	int node = share->node;

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

struct tp_worker_share *tp_worker_share_new(
	const struct tp_dataplane_settings *settings, unsigned index, struct tp_error *error)
{
	int node = settings->worker_nodes == NULL ? TP_NO_NODE : settings->worker_nodes[index];
	struct tp_worker_share *share = tp_node_zalloc("worker share", sizeof(*share), node);

	if (share == NULL) {
		tp_error_set(error, ENOMEM, NO_MEMORY);
		return NULL;
	}
	share->node = node;
	if (make(share, settings, error) == 0)
		return share;
	tp_worker_share_free(share);
	return NULL;
}

/* Frames that control did not fetch. */
static void free_underlay(struct rte_ring *ring)
{
	struct tp_underlay_frame frame;

	while (ring != NULL && rte_ring_sc_dequeue_elem(ring, &frame, sizeof(frame)) == 0)
		rte_pktmbuf_free(frame.mbuf);
	rte_ring_free(ring);
}

void tp_worker_share_free(struct tp_worker_share *share)
{
	if (share == NULL)
		return;
	free_underlay(share->underlay);
	rte_ring_free(share->sightings);
	rte_ring_free(share->arms);
	rte_free(share->tenant_bill);
	tp_doorbell_close(&share->doorbell);
	rte_free(share);
}

/* --- counting on ----------------------------------------------------------------------------- */

static void add_times(struct tp_times *to, const struct tp_times *from)
{
	to->most = RTE_MAX(to->most, from->most);
	for (unsigned i = 0; i < TP_HISTOGRAM_BUCKETS; i++)
		to->bucket[i] += from->bucket[i];
}

static void inherit_own(struct tp_worker_share *share, const struct tp_worker_share *from)
{
	share->sweeps += from->sweeps;
	share->busy_sweeps += from->busy_sweeps;
	share->busy_cycles += from->busy_cycles;
	share->frames += from->frames;
	share->sightings_missed += from->sightings_missed;
	share->sleeps += from->sleeps;
	add_times(&share->pinned_gap, &from->pinned_gap);
	add_times(&share->sweep, &from->sweep);
}

void tp_worker_share_inherit(struct tp_worker_share *share, const struct tp_worker_share *from,
	uint32_t tenants, bool same)
{
	if (same)
		inherit_own(share, from);
	share->broken += from->broken;
	for (uint32_t t = 0; t < tenants; t++)
		share->tenant_bill[t] += from->tenant_bill[t];
	for (unsigned c = 0; c < TP_CLASSES_MAX; c++) {
#define X(name, help) share->cache[c].name += from->cache[c].name;
		TP_CACHE_COUNTERS(X)
#undef X
		add_times(&share->latency[c], &from->latency[c]);
	}
}
