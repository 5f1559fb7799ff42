/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A socket whose close(2) waits: TCP over the loopback, with a minute to linger and more sent than
 * anybody reads.
 */
struct lingering {
	int fd;   /* the socket; whoever closes it last waits */
	int peer; /* reading here, or closing this, ends the wait */
};

/** Fails the test if there is none. */
struct lingering lingering_new(void);

/** Let the wait end. */
void lingering_release(struct lingering *lingering);
