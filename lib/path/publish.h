/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "burst.h"

/*
 * publish: make the filled buffers visible to their guests, in the order of reservation, one index
 * store a destination ring; count them.
 */

static inline void tp_put_all(struct tp_burst *burst)
{
	for (unsigned i = 0; i < burst->accepted; i++) {
		const struct tp_view *view = &burst->views.view[i];
		struct tp_target *target;

		if (TP_UNLIKELY(view->drop != TP_DROP_NONE))
			continue;
		target = &burst->target[burst->target_of[i]];
		target->buffers += tp_split_put(target->ring,
			(uint16_t)(target->ring->used_index + target->buffers), &burst->places,
			&burst->places.place[i], view->length);
	}
}

static inline void tp_count_received(struct tp_context *context, uint32_t frames, uint32_t bytes)
{
	tp_counter_add(&context->counters.value[TP_COUNTER_RX_FRAMES], frames);
	tp_counter_add(&context->counters.value[TP_COUNTER_RX_BYTES], bytes);
}

static inline void tp_publish(struct tp_worker *worker)
{
	struct tp_burst *burst = &worker->burst;

	tp_put_all(burst);
	for (unsigned i = 0; i < burst->targets; i++) {
		struct tp_target *target = &burst->target[i];

		tp_split_publish(target->ring, target->buffers);
		target->ring->touched = 0;
		tp_count_received(target->context, target->frames, target->bytes);
		tp_call_later(&worker->calls, target->ring, target->context);
	}
}
