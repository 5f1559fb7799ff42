/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * What comes from a UNIX socket: bytes, and descriptors that came with them (unix(7), SCM_RIGHTS).
 */

/* What one SCM_RIGHTS can carry in Linux. Who receives takes all of them: those that do not fit the
 * buffer for them are closed by the kernel in the receiver's place, which may wait
 * (base/closer.h). */
#define TP_RECEIVE_FDS_MAX 253

struct tp_received {
	int fds[TP_RECEIVE_FDS_MAX]; /* the receiver's to close */
	unsigned fd_count;
	bool cut; /* the kernel has kept some back that this process may not open */
};

/**
 * Receive once, without waiting.
 * @param bytes     where they go, at most `size` of them
 * @param received  filled in; no descriptors unless bytes came
 * @return bytes that came, 0 at the end, or negative errno. Threading: any.
 */
ssize_t tp_receive(int socket, void *bytes, size_t size, struct tp_received *received);
