/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "vhost_owner.h"

/*
 * Front-ends, and endpoints that they talk to: one that listens, and one that connects to them.
 * Both sides run in the test's thread, in which time passes only when it is told to.
 */

#define FRONT_ENDS 2 /* the second one serves the socket, and its endpoint connects */

struct front_end {
	struct vhost_owner owner;
	char path[108];
	bool serves;
	int listener; /* -1: it does not listen */
	int fd;       /* -1: not connected */
	bool deaf;    /* does not read replies */
};

extern struct front_end front_ends[FRONT_ENDS];

void front_ends_open(void);

/** Let the endpoints do what there is to do. */
void front_ends_settle(void);

/** Closing of descriptors takes until front_end_connect, as it does if a stranger's file system
 * does not answer; else it takes no time. */
void front_ends_close_slowly(void);
bool front_ends_closing(void);

/** Let time pass, and the endpoints do what is due then. */
void front_ends_pass(unsigned milliseconds);

/** Be connected; nothing happens if it is. */
void front_end_connect(struct front_end *front_end);

/** Another connection, which may have to wait until closing is done; -1: it is the endpoint that
 * connects. */
int front_end_dial(struct front_end *front_end);

void front_end_hang_up(struct front_end *front_end);

/** Serve the socket, or not, so that the endpoint does not reach it; nothing if it does not serve.
 */
void front_end_listen(struct front_end *front_end, bool listen);

/**
 * Send bytes and descriptors, and read replies unless it is deaf. Connects first, also if the
 * endpoint has hung up.
 */
void front_end_send(struct front_end *front_end, const void *bytes, size_t size, const int *fds,
	size_t fd_count);

/** Hang up and check that the endpoint is as it was before it knew this front-end. */
void front_end_end(struct front_end *front_end);
