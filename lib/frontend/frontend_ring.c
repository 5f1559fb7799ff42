/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "frontend/channel.h"
#include "frontend_internal.h"

/* virtio 1.2, 2.7.6 and 2.7.8: an index is released after what it announces was written, and
 * acquired before that is read. The partner of each is in the back-end. */

static void store_available(struct tp_frontend_ring *ring)
{
	__atomic_store_n(&ring->vring.avail->idx, ring->available, __ATOMIC_RELEASE);
}

static uint16_t load_used(const struct tp_frontend_ring *ring)
{
	return __atomic_load_n(&ring->vring.used->idx, __ATOMIC_ACQUIRE);
}

unsigned tp_frontend_head(const struct tp_frontend *frontend, unsigned slot)
{
	return frontend->settings.indirect_tables ? slot : slot * frontend->piece_count;
}

static uint8_t *slot_buffer(
	const struct tp_frontend *frontend, const struct tp_frontend_ring *ring, unsigned slot)
{
	return ring->buffers + (size_t)slot * frontend->slot_stride;
}

static uint32_t slot_capacity(const struct tp_frontend *frontend)
{
	uint32_t bytes = 0;

	for (unsigned i = 0; i < frontend->piece_count; i++)
		bytes += frontend->piece[i].capacity;
	return bytes;
}

/* @return descriptors written from table[first] on. */
static unsigned write_chain(const struct tp_frontend *frontend, struct vring_desc *table,
	unsigned first, uint64_t buffer, uint32_t bytes, uint16_t flags)
{
	unsigned count = 0;

	while (bytes > 0 && count < frontend->piece_count) {
		const struct tp_frontend_piece *piece = &frontend->piece[count];
		uint32_t length = bytes < piece->capacity ? bytes : piece->capacity;
		bool last = bytes == length || count + 1 == frontend->piece_count;

		table[first + count] = (struct vring_desc){.addr = buffer + piece->offset,
			.len = length,
			.flags = (uint16_t)(flags | (last ? 0 : VRING_DESC_F_NEXT)),
			.next = (uint16_t)(last ? 0 : first + count + 1)};
		bytes -= length;
		count++;
	}
	return count;
}

void tp_frontend_describe(struct tp_frontend *frontend, struct tp_frontend_ring *ring,
	unsigned slot, uint32_t bytes, bool write)
{
	uint64_t buffer = tp_frontend_guest_address(frontend, slot_buffer(frontend, ring, slot));
	uint16_t flags = write ? VRING_DESC_F_WRITE : 0;
	unsigned head = tp_frontend_head(frontend, slot);
	struct vring_desc *table;
	unsigned count;

	if (ring->indirect == NULL) {
		write_chain(frontend, ring->vring.desc, head, buffer, bytes, flags);
		return;
	}
	table = ring->indirect + (size_t)slot * frontend->piece_count;
	count = write_chain(frontend, table, 0, buffer, bytes, flags);
	ring->vring.desc[head] =
		(struct vring_desc){.addr = tp_frontend_guest_address(frontend, table),
			.len = count * (uint32_t)sizeof(*table),
			.flags = VRING_DESC_F_INDIRECT};
}

void tp_frontend_post(struct tp_frontend_ring *ring, uint16_t head)
{
	ring->vring.avail->ring[ring->available & (ring->vring.num - 1)] = head;
	ring->available++;
}

static void post_slot(
	const struct tp_frontend *frontend, struct tp_frontend_ring *ring, unsigned slot)
{
	ring->posted[slot] = 1;
	tp_frontend_post(ring, (uint16_t)tp_frontend_head(frontend, slot));
}

void tp_frontend_kick(const struct tp_frontend_ring *ring)
{
	uint64_t one = 1;
	/* An eventfd that is full is as good as one that was just written. */
	ssize_t ignored = write(ring->kick_fd, &one, sizeof(one));

	(void)ignored;
}

/* virtio 1.2, 2.7.10: used buffer notifications are asked for by index or by flag. */
static bool kick_wanted(const struct tp_frontend *frontend, const struct tp_frontend_ring *ring)
{
	const struct vring *vring = &ring->vring;
	uint16_t event;

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
	store_available(ring);
	/* The index must be out before the device's wish is read: it does the reverse. */
	atomic_thread_fence(memory_order_seq_cst);
	if (kick_wanted(frontend, ring))
		tp_frontend_kick(ring);
	ring->published = ring->available;
}

void tp_frontend_arm_call(const struct tp_frontend *frontend, struct tp_frontend_ring *ring)
{
	struct vring *vring = &ring->vring;
	bool event_index = tp_frontend_has(frontend, VIRTIO_RING_F_EVENT_IDX);
	bool wanted = frontend->settings.interrupts;
	/* Without a wish, the event is as far ahead as an index can be. */
	uint16_t event = (uint16_t)(wanted ? ring->used : ring->used - 1);
	uint16_t flags = wanted || event_index ? 0 : VRING_AVAIL_F_NO_INTERRUPT;

	__atomic_store_n(&vring->avail->flags, flags, __ATOMIC_RELAXED);
	__atomic_store_n(&vring->avail->ring[vring->num], event, __ATOMIC_RELAXED);
	atomic_thread_fence(memory_order_seq_cst);
}

