/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/guest_memory.h"
#include "vring/virtio.h"

/*
 * A virtqueue of a guest, as workers use it. Started and stopped by the control plane, which makes
 * sure that no worker holds it meanwhile; in between its worker touches it or, where it is shared,
 * its workers.
 *
 *   available ring, free-running indices, read side of the switch:
 *
 *      next_avail          reserved            avail_seen
 *          |                   |                   |
 *   .......[ reserved for     ][ free, known to   ][ perhaps more, not
 *   used   [ frames in flight ][ be available     ][ looked at yet ....
 *
 *   A source ring has no reservations. Buffers are used in the order in which they were made
 *   available, so next_avail is the used index as well.
 *
 * A destination ring that many workers write to has a baton (baton.h), and its indices are those of
 * `writers`, 64 bits long. Which of the two it is changes only while nobody writes to it.
 */

/* Ways in which a ring can break so that nothing in it can be trusted any more. */
#define TP_VRING_FAULTS(X)                                                                         \
	X(AVAIL_INDEX, "available index moved by more than the ring's size")                       \
	X(AVAIL_HEAD, "available ring names a descriptor beyond the ring's size")                  \
	X(RECEIVE_CHAIN,                                                                           \
		"receive buffer's descriptor chain loops, is read-only or misuses indirect")       \
	X(RECEIVE_ADDRESS, "receive buffer not wholly inside one region of the guest's memory")    \
	X(RECEIVE_HEADER, "receive buffer too short for the virtio-net header")                    \
	X(CALL_COSTLY,                                                                             \
		"so many wait for its call descriptor that each notification takes the switch "    \
		"a fifth of a millisecond")

enum tp_vring_fault {
	TP_VRING_SOUND,
#define X(NAME, help) TP_VRING_##NAME,
	TP_VRING_FAULTS(X)
#undef X
};

/* What many writers of a ring share, all with atomics. */
struct tp_vring_writers {
	uint64_t reserved;  /* workers: rw (compare-and-swap) */
	uint64_t published; /* who holds the baton: w (release); workers: r (acquire) */
} __attribute__((aligned(64)));

struct tp_vring {
	/* Set by tp_vring_start. */
	const struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	const struct tp_guest_memory *memory;
	uint16_t *baton; /* a word for each place; NULL: one worker alone writes. control: rw */
	int call_fd;     /* eventfd, or -1 */
	uint16_t size;
	bool event_idx : 1;
	bool indirect : 1;
	bool mergeable : 1;
	atomic_bool running; /* control: rw, worker: ro */
	uint8_t fault;       /* enum tp_vring_fault; worker: w, control: r (relaxed atomics) */
	bool call_pending;   /* the worker will look at the need of a call; worker: rw */
	/* A destination's, its workers': rw (relaxed atomics): */
	uint8_t capacity_age; /* when the capacity last decayed */
	uint16_t capacity;    /* buffers that the guest keeps posted: high-water mark */
	uint16_t deaf_below;  /* a hold of such a bid ran out here, and none was accepted since */
	/* Free-running indices, the only worker's: rw. */
	uint16_t next_avail; /* first available entry not used */
	uint16_t reserved;   /* first available entry not reserved (destination) */
	uint16_t avail_seen; /* the guest's available index when last read */
	struct tp_vring_writers writers;
};

static_assert(offsetof(struct tp_vring, writers) == 64, "a poll of a ring costs one line of ours");

struct tp_vring_setup {
	uint16_t size;         /* power of two, 2..32768 */
	uint64_t desc_address; /* front-end user addresses */
	uint64_t avail_address;
	uint64_t used_address;
	uint64_t features; /* negotiated */
	int call_fd;       /* -1: never notify */
	uint16_t *baton;   /* of a ring that is shared from the start, as for tp_vring_share */
};

/**
 * Make a ring ready for polling: translate and check its three areas, take over the indices, and
 * tell the guest not to kick.
 *
 * Both indices begin at the used index that stands in the ring: buffers are returned in the order
 * in which they were made available, so what lies behind it was never returned, whatever base the
 * front-end gives (it can only guess after a back-end was lost).
 *
 * @param ring    filled in; not running when an error is returned
 * @param setup   what the front-end said
 * @param memory  must stay until after tp_vring_stop
 * @return 0, or -EINVAL with *error naming the area, what was found and what is right
 *         (alignment: virtio 1.2, 2.7; overlapping areas are refused).
 * Threading: control thread, while no worker polls the ring.
 */
int tp_vring_start(struct tp_vring *ring, const struct tp_vring_setup *setup,
	const struct tp_guest_memory *memory, struct tp_error *error);

/**
 * Announce that a ring is about to stop: no worker that looks from now on will use it.
 * Threading: control thread, which then waits for the workers' quiescence.
 */
void tp_vring_retire(struct tp_vring *ring);

/**
 * Let go of a ring: the guest is asked to kick again, the pointers are cleared.
 * @return the next available index. Threading: control thread, after tp_vring_retire and after the
 * last worker has left the ring.
 */
uint16_t tp_vring_stop(struct tp_vring *ring);

/**
 * Let many workers write to a ring, or one alone again. Nobody writes to it meanwhile: its senders
 * are not served, and those who served them have been quiescent.
 *
 * @param baton  a word for each place of the ring, cleared here; belongs to the ring until
 *               tp_vring_unshare gives it back
 * Threading: control thread.
 */
void tp_vring_share(struct tp_vring *ring, uint16_t *baton);
uint16_t *tp_vring_unshare(struct tp_vring *ring);

/**
 * Ask the guest to kick when it makes something available from now on, or not to (virtio 1.2,
 * 2.7.10). After asking, look at the available index once more, behind a full barrier: the guest
 * may have looked before. Threading: the ring's worker.
 */
void tp_vring_ask_for_kicks(struct tp_vring *ring);
void tp_vring_suppress_kicks(struct tp_vring *ring);

/** What a fault means, for people; NULL for TP_VRING_SOUND. Threading: any. */
const char *tp_vring_fault_text(enum tp_vring_fault fault);

/** May the ring be used? What it points to stays valid until the caller is quiescent. Threading:
 * worker. */
static inline bool tp_vring_running(const struct tp_vring *ring)
{
	/* acquire: partner is the release store in tp_vring_start */
	return atomic_load_explicit(&ring->running, memory_order_acquire) &&
	       __atomic_load_n(&ring->fault, __ATOMIC_RELAXED) == TP_VRING_SOUND;
}

/** The fault that a worker found, or TP_VRING_SOUND. Threading: any. */
static inline enum tp_vring_fault tp_vring_fault(const struct tp_vring *ring)
{
	return (enum tp_vring_fault)__atomic_load_n(&ring->fault, __ATOMIC_RELAXED);
}

/** Record a fault; workers leave the ring alone from then on. Threading: worker. @param fault enum
 * tp_vring_fault */
static inline void tp_vring_break(struct tp_vring *ring, uint8_t fault)
{
	__atomic_store_n(&ring->fault, fault, __ATOMIC_RELAXED);
}
