/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/loop.h"

struct bell {
	struct tp_watch watch;
	struct tp_loop *loop;
	struct bell *silences; /* unwatched and freed from this one's callback */
	unsigned rang;
	bool stops;
};

struct alarm_clock {
	struct tp_timer timer;
	struct tp_loop *loop;
	unsigned fired;
	unsigned order;
	bool again;
};

static unsigned order;
static struct bell *last_rung;

static void free_bell(struct bell *bell)
{
	tp_loop_unwatch(bell->loop, &bell->watch);
	close(bell->watch.fd);
	free(bell);
}

static void ring(struct tp_watch *watch, uint32_t events)
{
	struct bell *bell = tp_container_of(watch, struct bell, watch);

	assert_int_equal(events, EPOLLIN);
	bell->rang++;
	last_rung = bell;
	if (bell->silences != NULL)
		free_bell(bell->silences);
	if (bell->stops)
		tp_loop_stop(bell->loop);
	bell->silences = NULL;
}

static struct bell *new_bell(struct tp_loop *loop)
{
	struct bell *bell = calloc(1, sizeof(*bell));

	bell->watch = (struct tp_watch){.fd = eventfd(1, EFD_CLOEXEC), .ready = ring};
	bell->loop = loop;
	assert_int_equal(tp_loop_watch(loop, &bell->watch, EPOLLIN), 0);
	return bell;
}

static void go_off(struct tp_timer *timer)
{
	struct alarm_clock *clock = tp_container_of(timer, struct alarm_clock, timer);

	clock->fired++;
	clock->order = order++;
	if (clock->again)
		tp_loop_arm(clock->loop, timer, 0);
}

static int set_up(void **state)
{
	order = 0;
	*state = tp_loop_new(NULL);
	return *state == NULL;
}

static int tear_down(void **state)
{
	tp_loop_free(*state);
	return 0;
}

static void watch_is_level_triggered_until_unwatched(void **state)
{
	struct tp_loop *loop = *state;
	struct bell *bell = new_bell(loop);

	assert_int_equal(tp_loop_step(loop, 0), 1);
	assert_int_equal(tp_loop_step(loop, 0), 1);
	assert_int_equal(tp_loop_rewatch(loop, &bell->watch, 0), 0);
	assert_int_equal(tp_loop_step(loop, 0), 0);
	assert_int_equal(tp_loop_rewatch(loop, &bell->watch, EPOLLIN), 0);
	assert_int_equal(tp_loop_step(loop, -1), 1);
	assert_int_equal(bell->rang, 3);
	free_bell(bell);
	assert_int_equal(tp_loop_step(loop, 0), 0);
}

/* Both are in one batch of events: the one that comes first frees the other. */
static void callback_may_free_the_owner_of_a_pending_event(void **state)
{
	struct tp_loop *loop = *state;
	struct bell *one = new_bell(loop), *other = new_bell(loop);

	one->silences = other;
	other->silences = one;
	assert_int_equal(tp_loop_step(loop, 0), 1);
	free_bell(last_rung);
}

static void timers_go_off_in_order(void **state)
{
	struct tp_loop *loop = *state;
	struct alarm_clock clocks[200] = {0};
	uint64_t start = tp_loop_now_ms();

	for (unsigned i = 0; i < 200; i++) {
		clocks[i].timer.expired = go_off;
		assert_int_equal(tp_loop_arm(loop, &clocks[i].timer, (i * 73) % 200 / 4), 0);
	}
	for (unsigned i = 0; i < 200; i += 3)
		tp_loop_disarm(loop, &clocks[i].timer);
	tp_loop_disarm(loop, &clocks[0].timer); /* again: nothing happens */
	assert_int_equal(tp_loop_arm(loop, &clocks[3].timer, 60), 0);
	assert_int_equal(tp_loop_arm(loop, &clocks[3].timer, 55), 0);
	while (clocks[3].fired == 0 && tp_loop_now_ms() < start + 2000)
		tp_loop_step(loop, -1);
	assert_true(tp_loop_now_ms() >= start + 55);
	for (unsigned i = 0; i < 200; i++) {
		assert_int_equal(clocks[i].fired, i % 3 != 0 || i == 3);
		for (unsigned j = 0; j < 200; j++)
			if (clocks[i].fired && clocks[j].fired &&
				clocks[i].timer.deadline_ms < clocks[j].timer.deadline_ms)
				assert_true(clocks[i].order < clocks[j].order);
	}
}

/* The last of the heap takes the place of the one disarmed, below a later one than itself. */
static void disarming_keeps_the_order(void **state)
{
	static const unsigned delays[] = {1, 40, 2, 41, 42, 3, 4};
	struct tp_loop *loop = *state;
	struct alarm_clock clocks[8] = {0};

	for (unsigned i = 0; i < 7; i++) {
		clocks[i].timer.expired = go_off;
		tp_loop_arm(loop, &clocks[i].timer, delays[i]);
	}
	tp_loop_disarm(loop, &clocks[3].timer);
	clocks[7].timer.expired = go_off;
	tp_loop_arm(loop, &clocks[7].timer, 43);
	for (unsigned i = 0; i < 100 && order < 7; i++)
		tp_loop_step(loop, -1);
	assert_int_equal(order, 7);
	assert_int_equal(clocks[6].order, 3);
	assert_int_equal(clocks[1].order, 4);
}

static void timer_of_0_ms_does_not_starve_the_rest(void **state)
{
	struct tp_loop *loop = *state;
	struct alarm_clock clock = {.timer.expired = go_off, .loop = loop, .again = true};
	struct bell *bell = new_bell(loop);

	tp_loop_arm(loop, &clock.timer, 0);
	assert_int_equal(tp_loop_step(loop, -1), 2);
	assert_int_equal(tp_loop_step(loop, -1), 2);
	assert_int_equal(bell->rang, 2);
	free_bell(bell);
	tp_loop_disarm(loop, &clock.timer);
}

static void waits_no_longer_than_told(void **state)
{
	struct tp_loop *loop = *state;
	struct alarm_clock late = {.timer.expired = go_off, .loop = loop};
	uint64_t start = tp_loop_now_ms();

	tp_loop_arm(loop, &late.timer, 100000);
	assert_int_equal(tp_loop_step(loop, 20), 0);
	assert_in_range(tp_loop_now_ms() - start, 19, 1000);
	tp_loop_disarm(loop, &late.timer);
}

static void runs_until_stopped(void **state)
{
	struct tp_loop *loop = *state;
	struct bell *bell = new_bell(loop);

	bell->stops = true;
	assert_int_equal(tp_loop_run(loop), 0);
	assert_int_equal(tp_loop_run(loop), 0);
	assert_int_equal(bell->rang, 2);
	free_bell(bell);
}

#define LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP(watch_is_level_triggered_until_unwatched),
		LOOP(callback_may_free_the_owner_of_a_pending_event),
		LOOP(timers_go_off_in_order),
		LOOP(disarming_keeps_the_order),
		LOOP(timer_of_0_ms_does_not_starve_the_rest),
		LOOP(waits_no_longer_than_told),
		LOOP(runs_until_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