void tp_frontend_fill_ring(struct tp_frontend *frontend, unsigned number)
{
	struct tp_frontend_ring *ring = &frontend->ring[number];
	bool receive = number % 2 == 0;

	for (unsigned slot = 0; slot < ring->slots; slot++) {
		if (receive) {
			tp_frontend_describe(frontend, ring, slot, slot_capacity(frontend), true);
			post_slot(frontend, ring, slot);
		} else {
			ring->free_slots[ring->free_count++] = (uint16_t)slot;
		}
	}
	ring->published = ring->available;
	store_available(ring);
}

static unsigned take_free(struct tp_frontend_ring *ring)
{
	unsigned slot = ring->free_slots[ring->free_head];

	ring->free_head = (uint16_t)((ring->free_head + 1) % ring->slots);
	ring->free_count--;
	return slot;
}

static void give_free(struct tp_frontend_ring *ring, unsigned slot)
{
	unsigned tail = ((unsigned)ring->free_head + ring->free_count) % ring->slots;

	ring->free_slots[tail] = (uint16_t)slot;
	ring->free_count++;
}

/* Posted chains; an index of the back-end's is sane if it is no farther ahead than these. */
static unsigned outstanding(const struct tp_frontend_ring *ring)
{
	return (uint16_t)(ring->published - ring->used);
}

/* @return used entries to look at, or -EPROTO. */
static int count_used(const struct tp_frontend_ring *ring, struct tp_error *error)
{
	uint16_t shown = load_used(ring);
	unsigned count = (uint16_t)(shown - ring->used);

	if (count > outstanding(ring))
		return tp_error_set(error, EPROTO,
			"used index %u, but only %u buffers were out after index %u", shown,
			outstanding(ring), ring->used);
	return (int)count;
}

/* Take back the slot of used entry `index`. @return the slot, or -EPROTO. */
static int take_used(const struct tp_frontend *frontend, struct tp_frontend_ring *ring,
	uint16_t index, uint32_t *length, struct tp_error *error)
{
	volatile const struct vring_used_elem *entry =
		&ring->vring.used->ring[index & (ring->vring.num - 1)];
	uint32_t id = entry->id;
	unsigned per_slot = frontend->settings.indirect_tables ? 1 : frontend->piece_count;
	uint32_t slot = id / per_slot;

	*length = entry->len;
	if (id % per_slot != 0 || slot >= ring->slots || !ring->posted[slot])
		return tp_error_set(error, EPROTO,
			"used entry %u names descriptor %u, which is not out", index, id);
	ring->posted[slot] = 0;
	return (int)slot;
}

/* virtio 1.2, 2.7.6.1: in order, one used entry may stand for all up to it. */
static int take_used_in_order(struct tp_frontend_ring *ring, uint16_t index)
{
	unsigned slot = index % ring->slots;

	ring->posted[slot] = 0;
	return (int)slot;
}

int tp_frontend_reclaim(struct tp_frontend *frontend, unsigned queue_pair, struct tp_error *error)
{
	struct tp_frontend_ring *ring = &frontend->ring[tp_transmit_ring(queue_pair)];
	bool in_order = tp_frontend_has(frontend, VIRTIO_F_IN_ORDER);
	int count = count_used(ring, error);
	uint32_t length;

	for (int i = 0; i < count; i++, ring->used++) {
		int slot = in_order ? take_used_in_order(ring, ring->used)
				    : take_used(frontend, ring, ring->used, &length, error);

		if (slot < 0)
			return slot;
		give_free(ring, (unsigned)slot);
	}
	if (count < 0)
		return count;
	if (count > 0)
		tp_frontend_arm_call(frontend, ring);
	return (int)outstanding(ring);
}

/* Spread header and frame over the pieces of a slot. */
static void fill_slot(const struct tp_frontend *frontend, uint8_t *buffer, const void *header,
	const uint8_t *frame, size_t length)
{
	size_t header_done = 0;

	for (unsigned i = 0; i < frontend->piece_count && length > 0; i++) {
		uint8_t *to = buffer + frontend->piece[i].offset;
		size_t room = frontend->piece[i].capacity;
		size_t part;

		if (header_done == 0) {
			memcpy(to, header, TP_FRONTEND_HEADER_BYTES);
			header_done = TP_FRONTEND_HEADER_BYTES;
			to += header_done;
			room -= header_done;
		}
		part = length < room ? length : room;
		memcpy(to, frame, part);
		frame += part;
		length -= part;
	}
}

int tp_frontend_send(struct tp_frontend *frontend, unsigned queue_pair,
	const struct virtio_net_hdr_v1 *header, const void *frame, size_t length,
	struct tp_error *error)
{
	static const struct virtio_net_hdr_v1 no_header;
	struct tp_frontend_ring *ring = &frontend->ring[tp_transmit_ring(queue_pair)];
	uint32_t bytes = TP_FRONTEND_HEADER_BYTES + (uint32_t)length;
	int status = tp_frontend_reclaim(frontend, queue_pair, error);
	unsigned slot;

