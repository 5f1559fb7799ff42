/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "base/aio.h"
#include "base/error.h"
#include "costly_call.h"
#include "state/context.h"
#include "vring/split.h"

/*
 * call: notify guests that asked for it. The one system call of the dataplane, once a sweep for all
 * rings that were touched in it.
 *
 * A call descriptor is an eventfd whose open file the guest's process shares: that process can
 * clear O_NONBLOCK at any moment and fill the counter, and a write would then block for ever. So
 * eventfds are never written to. Instead the kernel is asked for reads of no bytes from /dev/null,
 * each of which signals an eventfd as it completes (IOCB_FLAG_RESFD, io_submit(2)). They complete
 * at once, and signalling a full counter changes nothing, since its guest has a call pending
 * anyway.
 *
 * How long that takes is the guest's as well: signalling an eventfd visits all who wait for it. So
 * rings whose calls take long are called alone, and seldom: costly_call.h.
 */

#define TP_CALLS 64 /* rings looked at, and called, at a time at most */

/** A ring in which something has become used since its guest was last asked. */
struct tp_call {
	struct tp_vring *ring;
	struct tp_context *context;
	uint16_t before; /* used index before */
	uint16_t now;    /* used index after, as far as this worker has moved it */
};

/** Calls that may be due; belongs to one worker. */
struct tp_calls {
	struct tp_call pending[TP_CALLS];
	unsigned pending_count;
	unsigned count; /* of those that are due, in request[] */
	struct iocb request[TP_CALLS];
	struct iocb *order[TP_CALLS];        /* as io_submit takes them */
	const struct tp_call *due[TP_CALLS]; /* whose the requests are */
	struct tp_aio aio;
	struct tp_costly_calls costly;
};

/** Get ready to call. @return 0, or negative errno with *error set. Threading: control thread. */
int tp_calls_open(struct tp_calls *calls, struct tp_error *error);

/** The opposite, also after a failed or no tp_calls_open on zeroed memory. */
void tp_calls_close(struct tp_calls *calls);

/** tp_call_pending, where something is pending. Never blocks. Threading: the worker. */
void tp_calls_make(struct tp_calls *calls);

/** A call of this ring, which is known to be costly, is due: make it alone, now or later. @return
 * false: the ring is not known to be so. Threading: the worker. */
bool tp_call_costly(struct tp_calls *calls, const struct tp_call *call);

/**
 * Make those of the postponed calls whose time has come, and forget those of rings that have
 * stopped; once a sweep while there are any (costly.late).
 * @param all  whatever the time: the worker ends. Threading: the worker.
 */
void tp_calls_late(struct tp_calls *calls, bool all);

/** Ask the guests of all pending rings and call those that want it, before the worker is quiescent.
 */
static inline void tp_call_pending(struct tp_calls *calls)
{
	if (calls->pending_count > 0)
		tp_calls_make(calls);
}

/**
 * Something of this ring has become used: `count` buffers behind `before`. Each worker asks for
 * those that it made visible itself.
 */
static inline void tp_call_later(struct tp_calls *calls, struct tp_vring *ring,
	struct tp_context *context, uint16_t before, uint16_t count)
{
	if (ring->call_fd < 0 || count == 0)
		return;
	if (ring->baton == NULL) {
		if (ring->call_pending)
			return;
		ring->call_pending = true;
	}
	calls->pending[calls->pending_count++] =
		(struct tp_call){ring, context, before, (uint16_t)(before + count)};
	if (calls->pending_count == TP_CALLS)
		tp_call_pending(calls);
}
