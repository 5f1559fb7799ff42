/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "frontend/burst.h"
#include "frontend_internal.h"

static void set_order(struct tp_frontend_ring *ring)
{
	for (unsigned slot = 0; slot < ring->slots; slot++)
		ring->order[slot] = ring->position[slot] = (uint16_t)slot;
}

void tp_frontend_fill_ring(struct tp_frontend *frontend, struct tp_frontend_ring *ring)
{
	ring->head_step = ring->indirect != NULL ? 1 : ring->piece_count;
	ring->next = ring->last = 1u << 15; /* place 0, wrap counter 1 */
	set_order(ring);
	if (!ring->receive)
		return;
	for (unsigned slot = 0; slot < ring->slots; slot++)
		tp_frontend_describe(frontend, ring, slot);
	tp_frontend_offer(frontend, ring, ring->slots);
	ring->published = ring->available;
	if (ring->packed == NULL)
		__atomic_store_n(&ring->vring.avail->idx, ring->available, __ATOMIC_RELEASE);
}

/* What the last device gave back stays given back. @return entries. */
static unsigned settle_used(struct tp_frontend *frontend, struct tp_frontend_ring *ring)
{
	uint16_t used = ring->used;
	int count = tp_frontend_count_used(frontend, ring, ring->slots, NULL);
	unsigned settled;

	while (count > 0) {
		int taken = tp_frontend_take_used(frontend, ring, NULL);

		if (taken < 0)
			break;
		count -= taken;
	}
	settled = (uint16_t)(ring->used - used);
	/* A split ring keeps it for us to look at; a packed one is written anew. */
	if (ring->packed == NULL)
		ring->used = used;
	return settled;
}

void tp_burst_renew(struct tp_frontend *frontend, struct tp_frontend_ring *ring)
{
	unsigned settled = settle_used(frontend, ring);

	if (ring->packed != NULL) {
		unsigned count = ring->receive ? ring->slots : tp_burst_out(ring);

		ring->available = ring->used;
		memset(ring->packed, 0, sizeof(*ring->packed) * ring->vring.num);
		memset(ring->device_event, 0, sizeof(*ring->device_event));
		ring->next = ring->last = 1u << 15;
		tp_frontend_offer(frontend, ring, count);
	} else {
		unsigned count = tp_burst_out(ring) - settled;

		ring->available = (uint16_t)(ring->used + settled);
		__atomic_store_n(&ring->vring.used->idx, ring->available, __ATOMIC_RELEASE);
		tp_frontend_offer(frontend, ring, count);
		__atomic_store_n(&ring->vring.avail->idx, ring->available, __ATOMIC_RELEASE);
	}
	ring->published = ring->available;
	ring->added = 0;
}

int tp_burst_cut(struct tp_frontend *frontend, unsigned queue_pair, const uint32_t *lengths,
	unsigned count, struct tp_error *error)
{
	struct tp_frontend_ring *ring = &frontend->ring[tp_transmit_ring(queue_pair)];
	uint32_t offset = frontend->settings.frame_offset - TP_FRONTEND_HEADER_BYTES;
	uint32_t end = frontend->settings.frame_offset + frontend->settings.buffer_size;
	uint16_t slots = tp_frontend_slots(frontend, count);

	if (tp_burst_out(ring) > 0)
		return tp_error_set(error, EBUSY,
			"%s: %u frames are still in the ring: how they are cut cannot change",
			frontend->settings.path, tp_burst_out(ring));
	if (count == 0 || count > TP_FRONTEND_SEGMENTS_MAX || slots == 0)
		return tp_error_set(error, EINVAL,
			"%u segments: 1 to %u, in a ring of %u descriptors", count,
			TP_FRONTEND_SEGMENTS_MAX, frontend->settings.ring_size);
	for (unsigned i = 0; i < count; i++) {
		uint32_t length = i == 0 ? TP_FRONTEND_HEADER_BYTES + lengths[0] : lengths[i];

		if (i + 1 == count)
			length = end - offset;
		if (length == 0 || length > end - offset)
			return tp_error_set(error, EINVAL, "segments of more than a buffer of %u",
				frontend->settings.buffer_size);
		ring->piece[i] = (struct tp_frontend_piece){offset, length};
		offset += length;
	}
	ring->piece_count = (uint16_t)count;
	ring->head_step = ring->indirect != NULL ? 1 : ring->piece_count;
	ring->slots = slots < ring->slots_max ? slots : ring->slots_max;
	memset(ring->length, 0, sizeof(*ring->length) * ring->slots_max);
	set_order(ring);
	return 0;
}

