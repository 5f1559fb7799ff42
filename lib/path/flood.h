/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "complete.h"
#include "copy.h"
#include "lookup.h"
#include "publish.h"
#include "reserve.h"
#include "shaper.h"

/*
 * flood: one frame to every other running interface of the tenant, and to its uplink unless it came
 * from there. It is taken alone, after all
 * frames before it are published, so that each destination sees it in order. A copy that a
 * destination refuses is not held; the frame itself is dropped only if nobody could take it, or if
 * its interface has flooded more than its class allows.
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

/* Copies of a frame for all running interfaces of a tenant but burst->interface. */
static inline uint32_t tp_flood_guests(struct tp_worker *worker, unsigned i, uint32_t tenant_index)
{
	struct tp_burst *burst = &worker->burst;
	const struct tp_tenant *tenant = &burst->snapshot->tenants[tenant_index];
	bool from_wire = burst->interface >= TP_FIRST_UPLINK;
	uint32_t copies = 0;

	worker->flooding.tried += tenant->interface_count;
	for (uint32_t n = 0; n < tenant->interface_count; n++) {
		uint32_t id = burst->snapshot->members[tenant->first_interface + n];
		const struct tp_interface *destination = &burst->snapshot->interfaces[id];
		struct tp_vring *ring = tp_ring_towards(burst, destination);

		if (id == burst->interface || !tp_vring_running(ring))
			continue;
		if (from_wire) /* nobody here bids for it but who gets it */
			burst->class = tp_class_of(worker, destination);
		if (!tp_flood_copy(worker, i, id, ring)) {
			tp_flood_count(burst, TP_COUNTER_COPIES_REFUSED, 1);
			continue;
		}
		copies++;
		if (from_wire)
			tp_charge_to(worker, destination);
	}
	return copies;
}

/* What became of a flooded frame. @param reason  if nobody has it */
static inline void tp_flood_end(struct tp_burst *burst, uint32_t copies, enum tp_drop reason)
{
	if (copies > 0) {
		tp_flood_count(burst, TP_COUNTER_FLOODED, 1);
		tp_flood_count(burst, TP_COUNTER_COPIES, copies);
		tp_flood_count(burst, TP_COUNTER_DELIVERED, 1);
		return;
	}
	tp_counter_add_if(&burst->context->counters.drop[reason], 1, burst->context->spread);
	burst->dropped++;
}

/* Copies beyond this host; of tunnels, for all that are flooded. Nobody else sends them on. */
static inline uint32_t tp_flood_beyond(
	struct tp_worker *worker, unsigned i, const struct tp_network *network)
{
	bool tunnels = network->wire == TP_WIRE_TUNNEL;
	uint32_t most = tunnels ? network->tunnels.count : network->wire != TP_WIRE_NONE;
	uint32_t copies = 0;

	for (uint32_t n = 0; n < most; n++) {
		if (tunnels && !network->tunnels.tunnel[n].flood)
			continue;
		if (tp_flood_uplink(
			    worker, i, tunnels ? TP_TO_TUNNEL(n) : TP_TO_UPLINK(network->uplink)))
			copies++;
		else
			tp_flood_count(&worker->burst, TP_COUNTER_COPIES_REFUSED, 1);
	}
	return copies;
}

/* @return copies of a guest's frame that were accepted. */
static inline uint32_t tp_flood_all(struct tp_worker *worker, unsigned i)
{
	struct tp_burst *burst = &worker->burst;
	uint32_t tenant = burst->source->tenant;
	const struct tp_network *network = &burst->snapshot->tenants[tenant].network;
	uint32_t copies = 0;

	if (burst->destination[i] == TP_TO_MANY)
		copies = tp_flood_guests(worker, i, tenant);
	copies += tp_flood_beyond(worker, i, network);
	return copies;
}

/* A frame in a guest's name, the last of the burst: it goes alone. */
static inline void tp_flood_one(struct tp_worker *worker, unsigned i)
{
	struct tp_burst *burst = &worker->burst;
	bool pays = tp_flood_pays(worker);
	uint32_t copies;

	copies = pays ? tp_flood_all(worker, i) : 0;
	tp_flood_end(burst, copies, pays ? TP_DROP_FLOOD_NOBODY : TP_DROP_FLOOD_RATE);
	burst->cost += (copies > 0 ? copies : 1) *
		       tp_cost(&burst->snapshot->tariff, 1, tp_blocks(burst->views.view[i].length));
	tp_charge(worker);
}

/* A frame that lies in a guest's ring. */
TP_RARE void tp_flood(struct tp_worker *worker, unsigned i)
{
	worker->burst.count = i + 1;
	tp_flood_one(worker, i);
	tp_return_frames(worker, i, 1, worker->burst.views.view[i].length);
}
