/* SPDX-License-Identifier: BSD-3-Clause */
/* What we write into a ring: descriptors, the available ring, our wish to be notified, and kicks.
 */
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "frontend_internal.h"

#define WRAP      0x8000u /* of ring->next and ring->last */
#define AVAILABLE (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED      (1u << VRING_PACKED_DESC_F_USED)

uint32_t tp_frontend_capacity(const struct tp_frontend_ring *ring)
{
	uint32_t bytes = 0;

	for (unsigned i = 0; i < ring->piece_count; i++)
		bytes += ring->piece[i].capacity;
	return bytes;
}

/** A slot's chain, cut to the bytes that it has: at least one byte a descriptor. */
struct chain {
	unsigned count;
	uint64_t address[TP_FRONTEND_PIECES_MAX];
	uint32_t length[TP_FRONTEND_PIECES_MAX];
};

static void cut_chain(const struct tp_frontend *frontend, const struct tp_frontend_ring *ring,
	unsigned slot, struct chain *chain)
{
	uint64_t buffer =
		tp_frontend_guest_address(frontend, tp_frontend_buffer(frontend, ring, slot));
	uint32_t bytes = ring->receive ? tp_frontend_capacity(ring) : ring->length[slot];
	unsigned count = 0;

	while (bytes > 0 && count < ring->piece_count) {
		const struct tp_frontend_piece *piece = &ring->piece[count];
		uint32_t length = bytes < piece->capacity ? bytes : piece->capacity;

		chain->address[count] = buffer + piece->offset;
		chain->length[count] = length;
		bytes -= length;
		count++;
	}
	chain->count = count;
}

static void write_split(
	const struct chain *chain, struct vring_desc *table, unsigned first, uint16_t flags)
{
	for (unsigned i = 0; i < chain->count; i++) {
		bool last = i + 1 == chain->count;

		table[first + i] = (struct vring_desc){.addr = chain->address[i],
			.len = chain->length[i],
			.flags = (uint16_t)(flags | (last ? 0 : VRING_DESC_F_NEXT)),
			.next = (uint16_t)(last ? 0 : first + i + 1)};
	}
}

static struct vring_desc *indirect_table(const struct tp_frontend_ring *ring, unsigned slot)
{
	return ring->indirect + (size_t)slot * TP_FRONTEND_PIECES_MAX;
}

void tp_frontend_describe(
	const struct tp_frontend *frontend, struct tp_frontend_ring *ring, unsigned slot)
{
	uint16_t flags = ring->receive ? VRING_DESC_F_WRITE : 0;
	struct chain chain;

	if (ring->packed != NULL && ring->indirect == NULL)
		return; /* a packed ring's descriptors are written when they are offered */
	cut_chain(frontend, ring, slot, &chain);
	if (ring->indirect == NULL) {
		write_split(&chain, ring->vring.desc, slot * ring->head_step, flags);
	} else if (ring->packed == NULL) {
		struct vring_desc *table = indirect_table(ring, slot);

		write_split(&chain, table, 0, flags);
		ring->vring.desc[slot] =
			(struct vring_desc){.addr = tp_frontend_guest_address(frontend, table),
				.len = chain.count * (uint32_t)sizeof(*table),
				.flags = VRING_DESC_F_INDIRECT};
	} else {
		struct vring_packed_desc *table = (void *)indirect_table(ring, slot);

		for (unsigned i = 0; i < chain.count; i++)
			table[i] = (struct vring_packed_desc){
				.addr = chain.address[i], .len = chain.length[i], .flags = flags};
	}
}

void tp_frontend_post(struct tp_frontend_ring *ring, uint16_t head)
{
	uint16_t *entry = &ring->vring.avail->ring[ring->available & (ring->vring.num - 1)];

	/* An entry that is right already stays in the back-end's cache. */
	if (*entry != head)
		*entry = head;
	ring->available++;
}

/* virtio 1.2, 2.8.1: a descriptor is available when its flag AVAIL is our wrap counter, and USED is
 * not. */
static void write_packed(
	struct tp_frontend_ring *ring, const struct chain *chain, uint16_t id, uint16_t flags)
{
	struct vring_packed_desc *first = &ring->packed[ring->next & ~WRAP];
	uint16_t first_flags = 0;

	for (unsigned i = 0; i < chain->count; i++) {
		struct vring_packed_desc *desc = &ring->packed[ring->next & ~WRAP];
		uint16_t all = flags | (ring->next & WRAP ? AVAILABLE : USED);

		if (i + 1 < chain->count)
			all |= VRING_DESC_F_NEXT;
		desc->addr = chain->address[i];
		desc->len = chain->length[i];
		desc->id = id;
		if (i == 0)
			first_flags = all;
		else
			desc->flags = all;
		ring->next++;
		if ((ring->next & ~WRAP) == ring->vring.num)
			ring->next = (uint16_t)(~ring->next & WRAP);
	}
	/* Release: whoever sees the chain's first descriptor sees all of it. */
	__atomic_store_n(&first->flags, first_flags, __ATOMIC_RELEASE);
}

