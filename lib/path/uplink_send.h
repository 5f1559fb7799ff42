/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <rte_mbuf.h>

#include "afford.h"
#include "burst.h"
#include "charge.h"
#include "classify.h"
#include "encapsulate.h"
#include "refuse.h"
#include "uplink_queue.h"

/*
 * An uplink as a destination. Neighbouring frames for it are one attempt: mbufs are taken, entries
 * of its work queue reserved, as many as the class pays for. The mbufs are places like those of a
 * guest's ring, so that copy does not know the difference; publish makes them frames of the wire.
 */

/* The guest's frame begins where an mbuf's data does; copy writes the virtio-net header before it,
 * into headroom, where what encapsulation needs goes afterwards. */
static_assert(RTE_PKTMBUF_HEADROOM >= TP_WIRE_HEADER + TP_NET_HEADER, "room before the frame");

static inline void tp_place_in_mbuf(
	struct tp_place *place, const struct rte_mbuf *mbuf, uint32_t length)
{
	place->data = (uint8_t *)mbuf->buf_addr + RTE_PKTMBUF_HEADROOM - TP_NET_HEADER;
	place->length = (uint32_t)TP_NET_HEADER + length;
	place->buffers = 1;
	place->pieces = 0;
	__builtin_prefetch(place->data + TP_NET_HEADER, 1);
}

/* One segment of so many bytes. Mbufs rest in their pool with one reference, and no next one: what
 * else drivers read of an mbuf without flags is set here, all in one cache line. */
static inline void tp_fill_mbuf(struct rte_mbuf *mbuf, uint32_t length)
{
	mbuf->data_off = RTE_PKTMBUF_HEADROOM;
	mbuf->ol_flags = 0;
	mbuf->data_len = (uint16_t)length;
	mbuf->pkt_len = length;
}

/* Why nothing may leave by a way. */
static inline enum tp_drop tp_way_closed(const struct tp_way *way)
{
	if (TP_UNLIKELY(!tp_uplink_carries(way->uplink)))
		return TP_DROP_UPLINK_DOWN;
	if (TP_UNLIKELY(way->tunnel != NULL && way->next_hop == 0))
		return TP_DROP_TUNNEL_UNRESOLVED;
	return TP_DROP_NONE;
}

/** The way to a destination that is an uplink, or a tunnel. */
static inline struct tp_way tp_way_to(const struct tp_burst *burst, uint32_t destination)
{
	const struct tp_network *network = &burst->snapshot->tenants[burst->source->tenant].network;
	struct tp_way way = {
		.uplink = burst->snapshot->uplinks[network->uplink].uplink,
		.network = network,
	};

	if (destination >= TP_FIRST_TUNNEL) {
		way.tunnel = &network->tunnels.tunnel[TP_TUNNEL_OF(destination)];
		way.next_hop =
			atomic_load_explicit(&way.tunnel->next_hop->mac, memory_order_relaxed);
	}
	way.longest = tp_longest(way.uplink, network);
	way.closed = tp_way_closed(&way);
	return way;
}

/* Why a frame may not leave. */
static inline enum tp_drop tp_uplink_admission(
	const struct tp_burst *burst, unsigned i, const struct tp_way *way)
{
	const struct tp_view *view = &burst->views.view[i];

	if (TP_UNLIKELY(way->closed != TP_DROP_NONE))
		return way->closed;
	if (TP_UNLIKELY((int64_t)view->length > way->longest))
		return TP_DROP_OVER_MTU;
	return tp_encapsulable(way->network, burst->head[i], tp_head_length(view));
}

/* Frames from `first` to `end` are accepted by the offer. */
static inline void tp_uplink_accept(struct tp_burst *burst, struct tp_uplink_queue *queue,
	const struct tp_way *way, const struct tp_work_offer *offer, unsigned first)
{
	unsigned end = first + offer->count;
	struct tp_sizes sizes = burst->sizes;

	if (TP_UNLIKELY(offer->count != burst->affordable))
		sizes = tp_sizes_of(&burst->views, first, end);
	for (unsigned n = first; n < end; n++)
		tp_place_in_mbuf(
			&burst->places.place[n], burst->mbuf[n], burst->views.view[n].length);
	burst->run[burst->runs++] = (struct tp_run){
		.queue = queue, .way = *way, .offer = *offer, .first = (uint8_t)first};
	burst->sent += offer->count;
	tp_charge_attempt(burst, offer->count, sizes.blocks, offer->price);
	if (TP_UNLIKELY(__atomic_load_n(&queue->deaf_below, __ATOMIC_RELAXED) > burst->class->bid))
		__atomic_store_n(&queue->deaf_below, (uint16_t)burst->class->bid, __ATOMIC_RELAXED);
}

