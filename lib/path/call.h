/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <unistd.h>

#include <rte_atomic.h>

#include "burst.h"

/*
 * call: notify guests that asked to be interrupted, together at the end of a sweep, so that one
 * memory fence serves many rings and a ring that several sources filled is called once.
 */

/* The one system call of the dataplane. The descriptor is a non-blocking eventfd; if it is
 * saturated the guest has a call pending anyway. */
static inline void tp_call(struct tp_vring *ring, struct tp_context *context)
{
	const uint64_t one = 1;

	ring->call_pending = false;
	if (!tp_split_call_wanted(ring))
		return;
	if (write(ring->call_fd, &one, sizeof(one)) == sizeof(one))
		tp_counter_add(&context->counters.value[TP_COUNTER_CALLS], 1);
}

static inline void tp_call_all(struct tp_worker *worker)
{
	if (worker->calls == 0)
		return;
	rte_smp_mb(); /* between the used indices and the guests' wishes: virtio 1.2, 2.7.7.2 */
	for (unsigned i = 0; i < worker->calls; i++)
		tp_call(worker->call[i].ring, worker->call[i].context);
	worker->calls = 0;
}

/* Something of this ring has become used. */
static inline void tp_call_later(
	struct tp_worker *worker, struct tp_vring *ring, struct tp_context *context)
{
	if (ring->call_fd < 0 || ring->call_pending)
		return;
	ring->call_pending = true;
	worker->call[worker->calls++] = (struct tp_call){ring, context};
	if (worker->calls == TP_CALLS)
		tp_call_all(worker);
}
