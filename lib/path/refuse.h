/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <rte_cycles.h>

#include "burst.h"
#include "hold.h"

/*
 * What becomes of a frame that its destination, a ring or an uplink, has refused. It is held until
 * the class's bound, counted from its first refusal as the oldest frame of its ring, and then
 * dropped. A destination that has made no room in all that time is deaf to bids like that one:
 * their frames are dropped at once until it accepts one.
 */

static inline enum tp_counter tp_refusal(enum tp_reserve result)
{
	return result == TP_RESERVE_FULL       ? TP_COUNTER_REFUSED
	       : result == TP_RESERVE_TOO_DEAR ? TP_COUNTER_REFUSED_PRICE
					       : TP_COUNTER_REFUSED_OVERTAKEN;
}

/**
 * A frame was refused for now.
 * @return why it is dropped, or TP_DROP_NONE if it is held.
 */
TP_RARE enum tp_drop tp_refused(
	struct tp_burst *burst, unsigned i, enum tp_reserve result, const struct tp_stand *stand)
{
	enum tp_drop reason =
		result == TP_RESERVE_TOO_DEAR ? TP_DROP_DESTINATION_DEAR : TP_DROP_DESTINATION_FULL;
	const struct tp_class *class = burst->class;
	struct tp_ring_pair *pair = burst->pair;
	uint64_t now;

	tp_counter_add_if(
		&burst->context->counters.value[tp_refusal(result)], 1, burst->context->spread);
	if (result == TP_RESERVE_OVERTAKEN)
		return TP_DROP_NONE; /* others were accepted: it is neither full nor deaf */
	if (tp_stand_deaf(stand, class->bid))
		return TP_DROP_DESTINATION_DEAF;
	if (class->drop_when_full)
		return reason;
	now = rte_rdtsc();
	if (i > 0 || pair->hold_since == 0) {
		pair->hold_since = now;
		pair->hold_index = stand->index;
		return TP_DROP_NONE;
	}
	if (now - pair->hold_since < class->hold_cycles)
		return TP_DROP_NONE;
	pair->hold_since = 0;
	if (pair->hold_index == stand->index) /* nor has anybody else been accepted */
		__atomic_store_n(stand->deaf_below, (uint16_t)(class->bid + 1), __ATOMIC_RELAXED);
	pair->hold_index = stand->index;
	return reason;
}
