/* SPDX-License-Identifier: BSD-3-Clause */
/* Notifications that take long, because thousands wait for them: real eventfds, real waiters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>
#include <rte_cycles.h>

#include "call.h"
#include "switch_scene.h"

#define RINGS     (TP_COSTLY_RINGS + 4)
#define THOUSANDS 15000
#define COSTLY_NS 20000 /* what a call takes that is neither quick nor far too long */

/* Rings without memory: nothing but their wish to be called. */
struct guests {
	uint64_t avail; /* of all of them: flags 0, call me */
	bool over;
	struct tp_vring ring[RINGS];
	struct tp_context *context;
	struct tp_calls calls;
	int waiting[THOUSANDS];
	unsigned waiting_count;
	unsigned waiting_threads;
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void begin(struct guests *guests)
{
	struct tp_error error;
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	memset(guests, 0, sizeof(*guests));
	guests->context = aligned_alloc(64, 64 * 64);
	memset(guests->context, 0, 64 * 64);
	for (unsigned i = 0; i < RINGS; i++) {
		guests->ring[i].avail = (struct vring_avail *)&guests->avail;
		guests->ring[i].running = true;
		guests->ring[i].call_fd = eventfd(0, EFD_NONBLOCK);
		assert_true(guests->ring[i].call_fd >= 0);
	}
	assert_int_equal(tp_calls_open(&guests->calls, &error), 0);
}

static void let_go(struct guests *guests)
{
	while (guests->waiting_count > 0)
		close(guests->waiting[--guests->waiting_count]);
}

static void end(struct guests *guests)
{
	let_go(guests);
	tp_calls_close(&guests->calls);
	for (unsigned i = 0; i < RINGS; i++)
		close(guests->ring[i].call_fd);
	free(guests->context);
}

static void let_wait(struct guests *guests, unsigned ring, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct epoll_event event = {.events = EPOLLIN | EPOLLET};
		int fd = epoll_create1(0);

		if (fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, guests->ring[ring].call_fd, &event) < 0)
			skip(); /* too few descriptors for this */
		guests->waiting[guests->waiting_count++] = fd;
	}
}

/* @return how often it was called since this was last asked. */
static uint64_t heard(const struct guests *guests, unsigned ring)
{
	uint64_t count = 0;

	return read(guests->ring[ring].call_fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

/* @return what a call takes at least, in ns of CPU time. */
static uint64_t cost_of(struct guests *guests, unsigned ring)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < 20; i++) {
		uint64_t before = now_ns(CLOCK_THREAD_CPUTIME_ID), took;

		assert_int_equal(eventfd_write(guests->ring[ring].call_fd, 1), 0);
		took = now_ns(CLOCK_THREAD_CPUTIME_ID) - before;
		least = took < least ? took : least;
	}
	return least;
}

/* Hundreds, on most machines. */
static void let_enough_wait(struct guests *guests, unsigned ring)
{
	while (cost_of(guests, ring) < COSTLY_NS)
		let_wait(guests, ring, 50);
	heard(guests, ring);
}

/* What a sweep does about these rings, in each of which something has become used. */
static void sweep(struct guests *guests, unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++) {
		struct tp_vring *ring = &guests->ring[i];

		if (!tp_vring_running(ring))
			continue;
		tp_call_later(&guests->calls, ring, guests->context, ring->next_avail, 1);
		ring->next_avail++;
	}
	tp_call_pending(&guests->calls);
	tp_calls_late(&guests->calls, false);
}

static uint64_t calls_made(const struct guests *guests)
{
	return guests->context->counters.value[TP_COUNTER_CALLS];
}

static void test_thousands_waiting_break_the_ring(void **state)
{
	static struct guests guests;
	unsigned sweeps = 0;

	(void)state;
	begin(&guests);
	let_wait(&guests, 0, THOUSANDS);
	for (uint64_t until = now_ns(CLOCK_MONOTONIC) + 20000000000u;
		tp_vring_running(&guests.ring[0]) && now_ns(CLOCK_MONOTONIC) < until; sweeps++)
		sweep(&guests, 0, 3);
	assert_int_equal(tp_vring_fault(&guests.ring[0]), TP_VRING_CALL_COSTLY);
	assert_true(guests.calls.costly.broken);
	assert_int_equal(tp_vring_fault(&guests.ring[1]), TP_VRING_SOUND);
	assert_int_equal(tp_vring_fault(&guests.ring[2]), TP_VRING_SOUND);
	/* It was called some ten times, whatever the number of sweeps. */
	assert_in_range(heard(&guests, 0), 8, 16);
	assert_true(sweeps > 16);
	end(&guests);
}

