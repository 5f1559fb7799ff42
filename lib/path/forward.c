/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A frame's way, one burst at a time. Each stage is a file of its name. This file is compiled once
 * for each vector width, TP_FORWARD being the name of the function; the worker chooses at start.
 */

#include "classify.h"
#include "complete.h"
#include "copy.h"
#include "flood.h"
#include "lookup.h"
#include "publish.h"
#include "reserve.h"

static inline void begin(struct tp_worker *worker, const struct tp_poll *poll)
{
	struct tp_burst *burst = &worker->burst;

	burst->snapshot = worker->snapshot;
	burst->source = &worker->snapshot->interfaces[poll->interface];
	burst->context = poll->context;
	burst->pair = &poll->context->pair[poll->pair];
	burst->interface = poll->interface;
	burst->pair_index = poll->pair;
}

unsigned TP_FORWARD(struct tp_worker *worker, const struct tp_poll *poll)
{
	struct tp_burst *burst = &worker->burst;
	unsigned flooded = 0;

	begin(worker, poll);
	burst->count = tp_split_peek(&burst->pair->tx, &burst->views, TP_BURST);
	if (burst->count == 0) {
		burst->broken = tp_vring_fault(&burst->pair->tx) != TP_VRING_SOUND;
		return 0;
	}
	tp_classify(burst);
	tp_lookup(worker);
	tp_reserve(burst);
	if (burst->accepted > 0) {
		tp_copy(burst);
		tp_publish(worker);
		tp_complete(worker);
	}
	if (burst->accepted < burst->count && burst->destination[burst->accepted] == TP_TO_MANY &&
		burst->views.view[burst->accepted].drop == TP_DROP_NONE) {
		tp_flood(worker, burst->accepted);
		flooded = 1;
	}
	return burst->accepted + flooded;
}
