/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "complete.h"
#include "copy.h"
#include "lookup.h"
#include "publish.h"
#include "reserve.h"

/*
 * flood: one frame to every other running interface of the tenant. It is taken alone, after all
 * frames before it are published, so that each destination sees it in order. A copy that a
 * destination refuses is not held; the frame itself is dropped only if nobody could take it.
 */

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

TP_RARE void tp_flood(struct tp_worker *worker, unsigned i)
{
	struct tp_burst *burst = &worker->burst;
	const struct tp_tenant *tenant = &burst->snapshot->tenants[burst->source->tenant];
	struct tp_counters *counters = &burst->context->counters;
	bool spread = burst->context->spread;
	uint32_t copies = 0;

	burst->count = i + 1; /* it goes alone */
	worker->flooding.tried += tenant->interface_count;

	for (uint32_t n = 0; n < tenant->interface_count; n++) {
		uint32_t id = tenant->first_interface + n;
		const struct tp_interface *destination = &burst->snapshot->interfaces[id];
		struct tp_vring *ring = tp_ring_towards(burst, destination);

		if (id == burst->interface || !tp_vring_running(ring))
			continue;
		if (tp_flood_copy(worker, i, id, ring))
			copies++;
		else
			tp_counter_add_if(&counters->value[TP_COUNTER_COPIES_REFUSED], 1, spread);
	}
	if (copies > 0) {
		tp_counter_add_if(&counters->value[TP_COUNTER_FLOODED], 1, spread);
		tp_counter_add_if(&counters->value[TP_COUNTER_COPIES], copies, spread);
		tp_counter_add_if(&counters->value[TP_COUNTER_DELIVERED], 1, spread);
	} else {
		tp_counter_add_if(&counters->drop[TP_DROP_FLOOD_NOBODY], 1, spread);
		burst->dropped++;
	}
	burst->cost += (copies > 0 ? copies : 1) *
		       tp_cost(&burst->snapshot->tariff, 1, tp_blocks(burst->views.view[i].length));
	tp_charge(worker);
	tp_return_frames(worker, i, 1, burst->views.view[i].length);
}
