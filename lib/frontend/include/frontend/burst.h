/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "frontend/frontend.h"

/*
 * Frames in bursts, where they lie. Transmit:
 *
 *   tp_burst_reclaim   what came back is ours again
 *   tp_burst_slot      slot of the k-th frame to be sent next; write the frame, then
 *   tp_burst_size      say how long it is
 *   tp_burst_transmit  give the first k to the device
 *
 * and receive:
 *
 *   tp_burst_receive   which frames are there
 *   tp_burst_release   give their buffers back to the device
 *
 * Header and frame of a transmit slot stay as they are between two uses, so a generator writes only
 * what changes. Frames lie in one stretch of memory, also when tp_burst_cut made several
 * descriptors of them. Threading: one thread a ring.
 */

/** A frame that was received, until tp_burst_release. */
struct tp_burst_frame {
	uint8_t *frame;   /* in its first buffer */
	uint32_t bytes;   /* of the frame in all its buffers */
	uint32_t first;   /* bytes of it in the first buffer */
	uint16_t entry;   /* index of its first buffer's entry, */
	uint16_t buffers; /* and how many it takes */
};

/**
 * Cut transmitted frames into descriptors: of these lengths, the last of what is left.
 * @param count  1..TP_FRONTEND_SEGMENTS_MAX; 1: one descriptor for all
 * @return 0; -EBUSY while frames are out; -EINVAL with *error set: lengths of more than a buffer,
 * or more descriptors than the ring has.
 */
int tp_burst_cut(struct tp_frontend *frontend, unsigned queue_pair, const uint32_t *lengths,
	unsigned count, struct tp_error *error);

/**
 * Take back transmit slots that the device is done with.
 * @return slots that are ours now, or -EPROTO with *error set: nonsense in the used ring.
 */
int tp_burst_reclaim(
	struct tp_frontend *frontend, struct tp_frontend_ring *ring, struct tp_error *error);

/**
 * As tp_burst_reclaim and tp_burst_receive, but of all entries that came back only the first
 * and the last are looked at: if the last is the one that is due in its place, the others are taken
 * to be. The entries in between stay in the cache of whoever wrote them, which makes the load
 * generator cheaper than a driver can be. Split rings whose last entry is in order and a whole
 * frame; others are looked at entry by entry.
 *
 * @param last  the last frame
 * @return what tp_burst_reclaim returns; frames received, of which *last is the last, 0, or
 * -EPROTO; -EAGAIN: cannot be done here, use tp_burst_receive.
 */
int tp_burst_reclaim_sampled(
	struct tp_frontend *frontend, struct tp_frontend_ring *ring, struct tp_error *error);
int tp_burst_receive_sampled(struct tp_frontend *frontend, struct tp_frontend_ring *ring,
	struct tp_burst_frame ends[2], struct tp_error *error);

/** Entries that the device has. */
static inline unsigned tp_burst_out(const struct tp_frontend_ring *ring)
{
	return (uint16_t)(ring->available - ring->used);
}

/** Slot of the k-th entry from the next one on. @param k  less than what tp_burst_reclaim said. */
static inline unsigned tp_burst_slot(const struct tp_frontend_ring *ring, unsigned k)
{
	return ring->order[(ring->available + k) & (ring->slots - 1u)];
}

/** Rewrite a split ring's descriptors of a slot for another length. */
void tp_burst_resize(struct tp_frontend *frontend, struct tp_frontend_ring *ring, unsigned slot);

/** Bytes of the frame in a slot (without virtio-net header), at most a buffer. */
static inline void tp_burst_size(struct tp_frontend *frontend, struct tp_frontend_ring *ring,
	unsigned slot, uint32_t frame_bytes)
{
	if (ring->length[slot] == frame_bytes + TP_FRONTEND_HEADER_BYTES)
		return;
	ring->length[slot] = frame_bytes + TP_FRONTEND_HEADER_BYTES;
	tp_burst_resize(frontend, ring, slot);
}

/** Give the next `count` slots to the device and kick it if it wants to be told. */
void tp_burst_transmit(struct tp_frontend *frontend, struct tp_frontend_ring *ring, unsigned count);

/**
 * Look what was received.
 *
 * @param frames   where to put up to `most`
 * @param headers  look at each frame's header, to see how many buffers it takes. Else only where
 * the first buffer is full: a frame that goes on elsewhere fills it (virtio 1.2, 5.1.6.4.1), and
 * the headers of the others stay in the cache of whoever wrote them
 * @return frames, or -EPROTO with *error set: nonsense in the used ring or in a header.
 */
int tp_burst_receive(struct tp_frontend *frontend, struct tp_frontend_ring *ring,
	struct tp_burst_frame *frames, unsigned most, bool headers, struct tp_error *error);

/** Copy a received frame out of its buffers. @return its bytes, also if `capacity` is less. */
size_t tp_burst_gather(const struct tp_frontend *frontend, const struct tp_frontend_ring *ring,
	const struct tp_burst_frame *frame, uint8_t *bytes, size_t capacity);

/** Give all buffers of frames received back to the device, and kick it if it wants to be told. */
void tp_burst_release(struct tp_frontend *frontend, struct tp_frontend_ring *ring);

/**
 * Make a ring fit for a new connection: what was out stays out, in `order`, and is offered again.
 * tp_frontend_handshake calls it.
 */
void tp_burst_renew(struct tp_frontend *frontend, struct tp_frontend_ring *ring);
