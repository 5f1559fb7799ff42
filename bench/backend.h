/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vhost/endpoint.h"

/* The parts of turnpike-bench-backend: one thread speaks vhost-user, one moves frames. */

enum mode { MODE_COPY, MODE_SINK, MODE_SOURCE };

enum nonsense {
	NONSENSE_NONE,
	NONSENSE_USED_INDEX,  /* ahead by more than the ring has */
	NONSENSE_USED_ID,     /* a descriptor that no ring has */
	NONSENSE_USED_LENGTH, /* more bytes than the buffer has */
	NONSENSE_NUM_BUFFERS, /* a header that says 0 buffers */
};

/* Every so many frames; 0: never. */
struct cheats {
	uint64_t drop, duplicate, reorder, corrupt, misdeliver;
	double stall_every, stall_ms; /* seconds, milliseconds */
};

/* One writer, the frame thread. */
struct counters {
	_Atomic uint64_t rx, tx, dropped, duplicated, reordered, corrupted, misdelivered, waits,
		stalls, stall_longest_us;
};

/* A split ring as the frame thread sees it. */
struct ring {
	bool active;
	uint16_t size;
	uint16_t next; /* available index */
	uint16_t used; /* used index */
	uint16_t seen; /* the guest's available index when we last looked */
	int call_fd;
	bool mergeable;
	const struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used_ring;
	const struct tp_guest_memory *memory;
	uint8_t *written; /* source mode, per descriptor: the frame is there already */
	uint8_t *held;    /* a frame that the next one overtakes */
	uint32_t held_bytes;
};

struct device {
	struct tp_vhost_endpoint *endpoint;
	struct ring ring[TP_VHOST_RINGS_MAX];
};

#define FRAME_MAX 9216

struct backend {
	struct device *devices;
	unsigned count;
	enum mode mode;
	bool look_up; /* find the destination by its MAC */
	uint64_t first_mac;
	struct cheats cheats;
	struct counters counters;
	atomic_int nonsense; /* to be written once */
	atomic_bool hold;    /* the frame thread shall keep off, */
	atomic_bool held;    /* and does */
	atomic_bool stop;
	uint64_t frames; /* the frame thread's: how many it has seen */
};

/** Start the rings' look-up table; call once. */
void rings_prepare(struct backend *backend);

/** The frame thread, until backend->stop. */
void *rings_run(void *backend);

/** Let a ring be used, or not any more; call while the frame thread is held. */
int ring_begin(struct ring *ring, const struct tp_vhost_ring *described,
	const struct tp_guest_memory *memory, uint64_t features, struct tp_error *error);
void ring_end(struct ring *ring);