static void test_it_is_known_when_it_comes_back(void **state)
{
	static struct guests guests;
	struct tp_costly_ring *known = &guests.calls.costly.ring[0];

	(void)state;
	begin(&guests);
	let_wait(&guests, 0, THOUSANDS);
	while (tp_vring_running(&guests.ring[0]))
		sweep(&guests, 0, 1);
	tp_vring_break(&guests.ring[0], TP_VRING_SOUND);
	heard(&guests, 0);
	assert_int_equal(guests.calls.costly.count, 1);
	assert_ptr_equal(known->ring, &guests.ring[0]);
	assert_true(known->excess > 5000);
	known->not_before = UINT64_MAX;
	sweep(&guests, 0, 1);
	assert_true(known->late);
	assert_int_equal(heard(&guests, 0), 0);
	end(&guests);
}

/* Neither ends it nor takes more than its part of the time. */
static void test_hundreds_waiting_are_called_seldom(void **state)
{
	static struct guests guests;
	uint64_t began, until, took = 0, made;

	(void)state;
	begin(&guests);
	let_enough_wait(&guests, 0);
	for (began = now_ns(CLOCK_MONOTONIC), until = began + 300000000;
		now_ns(CLOCK_MONOTONIC) < until;) {
		uint64_t before = now_ns(CLOCK_THREAD_CPUTIME_ID);

		made = calls_made(&guests);
		sweep(&guests, 0, 1);
		if (calls_made(&guests) > made)
			took += now_ns(CLOCK_THREAD_CPUTIME_ID) - before;
	}
	assert_int_equal(tp_vring_fault(&guests.ring[0]), TP_VRING_SOUND);
	assert_true(calls_made(&guests) > 10);
	assert_true(took < (until - began) / 5); /* a twentieth, what is allowed, and the clock */
	assert_int_equal(heard(&guests, 0), calls_made(&guests));
	end(&guests);
}

/* Nor do many together, and each is called again and again. */
static void test_many_costly_ones_share_a_part_of_the_time(void **state)
{
	enum { COSTLY = 24 };
	static struct guests guests;
	uint64_t began, until, took = 0, made;

	(void)state;
	begin(&guests);
	for (unsigned ring = 0; ring < COSTLY; ring++)
		let_enough_wait(&guests, ring);
	for (unsigned i = 0; i < 200; i++)
		sweep(&guests, 0, COSTLY);
	for (unsigned ring = 0; ring < COSTLY; ring++)
		heard(&guests, ring);
	for (began = now_ns(CLOCK_THREAD_CPUTIME_ID), until = began + 300000000;
		now_ns(CLOCK_THREAD_CPUTIME_ID) < until;) {
		uint64_t before = now_ns(CLOCK_THREAD_CPUTIME_ID);

		made = calls_made(&guests);
		sweep(&guests, 0, COSTLY);
		if (calls_made(&guests) > made)
			took += now_ns(CLOCK_THREAD_CPUTIME_ID) - before;
	}
	assert_true(took < (until - began) / 2); /* a tenth, what is allowed, and the clock */
	for (unsigned ring = 0; ring < COSTLY; ring++) {
		assert_int_equal(tp_vring_fault(&guests.ring[ring]), TP_VRING_SOUND);
		assert_in_range(heard(&guests, ring), 3, UINT64_MAX);
	}
	end(&guests);
}

/* Ring 0 is known to be costly, and a call of it is postponed. */
static void begin_with_a_late_call(struct guests *guests)
{
	begin(guests);
	let_enough_wait(guests, 0);
	for (unsigned i = 0; i < 1000 && guests->calls.costly.late == 0; i++)
		sweep(guests, 0, 1);
	assert_int_equal(guests->calls.costly.late, 1);
}

/* A guest that was called once for two that were due has still heard of the last one. */
static void test_what_is_postponed_is_not_lost(void **state)
{
	static struct guests guests;

	(void)state;
	begin_with_a_late_call(&guests);
	heard(&guests, 0);
	sweep(&guests, 0, 1);
	for (unsigned i = 0; i < 10000000 && guests.calls.costly.late > 0; i++)
		sweep(&guests, 0, 0);
	assert_int_equal(heard(&guests, 0), 1);
	end(&guests);
}

