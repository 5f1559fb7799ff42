/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/loop.h"

#define EVENTS_A_STEP 64

/*
 * Events are fetched in batches, and a callback may unwatch (and free) the owner of an event that
 * is still in the batch: `pending` lets tp_loop_unwatch take such events out.
 */
struct tp_loop {
	int epoll_fd;
	bool stopping;
	struct epoll_event pending[EVENTS_A_STEP];
	int pending_next;
	int pending_count;
	struct tp_timer **heap; /* binary heap, the earliest deadline first */
	size_t heap_count;
	size_t heap_size;
};

uint64_t tp_loop_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct tp_loop *tp_loop_new(struct tp_error *error)
{
	struct tp_loop *loop = calloc(1, sizeof(*loop));

	if (loop == NULL) {
		tp_error_set(error, ENOMEM, "event loop: no memory");
		return NULL;
	}
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		tp_error_set(error, errno, "event loop: epoll_create1: %s", strerror(errno));
		free(loop);
		return NULL;
	}
	return loop;
}

void tp_loop_free(struct tp_loop *loop)
{
	if (loop == NULL)
		return;
	for (size_t i = 0; i < loop->heap_count; i++)
		loop->heap[i]->heap_index = 0;
	close(loop->epoll_fd);
	free(loop->heap);
	free(loop);
}

static int control(struct tp_loop *loop, int operation, struct tp_watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	return epoll_ctl(loop->epoll_fd, operation, watch->fd, &event) == 0 ? 0 : -errno;
}

int tp_loop_watch(struct tp_loop *loop, struct tp_watch *watch, uint32_t events)
{
	return control(loop, EPOLL_CTL_ADD, watch, events);
}

int tp_loop_rewatch(struct tp_loop *loop, struct tp_watch *watch, uint32_t events)
{
	return control(loop, EPOLL_CTL_MOD, watch, events);
}

void tp_loop_unwatch(struct tp_loop *loop, struct tp_watch *watch)
{
	control(loop, EPOLL_CTL_DEL, watch, 0);
	for (int i = loop->pending_next; i < loop->pending_count; i++)
		if (loop->pending[i].data.ptr == watch)
			loop->pending[i].data.ptr = NULL;
}

static void heap_put(struct tp_loop *loop, size_t place, struct tp_timer *timer)
{
	loop->heap[place] = timer;
	timer->heap_index = place + 1;
}

static void heap_up(struct tp_loop *loop, size_t place, struct tp_timer *timer)
{
	while (place > 0) {
		size_t parent = (place - 1) / 2;

		if (loop->heap[parent]->deadline_ms <= timer->deadline_ms)
			break;
		heap_put(loop, place, loop->heap[parent]);
		place = parent;
	}
	heap_put(loop, place, timer);
}

static void heap_down(struct tp_loop *loop, size_t place, struct tp_timer *timer)
{
	for (;;) {
		size_t child = 2 * place + 1;

		if (child >= loop->heap_count)
			break;
		if (child + 1 < loop->heap_count &&
			loop->heap[child + 1]->deadline_ms < loop->heap[child]->deadline_ms)
			child++;
		if (timer->deadline_ms <= loop->heap[child]->deadline_ms)
			break;
		heap_put(loop, place, loop->heap[child]);
		place = child;
	}
	heap_put(loop, place, timer);
}

static int heap_reserve(struct tp_loop *loop)
{
	size_t size = loop->heap_size == 0 ? 64 : 2 * loop->heap_size;
	struct tp_timer **heap;

	if (loop->heap_count < loop->heap_size)
		return 0;
	heap = realloc(loop->heap, size * sizeof(*heap));
	if (heap == NULL)
		return -ENOMEM;
	loop->heap = heap;
	loop->heap_size = size;
	return 0;
}

int tp_loop_arm(struct tp_loop *loop, struct tp_timer *timer, uint64_t delay_ms)
{
	int result;

	tp_loop_disarm(loop, timer);
	result = heap_reserve(loop);
	if (result < 0)
		return result;
	timer->deadline_ms = tp_loop_now_ms() + delay_ms;
	heap_up(loop, loop->heap_count++, timer);
	return 0;
}

void tp_loop_disarm(struct tp_loop *loop, struct tp_timer *timer)
{
	size_t place = timer->heap_index - 1;
	struct tp_timer *last;

	if (timer->heap_index == 0)
		return;
	timer->heap_index = 0;
	last = loop->heap[--loop->heap_count];
	if (last == timer)
		return;
	/* The last one takes the free place; which way it moves from there is not known. */
	heap_down(loop, place, last);
	heap_up(loop, last->heap_index - 1, last);
}

static int dispatch_events(struct tp_loop *loop)
{
	int made = 0;

	while (loop->pending_next < loop->pending_count && !loop->stopping) {
		const struct epoll_event *event = &loop->pending[loop->pending_next++];
		struct tp_watch *watch = event->data.ptr;

		if (watch == NULL)
			continue;
		made++;
		watch->ready(watch, event->events);
	}
	loop->pending_next = loop->pending_count = 0;
	return made;
}

/* No more than were armed at the start, so that a timer of 0 ms cannot starve descriptors. */
static int dispatch_timers(struct tp_loop *loop)
{
	uint64_t now = tp_loop_now_ms();
	size_t most = loop->heap_count;
	int made = 0;

	while (most-- > 0 && loop->heap_count > 0 && !loop->stopping) {
		struct tp_timer *timer = loop->heap[0];

		if (timer->deadline_ms > now)
			break;
		tp_loop_disarm(loop, timer);
		made++;
		timer->expired(timer);
	}
	return made;
}

static int wait_ms(const struct tp_loop *loop, int timeout_ms)
{
	uint64_t now, left;

	if (loop->heap_count == 0)
		return timeout_ms;
	now = tp_loop_now_ms();
	left = loop->heap[0]->deadline_ms > now ? loop->heap[0]->deadline_ms - now : 0;
	if (timeout_ms >= 0 && left > (uint64_t)timeout_ms)
		return timeout_ms;
	return left > INT32_MAX ? INT32_MAX : (int)left;
}

int tp_loop_step(struct tp_loop *loop, int timeout_ms)
{
	int count =
		epoll_wait(loop->epoll_fd, loop->pending, EVENTS_A_STEP, wait_ms(loop, timeout_ms));

	if (count < 0 && errno != EINTR)
		return -errno;
	loop->pending_next = 0;
	loop->pending_count = count < 0 ? 0 : count;
	count = dispatch_events(loop);
	return count + dispatch_timers(loop);
}

int tp_loop_run(struct tp_loop *loop)
{
	int result = 0;

	while (!loop->stopping && result >= 0)
		result = tp_loop_step(loop, -1);
	loop->stopping = false;
	return result < 0 ? result : 0;
}

void tp_loop_stop(struct tp_loop *loop)
{
	loop->stopping = true;
}
