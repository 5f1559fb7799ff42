/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * The control plane's one event loop: epoll for descriptors, a binary heap for timers. Watches and
 * timers are embedded in their owners and found again with tp_container_of. All functions are for
 * the one thread that runs the loop.
 */

#define tp_container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

struct tp_loop;

struct tp_watch {
	int fd;
	/* events: EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR as epoll reports them */
	void (*ready)(struct tp_watch *watch, uint32_t events);
};

struct tp_timer {
	uint64_t deadline_ms; /* CLOCK_MONOTONIC; loop: rw */
	size_t heap_index;    /* place in the heap + 1, 0 when not armed; loop: rw */
	void (*expired)(struct tp_timer *timer);
};

/**
 * Make a loop.
 * @return the loop, or NULL with *error set (no descriptors, no memory).
 */
struct tp_loop *tp_loop_new(struct tp_error *error);

/** Free a loop; watches and timers still registered are forgotten, not called. NULL is allowed. */
void tp_loop_free(struct tp_loop *loop);

/**
 * Watch a descriptor (level-triggered).
 * @param watch   fd and ready set by the caller; must stay in place until tp_loop_unwatch
 * @param events  EPOLLIN and so on
 * @return 0, or negative errno of epoll_ctl.
 */
int tp_loop_watch(struct tp_loop *loop, struct tp_watch *watch, uint32_t events);

/** Change the events of a watch. @return 0, or negative errno of epoll_ctl. */
int tp_loop_rewatch(struct tp_loop *loop, struct tp_watch *watch, uint32_t events);

/** Stop watching; safe inside any callback, also for a watch whose event is already pending. */
void tp_loop_unwatch(struct tp_loop *loop, struct tp_watch *watch);

/**
 * Call timer->expired once, delay_ms from now; re-arms a timer that is armed.
 * @return 0, or -ENOMEM (the timer is then not armed).
 */
int tp_loop_arm(struct tp_loop *loop, struct tp_timer *timer, uint64_t delay_ms);

/** Disarm; nothing happens if the timer is not armed. Safe inside any callback. */
void tp_loop_disarm(struct tp_loop *loop, struct tp_timer *timer);

/** Milliseconds of CLOCK_MONOTONIC, as the loop's timers see them. */
uint64_t tp_loop_now_ms(void);

/**
 * Dispatch what is ready once.
 * @param timeout_ms  longest wait for the first event; -1: until something happens
 * @return number of callbacks made, or negative errno.
 */
int tp_loop_step(struct tp_loop *loop, int timeout_ms);

/** Run until tp_loop_stop. @return 0, or negative errno. */
int tp_loop_run(struct tp_loop *loop);

/** Let tp_loop_run return after the current callback. */
void tp_loop_stop(struct tp_loop *loop);
