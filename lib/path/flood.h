/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "complete.h"
#include "copy.h"
#include "flood_share.h"
#include "lookup.h"
#include "publish.h"
#include "reserve.h"
#include "shaper.h"

/*
 * flood: one frame to every other running interface of the tenant, and to its uplink unless it came
 * from there. It is taken alone, after all frames before it are published, so that each destination
 * sees it in order. A copy that a destination refuses is not held; the frame itself is dropped only
 * if nobody could take it, or if its interface has flooded more than its class allows.
 *
 * Where there are pinned rings, a frame to many goes in pieces: after so many copies the sweep
 * serves them, and comes back for the next piece (sweep.c). Meanwhile the frame is in its ring, not
 * completed, and what is known of it is in worker->flood and in its burst. It ends in the sweep in
 * which it began: all of it is under one snapshot, and neither its ring nor any destination is
 * taken away between two pieces, since the worker passes no quiescent point there.
 */

/* Does the class's flood_rate pay for one more? */
static inline bool tp_flood_pays(struct tp_worker *worker)
{
	const struct tp_shape *shape = &worker->burst.class->flood;
	struct tp_bucket *bucket = &worker->burst.context->flood_bucket;

	if (TP_LIKELY(!tp_shaped(shape)))
		return true;
	if (!tp_shaper_pays(bucket, worker->now))
		return false;
	tp_shaper_charge(shape, bucket, worker->now, 1, 0);
	return true;
}

static inline void tp_flood_count(struct tp_burst *burst, enum tp_counter counter, uint32_t amount)
{
	tp_counter_add_if(&burst->context->counters.value[counter], amount, burst->context->spread);
}

static inline bool tp_flood_copy(
	struct tp_worker *worker, unsigned i, uint32_t interface, struct tp_vring *ring)
{
	struct tp_burst *burst = &worker->burst;
	const struct tp_target *target;
	unsigned next = i;

	burst->targets = 0;
	burst->places.pieces_used = 0;
	burst->ring[i] = ring;
	burst->destination[i] = interface;
	if (tp_reserve_some(burst, &next) != TP_RESERVE_ACCEPTED)
		return false;
	target = &burst->target[0];
	tp_copy_frame(&burst->views, &burst->views.view[i], burst->head[i], &burst->places,
		&burst->places.place[i]);
	tp_put_one(burst, i);
	tp_show_target(worker, target);
	return true;
}

/* A copy for the tenant's uplink, or for one of its tunnels. */
static inline bool tp_flood_uplink(struct tp_worker *worker, unsigned i, uint32_t destination)
{
	struct tp_burst *burst = &worker->burst;
	const struct tp_way way = tp_way_to(burst, destination);
	struct tp_uplink_queue *queue = tp_uplink_queue_of(way.uplink, worker->index);
	unsigned end = i + 1;

	burst->runs = 0;
	if (tp_uplink_admission(burst, i, &way) != TP_DROP_NONE ||
		tp_uplink_reserve(burst, queue, &way, i, &end) != TP_RESERVE_ACCEPTED)
		return false;
	tp_copy_frame(&burst->views, &burst->views.view[i], burst->head[i], &burst->places,
		&burst->places.place[i]);
	tp_uplink_publish(worker);
	return true;
}

/* Was it accepted? */
static inline void tp_flood_tally(struct tp_worker *worker, bool accepted)
{
	worker->flood.copies += accepted;
	if (!accepted)
		tp_flood_count(&worker->burst, TP_COUNTER_COPIES_REFUSED, 1);
}

/* A copy for an interface of the tenant. */
static inline void tp_flood_guest(struct tp_worker *worker, unsigned i, uint32_t id)
{
	struct tp_burst *burst = &worker->burst;
	const struct tp_interface *destination = &burst->snapshot->interfaces[id];
	struct tp_vring *ring = tp_ring_towards(burst, destination);
	bool from_wire = burst->interface >= TP_FIRST_UPLINK;
	bool accepted;

	if (id == burst->interface || !tp_vring_running(ring))
		return;
	if (from_wire) /* nobody here bids for it but who gets it */
		burst->class = tp_class_of(worker, destination);
	accepted = tp_flood_copy(worker, i, id, ring);
	tp_flood_tally(worker, accepted);
	if (accepted && from_wire)
		tp_charge_to(worker, destination);
}

/* A copy beyond this host: for the tenant's uplink, or for the n-th of its tunnels. Nobody else
 * sends it on. */
static inline void tp_flood_beyond(
	struct tp_worker *worker, unsigned i, const struct tp_network *network, uint32_t n)
{
	uint32_t destination = TP_TO_UPLINK(network->uplink);

	if (network->wire == TP_WIRE_TUNNEL) {
		if (!network->tunnels.tunnel[n].flood)
			return;
		destination = TP_TO_TUNNEL(n);
	}
	tp_flood_tally(worker, tp_flood_uplink(worker, i, destination));
}

/* --- Pieces --- */

/* The i-th frame of the burst begins; worker->flood.guests and .beyond are for the caller to set.
 */
static inline void tp_flood_begin(
	struct tp_worker *worker, const void *source, unsigned i, const struct tp_tenant *tenant)
{
	struct tp_flood *flood = &worker->flood;

	flood->source = source;
	flood->at = i;
	flood->tenant = tenant;
	flood->guests = flood->beyond = 0;
	flood->next = 0;
	flood->copies = 0;
}

