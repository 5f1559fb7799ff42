/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames from ring to ring, with nothing in between: no check, no policy. What a switch could do at
 * best.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "backend_ring.h"

#define HASH_SLOTS 16384

static struct {
	uint64_t mac;
	unsigned device; /* plus one; 0: empty */
} table[HASH_SLOTS];

static unsigned hash(uint64_t mac)
{
	return (unsigned)((mac * 0x9e3779b97f4a7c15ull) >> 50);
}

static uint64_t read_mac(const uint8_t *frame)
{
	uint64_t mac;

	memcpy(&mac, frame, sizeof(mac)); /* a frame has 14 bytes at least */
	return mac & 0xffffffffffffull;
}

void rings_prepare(struct backend *backend)
{
	for (unsigned i = 0; i < backend->count; i++) {
		uint64_t mac = __builtin_bswap64(backend->first_mac + i) >> 16;
		unsigned slot = hash(mac);

		while (table[slot].device != 0)
			slot = (slot + 1) % HASH_SLOTS;
		table[slot].mac = mac;
		table[slot].device = i + 1;
	}
}

unsigned look_up(const struct backend *backend, unsigned from, const uint8_t *frame)
{
	uint64_t mac = read_mac(frame);
	unsigned slot = hash(mac);

	if (!backend->look_up)
		return from ^ 1;
	while (table[slot].device != 0) {
		if (table[slot].mac == mac)
			return table[slot].device - 1;
		slot = (slot + 1) % HASH_SLOTS;
	}
	return from ^ 1;
}

int ring_begin(struct ring *ring, const struct tp_vhost_ring *described,
	const struct tp_guest_memory *memory, uint64_t features, struct tp_error *error)
{
	size_t size = described->size;

	*ring = (struct ring){.size = described->size,
		.next = described->base,
		.used = described->base,
		.seen = described->base,
		.call_fd = described->call_fd,
		.mergeable = features >> VIRTIO_NET_F_MRG_RXBUF & 1,
		.memory = memory,
		.desc = (void *)tp_guest_translate_user(memory, described->desc_address, 16 * size),
		.avail = (void *)tp_guest_translate_user(
			memory, described->avail_address, 6 + 2 * size),
		.used_ring = (void *)tp_guest_translate_user(
			memory, described->used_address, 6 + 8 * size),
		.written = calloc(size, 1),
		.held = malloc(FRAME_MAX)};
	if (ring->desc == NULL || ring->avail == NULL || ring->used_ring == NULL)
		return tp_error_set(error, EINVAL, "a ring is not inside the guest's memory");
	if (ring->written == NULL || ring->held == NULL)
		return tp_error_set(error, ENOMEM, "no memory for a ring");
	ring->used_ring->flags = VRING_USED_F_NO_NOTIFY;
	ring->active = true;
	return 0;
}

void ring_end(struct ring *ring)
{
	free(ring->written);
	free(ring->held);
	ring->written = ring->held = NULL;
	ring->active = false;
}

/* Short copies without a call. */
static inline void copy(uint8_t *to, const uint8_t *from, uint32_t bytes)
{
	if (bytes < 16 || bytes > 256) {
		memcpy(to, from, bytes);
		return;
	}
	for (uint32_t at = 0; at + 16 <= bytes; at += 16)
		memcpy(to + at, from + at, 16);
	memcpy(to + bytes - 16, from + bytes - 16, 16);
}

/* A stretch of a chain: calls for each descriptor. @return bytes put together, less the header. */
static uint32_t gather(const struct ring *ring, uint16_t head, uint8_t *frame)
{
	const struct vring_desc *list = ring->desc;
	uint32_t skip = HEADER, bytes = 0, limit = ring->size;
	struct vring_desc desc = list[head];

	if (desc.flags & VRING_DESC_F_INDIRECT) {
		limit = desc.len / 16;
		list = (void *)tp_guest_translate(ring->memory, desc.addr, desc.len);
		if (list == NULL || limit == 0)
			return 0;
		desc = list[0];
	}
	for (uint32_t steps = 0; steps < limit; steps++) {
		const uint8_t *data = tp_guest_translate(ring->memory, desc.addr, desc.len);
		uint32_t jump = skip < desc.len ? skip : desc.len;
		uint32_t length = desc.len - jump;

		if (data == NULL || bytes + length > FRAME_MAX)
			return 0;
		memcpy(frame + bytes, data + jump, length);
		bytes += length;
		skip -= jump;
		if (!(desc.flags & VRING_DESC_F_NEXT) || desc.next >= limit)
			break;
		desc = list[desc.next];
	}
	return bytes;
}