	if (status < 0)
		return status;
	if (length == 0 || length > slot_capacity(frontend) - TP_FRONTEND_HEADER_BYTES)
		return -EMSGSIZE;
	if (ring->free_count == 0)
		return -EAGAIN;
	slot = take_free(ring);
	fill_slot(frontend, slot_buffer(frontend, ring, slot), header ? header : &no_header, frame,
		length);
	tp_frontend_describe(frontend, ring, slot, bytes, false);
	post_slot(frontend, ring, slot);
	tp_frontend_publish(frontend, ring);
	return 0;
}

/* A frame on its way from rings to one stretch of bytes. */
struct gathering {
	uint8_t *frame;
	size_t capacity;
	size_t length; /* of the frame so far */
};

static void gather(struct gathering *to, const uint8_t *from, size_t length)
{
	if (to->length < to->capacity) {
		size_t room = to->capacity - to->length;

		memcpy(to->frame + to->length, from, length < room ? length : room);
	}
	to->length += length;
}

/* Take the `length` bytes of a slot, less the first `skip`. */
static void gather_slot(const struct tp_frontend *frontend, const uint8_t *buffer, uint32_t length,
	uint32_t skip, struct gathering *to)
{
	for (unsigned i = 0; i < frontend->piece_count && length > 0; i++) {
		const uint8_t *from = buffer + frontend->piece[i].offset;
		uint32_t part = frontend->piece[i].capacity;

		if (part > length)
			part = length;
		length -= part;
		if (skip < part)
			gather(to, from + skip, part - skip);
		skip -= skip < part ? skip : part;
	}
}

/* Take one used buffer into the frame and post it again. @return 0 or -EPROTO. */
static int receive_buffer(struct tp_frontend *frontend, struct tp_frontend_ring *ring,
	struct virtio_net_hdr_v1 *header, struct gathering *to, struct tp_error *error)
{
	uint32_t skip = header != NULL ? TP_FRONTEND_HEADER_BYTES : 0;
	uint32_t length;
	int slot = take_used(frontend, ring, ring->used, &length, error);
	const uint8_t *buffer;

	if (slot < 0)
		return slot;
	if (length > slot_capacity(frontend) || length < skip)
		return tp_error_set(error, EPROTO,
			"used entry %u says %u bytes, the buffer holds %u", ring->used, length,
			slot_capacity(frontend));
	buffer = slot_buffer(frontend, ring, (unsigned)slot);
	if (header != NULL)
		memcpy(header, buffer + frontend->piece[0].offset, TP_FRONTEND_HEADER_BYTES);
	gather_slot(frontend, buffer, length, skip, to);
	ring->used++;
	post_slot(frontend, ring, (unsigned)slot);
	return 0;
}

static int receive_one(struct tp_frontend *frontend, struct tp_frontend_ring *ring,
	struct virtio_net_hdr_v1 *header, struct gathering *to, struct tp_error *error)
{
	int count = count_used(ring, error);
	unsigned buffers = 1;
	int status;

	if (count <= 0)
		return count < 0 ? count : -EAGAIN;
	status = receive_buffer(frontend, ring, header, to, error);
	if (status < 0)
		return status;
	if (tp_frontend_has(frontend, VIRTIO_NET_F_MRG_RXBUF))
		buffers = header->num_buffers;
	if (buffers == 0 || buffers > (unsigned)count)
		return tp_error_set(
			error, EPROTO, "header says %u buffers, %d are used", buffers, count);
	for (unsigned i = 1; i < buffers; i++) {
		status = receive_buffer(frontend, ring, NULL, to, error);
		if (status < 0)
			return status;
	}
	tp_frontend_publish(frontend, ring);
	tp_frontend_arm_call(frontend, ring);
	return 0;
}

/* Wait a little: for a notification if we asked for them, else by the clock. */
static void pause_for(const struct tp_frontend *frontend, const struct tp_frontend_ring *ring)
{
	struct pollfd call = {.fd = ring->call_fd, .events = POLLIN};
	uint64_t count;
	ssize_t ignored;

	if (!frontend->settings.interrupts) {
		usleep(50);
		return;
	}
	poll(&call, 1, 10);
	ignored = read(ring->call_fd, &count, sizeof(count));
	(void)ignored;
}

int tp_frontend_receive(struct tp_frontend *frontend, unsigned queue_pair,
	struct virtio_net_hdr_v1 *header, void *frame, size_t capacity, unsigned timeout_ms,
	struct tp_error *error)
{
	struct tp_frontend_ring *ring = &frontend->ring[tp_receive_ring(queue_pair)];
	struct gathering to = {.frame = frame, .capacity = capacity};
	struct virtio_net_hdr_v1 own;
	uint64_t deadline = timeout_ms ? tp_now_ns() + timeout_ms * 1000000ull : 0;
	int status;

	for (;;) {
		status = receive_one(frontend, ring, header ? header : &own, &to, error);
		if (status != -EAGAIN || timeout_ms == 0 || tp_now_ns() >= deadline)
			break;
		pause_for(frontend, ring);
	}
	return status < 0 ? status : (int)to.length;
}