static inline void tp_flood_to(struct tp_worker *worker, uint32_t n)
{
	const struct tp_flood *flood = &worker->flood;
	const uint32_t *members = &worker->burst.snapshot->members[flood->tenant->first_interface];

	if (n < flood->guests)
		tp_flood_guest(worker, flood->at, members[n]);
	else
		tp_flood_beyond(worker, flood->at, &flood->tenant->network, n - flood->guests);
}

/* Of those that it goes to, how many at once? */
static inline uint32_t tp_flood_most(const struct tp_worker *worker)
{
	uint32_t blocks = tp_blocks(worker->burst.views.view[worker->flood.at].length);

	if (worker->hot.pinned.count == 0)
		return UINT32_MAX;
	if (blocks > TP_FLOOD_BLOCKS)
		return 1;
	if (blocks * worker->flood.piece > TP_FLOOD_BLOCKS)
		return TP_FLOOD_BLOCKS / blocks;
	return worker->flood.piece;
}

/* The next piece. @return copies that were accepted; worker->flood.source is NULL after the last
 * piece. */
static inline uint32_t tp_flood_piece(struct tp_worker *worker)
{
	struct tp_flood *flood = &worker->flood;
	uint32_t end = flood->guests + flood->beyond;
	uint32_t before = flood->copies;
	uint32_t most = tp_flood_most(worker);

	if (end - flood->next > most)
		end = flood->next + most;
	else
		flood->source = NULL;
	worker->flooding.tried += end - flood->next;
	for (; flood->next < end; flood->next++)
		tp_flood_to(worker, flood->next);
	tp_flood_count(&worker->burst, TP_COUNTER_COPIES, flood->copies - before);
	return flood->copies - before;
}

/* --- A guest's frame --- */

static inline void tp_flood_begin_guests(struct tp_worker *worker, const void *source, unsigned i)
{
	const struct tp_burst *burst = &worker->burst;
	const struct tp_tenant *tenant = &burst->snapshot->tenants[burst->source->tenant];
	const struct tp_network *network = &tenant->network;

	tp_flood_begin(worker, source, i, tenant);
	if (burst->destination[i] == TP_TO_MANY)
		worker->flood.guests = tenant->interface_count;
	worker->flood.beyond = network->wire == TP_WIRE_TUNNEL ? network->tunnels.count
							       : network->wire != TP_WIRE_NONE;
}

/* A frame has gone to all, or goes to nobody for this reason. */
static inline void tp_flood_end(struct tp_burst *burst, enum tp_drop reason)
{
	if (reason == TP_DROP_NONE) {
		tp_flood_count(burst, TP_COUNTER_FLOODED, 1);
		tp_flood_count(burst, TP_COUNTER_DELIVERED, 1);
		return;
	}
	tp_counter_add_if(&burst->context->counters.drop[reason], 1, burst->context->spread);
	burst->dropped++;
}

/* The next piece of a frame in a guest's name. @return was it the last? */
static inline bool tp_flood_next(struct tp_worker *worker)
{
	struct tp_burst *burst = &worker->burst;
	const struct tp_flood *flood = &worker->flood;
	uint32_t blocks = tp_blocks(burst->views.view[flood->at].length);
	uint32_t paid = tp_flood_piece(worker);
	bool last = flood->source == NULL;

	if (last && flood->copies == 0)
		paid = 1; /* as any frame that nobody takes */
	burst->cost += tp_cost(&burst->snapshot->tariff, paid, (uint64_t)paid * blocks);
	tp_charge(worker);
	if (last)
		tp_flood_end(burst, flood->copies > 0 ? TP_DROP_NONE : TP_DROP_FLOOD_NOBODY);
	return last;
}

/* The first piece of a frame in a guest's name, the last of the burst: it goes alone. @return was
 * it the last? */
static inline bool tp_flood_first(struct tp_worker *worker, const void *source, unsigned i)
{
	struct tp_burst *burst = &worker->burst;

	if (!tp_flood_pays(worker)) {
		burst->cost += tp_cost(
			&burst->snapshot->tariff, 1, tp_blocks(burst->views.view[i].length));
		tp_flood_end(burst, TP_DROP_FLOOD_RATE);
		return true;
	}
	tp_flood_begin_guests(worker, source, i);
	return tp_flood_next(worker);
}

/* A frame that lies in a guest's ring, and comes next there. @return frames completed: 0 if there
 * is another piece, or 1. */
TP_RARE unsigned tp_flood(struct tp_worker *worker, unsigned i)
{
	struct tp_burst *burst = &worker->burst;

	burst->count = i + 1;
	if (!tp_flood_first(worker, burst->pair, i))
		return 0;
	tp_return_frames(worker, i, 1, burst->views.view[i].length);
	return 1;
}

/* The next piece of the one that worker->flood tells of. @return as tp_flood */
TP_RARE unsigned tp_flood_goes_on(struct tp_worker *worker)
{
	struct tp_burst *burst = &worker->burst;
	unsigned i = worker->flood.at;
	const struct tp_vring *ring;

	tp_flood_take_up(worker);
	burst->accepted = 0; /* those before it are completed and counted */
	burst->dropped = 0;
	burst->bytes = 0;
	burst->cost = 0;
	burst->drained = false;
	if (!tp_flood_next(worker))
		return 0;
	tp_return_frames(worker, i, 1, burst->views.view[i].length);
	ring = &burst->pair->tx;
	burst->drained = ring->avail_seen == ring->next_avail;
	return 1;
}