const uint8_t *frame_at(const struct ring *ring, uint16_t head, uint8_t *bounce, uint32_t *bytes)
{
	struct vring_desc desc = ring->desc[head];
	const uint8_t *data;

	if (desc.flags & (VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT)) {
		*bytes = gather(ring, head, bounce);
		return bounce;
	}
	data = tp_guest_translate(ring->memory, desc.addr, desc.len);
	if (data == NULL || desc.len <= HEADER || desc.len > FRAME_MAX) {
		*bytes = 0;
		return bounce;
	}
	*bytes = desc.len - HEADER;
	return data + HEADER;
}

uint8_t *buffer_at(const struct ring *ring, uint16_t head, uint32_t *capacity)
{
	struct vring_desc desc = ring->desc[head];

	if (desc.flags & VRING_DESC_F_INDIRECT) {
		const struct vring_desc *list =
			(void *)tp_guest_translate(ring->memory, desc.addr, desc.len);

		*capacity = 0;
		if (list == NULL)
			return NULL;
		desc = list[0];
	}
	*capacity = desc.len;
	return tp_guest_translate(ring->memory, desc.addr, desc.len);
}

bool deliver(struct ring *ring, const uint8_t *frame, uint32_t bytes)
{
	static const struct virtio_net_hdr_v1 single = {.num_buffers = 1};
	uint32_t capacity, done = 0, skip = HEADER;
	uint16_t head = head_at(ring, ring->next);
	unsigned buffers = 1;
	uint8_t *data, *first;

	if (!ring->active || !has(ring, 1))
		return false;
	first = data = buffer_at(ring, head, &capacity);
	if (data == NULL || capacity < HEADER)
		return false;
	if (bytes > capacity - HEADER)
		buffers = (bytes + HEADER + capacity - 1) / capacity;
	if (!has(ring, buffers) || (buffers > 1 && !ring->mergeable))
		return false;
	for (unsigned i = 0; i < buffers; i++, skip = 0) {
		uint32_t part = capacity - skip;

		if (part > bytes - done)
			part = bytes - done;
		copy(data + skip, frame + done, part);
		done += part;
		give_back(ring, head, part + skip);
		head = head_at(ring, ring->next);
		if (i + 1 < buffers && (data = buffer_at(ring, head, &capacity)) == NULL)
			break;
	}
	memcpy(first, &single, HEADER);
	if (buffers > 1)
		((struct virtio_net_hdr_v1 *)first)->num_buffers = (uint16_t)buffers;
	return true;
}

/* Where a descriptor's bytes are if it is a chain of its own, else NULL. */
static inline uint8_t *plain_data(const struct ring *ring, uint16_t head, uint32_t *length)
{
	struct vring_desc desc = ring->desc[head];

	*length = desc.len;
	if (desc.flags & (VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT))
		return NULL;
	return tp_guest_translate(ring->memory, desc.addr, desc.len);
}

/* The header and a frame into a buffer. Most frames of a benchmark are of one size: 64 bytes. */
static inline void copy_into(uint8_t *buffer, const uint8_t *frame, uint32_t bytes)
{
	static const struct virtio_net_hdr_v1 header = {.num_buffers = 1};

	memcpy(buffer, &header, HEADER);
	if (bytes == 64)
		memcpy(buffer + HEADER, frame, 64);
	else
		memcpy(buffer + HEADER, frame, bytes);
}

/* Frames and buffers in one piece each, all to one device. @return whether that was so; if not,
 * nothing was done. */
