/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "state/counter.h"
#include "vring/vring.h"

/*
 * The context store: everything the dataplane changes about an interface, in one block of hugepage
 * memory. What does not change while a configuration stands is in the snapshot (state/snapshot.h).
 */

/** A pair of rings of one interface. */
struct tp_ring_pair {
	struct tp_vring tx; /* the guest's transmit ring: a source */
	struct tp_vring rx; /* the guest's receive ring: a destination */
	/* TSC when the oldest frame of tx was first refused, 0: it was not; the tx ring's worker:
	 * rw */
	uint64_t hold_since;
} __attribute__((aligned(64)));

struct tp_context {
	struct tp_counters counters;
	uint32_t pair_count;
	atomic_bool learned_enough; /* MACs: no more sightings, please; control: w, worker: r */
	struct tp_ring_pair pair[];
} __attribute__((aligned(64)));

struct tp_context_store;

/**
 * Make a store.
 * @param pair_counts   queue pairs of each interface
 * @param count         interfaces
 * @param socket        NUMA node, or SOCKET_ID_ANY
 * @return the store with all contexts zeroed, or NULL: not enough memory in the EAL's heap.
 * Threading: control thread.
 */
struct tp_context_store *tp_context_store_new(
	const uint16_t *pair_counts, uint32_t count, int socket);

/** Free a store that no worker uses any more. NULL is allowed. Threading: control thread. */
void tp_context_store_free(struct tp_context_store *store);

/** The context of an interface, index < count. Threading: any; see the fields for who may write. */
struct tp_context *tp_context_at(const struct tp_context_store *store, uint32_t index);

/** Bytes of hugepage memory that such a store takes. Threading: any. */
size_t tp_context_store_size(const uint16_t *pair_counts, uint32_t count);
