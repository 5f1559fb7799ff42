/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <sys/stat.h>

#include "base/error.h"

/* UNIX sockets by path: listening, connecting, and the files that they leave. */

/** Refuse a path that does not fit a socket address. @return 0, or negative errno. */
int vhost_socket_check_path(const char *path, struct tp_error *error);

/**
 * Listen at a path, non-blocking. Missing parent directories are made; a socket file that nobody
 * serves is replaced.
 *
 * @param identity  device and inode of the socket file made
 * @return a descriptor, or negative errno with *error set.
 */
int vhost_socket_listen(const char *path, struct stat *identity, struct tp_error *error);

/** Connect, non-blocking. @return a connected descriptor, or negative errno with *error set. */
int vhost_socket_connect(const char *path, struct tp_error *error);

/** Remove the socket file if it is still the one that was made. */
void vhost_socket_remove(const char *path, const struct stat *identity);

/** Process at the other end, 0 if that is not known. */
int vhost_socket_peer_pid(int fd);
