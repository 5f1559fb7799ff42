/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/aio.h"

/*
 * The doorbell of a worker: how a kick of a cold ring reaches it without a lock, without a thread
 * in between, and without a system call in a worker that is busy.
 *
 *   control:  arm      ask the kernel to tell when the kick eventfd is signalled (IOCB_CMD_POLL)
 *   guest:    kick     its write(2) completes that request: the completion lies in memory that the
 *                      worker shares with the kernel before the write returns
 *   worker:   take     look there once a sweep; or, with nothing to do, wait there
 *
 * An armed bell rings once. So a guest that kicks without end is heard once until control arms
 * anew, which it does when the worker asks for it.
 */

enum tp_bell {
	TP_BELL_KICK,   /* the guest kicked; the bell is not armed any more */
	TP_BELL_ATTEND, /* control: look at this ring, it is new; or its guest is to be announced */
	TP_BELL_WAKE,   /* control: no ring is meant */
};

/** A source ring, and why it is spoken of. Travels as the 64 bits of a request's data. */
struct tp_ring_id {
	uint32_t interface;
	uint16_t generation; /* which of the ring's starts is meant: context.h */
	uint8_t pair;
	uint8_t bell; /* enum tp_bell */
};

static_assert(sizeof(struct tp_ring_id) == sizeof(uint64_t), "aio_data has 64 bits");

struct tp_doorbell {
	struct tp_aio aio;
	bool complete; /* it has room for all rings */
};

/**
 * Make a doorbell. When the machine has not enough requests left it has room for less; arming and
 * ringing then find none at times.
 * @param rings  most rings that are armed at a time
 * @return 0, or negative errno with *error set. Threading: control thread.
 */
int tp_doorbell_open(struct tp_doorbell *bell, uint32_t rings, struct tp_error *error);

/** The opposite; also on zeroed memory. Threading: control thread. */
void tp_doorbell_close(struct tp_doorbell *bell);

/**
 * Forget the kicks so far and wait for the next one. Kicks of a guest that races with this call may
 * be among the forgotten: the ring has to be polled until the call has returned.
 *
 * @param request  stays where it is, and belongs to the bell, until it has rung or been disarmed
 * @param kick_fd  eventfd; may be closed after the bell is disarmed
 * @return 0, or negative errno: the bell is not armed. Threading: control thread.
 */
int tp_doorbell_arm(const struct tp_doorbell *bell, struct iocb *request, int kick_fd,
	const struct tp_ring_id *id);

/** Do not wait for this kick any more; it may have come, and still be taken. As tp_doorbell_arm. */
void tp_doorbell_disarm(const struct tp_doorbell *bell, struct iocb *request);

/** Ring at once. @return 0, or -EAGAIN: too much is not taken yet. Threading: any. */
int tp_doorbell_ring(const struct tp_doorbell *bell, const struct tp_ring_id *id);

/** Who rang: the id that a completion carries. */
static inline struct tp_ring_id tp_doorbell_id(const struct io_event *event)
{
	struct tp_ring_id id;

	memcpy(&id, &event->data, sizeof(id));
	return id;
}

/** Who has rung. No system call. @return how many events there are. Threading: the worker. */
static inline unsigned tp_doorbell_take(
	const struct tp_doorbell *bell, struct io_event *events, unsigned most)
{
	return tp_aio_take(&bell->aio, events, most);
}

/** Sleep until somebody rings. @return as tp_doorbell_take, 0 after timeout_ns. Threading: worker.
 */
unsigned tp_doorbell_wait(const struct tp_doorbell *bell, struct io_event *events, unsigned most,
	uint64_t timeout_ns);
