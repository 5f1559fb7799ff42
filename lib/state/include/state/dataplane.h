/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/node.h"
#include "state/doorbell.h"
#include "state/learned.h"
#include "state/snapshot.h"
#include "state/times.h"

struct rte_mbuf;
struct rte_rcu_qsbr;
struct rte_ring;

/*
 * Where the planes meet. Control publishes snapshots by pointer swap and frees the old one when
 * every worker has been quiescent; it rings a worker's doorbell for a ring to be served. Workers
 * publish counters, what they would like to have learned, and whose doorbell they want armed.
 */

/** A source MAC that a worker saw at an interface of a learning tenant. */
struct tp_sighting {
	uint64_t key; /* tp_mac_key */
	uint32_t interface;
	uint32_t padding;
};

/** A frame of the network below an uplink that control has to answer. */
struct tp_underlay_frame {
	struct rte_mbuf *mbuf; /* control's, to free or to send */
	uint32_t uplink;
	uint32_t padding;
};

#define TP_UNDERLAY_FRAMES 63 /* of a worker, kept for control between two of its looks */
#define TP_UNDERLAY_ECHOES 16 /* beyond so many frames no echo request is among them */

/*
 * What the hot-context cache of a worker counts, for each class. One list: struct, names and
 * telemetry come from it.
 */
#define TP_CACHE_COUNTERS(X)                                                                       \
	X(hits, "bursts taken from rings that were hot")                                           \
	X(misses, "kicks of cold rings")                                                           \
	X(loads, "entries loaded")                                                                 \
	X(write_backs, "entries written back to their contexts")                                   \
	X(evictions, "of these, for the sake of another ring")                                     \
	X(waits, "times that a ring left until its rate pays for a frame")

struct tp_cache_counters {
#define X(name, help) uint64_t name; /* worker: rw, control: r (relaxed) */
	TP_CACHE_COUNTERS(X)
#undef X
};

#define TP_WORKERS_MAX 128
#define TP_NO_LCORE    UINT32_MAX

/** What one worker shares with the control plane. */
struct tp_worker_share {
	struct tp_doorbell doorbell; /* control: arms and rings, worker: takes */
	struct rte_ring *arms; /* struct tp_ring_id to arm; worker: enqueues, control: dequeues */
	struct rte_ring *sightings; /* worker: enqueues, control: dequeues */
	/* struct tp_underlay_frame; worker: enqueues, control: dequeues; NULL: no uplink has
	 * tunnels */
	struct rte_ring *underlay;
	/* A ring has stopped or gone to another worker; control: w (release), worker: r (acquire)
	 */
	_Atomic uint64_t departures;
	atomic_bool stop; /* return; control: w, worker: r (relaxed) */
	unsigned lcore;   /* control: w before launch; TP_NO_LCORE: a thread of its own */
	int core;         /* CPU number; control: w before launch */
	int node;         /* NUMA node of that CPU, or TP_NO_NODE; control: w before launch */

	/* worker: rw, control: r, all relaxed; a line of their own, since they change all the time
	 */
	uint64_t sweeps __attribute__((aligned(64)));
	uint64_t busy_sweeps;      /* that found at least one frame */
	uint64_t busy_cycles;      /* TSC cycles that those took */
	uint64_t frames;           /* completed */
	uint64_t sightings_missed; /* the ring to control was full */
	uint64_t hot;              /* rings polled on every sweep, the pinned ones among them */
	uint64_t sleeps;
	/* Rings that it found broken, counted after their fault is noted; worker: rw (release),
	 * control: r (acquire) */
	uint64_t broken;
	struct tp_cache_counters cache[TP_CLASSES_MAX] __attribute__((aligned(64)));
	/* What this worker has charged each tenant (settings.tenants of them), in sixteenths of a
	 * credit; worker: rw, control: r (relaxed) */
	uint64_t *tenant_bill;
	/* Times, see there who writes and reads. */
	struct tp_times pinned_gap;              /* between two polls of the pinned rings */
	struct tp_times sweep;                   /* of sweeps that found at least one frame */
	struct tp_times latency[TP_CLASSES_MAX]; /* of each class's frames, from first seen in their
						    ring to published (path/latency.h) */
} __attribute__((aligned(64)));

/** How a dataplane is to be. */
struct tp_dataplane_settings {
	unsigned workers;
	uint32_t tenants;
	uint32_t learned_macs; /* most in all tenants together, 0: none learns */
	uint32_t rings;        /* source rings of all interfaces together */
	uint32_t
		hot_contexts; /* source rings that a worker keeps hot, the pinned ones among them */
	uint64_t stay_hot_ns; /* how long an idle ring stays hot */
	uint64_t sweep_budget_ns; /* how long a sweep may take */
	uint64_t uplink_nap_ns;   /* how long a worker with an uplink may sleep */
	bool hot_cache;           /* false: every ring is polled on every sweep */
	bool idle_sleep;          /* a worker without hot rings sleeps */
	bool underlays;           /* uplinks have tunnels */
	int socket;               /* NUMA node of what all share, or SOCKET_ID_ANY */
	/* NUMA node of each worker's CPU, for what is its own; NULL: anywhere. Until
	 * tp_dataplane_new has returned */
	const int *worker_nodes;
};