/**
 * Reserve for frames from `first` to *end; *end moves behind those that are accepted.
 * @return TP_RESERVE_ACCEPTED if any is, or why the first is refused.
 */
static inline enum tp_reserve tp_uplink_reserve(struct tp_burst *burst,
	struct tp_uplink_queue *queue, const struct tp_way *way, unsigned first, unsigned *end)
{
	static const enum tp_reserve refusal[] = {
		[TP_WORK_FULL] = TP_RESERVE_FULL,
		[TP_WORK_TOO_DEAR] = TP_RESERVE_TOO_DEAR,
		[TP_WORK_OVERTAKEN] = TP_RESERVE_OVERTAKEN,
	};
	struct rte_mbuf **mbuf = &burst->mbuf[first];
	unsigned wanted = *end - first;
	struct tp_work_offer offer;
	enum tp_work result;

	if (TP_UNLIKELY(rte_mempool_get_bulk(queue->uplink->pool, (void **)mbuf, wanted) != 0))
		return TP_RESERVE_FULL;
	result = tp_work_queue_reserve(&queue->work, wanted, burst->class->threshold, &offer);
	if (TP_UNLIKELY(offer.count < wanted))
		rte_mempool_put_bulk(
			queue->uplink->pool, (void **)mbuf + offer.count, wanted - offer.count);
	if (TP_UNLIKELY(result != TP_WORK_ACCEPTED))
		return refusal[result];
	tp_uplink_accept(burst, queue, way, &offer, first);
	*end = first + offer.count;
	return TP_RESERVE_ACCEPTED;
}

/**
 * The frame at *next goes to an uplink: it and its neighbours that do, or less.
 * @return false if the burst ends before the frame at *next, which is held
 */
static inline bool tp_uplink_reserve_next(struct tp_worker *worker, unsigned *next, bool *held)
{
	struct tp_burst *burst = &worker->burst;
	uint32_t destination = burst->destination[*next];
	const struct tp_way way = tp_way_to(burst, destination);
	struct tp_uplink_queue *queue = tp_uplink_queue_of(way.uplink, worker->index);
	enum tp_drop drop = TP_DROP_NONE;
	unsigned end = *next;
	enum tp_reserve result;
	struct tp_stand stand;

	for (; end < burst->count && burst->destination[end] == destination; end++) {
		if (burst->views.view[end].drop != TP_DROP_NONE)
			break;
		drop = tp_uplink_admission(burst, end, &way);
		if (TP_UNLIKELY(drop != TP_DROP_NONE))
			break;
	}
	if (TP_LIKELY(end > *next)) {
		result = tp_uplink_reserve(burst, queue, &way, *next, &end);
		if (TP_LIKELY(result == TP_RESERVE_ACCEPTED)) {
			*next = end;
			return true;
		}
		stand = tp_stand_of_queue(queue);
		drop = tp_refused(burst, *next, result, &stand);
		*held = drop == TP_DROP_NONE;
	}
	burst->views.view[*next].drop = (uint8_t)drop;
	*next += !*held;
	return !*held;
}

/** The frames of a run are copied: make them frames of the wire, and let the owner see them. */
static inline void tp_uplink_publish_run(struct tp_worker *worker, const struct tp_run *run)
{
	struct tp_burst *burst = &worker->burst;

	for (unsigned n = 0; n < run->offer.count; n++) {
		struct rte_mbuf *mbuf = burst->mbuf[run->first + n];
		const struct tp_view *view = &burst->views.view[run->first + n];

		tp_fill_mbuf(mbuf, view->length);
		tp_encapsulate(&run->way, mbuf, burst->head[run->first + n], tp_head_length(view));
		tp_work_queue_put(&run->queue->work, &run->offer, n, mbuf);
	}
	tp_work_queue_publish(&run->queue->work, &run->offer);
	if (run->queue->worker == worker->index)
		tp_uplink_drain_full(worker, run->queue);
}

static inline void tp_uplink_publish(struct tp_worker *worker)
{
	struct tp_burst *burst = &worker->burst;

	for (unsigned r = 0; r < burst->runs; r++)
		tp_uplink_publish_run(worker, &burst->run[r]);
	burst->runs = 0;
}