static void test_a_worker_that_ends_calls_all(void **state)
{
	static struct guests guests;

	(void)state;
	begin_with_a_late_call(&guests);
	heard(&guests, 0);
	guests.calls.costly.ring[0].not_before = UINT64_MAX;
	tp_calls_late(&guests.calls, true);
	assert_int_equal(guests.calls.costly.late, 0);
	assert_int_equal(heard(&guests, 0), 1);
	end(&guests);
}

static void test_a_ring_that_stopped_is_not_called(void **state)
{
	static struct guests guests;

	(void)state;
	begin_with_a_late_call(&guests);
	heard(&guests, 0);
	tp_vring_retire(&guests.ring[0]);
	sweep(&guests, 0, 0);
	assert_int_equal(guests.calls.costly.late, 0);
	tp_calls_late(&guests.calls, true);
	assert_int_equal(heard(&guests, 0), 0);
	end(&guests);
}

static void test_a_ring_that_is_quick_again_is_forgotten(void **state)
{
	static struct guests guests;

	(void)state;
	begin_with_a_late_call(&guests);
	assert_int_equal(guests.calls.costly.count, 1);
	let_go(&guests);
	for (uint64_t until = now_ns(CLOCK_MONOTONIC) + 20000000000u;
		guests.calls.costly.count > 0 && now_ns(CLOCK_MONOTONIC) < until;)
		sweep(&guests, 0, 1);
	assert_int_equal(guests.calls.costly.count, 0);
	assert_int_equal(guests.calls.costly.late, 0);
	end(&guests);
}

/* More of them than a worker can remember. */
static void test_the_worst_are_remembered(void **state)
{
	static struct guests guests;
	bool known = false;

	(void)state;
	begin(&guests);
	for (unsigned i = 0; i < RINGS; i++) {
		guests.calls.due[i % TP_CALLS] =
			&(struct tp_call){&guests.ring[i], guests.context, 0, 0};
		guests.calls.due[0] = guests.calls.due[i % TP_CALLS];
		guests.calls.count = 1;
		tp_costly_suspect(&guests.calls, (i + 2) * rte_get_tsc_hz() / 100000);
	}
	guests.calls.count = 0;
	assert_int_equal(guests.calls.costly.count, TP_COSTLY_RINGS);
	for (unsigned i = 0; i < TP_COSTLY_RINGS; i++) {
		assert_ptr_not_equal(guests.calls.costly.ring[i].ring, &guests.ring[0]);
		known |= guests.calls.costly.ring[i].ring == &guests.ring[RINGS - 1];
	}
	assert_true(known);
	end(&guests);
}

/* --- Guests that behave --- */

static void *wait_for_calls(void *argument)
{
	struct guests *guests = argument;
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(0);

	unsigned ring = __atomic_fetch_add(&guests->waiting_threads, 1, __ATOMIC_RELAXED);

	epoll_ctl(epoll, EPOLL_CTL_ADD, guests->ring[ring].call_fd, &event);
	while (!__atomic_load_n(&guests->over, __ATOMIC_RELAXED)) {
		epoll_wait(epoll, &event, 1, 10);
		heard(guests, ring);
	}
	close(epoll);
	return NULL;
}

/* Whoever waits is woken each time; and the worker has its CPU for itself as little as here. */
static void test_guests_that_wait_are_not_costly(void **state)
{
	static struct guests guests;
	pthread_t thread[4];
	uint64_t wanted = 0;

	(void)state;
	begin(&guests);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, wait_for_calls, &guests), 0);
	for (uint64_t until = now_ns(CLOCK_MONOTONIC) + 1000000000; now_ns(CLOCK_MONOTONIC) < until;
		wanted += 4)
		sweep(&guests, 0, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(tp_vring_fault(&guests.ring[i]), TP_VRING_SOUND);
	assert_true(calls_made(&guests) > wanted / 100);
	__atomic_store_n(&guests.over, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	print_message("%lu of %lu calls made\n", calls_made(&guests), wanted);
	end(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thousands_waiting_break_the_ring),
		cmocka_unit_test(test_it_is_known_when_it_comes_back),
		cmocka_unit_test(test_hundreds_waiting_are_called_seldom),
		cmocka_unit_test(test_many_costly_ones_share_a_part_of_the_time),
		cmocka_unit_test(test_what_is_postponed_is_not_lost),
		cmocka_unit_test(test_a_worker_that_ends_calls_all),
		cmocka_unit_test(test_a_ring_that_stopped_is_not_called),
		cmocka_unit_test(test_a_ring_that_is_quick_again_is_forgotten),
		cmocka_unit_test(test_the_worst_are_remembered),
		cmocka_unit_test(test_guests_that_wait_are_not_costly),
	};

	scene_start_eal();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
