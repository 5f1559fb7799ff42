/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "state/node_memory.h"
#include "state/uplink.h"

static struct tp_uplink_queue *queue_new(uint32_t entries, int node)
{
	struct tp_uplink_queue *queue = tp_node_zalloc("uplink queue", sizeof(*queue), node);
	void **entry = tp_node_zalloc("work queue", entries * sizeof(entry[0]), node);
	uint16_t *baton = tp_node_zalloc("batons", entries * sizeof(baton[0]), node);

	if (queue != NULL && entry != NULL && baton != NULL &&
		tp_work_queue_init(&queue->work, entries, entry, baton) == 0)
		return queue;
	rte_free(queue);
	rte_free(entry);
	rte_free(baton);
	return NULL;
}

/* The first queues of several uplinks are of different workers. */
static unsigned owner_of(uint8_t number, uint16_t queue, unsigned workers)
{
	return ((unsigned)number + queue) % workers;
}

struct tp_uplink *tp_uplink_new(uint8_t number, uint16_t queues, uint32_t entries, unsigned workers,
	const int *nodes, struct tp_error *error)
{
	struct tp_uplink *uplink = tp_node_zalloc("uplink", sizeof(*uplink), TP_NO_NODE);

	for (uint16_t q = 0; uplink != NULL && q < queues; q++) {
		unsigned owner = owner_of(number, q, workers);
		struct tp_uplink_queue *queue =
			queue_new(entries, nodes == NULL ? TP_NO_NODE : nodes[owner]);

		if (queue == NULL) {
			tp_uplink_free(uplink);
			uplink = NULL;
			break;
		}
		queue->uplink = uplink;
		queue->index = q;
		uplink->queue[uplink->queue_count++] = queue;
	}
	if (uplink == NULL) {
		tp_error_set(error, ENOMEM, "uplink: not enough memory in the EAL's heap");
		return NULL;
	}
	uplink->number = number;
	tp_uplink_deal_out(uplink, workers);
	return uplink;
}

void tp_uplink_deal_out(struct tp_uplink *uplink, unsigned workers)
{
	for (uint16_t q = 0; q < uplink->queue_count; q++)
		uplink->queue[q]->worker = (uint16_t)owner_of(uplink->number, q, workers);
	for (unsigned w = 0; w < workers; w++)
		uplink->queue_of[w] = (uint8_t)((w + workers - uplink->number % workers) % workers %
						uplink->queue_count);
}

void tp_uplink_free(struct tp_uplink *uplink)
{
	if (uplink == NULL)
		return;
	for (uint16_t q = 0; q < uplink->queue_count; q++) {
		rte_free(uplink->queue[q]->work.entry);
		rte_free(uplink->queue[q]->work.baton);
		rte_free(uplink->queue[q]);
	}
	rte_free(uplink);
}

static void discard_queue(struct tp_uplink_queue *queue)
{
	void *work[TP_UPLINK_BURST];
	uint32_t count = queue->pending_count;

	rte_pktmbuf_free_bulk(&queue->pending[queue->pending_first], count);
	tp_counter_add(&queue->sent.lost_device_gone, count);
	queue->pending_count = 0;
	while ((count = tp_work_queue_take(&queue->work, work, TP_UPLINK_BURST)) > 0) {
		rte_pktmbuf_free_bulk((struct rte_mbuf **)work, count);
		tp_counter_add(&queue->sent.lost_device_gone, count);
	}
}

void tp_uplink_discard(struct tp_uplink *uplink)
{
	for (uint16_t q = 0; q < uplink->queue_count; q++)
		discard_queue(uplink->queue[q]);
}
