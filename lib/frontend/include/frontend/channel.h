/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "frontend/vhost_user.h"

/*
 * A vhost-user connection as raw messages: any bytes with any descriptors, well-formed or not.
 * Sockets are plain descriptors. Every wait has a limit.
 */

/**
 * Connect to a socket that a back-end serves; tries again while nobody listens there yet.
 * @param timeout_ms  longest wait for somebody to listen
 * @return a socket, or negative errno with *error set. Threading: any.
 */
int tp_channel_connect(const char *path, unsigned timeout_ms, struct tp_error *error);

/**
 * Serve a socket for a back-end that connects. A file that is there already is replaced.
 * @return a listening socket, or negative errno with *error set. Threading: any.
 */
int tp_channel_listen(const char *path, struct tp_error *error);

/**
 * Wait for a back-end to connect.
 * @return a socket, or negative errno (-ETIMEDOUT) with *error set. Threading: any.
 */
int tp_channel_accept(int listener, unsigned timeout_ms, struct tp_error *error);

/**
 * Send bytes, all of them, the descriptors with the first one.
 *
 * @param fds       descriptors to pass, or NULL
 * @param fd_count  0..VHOST_USER_FDS_MAX
 * @return 0, or negative errno of sendmsg. Blocks while the peer's buffer is full. Threading: one
 * sender a socket.
 */
int tp_channel_send_bytes(
	int socket, const void *bytes, size_t length, const int *fds, unsigned fd_count);

/** Send a message: header and header.size bytes of payload. As tp_channel_send_bytes. */
int tp_channel_send(
	int socket, const struct vhost_user_message *message, const int *fds, unsigned fd_count);

/**
 * Receive one message; descriptors that come with it are closed.
 * @param timeout_ms  longest wait for each part of it
 * @return 0, or negative errno: -ETIMEDOUT, -ECONNRESET when the peer has hung up, -EMSGSIZE when
 * its payload is larger than VHOST_USER_PAYLOAD_MAX. Threading: one receiver a socket.
 */
int tp_channel_receive(int socket, struct vhost_user_message *message, unsigned timeout_ms);

/**
 * Wait for the peer to hang up; whatever it still sends is thrown away.
 * @return 0 when it has, -ETIMEDOUT when it has not. Threading: one receiver a socket.
 */
int tp_channel_wait_closed(int socket, unsigned timeout_ms);

/** Nanoseconds of CLOCK_MONOTONIC. Threading: any. */
uint64_t tp_now_ns(void);
