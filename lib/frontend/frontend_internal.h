/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "frontend/frontend.h"

/* What the files of the front-end share with each other alone. */

#include <linux/virtio_config.h>

static inline bool tp_frontend_has(const struct tp_frontend *frontend, unsigned feature)
{
	return frontend->features >> feature & 1;
}

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static inline bool tp_frontend_protocol_has(const struct tp_frontend *frontend, unsigned bit)
{
	return frontend->protocol_features >> bit & 1;
}

/** Send a request; its acknowledgement, if there will be one, is read by collect_acks. */
int tp_frontend_send_request(struct tp_frontend *frontend, struct vhost_user_message *message,
	const int *fds, unsigned fd_count, struct tp_error *error);

/** Read the acknowledgements of all requests sent. */
int tp_frontend_collect_acks(struct tp_frontend *frontend, struct tp_error *error);

/** Send a request that has an answer of its own, and so takes no acknowledgement. */
int tp_frontend_send_question(struct tp_frontend *frontend, struct vhost_user_message *message,
	const int *fds, unsigned fd_count, struct tp_error *error);

/** Read one reply, which must be to this request. */
int tp_frontend_read_reply(struct tp_frontend *frontend, uint32_t request,
	struct vhost_user_message *reply, struct tp_error *error);

/** Slots of a ring whose chains have so many descriptors. */
uint16_t tp_frontend_slots(const struct tp_frontend *frontend, unsigned pieces);

/** Set a new ring to its first state: all slots ours, or all out if it is a receive ring. */
void tp_frontend_fill_ring(struct tp_frontend *frontend, struct tp_frontend_ring *ring);

/** Say whether, and from which used index on, the device shall notify us. */
void tp_frontend_arm_call(const struct tp_frontend *frontend, struct tp_frontend_ring *ring);

/** Kick a ring whatever the device says of notifications. */
void tp_frontend_kick(const struct tp_frontend_ring *ring);

/** Bytes, header included, that all pieces of a slot hold. */
uint32_t tp_frontend_capacity(const struct tp_frontend_ring *ring);

static inline uint8_t *tp_frontend_buffer(
	const struct tp_frontend *frontend, const struct tp_frontend_ring *ring, unsigned slot)
{
	return ring->buffers + (size_t)slot * frontend->slot_stride;
}

/* --- frontend_chain.c: descriptors --- */

/** Write a slot's chain where it stays: in the table of a split ring, or in its indirect table. */
void tp_frontend_describe(
	const struct tp_frontend *frontend, struct tp_frontend_ring *ring, unsigned slot);

/** Make the next `count` entries available; a split ring's device sees them with the next publish,
 * a packed ring's at once. */
void tp_frontend_offer(
	const struct tp_frontend *frontend, struct tp_frontend_ring *ring, unsigned count);

/* --- frontend_used.c: what comes back --- */

/** Entries that came back, at most `most`. @return that, or -EPROTO. */
int tp_frontend_count_used(const struct tp_frontend *frontend, const struct tp_frontend_ring *ring,
	unsigned most, struct tp_error *error);

/** As count_used, without asking for the entries. Split rings. */
int tp_frontend_count_split(const struct tp_frontend *frontend, const struct tp_frontend_ring *ring,
	struct tp_error *error);

/** Is the used entry at this distance from the next the one that is due there? Split rings. */
bool tp_frontend_in_place(const struct tp_frontend_ring *ring, unsigned distance);

/** Take up to `count` transmit entries as long as they came back in the order given: the quick way,
 * for split rings. @return how many. */
unsigned tp_frontend_skip_ordered(
	const struct tp_frontend *frontend, struct tp_frontend_ring *ring, unsigned count);

/**
 * Take one that came back; its length goes to ring->length.
 * @return entries that it stands for (more than one in order alone), or -EPROTO.
 */
int tp_frontend_take_used(
	const struct tp_frontend *frontend, struct tp_frontend_ring *ring, struct tp_error *error);

/** -EPROTO, and a text that names the ring. */
__attribute__((format(printf, 4, 5))) int tp_frontend_nonsense(const struct tp_frontend *frontend,
	const struct tp_frontend_ring *ring, struct tp_error *error, const char *format, ...);
