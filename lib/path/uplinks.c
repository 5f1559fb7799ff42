/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "flood_share.h"
#include "overload.h"
#include "path/worker.h"
#include "uplink_queue.h"

#define BURSTS 4 /* that a queue may have in one sweep */

void tp_uplinks_take(struct tp_worker *worker)
{
	const struct tp_snapshot *snapshot = worker->snapshot;
	struct tp_uplinks *uplinks = &worker->uplinks;

	uplinks->count = 0;
	for (uint32_t u = 0; u < snapshot->uplink_count; u++) {
		const struct tp_uplink *uplink = snapshot->uplinks[u].uplink;

		for (uint16_t q = 0; q < uplink->queue_count; q++)
			if (uplink->queue[q]->worker == worker->index)
				uplinks->queue[uplinks->count++] = uplink->queue[q];
	}
}

void tp_uplinks_leave(const struct tp_worker *worker)
{
	const struct tp_snapshot *snapshot = worker->snapshot;

	for (uint32_t u = 0; snapshot != NULL && u < snapshot->uplink_count; u++) {
		struct rte_mempool *pool = snapshot->uplinks[u].uplink->pool;
		struct rte_mempool_cache *cache = rte_mempool_default_cache(pool, rte_lcore_id());

		if (cache != NULL)
			rte_mempool_cache_flush(cache, pool);
	}
}

/* --- In --- */

/* One burst. A frame of it that is flooded goes in pieces. */
static unsigned receive(struct tp_worker *worker, struct tp_uplink_queue *queue)
{
	unsigned count = worker->receive(worker, queue);

	while (TP_UNLIKELY(tp_flood_of(worker, queue))) {
		tp_worker_serve_pinned(worker);
		count = worker->receive(worker, queue);
	}
	return count;
}

unsigned tp_uplinks_receive(struct tp_worker *worker)
{
	unsigned frames = 0;

	for (unsigned i = 0; i < worker->uplinks.count; i++) {
		struct tp_uplink_queue *queue = worker->uplinks.queue[i];
		bool emptied = !tp_uplink_running(queue->uplink);
		unsigned came = 0;

		/* A storm of frames to many has one burst: what is behind it waits in the device.
		 */
		for (unsigned n = 0; n < BURSTS && !emptied; n++) {
			unsigned count;

			if (n > 0 && tp_flood_spent(&worker->flooding))
				break;
			count = receive(worker, queue);
			came += count;
			emptied = count < TP_BURST || !tp_uplink_running(queue->uplink);
			if (count == TP_BURST)
				tp_worker_serve_pinned(worker);
		}
		tp_overload_note(worker, queue, emptied);
		if (came > 0)
			queue->busy_at = worker->hot.now;
		frames += came;
	}
	return frames;
}

/* --- Out --- */

static uint64_t bytes_of(struct rte_mbuf **mbuf, unsigned count)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < count; i++)
		bytes += mbuf[i]->pkt_len;
	return bytes;
}

/* Without a link most drivers take frames for ever, or none for ever. */
static void lose(struct tp_uplink_queue *queue)
{
	rte_pktmbuf_free_bulk(&queue->pending[queue->pending_first], queue->pending_count);
	tp_counter_add(&queue->sent.lost_link_down, queue->pending_count);
	queue->pending_count = 0;
}

/* @return false if the device took less than there was. */
static bool give(struct tp_uplink_queue *queue)
{
	struct rte_mbuf **mbuf = &queue->pending[queue->pending_first];
	unsigned count = queue->pending_count;
	uint64_t bytes = bytes_of(mbuf, count);
	unsigned sent = rte_eth_tx_burst(
		queue->uplink->port, queue->index, mbuf, (uint16_t)queue->pending_count);

	if (TP_UNLIKELY(sent < count))
		bytes -= bytes_of(mbuf + sent, count - sent);
	queue->pending_first += sent;
	queue->pending_count -= sent;
	tp_counter_add(&queue->sent.sent, sent);
	tp_counter_add(&queue->sent.sent_bytes, bytes);
	return sent == count;
}

static void refill(struct tp_uplink_queue *queue)
{
	queue->pending_first = 0;
	queue->pending_count =
		tp_work_queue_take(&queue->work, (void **)queue->pending, TP_UPLINK_BURST);
}

void tp_uplink_drain(struct tp_worker *worker, struct tp_uplink_queue *queue)
{
	bool carries = tp_uplink_carries(queue->uplink);

	for (;;) {
		if (queue->pending_count == 0)
			refill(queue);
		if (queue->pending_count == 0)
			return;
		queue->busy_at = worker->hot.now;
		if (!carries)
			lose(queue);
		else if (!give(queue))
			return;
	}
}

void tp_uplinks_drain(struct tp_worker *worker)
{
	for (unsigned i = 0; i < worker->uplinks.count; i++)
		if (tp_uplink_running(worker->uplinks.queue[i]->uplink))
			tp_uplink_drain(worker, worker->uplinks.queue[i]);
}

/* --- Rest --- */

uint64_t tp_uplinks_rest(const struct tp_worker *worker, uint64_t most)
{
	const struct tp_uplinks *uplinks = &worker->uplinks;

	for (unsigned i = 0; i < uplinks->count; i++)
		if (worker->hot.now - uplinks->queue[i]->busy_at <= uplinks->stay)
			return 0;
	return RTE_MIN(most, uplinks->nap_ns);
}
