/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "burst.h"
#include "charge.h"

/*
 * complete: return the descriptors of accepted and dropped frames to their guest and count each
 * frame as delivered or as dropped for its reason.
 */

/* Give `count` frames of the burst, from `first` on, back to their guest. */
static inline void tp_return_frames(
	struct tp_worker *worker, unsigned first, unsigned count, uint64_t bytes)
{
	struct tp_burst *burst = &worker->burst;
	struct tp_counters *counters = &burst->context->counters;
	struct tp_vring *ring = &burst->pair->tx;
	uint16_t before = ring->next_avail;
	bool spread = burst->context->spread;

	tp_split_complete(ring, &burst->views.view[first], count);
	tp_call_later(&worker->calls, ring, burst->context, before, (uint16_t)count);
	__atomic_store_n(&burst->pair->served, burst->pair->served + count, __ATOMIC_RELAXED);
	tp_counter_add_if(&counters->value[TP_COUNTER_TX_FRAMES], count, spread);
	tp_counter_add_if(&counters->value[TP_COUNTER_TX_BYTES], bytes, spread);
	burst->bytes += bytes;
}

/* Some were dropped, or not all that were looked at are accepted. @return bytes of all. */
TP_RARE uint64_t tp_count_drops(struct tp_burst *burst)
{
	struct tp_counters *counters = &burst->context->counters;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < burst->accepted; i++) {
		const struct tp_view *view = &burst->views.view[i];

		bytes += view->length;
		if (view->drop != TP_DROP_NONE) {
			tp_counter_add_if(&counters->drop[view->drop], 1, burst->context->spread);
			burst->dropped++;
		}
	}
	return bytes;
}

static inline void tp_complete(struct tp_worker *worker)
{
	struct tp_burst *burst = &worker->burst;
	struct tp_counters *counters = &burst->context->counters;
	uint64_t bytes = burst->sizes.bytes;

	if (TP_UNLIKELY(burst->sent != burst->affordable))
		bytes = tp_count_drops(burst);
	tp_return_frames(worker, 0, burst->accepted, bytes);
	tp_charge(worker);
	tp_counter_add_if(&counters->value[TP_COUNTER_DELIVERED], burst->accepted - burst->dropped,
		burst->context->spread);
}
