/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "complete.h"
#include "copy.h"
#include "lookup.h"
#include "publish.h"

/*
 * flood: one frame to every other running interface of the tenant. It is taken alone, after all
 * frames before it are published, so that each destination sees it in order. A copy that a
 * destination refuses is not held; the frame itself is dropped only if nobody could take it.
 */

static inline bool tp_flood_copy(
	struct tp_worker *worker, unsigned i, struct tp_context *context, struct tp_vring *ring)
{
	struct tp_burst *burst = &worker->burst;
	const struct tp_view *view = &burst->views.view[i];
	struct tp_place *place = &burst->places.place[i];
	enum tp_reserve result;
	uint16_t buffers;

	burst->places.pieces_used = 0;
	result = tp_split_reserve(ring, view->length, &burst->places, place);
	burst->broken |= result == TP_RESERVE_BROKEN;
	if (result != TP_RESERVE_ACCEPTED)
		return false;
	ring->deaf = false;
	tp_copy_frame(&burst->views, view, burst->head[i], &burst->places, place);
	buffers = tp_split_put(ring, ring->used_index, &burst->places, place, view->length);
	tp_split_publish(ring, buffers);
	tp_count_received(context, 1, view->length);
	tp_call_later(&worker->calls, ring, context);
	return true;
}

TP_RARE void tp_flood(struct tp_worker *worker, unsigned i)
{
	struct tp_burst *burst = &worker->burst;
	const struct tp_tenant *tenant = &burst->snapshot->tenants[burst->source->tenant];
	struct tp_counters *counters = &burst->context->counters;
	uint32_t copies = 0;

	for (uint32_t n = 0; n < tenant->interface_count; n++) {
		uint32_t id = tenant->first_interface + n;
		const struct tp_interface *destination = &burst->snapshot->interfaces[id];
		struct tp_vring *ring = tp_ring_towards(burst, destination);

		if (id == burst->interface || !tp_vring_running(ring))
			continue;
		if (tp_flood_copy(worker, i, destination->context, ring))
			copies++;
		else
			tp_counter_add(&counters->value[TP_COUNTER_COPIES_REFUSED], 1);
	}
	if (copies > 0) {
		tp_counter_add(&counters->value[TP_COUNTER_FLOODED], 1);
		tp_counter_add(&counters->value[TP_COUNTER_COPIES], copies);
		tp_counter_add(&counters->value[TP_COUNTER_DELIVERED], 1);
	} else {
		tp_counter_add(&counters->drop[TP_DROP_FLOOD_NOBODY], 1);
	}
	tp_return_frames(worker, i, 1, burst->views.view[i].length);
}
