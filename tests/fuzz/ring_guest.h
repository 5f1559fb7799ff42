/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "input.h"
#include "vring/vring.h"

/*
 * A guest that does anything to its memory, one step of the input at a time: regions between guard
 * pages, two of them neighbours in the guest's addresses and another at the very end of them; one
 * split ring somewhere in it. The last region is only for long buffers.
 */

#define GUEST_REGIONS 4
#define GUEST_SIZE    (32768 + 16384 + 8192) /* bytes in all regions but the last */

struct ring_guest {
	uint8_t *host[GUEST_REGIONS];
	struct tp_guest_memory *memory;
	struct tp_vring_setup setup;
	/* The ring's areas as the guest writes them, NULL: outside of its memory. */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
};

/** Memory, zeroed by each guest_begin. */
void guest_open(struct ring_guest *guest);

/** A ring's size, features and places, from the input; most of them make a ring that can start. */
void guest_begin(struct ring_guest *guest, struct input *input);

/** One change to the guest's memory. The same in any thread. */
void guest_step(const struct ring_guest *guest, struct input *input);

/** Is a range of this process wholly inside one region of the guest's memory? */
bool guest_owns(const struct ring_guest *guest, const void *data, size_t size);

/** Copy the guest's memory, GUEST_SIZE bytes. */
void guest_copy(const struct ring_guest *guest, uint8_t *copy);

/** Where a pointer into the guest's memory points in a copy of it. */
uint8_t *guest_in_copy(const struct ring_guest *guest, uint8_t *copy, const void *data);

/** Is the guest's memory as the copy says? */
bool guest_equals(const struct ring_guest *guest, const uint8_t *copy);
