/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "burst.h"

/* What the files of the hot-context cache share: a ring, as the cache marks it. */

#define TP_HOT_LOOK_NS 1000000u /* between two looks at guests that never kick */

/** The ring of an id, with *poll for it. @return NULL if this worker does not serve it. */
static inline struct tp_ring_pair *tp_hot_find(
	const struct tp_worker *worker, const struct tp_ring_id *id, struct tp_poll *poll)
{
	struct tp_context *context;

	if (id->interface >= worker->snapshot->interface_count)
		return NULL;
	context = worker->snapshot->interfaces[id->interface].context;
	/* acquire: partner is control's release store when it gives the ring to this worker */
	if (context == NULL || id->pair >= context->pair_count ||
		atomic_load_explicit(&context->pair[id->pair].worker, memory_order_acquire) !=
			worker->index)
		return NULL;
	*poll = (struct tp_poll){context, id->interface, id->pair};
	return &context->pair[id->pair];
}

static inline enum tp_residence tp_hot_residence(const struct tp_ring_pair *ring)
{
	return atomic_load_explicit(&ring->residence, memory_order_relaxed);
}

static inline void tp_hot_move(struct tp_ring_pair *ring, enum tp_residence to)
{
	assert(tp_residence_legal(tp_hot_residence(ring), to));
	atomic_store_explicit(&ring->residence, (uint8_t)to, memory_order_relaxed);
}

static inline bool tp_hot_silent(const struct tp_ring_pair *ring)
{
	return atomic_load_explicit(&ring->silent, memory_order_relaxed);
}

static inline uint16_t tp_hot_generation(const struct tp_ring_pair *ring)
{
	return atomic_load_explicit(&ring->generation, memory_order_relaxed);
}

static inline struct tp_cache_counters *tp_hot_counters(
	const struct tp_worker *worker, const struct tp_poll *poll)
{
	return &worker->share->cache[worker->snapshot->interfaces[poll->interface].class];
}

/** Have the ring loaded when it is its turn. */
static inline void tp_hot_enqueue(
	struct tp_hot *hot, const struct tp_poll *poll, struct tp_ring_pair *ring)
{
	if (ring->queued)
		return;
	ring->queued = true;
	hot->queue.id[hot->queue.tail++ & hot->queue.mask] =
		(struct tp_ring_id){.interface = poll->interface, .pair = (uint8_t)poll->pair};
}

/** Take an entry out; the last one stands in its place then. */
static inline void tp_hot_remove(struct tp_hot_table *table, uint32_t index)
{
	table->entry[index] = table->entry[--table->count];
}

/* hot_silent.c */

/** A cold ring whose guest never kicks is looked at once in a while. */
void tp_hot_list_silent(struct tp_hot *hot, const struct tp_poll *poll, struct tp_ring_pair *ring);

/** Look at those that never kick, if it is time, and for more of them. */
void tp_hot_look_around(struct tp_worker *worker);

/* hot_wait.c */

/** Have the rings loaded whose time has come. */
void tp_hot_come_back(struct tp_worker *worker);

/** Forget those that have departed. */
void tp_hot_purge_waiting(struct tp_worker *worker);
