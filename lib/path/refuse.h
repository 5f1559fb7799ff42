/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <rte_cycles.h>

#include "burst.h"

/*
 * What becomes of a frame that its destination, a ring or an uplink, has refused. It is held until
 * the class's bound, counted from its first refusal as the oldest frame of its ring. A destination
 * on which a hold ran out is deaf to bids like that one: their frames are dropped at once until it
 * accepts one.
 */

static inline enum tp_counter tp_refusal(enum tp_reserve result)
{
	return result == TP_RESERVE_FULL       ? TP_COUNTER_REFUSED
	       : result == TP_RESERVE_TOO_DEAR ? TP_COUNTER_REFUSED_PRICE
					       : TP_COUNTER_REFUSED_OVERTAKEN;
}

/**
 * A frame was refused for now.
 * @param deaf_below  of the destination
 * @return why it is dropped, or TP_DROP_NONE if it is held.
 */
TP_RARE enum tp_drop tp_refused(
	struct tp_burst *burst, unsigned i, enum tp_reserve result, uint16_t *deaf_below)
{
	enum tp_drop reason =
		result == TP_RESERVE_TOO_DEAR ? TP_DROP_DESTINATION_DEAR : TP_DROP_DESTINATION_FULL;
	const struct tp_class *class = burst->class;
	uint64_t now;

	tp_counter_add_if(
		&burst->context->counters.value[tp_refusal(result)], 1, burst->context->spread);
	if (result == TP_RESERVE_OVERTAKEN)
		return TP_DROP_NONE; /* others were accepted: it is neither full nor deaf */
	if (__atomic_load_n(deaf_below, __ATOMIC_RELAXED) > class->bid)
		return TP_DROP_DESTINATION_DEAF;
	if (class->drop_when_full)
		return reason;
	now = rte_rdtsc();
	if (i > 0 || burst->pair->hold_since == 0) {
		burst->pair->hold_since = now;
		return TP_DROP_NONE;
	}
	if (now - burst->pair->hold_since < class->hold_cycles)
		return TP_DROP_NONE;
	burst->pair->hold_since = 0;
	__atomic_store_n(deaf_below, (uint16_t)(class->bid + 1), __ATOMIC_RELAXED);
	return reason;
}
