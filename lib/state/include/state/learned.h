/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "state/mac_table.h"

/*
 * Learned MACs: a MAC table, and for each address a place that says when it was last seen sending.
 *
 * Control learns, moves and forgets; workers look up, and stamp the places of the addresses that
 * they see with the second that control tells. A worker may stamp a place that has just been
 * forgotten or given to another address: that one stays a little longer, nothing else. Who forwards
 * never follows a place, only the interface that is stored beside it in one word.
 */

#define TP_NO_PLACE UINT32_MAX

struct tp_learned_place {
	uint64_t key;       /* tp_mac_key; control: rw */
	uint32_t interface; /* control: rw */
	uint32_t seen;      /* the second in which it sent last; worker, control: rw (relaxed) */
};

struct tp_learned {
	struct tp_mac_table *table;
	uint32_t capacity;
	uint32_t count;   /* control: rw */
	uint32_t second;  /* since the start; control: w, worker: r (relaxed) */
	uint32_t *vacant; /* stack of free places; control: rw */
	struct tp_learned_place place[];
};

/**
 * Make an empty table.
 * @param capacity  most addresses
 * @param qsbr      workers' quiescence, as for tp_mac_table_new
 * @return the table, or NULL with *error set. Threading: control thread.
 */
struct tp_learned *tp_learned_new(
	uint32_t capacity, int socket, struct rte_rcu_qsbr *qsbr, struct tp_error *error);

/** Free a table that no worker uses any more. NULL is allowed. Threading: control thread. */
void tp_learned_free(struct tp_learned *learned);

/**
 * Where an address was learned.
 * @param place  set: where tp_learned_stamp stamps it, TP_NO_PLACE if it is not known
 * @return an interface, or TP_NO_INTERFACE. Threading: any.
 */
uint32_t tp_learned_find(const struct tp_learned *learned, uint64_t key, uint32_t *place);

/** An address was seen sending. The place may be of a table that this one has followed.
 * Threading: worker. */
static inline void tp_learned_stamp(struct tp_learned *learned, uint32_t place)
{
	uint32_t second = __atomic_load_n(&learned->second, __ATOMIC_RELAXED);
	uint32_t *seen;

	if (place >= learned->capacity)
		return;
	seen = &learned->place[place].seen;
	if (__atomic_load_n(seen, __ATOMIC_RELAXED) != second)
		__atomic_store_n(seen, second, __ATOMIC_RELAXED);
}

/**
 * Learn an address, or move it to another interface; either way it was seen in this second.
 * @return 0, or -ENOSPC. Threading: control thread.
 */
int tp_learned_set(struct tp_learned *learned, uint64_t key, uint32_t interface);

/** Take over what another table knows, as far as there is room. @param to  nobody else's yet.
 * Threading: control thread. */
void tp_learned_copy(struct tp_learned *to, const struct tp_learned *from);

/** Forget the address of a place that is taken. Threading: control thread. */
void tp_learned_forget(struct tp_learned *learned, uint32_t place);

/** Is a place taken? Threading: control thread. */
static inline bool tp_learned_taken(const struct tp_learned *learned, uint32_t place)
{
	return learned->place[place].interface != TP_NO_INTERFACE;
}

/** Seconds since the address of a place was last seen. Threading: control thread. */
static inline uint32_t tp_learned_age(const struct tp_learned *learned, uint32_t place)
{
	return learned->second - __atomic_load_n(&learned->place[place].seen, __ATOMIC_RELAXED);
}
