/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"

/* A split ring from the back-end's side (virtio 1.2, 2.7). Threading: the frame thread. */

#define BURST  32
#define HEADER ((uint32_t)sizeof(struct virtio_net_hdr_v1))

/* Acquire and release: partners are the guest's, of the same indices. */
static inline unsigned available(struct ring *ring)
{
	ring->seen = __atomic_load_n(&ring->avail->idx, __ATOMIC_ACQUIRE);
	return (uint16_t)(ring->seen - ring->next);
}

/* Are there so many? The guest's index is looked at only if those seen before are too few. */
static inline bool has(struct ring *ring, unsigned wanted)
{
	return (uint16_t)(ring->seen - ring->next) >= wanted || available(ring) >= wanted;
}

static inline void prefetch_to_write(const uint8_t *line)
{
	__asm__ volatile("prefetchw %0" : : "m"(*line));
}

static inline uint16_t head_at(const struct ring *ring, unsigned index)
{
	return ring->avail->ring[index & (ring->size - 1u)] & (ring->size - 1u);
}

static inline void give_back(struct ring *ring, uint16_t head, uint32_t length)
{
	ring->used_ring->ring[ring->used & (ring->size - 1u)] =
		(struct vring_used_elem){head, length};
	ring->used++;
	ring->next++;
}

static inline void publish(struct ring *ring)
{
	uint64_t one = 1;

	__atomic_store_n(&ring->used_ring->idx, ring->used, __ATOMIC_RELEASE);
	if (ring->call_fd >= 0 && !(__atomic_load_n(&ring->avail->flags, __ATOMIC_RELAXED) &
					  VRING_AVAIL_F_NO_INTERRUPT))
		(void)!write(ring->call_fd, &one, sizeof(one));
}

static inline void count_up(_Atomic uint64_t *counter, uint64_t by)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by,
		memory_order_relaxed);
}

static inline struct ring *receive_ring(struct backend *backend, unsigned device, unsigned pair)
{
	if (device >= backend->count)
		device -= backend->count;
	return &backend->devices[device].ring[2 * pair];
}

/** The frame behind a head: where it lies if it lies in one piece, else gathered into `bounce` of
 * FRAME_MAX bytes. *bytes is 0 if it is none. */
const uint8_t *frame_at(const struct ring *ring, uint16_t head, uint8_t *bounce, uint32_t *bytes);

/** A receive buffer: one piece, as the load generator posts them, or the first of a table. */
uint8_t *buffer_at(const struct ring *ring, uint16_t head, uint32_t *capacity);

/** Put a frame into as many receive buffers as it takes. @return false: no room, nothing done. */
bool deliver(struct ring *ring, const uint8_t *frame, uint32_t bytes);

/** The device that a frame is for. */
unsigned look_up(const struct backend *backend, unsigned from, const uint8_t *frame);

/* --- backend_cheat.c --- */

/** Is any frame to be treated badly? */
bool cheats_on(const struct backend *backend);

/** Pass a burst on one by one: any frames, with the cheats. */
void copy_each(struct backend *backend, unsigned device, unsigned pair);

/** Rest, if it is time for that. @param next  when; 0 at first */
void stall(struct backend *backend, double *next);

/** Write the nonsense that is asked for, once. */
void do_nonsense(struct backend *backend);
