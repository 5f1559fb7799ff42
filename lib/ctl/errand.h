/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/loop.h"

/*
 * An errand: work that may have to wait for a disk, done in a thread of its own while the loop goes
 * on. Embedded in its owner and found again with tp_container_of. What the work touches is the
 * thread's from tp_errand_start until `done` is called; the log is not the thread's at any time.
 */
struct tp_errand {
	void (*work)(struct tp_errand *errand); /* in the thread */
	void (*done)(struct tp_errand *errand); /* afterwards, in the loop's */
	struct tp_loop *loop;
	struct tp_watch watch; /* eventfd; errand's thread: w, loop: r */
	pthread_t thread;
	bool running;
};

/**
 * Prepare an errand; work and done are set by the caller.
 * @return 0, or negative errno with *error set. Threading: the loop's, as all functions here.
 */
int tp_errand_open(struct tp_errand *errand, struct tp_loop *loop, struct tp_error *error);

/** Start. @return 0; -EBUSY: it is under way; -EAGAIN: the system has no thread to spare now. */
int tp_errand_start(struct tp_errand *errand);

/** Wait until it has ended, if it is under way. @return was it? Then `done` will not be called. */
bool tp_errand_wait(struct tp_errand *errand);

/** Wait as above, and give back what was taken. For errands that were opened. */
void tp_errand_close(struct tp_errand *errand);
