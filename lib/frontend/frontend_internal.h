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

/** Set a new ring to its first state: all slots ours, or all posted if it is a receive ring. */
void tp_frontend_fill_ring(struct tp_frontend *frontend, unsigned number);

/** Say whether, and from which used index on, the device shall notify us. */
void tp_frontend_arm_call(const struct tp_frontend *frontend, struct tp_frontend_ring *ring);

/** Kick a ring whatever the device says of notifications. */
void tp_frontend_kick(const struct tp_frontend_ring *ring);