/** Workers of a dataplane, and how they are. */
struct tp_workers {
	struct tp_dataplane_settings settings;
	unsigned count;
	struct tp_worker_share *share[TP_WORKERS_MAX];
};

struct tp_dataplane {
	_Atomic(const struct tp_snapshot *)
		snapshot;                     /* control: w (release), worker: r (acquire) */
	_Atomic(struct tp_learned *) learned; /* control: w, all: r; NULL: nobody learns */
	_Atomic uint64_t learned_generation;  /* control: w (release), worker: r (acquire) */
	/* A tenant each (settings.tenants), 1: it is served as snapshot->lowest_class; atomic
	 * (relaxed), control: w, worker: r */
	uint8_t *out_of_credit;
	/* The same, 1: no more MACs are learned behind its uplink; atomic (relaxed), control: w,
	 * worker: r */
	uint8_t *enough_beyond;
	struct rte_rcu_qsbr *qsbr;
	/* Control's, as is what follows. Workers take theirs when they are made, not later:
	 * control replaces them while the old workers are still at work. */
	struct tp_dataplane_settings settings;
	uint64_t published; /* snapshots so far */
	bool shared_core;   /* a worker shares its CPU: yield when idle */
	unsigned worker_count;
	struct tp_worker_share *worker[TP_WORKERS_MAX]; /* each on its node */
};

/**
 * Make the meeting place.
 * @return the dataplane, or NULL with *error set. Threading: control thread, after rte_eal_init.
 */
struct tp_dataplane *tp_dataplane_new(
	const struct tp_dataplane_settings *settings, struct tp_error *error);

/** Free it with the present snapshot, after the workers have returned. NULL is allowed.
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
 * Have workers look up learned MACs in another table, or in none; the old one is freed after
 * quiescence. Threading: control thread.
 */
void tp_dataplane_set_learned(struct tp_dataplane *dataplane, struct tp_learned *learned);

/** Forget what workers have counted of a class's place, which no interface has. Threading: control
 * thread. */
void tp_dataplane_clear_class(struct tp_dataplane *dataplane, uint32_t place);

/**
 * Have a started source ring served by its context's worker.
 * @return 0, or -EAGAIN: try again later. Threading: control thread.
 */
int tp_dataplane_attend(struct tp_dataplane *dataplane, const struct tp_ring_id *id);

/**
 * Wait until a worker has let go of the rings that were retired, or whose context was given to
 * another worker, before the call. Threading: control thread.
 */
void tp_dataplane_leave(struct tp_dataplane *dataplane, unsigned worker);

/** The same of all workers at once. */
void tp_dataplane_leave_all(struct tp_dataplane *dataplane);

/**
 * Put other workers in the place of those that there are, which have no rings any more
 * (tp_dataplane_leave_all) and go on until they are told to stop.
 *
 * @param settings  of the others; tenants and learned_macs as before
 * @param before    set to those that there were
 * @return 0, or negative errno with *error set and nothing changed. Threading: control thread, as
 * these three.
 */
int tp_dataplane_replace_workers(struct tp_dataplane *dataplane,
	const struct tp_dataplane_settings *settings, struct tp_workers *before,
	struct tp_error *error);

/** Undo that: the others, none of which ran, are freed. */
void tp_dataplane_restore_workers(struct tp_dataplane *dataplane, const struct tp_workers *before);

/** Or free those that there were, which have returned. */
void tp_workers_free(struct tp_workers *before);

/** Have workers return that are not a dataplane's any more. Threading: control thread. */
void tp_workers_stop(struct tp_workers *workers);

/** Have all workers return. Threading: control thread. */
void tp_dataplane_stop(struct tp_dataplane *dataplane);

/* worker_share.c */

/** Make what worker `index` shares. @return it, or NULL with *error set. */
struct tp_worker_share *tp_worker_share_new(
	const struct tp_dataplane_settings *settings, unsigned index, struct tp_error *error);

/** NULL is allowed. */
void tp_worker_share_free(struct tp_worker_share *share);

/** Go on counting where another worker, which has returned, has ended.
 * @param same  it is the same worker, begun anew; else what it counted of classes and tenants is
 * taken over, and what is of workers is not */
void tp_worker_share_inherit(struct tp_worker_share *share, const struct tp_worker_share *from,
	uint32_t tenants, bool same);
