/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest_ring.h"

static void die(const char *what)
{
	perror(what);
	abort();
}

void guest_init(struct guest *guest, size_t size)
{
	struct tp_guest_region_request request = {.guest_address = GUEST_ADDRESS, .size = size};
	struct tp_error error;

	*guest = (struct guest){.size = size};
	guest->fd = memfd_create("guest", MFD_CLOEXEC);
	if (guest->fd < 0 || ftruncate(guest->fd, (off_t)size) < 0)
		die("guest memory file");
	guest->base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, guest->fd, 0);
	if (guest->base == MAP_FAILED)
		die("guest memory");
	request.user_address = (uintptr_t)guest->base;
	guest->memory = tp_guest_memory_add(NULL, &request, guest->fd, &error);
	if (guest->memory == NULL) {
		fprintf(stderr, "%s\n", error.text);
		abort();
	}
}

void guest_destroy(struct guest *guest)
{
	tp_guest_memory_free(guest->memory);
	munmap(guest->base, guest->size);
	close(guest->fd);
}

void *guest_place(struct guest *guest, size_t size, size_t alignment)
{
	size_t start = (guest->used + alignment - 1) / alignment * alignment;

	if (start + size > guest->size) {
		fprintf(stderr, "guest memory of %zu bytes is used up\n", guest->size);
		abort();
	}
	guest->used = start + size;
	return guest->base + start;
}

uint64_t guest_address(const struct guest *guest, const void *pointer)
{
	return GUEST_ADDRESS + (uint64_t)((const uint8_t *)pointer - guest->base);
}

void guest_ring_init(struct guest_ring *ring, struct guest *guest, uint16_t size, uint64_t features)
{
	*ring = (struct guest_ring){.guest = guest, .size = size};
	ring->desc = guest_place(guest, 16 * (size_t)size, 64);
	ring->avail = guest_place(guest, 6 + 2 * (size_t)size, 64);
	ring->used = guest_place(guest, 6 + 8 * (size_t)size, 64);
	ring->setup = (struct tp_vring_setup){
		.size = size,
		.desc_address = (uintptr_t)ring->desc,
		.avail_address = (uintptr_t)ring->avail,
		.used_address = (uintptr_t)ring->used,
		.features = features | TP_FEATURE(VIRTIO_F_VERSION_1),
		.call_fd = -1,
	};
}

void guest_describe(struct guest_ring *ring, uint16_t index, const void *buffer, uint32_t length,
	uint16_t flags, uint16_t next)
{
	ring->desc[index] = (struct vring_desc){
		.addr = guest_address(ring->guest, buffer),
		.len = length,
		.flags = flags,
		.next = next,
	};
}

void guest_post(struct guest_ring *ring, uint16_t head)
{
	uint16_t index = ring->avail->idx;

	ring->avail->ring[index & (ring->size - 1)] = head;
	__atomic_store_n(&ring->avail->idx, (uint16_t)(index + 1), __ATOMIC_RELEASE);
}

bool guest_kick_wanted(const struct guest_ring *ring)
{
	const uint16_t *avail_event = (const uint16_t *)&ring->used->ring[ring->size];

	/* Between the index that was stored and the switch's wish (virtio 1.2, 2.7.13.4). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (ring->setup.features & TP_FEATURE(VIRTIO_RING_F_EVENT_IDX))
		return __atomic_load_n(avail_event, __ATOMIC_RELAXED) ==
		       (uint16_t)(ring->avail->idx - 1);
	return !(__atomic_load_n(&ring->used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY);
}

uint16_t guest_returned(const struct guest_ring *ring)
{
	return (uint16_t)(__atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE) - ring->used_seen);
}

struct vring_used_elem guest_take(struct guest_ring *ring)
{
	return ring->used->ring[ring->used_seen++ & (ring->size - 1)];
}
