/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "call.h"
#include "hot.h"
#include "state/dataplane.h"
#include "vring/split.h"

/*
 * What a worker keeps privately: the burst that it is working on, handed from stage to stage, and a
 * small cache of look-ups. Only the worker's lcore touches it.
 */

#define TP_HEAD_BYTES  64   /* of each frame are read once and travel by the private copy */
#define TP_CACHED_MACS 1024 /* entries of the look-up cache, direct-mapped */
#define TP_TO_MANY     (TP_NO_INTERFACE - 1) /* destination of a frame to be flooded */

/** A destination ring that this burst has reserved in. */
struct tp_target {
	struct tp_vring *ring;
	struct tp_context *context;
	uint32_t frames;
	uint32_t bytes;
	uint16_t buffers;
};

struct tp_cached_mac {
	uint64_t key;
	uint32_t interface;
};

struct tp_burst {
	/* source */
	const struct tp_snapshot *snapshot;
	const struct tp_interface *source;
	struct tp_context *context;
	struct tp_ring_pair *pair;
	uint32_t interface;
	uint32_t pair_index;
	unsigned count;    /* frames peeked */
	unsigned accepted; /* of these, how many from the first on are ready to be completed */
	bool broken;       /* a ring was found broken, and control has not been told yet */

	uint64_t destination_mac[TP_BURST];
	uint32_t destination[TP_BURST];  /* interface, or TP_TO_MANY */
	struct tp_vring *ring[TP_BURST]; /* destination ring */
	uint8_t target_of[TP_BURST];     /* index into target[] */
	struct tp_target target[TP_BURST];
	unsigned targets;

	struct tp_views views;
	struct tp_places places;
	uint8_t head[TP_BURST][TP_HEAD_BYTES] __attribute__((aligned(64)));
};

struct tp_worker {
	struct tp_dataplane *dataplane;
	struct tp_worker_share *share;
	unsigned index;
	unsigned (*forward)(struct tp_worker *worker, const struct tp_poll *poll);
	const struct tp_snapshot *snapshot; /* of this sweep */
	uint64_t learned_generation;        /* that the cache belongs to */
	struct tp_burst burst;
	struct tp_calls calls;
	struct tp_hot hot;
	bool was_busy;           /* the last sweep found frames */
	uint64_t pins_polled_at; /* TSC, 0: not yet */
	struct tp_cached_mac cache[TP_CACHED_MACS];
};

/* One a vector width, from the same source (forward.c). @return frames completed. */
unsigned tp_forward_sse(struct tp_worker *worker, const struct tp_poll *poll);
unsigned tp_forward_avx2(struct tp_worker *worker, const struct tp_poll *poll);
unsigned tp_forward_avx512(struct tp_worker *worker, const struct tp_poll *poll);
