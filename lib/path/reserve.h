/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <rte_cycles.h>

#include "burst.h"

/*
 * reserve: claim room at each frame's destination, in the order of the source ring, up to the first
 * frame that is refused and held, or that has many destinations (flood.h takes it). Frames before
 * that are accepted or have a reason to be dropped; they will be completed. Those from it on stay
 * in the ring.
 *
 * A refused frame is held until the class's bound, counted from its first refusal as the oldest
 * frame of its ring. A destination on which a hold ran out is deaf: frames for it are dropped at
 * once until it accepts one again.
 */

/* The target entry of a destination ring in this burst. */
static inline struct tp_target *tp_target_of(
	struct tp_burst *burst, struct tp_vring *ring, struct tp_context *context)
{
	struct tp_target *target;

	if (TP_LIKELY(ring->touched != 0))
		return &burst->target[ring->touched - 1];
	target = &burst->target[burst->targets++];
	ring->touched = (uint8_t)burst->targets;
	*target = (struct tp_target){.ring = ring, .context = context};
	return target;
}

TP_FAST void tp_accept(struct tp_burst *burst, unsigned i)
{
	struct tp_context *context = burst->snapshot->interfaces[burst->destination[i]].context;
	struct tp_target *target = tp_target_of(burst, burst->ring[i], context);

	target->frames++;
	target->bytes += burst->views.view[i].length;
	burst->target_of[i] = (uint8_t)(target - burst->target);
	burst->ring[i]->deaf = false;
	__builtin_prefetch(burst->places.place[i].data, 1);
}

/* A frame was refused. @return why it is dropped, or TP_DROP_NONE if it is held. */
TP_RARE enum tp_drop tp_refused(struct tp_burst *burst, unsigned i)
{
	const struct tp_class *class = &burst->snapshot->classes[burst->source->class];
	uint64_t now;

	tp_counter_add(&burst->context->counters.value[TP_COUNTER_REFUSED], 1);
	if (burst->ring[i]->deaf)
		return TP_DROP_DESTINATION_DEAF;
	if (class->drop_when_full)
		return TP_DROP_DESTINATION_FULL;
	now = rte_rdtsc();
	if (i > 0 || burst->pair->hold_since == 0) {
		burst->pair->hold_since = now;
		return TP_DROP_NONE;
	}
	if (now - burst->pair->hold_since < class->hold_cycles)
		return TP_DROP_NONE;
	burst->pair->hold_since = 0;
	burst->ring[i]->deaf = true;
	return TP_DROP_DESTINATION_FULL;
}

/* One frame. @return false if the burst ends before it. */
TP_FAST bool tp_reserve_one(struct tp_burst *burst, unsigned i, bool *held)
{
	struct tp_view *view = &burst->views.view[i];

	if (TP_UNLIKELY(view->drop != TP_DROP_NONE))
		return true;
	if (TP_UNLIKELY(burst->destination[i] == TP_TO_MANY))
		return false;
	switch (tp_split_reserve(
		burst->ring[i], view->length, &burst->places, &burst->places.place[i])) {
	case TP_RESERVE_ACCEPTED:
		tp_accept(burst, i);
		break;
	case TP_RESERVE_TOO_SMALL:
		view->drop = TP_DROP_DESTINATION_TOO_SMALL;
		break;
	case TP_RESERVE_BROKEN:
		burst->broken = true;
		view->drop = TP_DROP_DESTINATION_DOWN;
		break;
	case TP_RESERVE_REFUSED:
		view->drop = tp_refused(burst, i);
		*held = view->drop == TP_DROP_NONE;
		return !*held;
	}
	return true;
}

static inline void tp_reserve(struct tp_burst *burst)
{
	bool held = false;
	unsigned i = 0;

	burst->targets = 0;
	burst->places.pieces_used = 0;
	while (i < burst->count && tp_reserve_one(burst, i, &held))
		i++;
	burst->accepted = i;
	if (!held)
		burst->pair->hold_since = 0; /* the next oldest frame's time has not begun */
}