static void offer_packed(
	const struct tp_frontend *frontend, struct tp_frontend_ring *ring, unsigned slot)
{
	uint16_t flags = ring->receive ? VRING_DESC_F_WRITE : 0;
	struct chain chain;

	cut_chain(frontend, ring, slot, &chain);
	if (ring->indirect != NULL) {
		chain.address[0] = tp_frontend_guest_address(frontend, indirect_table(ring, slot));
		chain.length[0] = chain.count * (uint32_t)sizeof(struct vring_packed_desc);
		chain.count = 1;
		flags = VRING_DESC_F_INDIRECT;
	}
	ring->step[slot] = (uint8_t)chain.count;
	ring->added = (uint16_t)(ring->added + chain.count);
	write_packed(ring, &chain, (uint16_t)slot, flags);
	ring->available++;
}

void tp_frontend_offer(
	const struct tp_frontend *frontend, struct tp_frontend_ring *ring, unsigned count)
{
	/* A split ring's entries are as a rule what they were the last time round. */
	for (unsigned i = 0; i < count; i++) {
		unsigned slot = ring->order[ring->available & (ring->slots - 1u)];

		if (ring->packed != NULL)
			offer_packed(frontend, ring, slot);
		else
			tp_frontend_post(ring, (uint16_t)(slot * ring->head_step));
	}
}

void tp_frontend_kick(const struct tp_frontend_ring *ring)
{
	uint64_t one = 1;
	/* An eventfd that is full is as good as one that was just written. */
	ssize_t ignored = write(ring->kick_fd, &one, sizeof(one));

	(void)ignored;
}

/* virtio 1.2, 2.8.10: by flag, or by the place of a descriptor. */
static bool packed_kick_wanted(const struct tp_frontend_ring *ring)
{
	uint32_t word = __atomic_load_n((uint32_t *)(void *)ring->device_event, __ATOMIC_RELAXED);
	struct vring_packed_desc_event wish;
	uint16_t event;

	memcpy(&wish, &word, sizeof(wish));
	if (wish.flags != VRING_PACKED_EVENT_FLAG_DESC)
		return wish.flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	event = wish.off_wrap & (uint16_t)~WRAP;
	if ((wish.off_wrap ^ ring->next) & WRAP)
		event = (uint16_t)(event - ring->vring.num);
	return vring_need_event(event, ring->next & (uint16_t)~WRAP,
		(uint16_t)((ring->next & ~WRAP) - ring->added));
}

/* virtio 1.2, 2.7.10: used buffer notifications are asked for by index or by flag. */
static bool kick_wanted(const struct tp_frontend *frontend, const struct tp_frontend_ring *ring)
{
	const struct vring *vring = &ring->vring;
	uint16_t event;

	if (ring->packed != NULL)
		return packed_kick_wanted(ring);
	if (!tp_frontend_has(frontend, VIRTIO_RING_F_EVENT_IDX))
		return !(__atomic_load_n(&vring->used->flags, __ATOMIC_RELAXED) &
			 VRING_USED_F_NO_NOTIFY);
	event = __atomic_load_n((uint16_t *)&vring->used->ring[vring->num], __ATOMIC_RELAXED);
	return vring_need_event(event, ring->available, ring->published);
}

void tp_frontend_publish(struct tp_frontend *frontend, struct tp_frontend_ring *ring)
{
	if (ring->available == ring->published)
		return;
	/* virtio 1.2, 2.7.6: an index is released after what it announces. */
	if (ring->packed == NULL)
		__atomic_store_n(&ring->vring.avail->idx, ring->available, __ATOMIC_RELEASE);
	/* The index must be out before the device's wish is read: it does the reverse. */
	atomic_thread_fence(memory_order_seq_cst);
	if (kick_wanted(frontend, ring))
		tp_frontend_kick(ring);
	ring->published = ring->available;
	ring->added = 0;
}

static void arm_packed(const struct tp_frontend *frontend, struct tp_frontend_ring *ring)
{
	struct vring_packed_desc_event wish = {.flags = VRING_PACKED_EVENT_FLAG_DISABLE};
	uint32_t word;

	if (frontend->settings.interrupts) {
		bool by_place = tp_frontend_has(frontend, VIRTIO_RING_F_EVENT_IDX);

		wish.flags =
			by_place ? VRING_PACKED_EVENT_FLAG_DESC : VRING_PACKED_EVENT_FLAG_ENABLE;
		wish.off_wrap = ring->last;
	}
	memcpy(&word, &wish, sizeof(word));
	__atomic_store_n((uint32_t *)(void *)ring->driver_event, word, __ATOMIC_RELAXED);
}

void tp_frontend_arm_call(const struct tp_frontend *frontend, struct tp_frontend_ring *ring)
{
	struct vring *vring = &ring->vring;
	bool event_index = tp_frontend_has(frontend, VIRTIO_RING_F_EVENT_IDX);
	bool wanted = frontend->settings.interrupts;
	/* Without a wish, the event is as far as an index can be from what the back-end passes now:
	 * it may look at the event only after we have taken what it asks about. */
	uint16_t event = (uint16_t)(wanted ? ring->used : ring->used + 0x8000u);
	uint16_t flags = wanted || event_index ? 0 : VRING_AVAIL_F_NO_INTERRUPT;

	if (ring->packed != NULL) {
		arm_packed(frontend, ring);
	} else {
		__atomic_store_n(&vring->avail->flags, flags, __ATOMIC_RELAXED);
		__atomic_store_n(&vring->avail->ring[vring->num], event, __ATOMIC_RELAXED);
	}
	atomic_thread_fence(memory_order_seq_cst);
}
