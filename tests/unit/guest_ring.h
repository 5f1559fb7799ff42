/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/guest_memory.h"
#include "vring/vring.h"

/*
 * The guest's side of rings, for unit tests and benchmarks: a memory file, mapped twice (once as
 * the guest sees it, once through tp_guest_memory as the switch does), and split rings in it.
 */

#define GUEST_ADDRESS UINT64_C(0x40000000) /* guest physical address of the memory's first byte */

struct guest {
	int fd;
	uint8_t *base; /* the guest's own mapping */
	size_t size;
	size_t used; /* bytes given out by guest_place */
	struct tp_guest_memory *memory;
};

struct guest_ring {
	struct guest *guest;
	uint16_t size;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t used_seen;
	struct tp_vring_setup setup;
};

/** Make guest memory of `size` bytes, zeroed. */
void guest_init(struct guest *guest, size_t size);
void guest_destroy(struct guest *guest);

/** Give out aligned bytes of guest memory. @return the guest's pointer. */
void *guest_place(struct guest *guest, size_t size, size_t alignment);

/** Guest physical address of a pointer into the guest's mapping. */
uint64_t guest_address(const struct guest *guest, const void *pointer);

/** Lay out a ring in guest memory and describe it in ring->setup. */
void guest_ring_init(
	struct guest_ring *ring, struct guest *guest, uint16_t size, uint64_t features);

/** Write a descriptor. */
void guest_describe(struct guest_ring *ring, uint16_t index, const void *buffer, uint32_t length,
	uint16_t flags, uint16_t next);

/** Make a chain available. */
void guest_post(struct guest_ring *ring, uint16_t head);

/** Does the switch want to be kicked for the chain that was made available last? */
bool guest_kick_wanted(const struct guest_ring *ring);

/** Chains returned and not yet taken by guest_take. */
uint16_t guest_returned(const struct guest_ring *ring);

/** Take the next returned chain. */
struct vring_used_elem guest_take(struct guest_ring *ring);
