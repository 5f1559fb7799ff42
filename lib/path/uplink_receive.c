/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The way of a frame that comes from an uplink: the stages of forward.c, where the source is a
 * queue of a device. Such a frame cannot wait where it is: what its destination refuses is dropped,
 * by name. Who receives it bids for it, with the receiver's class, and pays.
 *
 * Compiled once for each vector width, TP_RECEIVE being the name of the function.
 */

#include <rte_ethdev.h>

#include "classify.h"
#include "complete.h"
#include "copy.h"
#include "encapsulate.h"
#include "flood.h"
#include "lookup.h"
#include "overload.h"
#include "publish.h"
#include "reserve.h"

static inline void begin(struct tp_worker *worker, struct tp_uplink_queue *queue)
{
	struct tp_burst *burst = &worker->burst;

	burst->snapshot = worker->snapshot;
	burst->context = &queue->source;
	burst->pair = NULL; /* nothing is held */
	burst->interface = TP_TO_UPLINK(queue->uplink->number);
	burst->pair_index = queue->index;
	burst->age = (uint8_t)(worker->hot.now >> TP_AGE_SHIFT);
	burst->dropped = 0;
	burst->bytes = 0;
	burst->affordable = 0;
	burst->charge = 0;
	burst->views.pieces_used = 0;
}

/* --- peek --- */

/* The further segments of a frame. */
TP_RARE enum tp_drop add_segments(
	struct tp_views *views, struct tp_view *view, const struct rte_mbuf *mbuf)
{
	for (const struct rte_mbuf *next = mbuf->next; next != NULL; next = next->next) {
		if (views->pieces_used == TP_PIECES)
			return TP_DROP_BAD_CHAIN;
		if (next->data_len == 0)
			continue;
		views->piece[views->pieces_used++] = (struct tp_piece){
			.data = rte_pktmbuf_mtod(next, uint8_t *), .length = next->data_len};
		view->pieces++;
	}
	return TP_DROP_NONE;
}

/* Hand a frame over to control. Who asks for an echo leaves room for what neighbours say, without
 * which no tunnel lives. @return what it is counted as. */
TP_RARE enum tp_drop give_to_control(
	struct tp_worker *worker, const struct tp_uplink *uplink, unsigned i)
{
	struct tp_underlay_frame frame = {.mbuf = worker->burst.mbuf[i], .uplink = uplink->number};
	struct rte_ring *ring = worker->share->underlay;

	if (ring == NULL || (tp_outer_is_echo(rte_pktmbuf_mtod(frame.mbuf, const uint8_t *)) &&
				    rte_ring_count(ring) >= TP_UNDERLAY_ECHOES))
		return TP_DROP_CONTROL_BUSY;
	if (rte_ring_sp_enqueue_elem(ring, &frame, sizeof(frame)) != 0)
		return TP_DROP_CONTROL_BUSY;
	worker->burst.mbuf[i] = NULL; /* control frees it */
	return TP_DROP_FOR_CONTROL;
}

/* Whose a frame is, and where its bytes lie. */
static inline void peek(struct tp_worker *worker, const struct tp_uplink_table *table, unsigned i)
{
	struct tp_burst *burst = &worker->burst;
	struct rte_mbuf *mbuf = burst->mbuf[i];
	struct tp_view *view = &burst->views.view[i];

	view->drop = (uint8_t)tp_decapsulate(burst->snapshot, table, mbuf, &burst->origin[i]);
	view->data = rte_pktmbuf_mtod(mbuf, uint8_t *);
	view->length = mbuf->pkt_len;
	view->first_length = mbuf->data_len;
	view->first_piece = burst->views.pieces_used;
	view->pieces = 0;
	/* Drivers join what came in pieces; guests have not agreed to that. */
	if (TP_LIKELY(view->drop == TP_DROP_NONE) &&
		TP_UNLIKELY((int64_t)view->length >
			    tp_longest(table->uplink,
				    &burst->snapshot->tenants[burst->origin[i].tenant].network)))
		view->drop = TP_DROP_OVER_MTU;
	if (TP_UNLIKELY(mbuf->next != NULL) && view->drop == TP_DROP_NONE)
		view->drop = (uint8_t)add_segments(&burst->views, view, mbuf);
	if (TP_UNLIKELY(view->drop == TP_DROP_FOR_CONTROL))
		view->drop = (uint8_t)give_to_control(worker, table->uplink, i);
}

