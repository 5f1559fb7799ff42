/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <linux/aio_abi.h>
#include <stdint.h>

#include "base/error.h"
#include "base/kernel_order.h"

/*
 * A context of the kernel's asynchronous I/O (io_setup(2)), whose completions are taken from the
 * memory that the kernel shares with us, without a system call. Not for files: it signals eventfds
 * (path/call.h) and tells when one was signalled (state/doorbell.h).
 */

/** What lies at the address that is the context's id: Linux, fs/aio.c, struct aio_ring. */
struct tp_aio_ring {
	uint32_t id;
	uint32_t count; /* of events that fit */
	uint32_t head;  /* of the events not yet taken: ours */
	uint32_t tail;  /* the kernel's */
	uint32_t magic;
	uint32_t compatible_features;
	uint32_t incompatible_features;
	uint32_t header_length;
	struct io_event event[];
};

struct tp_aio {
	aio_context_t context;
	struct tp_aio_ring *ring;
	int nothing; /* /dev/null: reading no bytes from it completes at once */
};

/**
 * Make a context.
 * @param requests  most requests that are under way or completed and not taken
 * @return 0, or negative errno with *error set (-EAGAIN: fs.aio-max-nr is reached). Threading: any.
 */
int tp_aio_open(struct tp_aio *aio, unsigned requests, struct tp_error *error);

/** The opposite, also after a failed or no tp_aio_open on zeroed memory; waits for what is under
 * way. */
void tp_aio_close(struct tp_aio *aio);

/**
 * Hand requests over, in order.
 * @return how many were accepted, at least 1, or negative errno of the first (-EAGAIN: as many as
 * the context takes are under way). Threading: any.
 */
int tp_aio_submit(const struct tp_aio *aio, struct iocb **requests, unsigned count);

/** Take completions. No system call. @return how many. Threading: one thread at a time. */
static inline unsigned tp_aio_take(const struct tp_aio *aio, struct io_event *events, unsigned most)
{
	struct tp_aio_ring *ring = aio->ring;
	uint32_t head = ring->head;
	/* acquire: partner is the kernel's store of tail after the event */
	uint32_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
	unsigned count = 0;

	if (head == tail)
		return 0;
	TP_KERNEL_TOLD(ring);
	while (head != tail && count < most) {
		events[count++] = ring->event[head];
		head = head + 1 == ring->count ? 0 : head + 1;
	}
	__atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
	return count;
}

/** Take all completions and forget them. Threading: as tp_aio_take. */
static inline void tp_aio_forget(const struct tp_aio *aio)
{
	uint32_t tail = __atomic_load_n(&aio->ring->tail, __ATOMIC_ACQUIRE);

	__atomic_store_n(&aio->ring->head, tail, __ATOMIC_RELEASE);
}

/**
 * Sleep until there is a completion, and take what there is.
 * @param timeout_ns  longest sleep
 * @return how many; 0 when the time is over or a signal came. Threading: as tp_aio_take.
 */
unsigned tp_aio_wait(
	const struct tp_aio *aio, struct io_event *events, unsigned most, uint64_t timeout_ns);

/** Call a request off; it completes all the same, if it has not. Threading: any. */
void tp_aio_cancel(const struct tp_aio *aio, struct iocb *request);
