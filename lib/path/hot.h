/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "state/dataplane.h"
#include "wheel.h"

/*
 * The hot-context cache of a worker: a dense table of what a poll of a source ring needs, one cache
 * line a ring. Only rings in it are polled; the others wait for their guest's kick, which comes
 * through the worker's doorbell.
 *
 * A ring that was idle for long enough is written back and goes cold. When the table is full, the
 * entry that is worth least goes (GreedyDual: Young 1994; an entry is worth what a miss would cost
 * its class, on top of the worth of the last one that had to go, from its last frame on). Frames
 * that it still has stay in its ring, and it queues for an entry as if its guest had kicked.
 *
 * A ring whose interface's rate pays for no frame yet leaves the table for a timing wheel and comes
 * back when it is time, so that many shaped ones cost no more than their frames do. A pinned one
 * stays where it is.
 *
 * Guests that never kick are looked at once in a while; so are all cold rings, more rarely, to find
 * those that never kick though they could.
 *
 * Only the worker's lcore touches any of this.
 */

#define TP_BELLS 32 /* events taken from the doorbell in a sweep, and loads made, at most */

/** One source ring, as the stages get it. */
struct tp_poll {
	struct tp_context *context;
	uint32_t interface;
	uint32_t pair;
};

struct tp_hot_entry {
	const uint16_t *available; /* the guest's available index */
	struct tp_ring_pair *ring; /* poll.context->pair[poll.pair] */
	struct tp_poll poll;
	uint64_t used_at;    /* TSC of the sweep that last found frames, or loaded it */
	uint64_t worth;      /* the entry with the least of it goes first, of equals the oldest */
	uint32_t serial;     /* counts loads */
	uint16_t next_avail; /* copy of ring->tx.next_avail */
	uint16_t generation; /* of the ring when it was loaded */
	uint16_t class;
} __attribute__((aligned(64)));

static_assert(sizeof(struct tp_hot_entry) == 64, "one cache line");

struct tp_hot_table {
	struct tp_hot_entry *entry;
	uint32_t count;
	uint32_t capacity; /* as many may be loaded, */
	uint32_t places;   /* of so many */
};

/** Rings that wait to be loaded, each at most once: a ring buffer as long as there are rings. */
struct tp_hot_queue {
	struct tp_ring_id *id;
	uint32_t head; /* free-running, as tail */
	uint32_t tail;
	uint32_t mask;
};

struct tp_hot {
	struct tp_hot_table pinned; /* polled between every two bursts of others, never evicted */
	struct tp_hot_table table;
	struct tp_hot_queue queue;
	struct tp_wheel wheel;     /* rings that wait for their rate */
	struct tp_ring_id *silent; /* cold rings whose guests never kick */
	uint32_t silent_count;
	uint32_t hand;       /* where the search for an entry to evict goes on */
	uint32_t loads;      /* so far */
	uint32_t cursor;     /* the interface that the search for silent guests looks at next */
	uint64_t inflation;  /* worth of the last evicted entry */
	uint64_t now;        /* TSC at the head of this sweep */
	uint64_t stay;       /* TSC cycles that an idle ring stays hot */
	uint64_t patience;   /* TSC cycles of its rate that a ring may wait for at once */
	uint64_t looked_at;  /* TSC of the last look at silent guests */
	uint64_t look_every; /* TSC cycles */
	uint64_t departures; /* as last seen */
	bool caching;        /* else every ring stays hot */
	struct io_event heard[TP_BELLS]; /* what rang while the worker slept */
	unsigned heard_count;
};

struct tp_worker;

/**
 * Make the tables.
 * @param node  NUMA node for them, or TP_NO_NODE
 * @return 0, or -ENOMEM with *error set. Threading: control thread.
 */
int tp_hot_open(struct tp_hot *hot, const struct tp_dataplane_settings *settings, int node,
	struct tp_error *error);
void tp_hot_close(struct tp_hot *hot);

/** The snapshot is another one: look up what class each entry is of now. */
void tp_hot_classify(struct tp_worker *worker);

/** At the head of a sweep: let go of what has departed, listen to the doorbell, load. */
void tp_hot_begin(struct tp_worker *worker);

/**
 * An entry of hot->table has been idle for long enough.
 * @return true if it is gone; the last entry stands in its place then.
 */
bool tp_hot_cool(struct tp_worker *worker, uint32_t index);

/**
 * The rate of an entry's interface does not pay: it leaves hot->table until it does.
 * @param due  TSC
 * @return true if it is gone; the last entry stands in its place then.
 */
bool tp_hot_wait(struct tp_worker *worker, uint32_t index, uint64_t due);

/** Nothing is polled, and nothing waits to be loaded. */
bool tp_hot_all_cold(const struct tp_worker *worker);

/**
 * How long the worker may sleep: until it is time to look at silent ones, or shortly before a ring
 * comes back.
 * @return nanoseconds, 0: not at all
 */
uint64_t tp_hot_rest(const struct tp_worker *worker);

/** Sleep until a guest kicks, or for so many nanoseconds. */
void tp_hot_sleep(struct tp_worker *worker, uint64_t ns);

/** The index up to which the guest has made frames available. */
static inline uint16_t tp_hot_available(const struct tp_hot_entry *entry)
{
	/* Only a hint: peek reads the index again, with the order that it needs. */
	return __atomic_load_n(entry->available, __ATOMIC_RELAXED);
}

/** Does the ring show something that was not taken yet? */
static inline bool tp_hot_has_frames(const struct tp_hot_entry *entry)
{
	return tp_hot_available(entry) != entry->next_avail;
}

/** The entry is used: it goes last among those of its class. */
static inline void tp_hot_use(
	struct tp_hot *hot, struct tp_hot_entry *entry, const struct tp_class *class)
{
	entry->used_at = hot->now;
	entry->worth = hot->inflation + class->bid;
}
