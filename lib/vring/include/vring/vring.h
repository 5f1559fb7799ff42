/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/guest_memory.h"
#include "vring/virtio.h"

/*
 * A virtqueue of a guest, as one worker uses it. Started and stopped by the control plane, which
 * makes sure that no worker holds it meanwhile; in between only its worker touches it, but for
 * `fault`.
 *
 *   available ring, free-running 16-bit indices, read side of the switch:
 *
 *      next_avail          reserved            avail_seen
 *          |                   |                   |
 *   .......[ reserved for     ][ free, known to   ][ perhaps more, not
 *   used   [ frames in flight ][ be available     ][ looked at yet ....
 *
 *   A source ring has no reservations (reserved == next_avail). An aborted reservation sets
 * `reserved` back; nothing of that is visible to the guest.
 */

/* Ways in which a ring can break so that nothing in it can be trusted any more. */
#define TP_VRING_FAULTS(X)                                                                         \
	X(AVAIL_INDEX, "available index moved by more than the ring's size")                       \
	X(AVAIL_HEAD, "available ring names a descriptor beyond the ring's size")                  \
	X(RECEIVE_CHAIN,                                                                           \
		"receive buffer's descriptor chain loops, is read-only or misuses indirect")       \
	X(RECEIVE_ADDRESS, "receive buffer not wholly inside one region of the guest's memory")    \
	X(RECEIVE_HEADER, "receive buffer too short for the virtio-net header")

enum tp_vring_fault {
	TP_VRING_SOUND,
#define X(NAME, help) TP_VRING_##NAME,
	TP_VRING_FAULTS(X)
#undef X
};

struct tp_vring {
	/* Set by tp_vring_start. */
	const struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	const struct tp_guest_memory *memory;
	uint16_t size;
	atomic_bool running; /* control: rw, worker: ro */
	bool event_idx;
	bool indirect;
	bool mergeable;
	bool deaf;         /* a hold for this destination ran out; worker: rw */
	uint8_t fault;     /* enum tp_vring_fault; worker: w, control: r (relaxed atomics) */
	bool call_pending; /* the worker will look at the need of a call; worker: rw */
	uint8_t touched;   /* the destination's place in the worker's burst + 1; worker: rw */
	int call_fd;       /* eventfd, or -1 */
	/* Free-running indices, worker: rw. */
	uint16_t next_avail; /* first available entry not consumed */
	uint16_t reserved;   /* first available entry not reserved (destination) */
	uint16_t avail_seen; /* the guest's available index when last read */
	uint16_t used_index; /* as published */
	uint16_t called_at;  /* used index when the need of a call was last decided */
};

static_assert(sizeof(struct tp_vring) <= 64, "a poll of a ring costs one cache line of ours");

struct tp_vring_setup {
	uint16_t size;         /* power of two, 2..32768 */
	uint64_t desc_address; /* front-end user addresses */
	uint64_t avail_address;
	uint64_t used_address;
	uint64_t features; /* negotiated */
	int call_fd;       /* -1: never notify */
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
	       ring->fault == TP_VRING_SOUND;
}

/** The fault that a worker found, or TP_VRING_SOUND. Threading: any. */
static inline enum tp_vring_fault tp_vring_fault(const struct tp_vring *ring)
{
	return (enum tp_vring_fault)__atomic_load_n(&ring->fault, __ATOMIC_RELAXED);
}

/** Record a fault; the worker leaves the ring alone from then on. Threading: the ring's worker. */
static inline void tp_vring_break(struct tp_vring *ring, enum tp_vring_fault fault)
{
	__atomic_store_n(&ring->fault, (uint8_t)fault, __ATOMIC_RELAXED);
}
