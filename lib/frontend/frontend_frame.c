/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames one at a time, in and out of stretches of bytes. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "frontend/burst.h"
#include "frontend/channel.h"
#include "frontend_internal.h"

int tp_frontend_reclaim(struct tp_frontend *frontend, unsigned queue_pair, struct tp_error *error)
{
	struct tp_frontend_ring *ring = &frontend->ring[tp_transmit_ring(queue_pair)];
	int status = tp_burst_reclaim(frontend, ring, error);

	return status < 0 ? status : (int)tp_burst_out(ring);
}

/* Spread header and frame over the pieces of a slot. */
static void fill_slot(const struct tp_frontend_ring *ring, uint8_t *buffer, const void *header,
	const uint8_t *frame, size_t length)
{
	size_t header_done = 0;

	for (unsigned i = 0; i < ring->piece_count && length > 0; i++) {
		uint8_t *to = buffer + ring->piece[i].offset;
		size_t room = ring->piece[i].capacity;
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
	int room = tp_burst_reclaim(frontend, ring, error);
	unsigned slot;

	if (room < 0)
		return room;
	if (length == 0 || length > tp_frontend_capacity(ring) - TP_FRONTEND_HEADER_BYTES)
		return -EMSGSIZE;
	if (room == 0)
		return -EAGAIN;
	slot = tp_burst_slot(ring, 0);
	fill_slot(ring, tp_frontend_buffer(frontend, ring, slot), header ? header : &no_header,
		frame, length);
	tp_burst_size(frontend, ring, slot, (uint32_t)length);
	tp_burst_transmit(frontend, ring, 1);
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

static void copy_header(const struct tp_frontend *frontend, const struct tp_frontend_ring *ring,
	const struct tp_burst_frame *frame, struct virtio_net_hdr_v1 *header)
{
	unsigned slot = ring->order[frame->entry & (ring->slots - 1u)];

	memcpy(header, tp_frontend_buffer(frontend, ring, slot) + ring->piece[0].offset,
		TP_FRONTEND_HEADER_BYTES);
}

int tp_frontend_receive(struct tp_frontend *frontend, unsigned queue_pair,
	struct virtio_net_hdr_v1 *header, void *frame, size_t capacity, unsigned timeout_ms,
	struct tp_error *error)
{
	struct tp_frontend_ring *ring = &frontend->ring[tp_receive_ring(queue_pair)];
	uint64_t deadline = timeout_ms ? tp_now_ns() + timeout_ms * 1000000ull : 0;
	struct tp_burst_frame received;
	size_t length;
	int status;

	for (;;) {
		status = tp_burst_receive(frontend, ring, &received, 1, true, error);
		if (status != 0 || timeout_ms == 0 || tp_now_ns() >= deadline)
			break;
		pause_for(frontend, ring);
	}
	if (status <= 0)
		return status < 0 ? status : -EAGAIN;
	if (header != NULL)
		copy_header(frontend, ring, &received, header);
	length = tp_burst_gather(frontend, ring, &received, frame, capacity);
	tp_burst_release(frontend, ring);
	return (int)length;
}
