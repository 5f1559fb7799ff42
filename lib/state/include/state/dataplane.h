/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "state/snapshot.h"

struct rte_rcu_qsbr;
struct rte_ring;

/*
 * Where the planes meet. Control publishes snapshots and poll lists by pointer swap and frees the
 * old ones when every worker has been quiescent; workers publish counters and what they would like
 * to have learned.
 */

/** One source ring to be polled. */
struct tp_poll {
	struct tp_context *context;
	uint32_t interface;
	uint32_t pair;
};

/** The source rings of one worker; immutable once published. */
struct tp_poll_list {
	uint32_t count;
	struct tp_poll poll[];
};

/** A source MAC that a worker saw at an interface of a learning tenant. */
struct tp_sighting {
	uint64_t key; /* tp_mac_key */
	uint32_t interface;
	uint32_t padding;
};

/** What one worker shares with the control plane. */
struct tp_worker_share {
	_Atomic(const struct tp_poll_list *) polls; /* control: w (release), worker: r (acquire) */
	struct rte_ring *sightings;                 /* worker: enqueues, control: dequeues */
	unsigned lcore;                             /* control: w before launch */
	int core;                                   /* CPU number; control: w before launch */

	/* worker: rw, control: r, all relaxed; a line of their own, since they change all the time
	 */
	uint64_t sweeps __attribute__((aligned(64)));
	uint64_t busy_sweeps;      /* that found at least one frame */
	uint64_t frames;           /* completed */
	uint64_t sightings_missed; /* the ring to control was full */
} __attribute__((aligned(64)));

struct tp_dataplane {
	_Atomic(const struct tp_snapshot *)
		snapshot;                    /* control: w (release), worker: r (acquire) */
	struct tp_mac_table *learned;        /* control: rw, worker: r (lock-free look-ups) */
	_Atomic uint64_t learned_generation; /* control: w (release), worker: r (acquire) */
	struct rte_rcu_qsbr *qsbr;
	atomic_bool stop; /* control: w, worker: r */
	bool shared_core; /* a worker shares its CPU: yield when idle */
	unsigned worker_count;
	struct tp_worker_share worker[];
};

/**
 * Make the meeting place for so many workers.
 * @param learned_macs  most MACs that can be learned in all tenants together, 0: none learns
 * @return the dataplane, or NULL with *error set. Threading: control thread, after rte_eal_init.
 */
struct tp_dataplane *tp_dataplane_new(
	unsigned workers, uint32_t learned_macs, int socket, struct tp_error *error);

/** Free it with the present snapshot and lists, after the workers have returned. NULL is allowed.
 */
void tp_dataplane_free(struct tp_dataplane *dataplane);

/**
 * Wait until every worker has finished the sweep that it is in. What was unlinked before the call
 * is used by nobody after it. Takes microseconds; yields the CPU meanwhile. Threading: control
 * thread.
 */
void tp_dataplane_quiesce(struct tp_dataplane *dataplane);

/** Publish a sealed snapshot; the old one is freed after quiescence. Threading: control thread. */
void tp_dataplane_publish_snapshot(struct tp_dataplane *dataplane, struct tp_snapshot *snapshot);

/**
 * Publish a worker's poll list (malloc'ed; now the dataplane's); the old one is freed after
 * quiescence. Threading: control thread.
 */
void tp_dataplane_publish_polls(
	struct tp_dataplane *dataplane, unsigned worker, struct tp_poll_list *polls);
