/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "call.h"
#include "hot.h"
#include "scheduler.h"
#include "state/dataplane.h"
#include "vring/split_destination.h"
#include "vring/split_source.h"
#include "way.h"

/*
 * What a worker keeps privately: the burst that it is working on, handed from stage to stage, and a
 * small cache of look-ups. Only the worker's lcore touches it.
 */

#define TP_HEAD_BYTES   64   /* of each frame are read once and travel by the private copy */
#define TP_CACHED_MACS  1024 /* entries of the look-up cache, direct-mapped */
#define TP_AGE_SHIFT    26   /* TSC cycles of an age, 20 to 35 ms: see tp_claim_begin */
#define TP_TARGET_SLOTS 256  /* to find a ring's target in a burst; a power of two */
#define TP_TO_MANY      (TP_NO_INTERFACE - 1) /* destination of a frame to be flooded */
#define TP_TURNS        256 /* full destinations at which turns are kept, at most */

/** What a burst may take at most; of credits and units the last frame may take more. */
struct tp_limit {
	unsigned frames; /* looked at, 1..TP_BURST */
	uint64_t cost;   /* credits */
	uint64_t units;  /* that the interface's rate pays for (state/shape.h); if it is shaped */
};

/** Consecutive buffers of a destination ring that this burst has reserved. */
struct tp_target {
	struct tp_vring *ring;
	struct tp_context *context;
	uint64_t first; /* position of the first buffer */
	uint32_t frames;
	uint32_t bytes;
	uint16_t buffers;
	uint16_t put; /* of these, filled */
};

/** What frames add up to. */
struct tp_sizes {
	uint32_t bytes;
	uint32_t blocks; /* of 64 bytes begun, see cost.h */
};

/** Consecutive frames of this burst that an uplink's queue has accepted. */
struct tp_run {
	struct tp_uplink_queue *queue;
	struct tp_way way;
	struct tp_work_offer offer; /* of so many frames */
	uint8_t first;
};

struct tp_cached_mac {
	uint64_t key;
	uint32_t interface;
	uint32_t place; /* of tp_learned, or TP_NO_PLACE */
};

struct tp_burst {
	/* source */
	const struct tp_snapshot *snapshot;
	const struct tp_interface *source;
	const struct tp_class *class; /* it is served as */
	struct tp_context *context;
	struct tp_ring_pair *pair;
	uint32_t interface;
	uint32_t pair_index;
	unsigned count;    /* frames peeked, without those that have to wait */
	unsigned accepted; /* of these, how many from the first on are ready to be completed */
	uint8_t age;       /* see tp_claim_begin */
	bool broken;       /* a ring was found broken, and control has not been told yet */
	uint64_t charge;   /* for what was accepted so far, in sixteenths of a credit */

	unsigned affordable;   /* of those peeked */
	struct tp_sizes sizes; /* of the affordable ones */
	unsigned sent;         /* of those accepted, how many go to one destination */

	/* what became of it */
	unsigned dropped;    /* of the frames completed */
	uint64_t bytes;      /* of these; from an uplink: of all frames of the burst */
	uint64_t cost;       /* of these, in credits; of a flooded frame that of its copies */
	uint32_t blocked_at; /* interface that has refused a frame, or that others wait for */
	bool drained;        /* nothing is left of what the ring showed */

	uint64_t destination_mac[TP_BURST];
	/* interface, TP_TO_UPLINK, TP_TO_TUNNEL, TP_TO_REMOTES or TP_TO_MANY */
	uint32_t destination[TP_BURST];
	struct tp_vring *ring[TP_BURST]; /* destination ring, NULL: not one alone */
	uint8_t target_of[TP_BURST];     /* index into target[] */
	struct tp_target target[TP_BURST];
	unsigned targets;
	uint8_t target_slot[TP_TARGET_SLOTS]; /* index into target[], perhaps of an earlier burst */

	struct rte_mbuf *mbuf[TP_BURST]; /* of frames to an uplink, or from one */
	struct tp_run run[TP_BURST];     /* to uplinks, not published yet */
	unsigned runs;
	struct tp_origin origin[TP_BURST]; /* of frames from an uplink */

	struct tp_views views;
	struct tp_places places;
	uint8_t head[TP_BURST][TP_HEAD_BYTES] __attribute__((aligned(64)));
};

/** Whose turn it is at a destination that is full: turn.h. */
struct tp_turn {
	const struct tp_ring_pair *holder; /* NULL: nobody's */
	uint32_t destination;
	uint32_t sweep; /* in which the holder was refused last */
	uint32_t bid;   /* of the holder */
};

struct tp_turns {
	uint32_t sweep; /* in which anybody was refused last */
	struct tp_turn turn[TP_TURNS];
};

/** Flooded frames of a sweep: flood_share.h. */
struct tp_flooding {
	uint32_t tried;                         /* copies in this sweep */
	uint32_t most;                          /* beyond this the next flooded frame waits */
	const struct tp_ring_pair *turn;        /* who goes first then; NULL: anybody */
	const struct tp_ring_pair *turn_before; /* the same when the sweep began */
	bool owed; /* it has waited since then: it goes, whatever else was flooded */
};