void tp_burst_resize(struct tp_frontend *frontend, struct tp_frontend_ring *ring, unsigned slot)
{
	tp_frontend_describe(frontend, ring, slot);
}

/* Our wish moves with the used index, if there is one or if an index stands for it. */
static void arm(const struct tp_frontend *frontend, struct tp_frontend_ring *ring)
{
	if (frontend->settings.interrupts || tp_frontend_has(frontend, VIRTIO_RING_F_EVENT_IDX))
		tp_frontend_arm_call(frontend, ring);
}

int tp_burst_reclaim(
	struct tp_frontend *frontend, struct tp_frontend_ring *ring, struct tp_error *error)
{
	int count = tp_frontend_count_used(frontend, ring, UINT16_MAX, error);

	if (count < 0)
		return count;
	for (int i = (int)tp_frontend_skip_ordered(frontend, ring, (unsigned)count); i < count;) {
		int taken = tp_frontend_take_used(frontend, ring, error);

		if (taken < 0)
			return taken;
		i += taken;
	}
	if (count > 0)
		arm(frontend, ring);
	return (int)(ring->slots - tp_burst_out(ring));
}

int tp_burst_reclaim_sampled(
	struct tp_frontend *frontend, struct tp_frontend_ring *ring, struct tp_error *error)
{
	int count;

	if (ring->packed != NULL)
		return tp_burst_reclaim(frontend, ring, error);
	count = tp_frontend_count_split(frontend, ring, error);
	if (count < 0)
		return count;
	if (count > 0 && !tp_frontend_in_place(ring, (unsigned)count - 1))
		return tp_burst_reclaim(frontend, ring, error);
	ring->used = (uint16_t)(ring->used + count);
	if (count > 0)
		arm(frontend, ring);
	return (int)(ring->slots - tp_burst_out(ring));
}

void tp_burst_transmit(struct tp_frontend *frontend, struct tp_frontend_ring *ring, unsigned count)
{
	tp_frontend_offer(frontend, ring, count);
	tp_frontend_publish(frontend, ring);
}

/* Take one buffer. @return its slot, or -EPROTO. */
static int take_buffer(struct tp_frontend *frontend, struct tp_frontend_ring *ring,
	uint32_t capacity, uint32_t least, struct tp_error *error)
{
	uint16_t entry = ring->used;
	unsigned slot;

	if (tp_frontend_take_used(frontend, ring, error) < 0)
		return -EPROTO;
	slot = ring->order[entry & (ring->slots - 1u)];
	if (ring->length[slot] > capacity || ring->length[slot] < least)
		return tp_frontend_nonsense(frontend, ring, error,
			"used entry %u says %u bytes, %u to %u are possible", entry,
			ring->length[slot], least, capacity);
	return (int)slot;
}

static unsigned header_buffers(
	const struct tp_frontend *frontend, const struct tp_frontend_ring *ring, unsigned slot)
{
	const volatile struct virtio_net_hdr_v1 *header =
		(const void *)(tp_frontend_buffer(frontend, ring, slot) + ring->piece[0].offset);

	return header->num_buffers;
}

/* One frame of up to `count` buffers. @return buffers, or -EPROTO. */
static int take_frame(struct tp_frontend *frontend, struct tp_frontend_ring *ring, unsigned count,
	bool look, struct tp_burst_frame *frame, struct tp_error *error)
{
	uint32_t capacity = tp_frontend_capacity(ring);
	unsigned buffers = 1;
	int slot;

	frame->entry = ring->used;
	slot = take_buffer(frontend, ring, capacity, TP_FRONTEND_HEADER_BYTES, error);
	if (slot < 0)
		return slot;
	frame->frame = tp_frontend_frame(frontend, ring, (unsigned)slot);
	frame->first = frame->bytes = ring->length[slot] - TP_FRONTEND_HEADER_BYTES;
	if (tp_frontend_has(frontend, VIRTIO_NET_F_MRG_RXBUF) &&
		(look || ring->length[slot] == capacity))
		buffers = header_buffers(frontend, ring, (unsigned)slot);
	if (buffers == 0 || buffers > count)
		return tp_frontend_nonsense(frontend, ring, error,
			"the header of used entry %u says %u buffers, %u are used", frame->entry,
			buffers, count);
	for (unsigned i = 1; i < buffers; i++) {
		slot = take_buffer(frontend, ring, capacity, 0, error);
		if (slot < 0)
			return slot;
		frame->bytes += ring->length[slot];
	}
	frame->buffers = (uint16_t)buffers;
	return (int)buffers;
}

