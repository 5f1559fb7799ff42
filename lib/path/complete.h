/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "burst.h"
#include "call.h"

/*
 * complete: return the descriptors of accepted and dropped frames to their guest and count each
 * frame as delivered or as dropped for its reason.
 */

static inline void tp_complete(struct tp_worker *worker)
{
	struct tp_burst *burst = &worker->burst;
	struct tp_counters *counters = &burst->context->counters;
	uint64_t bytes = 0;
	uint32_t dropped = 0;

	for (unsigned i = 0; i < burst->accepted; i++) {
		const struct tp_view *view = &burst->views.view[i];

		bytes += view->length;
		if (TP_UNLIKELY(view->drop != TP_DROP_NONE)) {
			tp_counter_add(&counters->drop[view->drop], 1);
			dropped++;
		}
	}
	tp_split_complete(&burst->pair->tx, burst->views.view, burst->accepted);
	tp_call_later(worker, &burst->pair->tx, burst->context);
	tp_counter_add(&counters->value[TP_COUNTER_TX_FRAMES], burst->accepted);
	tp_counter_add(&counters->value[TP_COUNTER_TX_BYTES], bytes);
	tp_counter_add(&counters->value[TP_COUNTER_DELIVERED], burst->accepted - dropped);
}