/* --- lookup --- */

/* Would control learn a MAC? What it would not is not reported, so that strangers cannot fill the
 * ring to control that all tenants share. @param at  where it is known to be */
static inline bool may_be_learned(const struct tp_worker *worker, uint32_t tenant, uint32_t at)
{
	return worker->snapshot->tenants[tenant].learning &&
	       (at != TP_NO_INTERFACE || !__atomic_load_n(&worker->dataplane->enough_beyond[tenant],
						 __ATOMIC_RELAXED));
}

/* A source MAC that is not known to be where it comes from, but at `at`.
 * @return why its frame goes nowhere. */
TP_RARE enum tp_drop judge_source(struct tp_worker *worker, unsigned i, uint64_t mac, uint32_t at)
{
	struct tp_burst *burst = &worker->burst;
	struct tp_sighting sighting = {
		.key = tp_mac_key(burst->origin[i].tenant, mac),
		.interface = burst->origin[i].from,
	};

	if ((mac & TP_MAC_MULTICAST) ||
		tp_mac_table_find(worker->snapshot->macs, sighting.key) != TP_NO_INTERFACE)
		return TP_DROP_SOURCE_MAC;
	if (!may_be_learned(worker, burst->origin[i].tenant, at))
		return TP_DROP_NONE;
	if (rte_ring_sp_enqueue_elem(worker->share->sightings, &sighting, sizeof(sighting)) != 0)
		tp_counter_add(&worker->share->sightings_missed, 1);
	return TP_DROP_NONE;
}

/* As for frames of guests, but what is not known is not behind the uplink that it came from. */
static inline enum tp_drop look_up(struct tp_worker *worker, unsigned i)
{
	struct tp_burst *burst = &worker->burst;
	const struct tp_origin *origin = &burst->origin[i];
	const struct tp_tenant *tenant = &worker->snapshot->tenants[origin->tenant];
	uint64_t source = tp_mac_load(burst->views.view[i].data + 6);
	uint64_t mac = burst->destination_mac[i];
	const struct tp_cached_mac *known = tp_find(worker, tp_mac_key(origin->tenant, source));
	uint32_t at = known->interface;
	enum tp_drop drop;

	if (at == origin->from)
		tp_seen_again(worker, known);
	/* Not where it is known to be, which another tunnel may be as well. */
	if (TP_UNLIKELY((at != origin->from && (at != TP_NO_INTERFACE || tenant->learning)) ||
			(source & TP_MAC_MULTICAST))) {
		drop = judge_source(worker, i, source, at);
		if (drop != TP_DROP_NONE)
			return drop;
	}
	burst->destination[i] = TP_TO_MANY;
	if (TP_UNLIKELY(mac & TP_MAC_MULTICAST))
		return TP_DROP_NONE;
	burst->destination[i] = tp_find(worker, tp_mac_key(origin->tenant, mac))->interface;
	if (TP_LIKELY(burst->destination[i] < TP_FIRST_UPLINK))
		return TP_DROP_NONE;
	if (burst->destination[i] != TP_NO_INTERFACE)
		return TP_DROP_OWN_DESTINATION;
	burst->destination[i] = TP_TO_MANY;
	return tenant->flood_unknown ? TP_DROP_NONE : TP_DROP_UNKNOWN_DESTINATION;
}

/* The ring of a frame to one interface, if its class is worth the worker's time. */
static inline enum tp_drop find_ring(
	struct tp_worker *worker, const struct tp_uplink_queue *queue, unsigned i)
{
	struct tp_burst *burst = &worker->burst;
	const struct tp_interface *destination =
		&worker->snapshot->interfaces[burst->destination[i]];
	struct tp_vring *ring = tp_ring_towards(burst, destination);

