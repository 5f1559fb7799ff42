/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "state/counter.h"
#include "state/residence.h"
#include "vring/vring.h"

/*
 * The context store: everything the dataplane changes about an interface, in one block of hugepage
 * memory a NUMA node, and in further ones for interfaces that come later. What does not change
 * while a configuration stands is in the snapshot (state/snapshot.h).
 */

/** A pair of rings of one interface. */
struct tp_ring_pair {
	struct tp_vring tx; /* the guest's transmit ring: a source */
	struct tp_vring rx; /* the guest's receive ring: a destination */
	/* TSC when the oldest frame of tx was first refused, 0: it was not; the tx ring's worker:
	 * rw */
	uint64_t hold_since;

	/* How tx is known to the hot-context cache of its worker (path/hot.h). What is the worker's
	 * here is control's from when the worker has left the ring until it is told of it anew. */
	_Atomic uint16_t generation; /* counts the starts of tx; control: w, worker: r */
	_Atomic uint8_t
		residence; /* enum tp_residence; worker: w, control: w before the start, r */
	bool queued;       /* waits to be loaded; worker: rw */
	bool listed;       /* in the background list; worker: rw */
	uint8_t unkicked;  /* times found with frames although no kick came; worker: rw */
	/* How often its doorbell was armed and rang. It can ring before control has counted. */
	_Atomic uint16_t armed; /* control: w, worker: r (acquire) */
	_Atomic uint16_t rang;  /* worker: w, control: w before the start, r */
	atomic_bool arming; /* control has been asked to arm; worker: w true, control: w false */
	atomic_bool silent; /* its guest never kicks; control: w at the start, worker: w true */
	_Atomic uint16_t worker; /* who serves tx; control: w (release), worker: r (acquire) */
	uint32_t served;         /* frames of tx completed; tx's worker: rw, control: r (relaxed) */

	/* Whose turn it is; the tx ring's worker: rw, control: w before the start. */
	uint32_t blocked_at; /* interface whose ring has refused its oldest frame */
	uint64_t seen_at;    /* ... a TSC; 0: those seen are all taken (path/latency.h) */
	int64_t deficit;     /* credits that it may spend, in 1/2^16 (path/scheduler.h) */
	uint32_t swept;      /* the sweep that last found frames here */
	uint32_t tried;      /* when its interface's rate last paid for it (path/shaper.h) */
	uint16_t seen;       /* frames before this index were first seen at seen_at ... */
	uint16_t hold_index; /* where the destination stood (path/hold.h) */
	bool blocked;        /* a destination has refused its oldest frame (path/turn.h) */
	bool queues;         /* for its turn there, or has just had it */
} __attribute__((aligned(64)));

static_assert(sizeof(struct tp_ring_pair) == 320, "two rings and one line beside them");

/** Will the ring's doorbell ring when its guest kicks? Threading: worker, control. */
static inline bool tp_ring_armed(const struct tp_ring_pair *ring)
{
	/* acquire: partner is control's release store after it armed */
	uint16_t armed = atomic_load_explicit(&ring->armed, memory_order_acquire);
	uint16_t rang = atomic_load_explicit(&ring->rang, memory_order_relaxed);

	return (int16_t)(armed - rang) > 0;
}

/** What the rate of an interface still pays for (path/shaper.h); its worker: rw. */
struct tp_bucket {
	uint64_t empty_at; /* TSC: what came in since then is in it; later than now: it owes */
	uint32_t rest;     /* of a cycle, in 1/2^24 */
	uint32_t tries;    /* of its rings to take from it */
};

struct tp_context {
	struct tp_counters counters;
	uint32_t pair_count;
	atomic_bool learned_enough; /* MACs: no more sightings, please; control: w, worker: r */
	/* Several workers serve the tenant's rings: they share its destinations and counters.
	 * control: w while nobody serves them, worker: r */
	bool spread;
	/* MAC by which the guest is to be announced, as tp_mac_load gives it; 0: by none. control:
	 * w, the worker of its first pair: takes it; atomic, no other memory goes with it
	 * (path/announce.h) */
	_Atomic uint64_t announce;
	struct tp_bucket bucket;       /* of its rate */
	struct tp_bucket flood_bucket; /* of its class's flood_rate */
	struct tp_ring_pair pair[];
} __attribute__((aligned(64)));

#define TP_NO_WORKER UINT16_MAX /* in tp_ring_pair.worker: it is on its way from one to another */

struct tp_context_store;

/**
 * Make a store.
 * @param pair_counts   queue pairs of each interface
 * @param count         interfaces
 * @param nodes         NUMA node for each context, where its worker runs, or TP_NO_NODE; NULL: all
 *                      anywhere
 * @return the store with all contexts zeroed, or NULL: not enough memory in the EAL's heap.
 * Threading: control thread.
 */
struct tp_context_store *tp_context_store_new(
	const uint16_t *pair_counts, uint32_t count, const int *nodes);

/** Free a store that no worker uses any more. NULL is allowed. Threading: control thread. */
void tp_context_store_free(struct tp_context_store *store);

/** The context at a place, NULL: there is none. Threading: control thread; see the fields for who
 * may write. */
struct tp_context *tp_context_at(const struct tp_context_store *store, uint32_t index);

/**
 * Make a context at a place where there is none. The memory of one that was removed is used again.
 * @param node        NUMA node where its worker runs, or TP_NO_NODE
 * @param generation  that its rings count their starts from, so that what is still said of one that
 *                    was at this place before is not taken to be of this one
 * @return the context, zeroed; NULL: not enough memory in the EAL's heap. Threading: control
 * thread.
 */
struct tp_context *tp_context_add(struct tp_context_store *store, uint32_t index,
	uint16_t pair_count, int node, uint16_t generation);

/** Remove the context at a place; no worker uses it any more. Nothing happens if there is none.
 * Threading: control thread. */
void tp_context_remove(struct tp_context_store *store, uint32_t index);

/** Bytes of hugepage memory that such a store takes. Threading: any. */
size_t tp_context_store_size(const uint16_t *pair_counts, uint32_t count);
