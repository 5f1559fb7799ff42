/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "burst.h"
#include "uplink_send.h"

/*
 * publish: make the filled buffers visible to their guests, in the order of reservation, one index
 * store for consecutive buffers; count them.
 */

/* Write the used entries of an accepted frame. */
TP_FAST void tp_put_one(struct tp_burst *burst, unsigned i)
{
	struct tp_target *target = &burst->target[burst->target_of[i]];

	target->put += tp_split_put(target->ring, (uint16_t)(target->first + target->put),
		&burst->places, &burst->places.place[i], burst->views.view[i].length);
}

static inline void tp_put_all(struct tp_burst *burst)
{
	for (unsigned i = 0; i < burst->accepted; i++)
		if (TP_LIKELY(burst->views.view[i].drop == TP_DROP_NONE))
			tp_put_one(burst, i);
}

static inline void tp_count_received(struct tp_context *context, uint32_t frames, uint32_t bytes)
{
	tp_counter_add_if(&context->counters.value[TP_COUNTER_RX_FRAMES], frames, context->spread);
	tp_counter_add_if(&context->counters.value[TP_COUNTER_RX_BYTES], bytes, context->spread);
}

/* All of a target is put: let its guest see it. */
static inline void tp_show_target(struct tp_worker *worker, const struct tp_target *target)
{
	uint16_t shown = tp_split_publish(target->ring, target->first, target->buffers);

	tp_count_received(target->context, target->frames, target->bytes);
	tp_call_later(
		&worker->calls, target->ring, target->context, (uint16_t)target->first, shown);
}

/* Frames to uplinks among them. */
TP_RARE void tp_put_some(struct tp_worker *worker)
{
	struct tp_burst *burst = &worker->burst;

	for (unsigned i = 0; burst->targets > 0 && i < burst->accepted; i++)
		if (burst->views.view[i].drop == TP_DROP_NONE && burst->ring[i] != NULL)
			tp_put_one(burst, i);
	tp_uplink_publish(worker);
}

static inline void tp_publish(struct tp_worker *worker)
{
	struct tp_burst *burst = &worker->burst;

	if (TP_LIKELY(burst->runs == 0))
		tp_put_all(burst);
	else
		tp_put_some(worker);
	for (unsigned i = 0; i < burst->targets; i++)
		tp_show_target(worker, &burst->target[i]);
}