	if (TP_UNLIKELY(!tp_vring_running(ring)))
		return TP_DROP_DESTINATION_DOWN;
	if (TP_UNLIKELY(queue->pressure > 0) &&
		!tp_overload_admits(queue, tp_class_of(worker, destination)))
		return TP_DROP_OVERLOAD;
	burst->ring[i] = ring; /* of those only that are to get there: neighbours are one attempt */
	return TP_DROP_NONE;
}

static inline void classify_and_look_up(
	struct tp_worker *worker, const struct tp_uplink_queue *queue)
{
	struct tp_burst *burst = &worker->burst;

	for (unsigned i = 0; i < burst->count; i++) {
		struct tp_view *view = &burst->views.view[i];

		burst->ring[i] = NULL;
		burst->destination[i] = TP_NO_INTERFACE;
		if (TP_UNLIKELY(view->drop != TP_DROP_NONE))
			continue;
		burst->destination_mac[i] = tp_mac_load(view->data);
		view->drop = (uint8_t)look_up(worker, i);
		if (TP_LIKELY(view->drop == TP_DROP_NONE && burst->destination[i] != TP_TO_MANY))
			view->drop = (uint8_t)find_ring(worker, queue, i);
	}
}

/* --- reserve --- */

static inline enum tp_drop refusal(enum tp_reserve result)
{
	return result == TP_RESERVE_TOO_DEAR    ? TP_DROP_DESTINATION_DEAR
	       : result == TP_RESERVE_TOO_SMALL ? TP_DROP_DESTINATION_TOO_SMALL
	       : result == TP_RESERVE_BROKEN    ? TP_DROP_DESTINATION_DOWN
						: TP_DROP_DESTINATION_FULL;
}

/*
 * Reserve for frames from `first` on.
 * @return the first frame that has to wait until those before it are published: it goes to many,
 * or the pool of pieces is used up; or the number of frames.
 */
static inline unsigned reserve_from(struct tp_worker *worker, unsigned first)
{
	struct tp_burst *burst = &worker->burst;
	unsigned i = first;

	burst->targets = 0;
	burst->runs = 0;
	burst->places.pieces_used = 0;
	while (i < burst->count) {
		const struct tp_interface *destination;
		enum tp_reserve result;

		if (TP_UNLIKELY(burst->views.view[i].drop != TP_DROP_NONE)) {
			i++;
			continue;
		}
		if (TP_UNLIKELY(burst->destination[i] == TP_TO_MANY))
			return i;
		destination = &burst->snapshot->interfaces[burst->destination[i]];
		burst->class = tp_class_of(worker, destination);
		result = tp_reserve_some(burst, &i);
		if (TP_LIKELY(result == TP_RESERVE_ACCEPTED))
			tp_charge_to(worker, destination);
		else if (TP_UNLIKELY(result == TP_RESERVE_CROWDED))
			return i;
		else
			burst->views.view[i++].drop = (uint8_t)refusal(result);
	}
	return i;
}

/* --- copy, publish --- */

/* An mbuf is private: nothing of it has to be read into private memory first. */
static inline void copy_frame(struct tp_burst *burst, unsigned i)
{
	const struct virtio_net_hdr_v1 header = {.num_buffers = 1};
	const struct tp_view *view = &burst->views.view[i];
	const struct tp_place *place = &burst->places.place[i];

	if (TP_LIKELY(place->pieces == 0 && view->pieces == 0)) {
		memcpy(place->data, &header, sizeof(header));
		tp_copy_bytes(place->data + sizeof(header), view->data, view->length);
		return;
	}
	tp_read_head(burst, i);
	tp_copy_pieces(&burst->views, view, burst->head[i], &burst->places, place);
}

static inline void deliver(struct tp_worker *worker, unsigned first, unsigned end)
{
	struct tp_burst *burst = &worker->burst;

	for (unsigned i = first; i < end; i++)
		if (TP_LIKELY(burst->views.view[i].drop == TP_DROP_NONE))
			copy_frame(burst, i);
	for (unsigned i = first; i < end; i++)
		if (TP_LIKELY(burst->views.view[i].drop == TP_DROP_NONE))
			tp_put_one(burst, i);
	for (unsigned t = 0; t < burst->targets; t++)
		tp_show_target(worker, &burst->target[t]);
}

