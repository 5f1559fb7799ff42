/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <sys/types.h>

#include "base/error.h"

/** A listening UNIX socket and what its file is, to tell later whether it is still ours. */
struct tp_control_listener {
	int fd;
	dev_t device;
	ino_t inode;
};

/**
 * Make the parent directories, replace a stale socket, bind with mode 0600 and listen.
 * @return 0, or negative errno with *error set and nothing left open. Threading: any one thread.
 */
int tp_control_listen(
	const char *path, struct tp_control_listener *listener, struct tp_error *error);

/** Stop listening and remove the file, if it is the one that was made. */
void tp_control_unlisten(const char *path, struct tp_control_listener *listener);
