/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

/*
 * Closing what strangers passed us. Anything may come as a descriptor, and close(2) of some things
 * waits: a file of a file system that is a process of the stranger's own waits for that process, a
 * TCP socket that lingers waits for its peer. So what is not known to be harmless is closed by a
 * thread beside, one for each closer, which is there only while there is something to close. Who
 * owns the closer takes no more from that stranger until it is done.
 */

struct tp_closer;

/** @return a closer, or NULL without memory. Threading: one thread, as all functions here. */
struct tp_closer *tp_closer_new(void);

/** Let go of a closer; what is being closed is closed nevertheless. NULL is allowed. */
void tp_closer_free(struct tp_closer *closer);

/** Close a descriptor without waiting: eventfds and files in memory at once, others beside. */
void tp_closer_close(struct tp_closer *closer, int fd);

/**
 * Hang up a UNIX socket without waiting: the other side sees the end at once. Messages that nobody
 * has read may hold descriptors, which are closed with it.
 */
void tp_closer_hang_up(struct tp_closer *closer, int fd);

/** The same of one that listens. */
void tp_closer_stop_listening(struct tp_closer *closer, int fd);

/** How many are not closed yet. */
unsigned tp_closer_pending(struct tp_closer *closer);

/** Is this descriptor an eventfd? Asks nobody but the kernel. Threading: any. */
bool tp_is_eventfd(int fd);