static bool copy_fast(struct backend *backend, unsigned device, unsigned pair)
{
	struct ring *in = &backend->devices[device].ring[2 * pair + 1];
	struct ring *out = receive_ring(backend, device ^ 1, pair);
	unsigned count = available(in);
	const uint8_t *frame[BURST];
	uint8_t *buffer[BURST];
	uint32_t length[BURST], capacity;

	if (count > BURST)
		count = BURST;
	if (!out->active || count == 0 || !has(out, count))
		return count == 0;
	for (unsigned i = 0; i < count; i++) {
		frame[i] = plain_data(in, head_at(in, in->next + i), &length[i]);
		buffer[i] = plain_data(out, head_at(out, out->next + i), &capacity);
		if (frame[i] == NULL || buffer[i] == NULL || capacity < length[i] ||
			length[i] < HEADER + 14)
			return false;
		__builtin_prefetch(frame[i] + HEADER);
		prefetch_to_write(buffer[i]);
		prefetch_to_write(buffer[i] + 64);
	}
	for (unsigned i = 0; i < count; i++) {
		if (backend->look_up && look_up(backend, device, frame[i] + HEADER) != (device ^ 1))
			return false;
	}
	for (unsigned i = 0; i < count; i++) {
		copy_into(buffer[i], frame[i] + HEADER, length[i] - HEADER);
		give_back(out, head_at(out, out->next), length[i]);
		give_back(in, head_at(in, in->next), 0);
	}
	publish(out);
	publish(in);
	backend->frames += count;
	count_up(&backend->counters.rx, count);
	count_up(&backend->counters.tx, count);
	return true;
}

static const uint8_t source_frame[60] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00, 0x45};

static void sink(struct backend *backend, struct ring *ring)
{
	unsigned most = available(ring);

	if (most == 0)
		return;
	for (unsigned i = 0; i < most; i++)
		give_back(ring, head_at(ring, ring->next), 0);
	publish(ring);
	count_up(&backend->counters.rx, most);
}

static void source(struct backend *backend, struct ring *ring)
{
	struct virtio_net_hdr_v1 header = {.num_buffers = 1};
	unsigned most = available(ring);

	if (most == 0)
		return;
	for (unsigned i = 0; i < most; i++) {
		uint16_t head = head_at(ring, ring->next);

		if (!ring->written[head]) {
			uint32_t capacity;
			uint8_t *data = buffer_at(ring, head, &capacity);

			if (data == NULL || capacity < HEADER + sizeof(source_frame))
				return;
			memcpy(data, &header, HEADER);
			memcpy(data + HEADER, source_frame, sizeof(source_frame));
			ring->written[head] = 1;
		}
		give_back(ring, head, HEADER + sizeof(source_frame));
	}
	publish(ring);
	count_up(&backend->counters.tx, most);
}

static void visit(struct backend *backend, unsigned device, bool cheat)
{
	for (unsigned pair = 0; pair < TP_VHOST_QUEUE_PAIRS_MAX; pair++) {
		struct ring *receive = &backend->devices[device].ring[2 * pair];
		struct ring *transmit = receive + 1;

		if (backend->mode == MODE_SOURCE && receive->active)
			source(backend, receive);
		else if (backend->mode == MODE_SINK && transmit->active)
			sink(backend, transmit);
		else if (backend->mode == MODE_COPY && transmit->active &&
			 (cheat || !copy_fast(backend, device, pair)))
			copy_each(backend, device, pair);
	}
}

void *rings_run(void *argument)
{
	struct backend *backend = argument;
	bool cheat = cheats_on(backend);
	double next_stall = 0;

	while (!atomic_load_explicit(&backend->stop, memory_order_relaxed)) {
		if (atomic_load_explicit(&backend->hold, memory_order_acquire)) {
			atomic_store_explicit(&backend->held, true, memory_order_release);
			sched_yield();
			continue;
		}
		for (unsigned i = 0; i < backend->count; i++)
			visit(backend, i, cheat);
		if (backend->cheats.stall_every > 0)
			stall(backend, &next_stall);
		if (atomic_load_explicit(&backend->nonsense, memory_order_relaxed) != NONSENSE_NONE)
			do_nonsense(backend);
	}
	return NULL;
}