static inline void begin_flood(
	struct tp_worker *worker, const struct tp_uplink_queue *queue, unsigned i)
{
	struct tp_burst *burst = &worker->burst;
	const struct tp_tenant *tenant = &burst->snapshot->tenants[burst->origin[i].tenant];

	tp_read_head(burst, i);
	tp_flood_begin(worker, queue, i, tenant);
	worker->flood.guests = tenant->interface_count;
}

/* The next piece of the frame that worker->flood tells of. @return is it the last? */
static inline bool flood(struct tp_worker *worker)
{
	struct tp_burst *burst = &worker->burst;
	const struct tp_flood *frame = &worker->flood;
	unsigned count = burst->count;

	burst->count = frame->at + 1; /* it goes alone: those behind it may be for the same rings */
	tp_flood_piece(worker);
	burst->count = count;
	if (frame->source != NULL)
		return false;
	if (frame->copies > 0)
		tp_counter_add(&burst->context->counters.value[TP_COUNTER_FLOODED], 1);
	else
		burst->views.view[frame->at].drop = TP_DROP_FLOOD_NOBODY;
	return true;
}

/* --- complete --- */

static inline void complete(struct tp_burst *burst)
{
	struct tp_counters *counters = &burst->context->counters;
	unsigned dropped = 0;

	for (unsigned i = 0; i < burst->count; i++) {
		unsigned drop = burst->views.view[i].drop;

		if (TP_UNLIKELY(drop != TP_DROP_NONE)) {
			tp_counter_add(&counters->drop[drop], 1);
			dropped++;
		}
	}
	tp_counter_add(&counters->value[TP_COUNTER_TX_FRAMES], burst->count);
	tp_counter_add(&counters->value[TP_COUNTER_TX_BYTES], burst->bytes);
	tp_counter_add(&counters->value[TP_COUNTER_DELIVERED], burst->count - dropped);
	rte_pktmbuf_free_bulk(burst->mbuf, burst->count);
}

/* --- The burst --- */

/* What the device has received. @return false: nothing. */
static inline bool take(struct tp_worker *worker, struct tp_uplink_queue *queue)
{
	struct tp_burst *burst = &worker->burst;
	const struct tp_uplink *uplink = queue->uplink;

	burst->count = rte_eth_rx_burst(uplink->port, queue->index, burst->mbuf, TP_BURST);
	if (burst->count == 0)
		return false;
	begin(worker, queue);
	for (unsigned i = 0; i < burst->count; i++) {
		burst->bytes += burst->mbuf[i]->pkt_len;
		peek(worker, &worker->snapshot->uplinks[uplink->number], i);
	}
	classify_and_look_up(worker, queue);
	return true;
}

/* Frames from `first` on. @return false if one of them has another piece to be flooded. */
static inline bool forward(
	struct tp_worker *worker, const struct tp_uplink_queue *queue, unsigned first)
{
	struct tp_burst *burst = &worker->burst;

	while (first < burst->count) {
		unsigned end = reserve_from(worker, first);

		deliver(worker, first, end);
		first = end;
		if (end < burst->count && burst->destination[end] == TP_TO_MANY) {
			begin_flood(worker, queue, end);
			if (!flood(worker))
				return false;
			first++;
		}
	}
	return true;
}

unsigned TP_RECEIVE(struct tp_worker *worker, struct tp_uplink_queue *queue)
{
	struct tp_burst *burst = &worker->burst;
	unsigned first = 0;

	if (TP_UNLIKELY(tp_flood_of(worker, queue))) {
		tp_flood_take_up(worker);
		if (!flood(worker))
			return 0;
		first = worker->flood.at + 1;
	} else if (!take(worker, queue)) {
		return 0;
	}
	if (!forward(worker, queue, first))
		return 0;
	complete(burst);
	return burst->count;
}
