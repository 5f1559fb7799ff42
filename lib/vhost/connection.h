/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "base/log.h"
#include "request.h"

/*
 * One front-end's socket: cuts the stream into messages, has them handled, sends the replies, and
 * never waits. At most one message is being received and one reply being sent; while a reply is
 * unsent nothing is read. Either has to be complete within a second.
 *
 * Whatever ends the connection ends in one call of `ended`, never while a handler is on the stack.
 */

#define VHOST_REASON_SIZE 224

struct vhost_connection {
	struct tp_loop *loop;
	struct vhost_device *device;
	const char *name;             /* for log lines */
	struct tp_log_limit *refused; /* of "refused" lines */
	struct tp_closer *closer;     /* of what front-ends pass */
	/* The connection is over; the receiver calls vhost_connection_close. */
	void (*ended)(struct vhost_connection *connection, const char *reason);

	struct tp_watch watch; /* fd -1: no front-end */
	struct tp_timer deadline;
	struct vhost_message message;
	uint32_t received; /* bytes of the message, header and payload */
	uint8_t reply[sizeof(struct vhost_header) + sizeof(uint64_t)];
	uint32_t reply_size;
	uint32_t reply_sent;
	uint64_t messages; /* handled, all front-ends */
	char refusal[160]; /* what this front-end was refused first, unless rings run in spite of it
			    */
	bool busy;         /* inside a callback: an end is deferred to its end */
	bool ending;
	char reason[VHOST_REASON_SIZE];
};

/** Prepare; loop, device, name, refused, closer and ended are set by the caller, the rest is zero.
 */
void vhost_connection_init(struct vhost_connection *connection);

/**
 * Take a connected socket over, closed later by vhost_connection_close.
 * @return 0, or negative errno (the socket then still belongs to the caller).
 */
int vhost_connection_open(struct vhost_connection *connection, int fd);

static inline bool vhost_connection_is_open(const struct vhost_connection *connection)
{
	return connection->watch.fd >= 0;
}

/** Hang up without calling `ended`. */
void vhost_connection_close(struct vhost_connection *connection);

/** End the connection: `ended` is called now, or when the callback on the stack has returned. */
void vhost_connection_end(struct vhost_connection *connection, const char *reason);

/** The same, where its front-end is the one who has hung up. */
void vhost_connection_hung_up(struct vhost_connection *connection);

/**
 * Bracket calls into the owner outside message handling, so that an end is deferred there as well.
 * vhost_connection_leave may call `ended`.
 */
void vhost_connection_enter(struct vhost_connection *connection);
void vhost_connection_leave(struct vhost_connection *connection);
