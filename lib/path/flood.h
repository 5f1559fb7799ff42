/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "complete.h"
#include "copy.h"
#include "lookup.h"
#include "publish.h"
#include "reserve.h"
#include "shaper.h"

/*
 * flood: one frame to every other running interface of the tenant. It is taken alone, after all
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

/* @return copies that were accepted. */
static inline uint32_t tp_flood_copies(struct tp_worker *worker, unsigned i)
{
	struct tp_burst *burst = &worker->burst;
	const struct tp_tenant *tenant = &burst->snapshot->tenants[burst->source->tenant];
	struct tp_counters *counters = &burst->context->counters;
	uint32_t copies = 0;

	for (uint32_t n = 0; n < tenant->interface_count; n++) {
		uint32_t id = burst->snapshot->members[tenant->first_interface + n];
		const struct tp_interface *destination = &burst->snapshot->interfaces[id];
		struct tp_vring *ring = tp_ring_towards(burst, destination);

		if (id == burst->interface || !tp_vring_running(ring))
			continue;
		if (tp_flood_copy(worker, i, id, ring))
			copies++;
		else
			tp_counter_add_if(&counters->value[TP_COUNTER_COPIES_REFUSED], 1,
				burst->context->spread);
	}
	return copies;
}

TP_RARE void tp_flood(struct tp_worker *worker, unsigned i)
{
	struct tp_burst *burst = &worker->burst;
	struct tp_counters *counters = &burst->context->counters;
	bool spread = burst->context->spread;
	bool pays = tp_flood_pays(worker);
	uint32_t copies;

	burst->count = i + 1; /* it goes alone */
	copies = pays ? tp_flood_copies(worker, i) : 0;
	if (copies > 0) {
		tp_counter_add_if(&counters->value[TP_COUNTER_FLOODED], 1, spread);
		tp_counter_add_if(&counters->value[TP_COUNTER_COPIES], copies, spread);
		tp_counter_add_if(&counters->value[TP_COUNTER_DELIVERED], 1, spread);
	} else {
		tp_counter_add_if(&counters->drop[pays ? TP_DROP_FLOOD_NOBODY : TP_DROP_FLOOD_RATE],
			1, spread);
		burst->dropped++;
	}
	burst->cost += (copies > 0 ? copies : 1) *
		       tp_cost(&burst->snapshot->tariff, 1, tp_blocks(burst->views.view[i].length));
	tp_charge(worker);
	tp_return_frames(worker, i, 1, burst->views.view[i].length);
}