/** A guest that is being announced: announce.h. */
struct tp_announcement {
	struct tp_ring_id id; /* its first transmit ring */
	uint64_t mac;
	uint16_t vlan; /* of its network's trunk, the one told last; 0: none yet */
};

struct tp_announcements {
	unsigned count;
	struct tp_announcement list[TP_BELLS];
};

/** A flooded frame of which a piece is done, and another one is next: flood.h. */
struct tp_flood {
	const void *source; /* its tp_ring_pair, tp_uplink_queue ...; NULL: there is none */
	unsigned at;        /* its place in the burst */
	/* It goes to so many interfaces of a tenant, then to so many places beyond this host. */
	const struct tp_tenant *tenant;
	uint32_t guests;
	uint32_t beyond;
	uint32_t next;   /* of all these */
	uint32_t copies; /* accepted so far */
	uint32_t piece;  /* copies, after which the pinned rings are served */
	bool aside;      /* its burst is in worker->aside */
};

/** The queues of uplinks that a worker owns. */
struct tp_uplinks {
	unsigned count;
	struct tp_uplink_queue *queue[TP_UPLINKS_MAX * TP_UPLINK_QUEUES_MAX];
	uint64_t stay;   /* TSC cycles that it stays awake after the last frame */
	uint64_t nap_ns; /* that it may sleep then; 0: it does not */
};

struct tp_worker {
	struct tp_dataplane *dataplane;
	struct tp_worker_share *share;
	unsigned index;
	unsigned (*forward)(
		struct tp_worker *worker, const struct tp_poll *poll, const struct tp_limit *limit);
	unsigned (*receive)(struct tp_worker *worker, struct tp_uplink_queue *queue);
	const struct tp_snapshot *snapshot; /* of this sweep */
	uint64_t snapshot_number;           /* of it */
	uint64_t learned_generation;        /* that the cache belongs to */
	struct tp_burst burst;
	struct tp_calls calls;
	struct tp_hot hot;
	struct tp_scheduler scheduler;
	struct tp_turns turns;
	struct tp_flooding flooding;
	struct tp_flood flood;
	struct tp_uplinks uplinks;
	/* Of the dataplane's settings when it was made: those of others replace them while it is
	 * still at work. */
	bool idle_sleep;
	bool shared_core;
	struct tp_announcements announcements;
	uint64_t now;            /* TSC when it was read last */
	bool was_busy;           /* the last sweep found frames */
	uint64_t pins_polled_at; /* TSC, 0: not yet */
	struct tp_cached_mac cache[TP_CACHED_MACS];
	struct tp_burst aside; /* of a flooded frame, while pinned rings have theirs */
};

/** The class that an interface is served as: its own, or the lowest while its tenant is out of
 * credit. */
static inline const struct tp_class *tp_class_of(
	const struct tp_worker *worker, const struct tp_interface *interface)
{
	const uint8_t *out_of_credit = &worker->dataplane->out_of_credit[interface->tenant];
	uint16_t class = interface->class;

	if (TP_UNLIKELY(__atomic_load_n(out_of_credit, __ATOMIC_RELAXED) != 0))
		class = worker->snapshot->lowest_class;
	return &worker->snapshot->classes[class];
}

/** A burst of this ring is to be worked on. */
static inline void tp_burst_begin(struct tp_worker *worker, const struct tp_poll *poll)
{
	struct tp_burst *burst = &worker->burst;

	burst->snapshot = worker->snapshot;
	burst->source = &worker->snapshot->interfaces[poll->interface];
	burst->class = tp_class_of(worker, burst->source);
	burst->age = (uint8_t)(worker->hot.now >> TP_AGE_SHIFT);
	burst->context = poll->context;
	burst->pair = &poll->context->pair[poll->pair];
	burst->interface = poll->interface;
	burst->pair_index = poll->pair;
	burst->dropped = 0;
	burst->bytes = 0;
	burst->cost = 0;
	burst->blocked_at = TP_NO_INTERFACE;
}

/** What is full when a destination is: of tunnels their uplink. */
static inline uint32_t tp_resource_of(const struct tp_burst *burst, uint32_t destination)
{
	if (TP_LIKELY(destination < TP_FIRST_TUNNEL || destination >= TP_TO_REMOTES))
		return destination;
	return TP_TO_UPLINK(burst->snapshot->tenants[burst->source->tenant].network.uplink);
}

/*
 * One a vector width, from the same source (forward.c). What became of the burst is in
 * worker->burst. @return frames completed.
 */
unsigned tp_forward_sse(
	struct tp_worker *worker, const struct tp_poll *poll, const struct tp_limit *limit);
unsigned tp_forward_avx2(
	struct tp_worker *worker, const struct tp_poll *poll, const struct tp_limit *limit);
unsigned tp_forward_avx512(
	struct tp_worker *worker, const struct tp_poll *poll, const struct tp_limit *limit);

/* The same for a burst that an uplink's queue has received. @return frames taken from it. */
unsigned tp_receive_sse(struct tp_worker *worker, struct tp_uplink_queue *queue);
unsigned tp_receive_avx2(struct tp_worker *worker, struct tp_uplink_queue *queue);
unsigned tp_receive_avx512(struct tp_worker *worker, struct tp_uplink_queue *queue);