/* Where the frames are, if the device keeps the order; where not, no harm is done. */
static void prefetch(
	const struct tp_frontend *frontend, const struct tp_frontend_ring *ring, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		unsigned slot = ring->order[(ring->used + i) & (ring->slots - 1u)];
		const uint8_t *frame = tp_frontend_frame(frontend, ring, slot);

		__builtin_prefetch(frame - TP_FRONTEND_HEADER_BYTES);
		__builtin_prefetch(frame + 48);
	}
}

int tp_burst_receive(struct tp_frontend *frontend, struct tp_frontend_ring *ring,
	struct tp_burst_frame *frames, unsigned most, bool headers, struct tp_error *error)
{
	int count = tp_frontend_count_used(frontend, ring, ring->slots, error);
	unsigned done = 0;

	if (count <= 0)
		return count;
	if (headers)
		prefetch(frontend, ring, (unsigned)count < most ? (unsigned)count : most);
	while (count > 0 && done < most) {
		int buffers =
			take_frame(frontend, ring, (unsigned)count, headers, &frames[done], error);

		if (buffers < 0)
			return buffers;
		count -= buffers;
		done++;
	}
	return (int)done;
}

int tp_burst_receive_sampled(struct tp_frontend *frontend, struct tp_frontend_ring *ring,
	struct tp_burst_frame ends[2], struct tp_error *error)
{
	uint32_t capacity = tp_frontend_capacity(ring);
	uint16_t first = ring->used;
	int count, status;

	if (ring->packed != NULL)
		return -EAGAIN;
	count = tp_frontend_count_split(frontend, ring, error);
	if (count <= 0)
		return count;
	if (!tp_frontend_in_place(ring, 0) || !tp_frontend_in_place(ring, (unsigned)count - 1))
		return -EAGAIN;
	for (int i = 0; i < 2; i++) {
		ring->used = (uint16_t)(i == 0 ? first : first + count - 1);
		status = take_frame(frontend, ring, 1, false, &ends[i], error);
		if (status < 0)
			return status;
		if (ends[i].bytes + TP_FRONTEND_HEADER_BYTES == capacity) {
			ring->used = first; /* perhaps a frame of several buffers */
			return -EAGAIN;
		}
	}
	return count;
}

/* Copy the bytes of a buffer, without the first `skip`. @return how many they are. */
static size_t gather_buffer(const struct tp_frontend *frontend, const struct tp_frontend_ring *ring,
	unsigned slot, uint32_t skip, uint8_t *bytes, size_t capacity)
{
	const uint8_t *buffer = tp_frontend_buffer(frontend, ring, slot);
	uint32_t left = ring->length[slot];
	size_t done = 0;

	for (unsigned i = 0; i < ring->piece_count && left > 0; i++) {
		const struct tp_frontend_piece *piece = &ring->piece[i];
		uint32_t part = piece->capacity < left ? piece->capacity : left;
		uint32_t jump = skip < part ? skip : part;
		uint32_t length = part - jump;

		if (done < capacity)
			memcpy(bytes + done, buffer + piece->offset + jump,
				length < capacity - done ? length : capacity - done);
		done += length;
		skip -= jump;
		left -= part;
	}
	return done;
}

size_t tp_burst_gather(const struct tp_frontend *frontend, const struct tp_frontend_ring *ring,
	const struct tp_burst_frame *frame, uint8_t *bytes, size_t capacity)
{
	size_t done = 0;

	for (unsigned i = 0; i < frame->buffers; i++) {
		unsigned slot = ring->order[(uint16_t)(frame->entry + i) & (ring->slots - 1u)];
		size_t room = done < capacity ? capacity - done : 0;

		done += gather_buffer(frontend, ring, slot, i == 0 ? TP_FRONTEND_HEADER_BYTES : 0,
			bytes + (capacity - room), room);
	}
	return done;
}

void tp_burst_release(struct tp_frontend *frontend, struct tp_frontend_ring *ring)
{
	unsigned count = ring->slots - tp_burst_out(ring);

	if (count == 0)
		return;
	tp_frontend_offer(frontend, ring, count);
	tp_frontend_publish(frontend, ring);
	arm(frontend, ring);
}
