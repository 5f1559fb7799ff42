/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>
#include <rte_cycles.h>

#include "burst.h"
#include "shaper.h"
#include "switch_scene.h"

/* Shaped interfaces at a worker: rings that leave the table until their rate pays, and come back.
 */

static struct scene scene;
static uint8_t received[65536];

static uint64_t now_us(void)
{
	return rte_rdtsc() * 10 / (rte_get_tsc_hz() / 100000);
}

static uint64_t waits(unsigned class)
{
	return tp_counter_read(&scene.dataplane->worker[0]->cache[class].waits);
}

static void fill(unsigned from, unsigned to, uint32_t length)
{
	while (scene_send_number(&scene.guest[from], scene.guest[to].mac, 0, length))
		continue;
}

static void empty(unsigned guest)
{
	while (scene_receive(&scene.guest[guest], received) > 0)
		continue;
}

static void test_a_ring_waits_outside_the_table(void **state)
{
	static const struct scene_options options = {
		.guests = 3, .rate = {{.frames_per_second = 100}}};
	unsigned done, total = 0;
	uint64_t start;

	(void)state;
	scene_begin(&scene, &options);
	scene_sweep(&scene);
	for (unsigned n = 0; n < 4; n++)
		scene_send_number(&scene.guest[0], scene.guest[1].mac, n, 60);
	start = now_us();
	/* The bucket held one, and may owe one: in one burst or in two, as it is rounded. */
	while ((done = scene_sweep(&scene)) > 0)
		total += done;
	assert_int_equal(total, 2);
	assert_int_equal(scene_residence(&scene.guest[0]), TP_RESIDENCE_WAITING);
	assert_int_equal(scene.worker->hot.table.count, 2);
	assert_int_equal(scene.guest[0].tx.used->flags, VRING_USED_F_NO_NOTIFY);
	assert_false(guest_kick_wanted(&scene.guest[0].tx));
	/* Others are served meanwhile. */
	scene_send_number(&scene.guest[2], scene.guest[1].mac, 9, 60);
	assert_int_equal(scene_sweep(&scene), 1);
	while (scene_counter(&scene.guest[0], TP_COUNTER_TX_FRAMES) < 3)
		scene_sweep(&scene);
	assert_in_range(now_us() - start, 9900, 10000000);
	while (scene_counter(&scene.guest[0], TP_COUNTER_TX_FRAMES) < 4)
		scene_sweep(&scene);
	assert_in_range(now_us() - start, 19900, 10000000);
	/* Once, where the machine stood still for as long as two frames take. */
	assert_in_range(waits(SCENE_PLAIN), 1, 4);
	for (uint64_t n = 0; n < 5; n++) {
		assert_int_equal(scene_receive(&scene.guest[1], received), 60);
		assert_int_equal(scene_number(received), n < 2 ? n : n == 2 ? 9 : n - 1);
	}
	scene_check_sums(&scene);
	scene_end(&scene);
}

/* Bursts of seconds, so that a busy machine loses no time. */
#define RATE(bits)                                                                                 \
	{                                                                                          \
		.bits_per_second = (bits), .burst_ns = UINT64_C(8000000000)                        \
	}

/* Everybody sends as fast as it may, to the last guest, from buckets that are empty. */
static void begin_senders(const struct scene_options *options)
{
	scene_begin(&scene, options);
	for (unsigned i = 0; i < scene.guests; i++)
		scene.guest[i].context->bucket.empty_at = rte_rdtsc();
}

static void send_once(void)
{
	unsigned last = scene.guests - 1;

	for (unsigned i = 0; i < last; i++)
		fill(i, last, 1500);
	scene_sweep(&scene);
	empty(last);
}

static bool is_paid_for(unsigned sender)
{
	return tp_shaper_pays(&scene.guest[sender].context->bucket, rte_rdtsc());
}

static void send_for(uint64_t us)
{
	uint64_t start = now_us();

	while (now_us() - start < us)
		send_once();
}

/* The frames of a sender are what its rate gives, from one moment at which it owes to another. */
static void expect_rate(unsigned sender, uint64_t frames_per_second, uint64_t us)
{
	uint64_t start, before, frames, expected;

	while (is_paid_for(sender))
		send_once();
	start = now_us();
	before = scene_counter(&scene.guest[sender], TP_COUNTER_TX_FRAMES);
	send_for(us);
	while (is_paid_for(sender))
		send_once();
	expected = frames_per_second * (now_us() - start) / 1000000;
	frames = scene_counter(&scene.guest[sender], TP_COUNTER_TX_FRAMES) - before;
	if (frames + 2 < expected * 99 / 100 || frames > expected * 101 / 100 + 2)
		fail_msg("sender %u: %ju frames in %ju us, not %ju", sender, (uintmax_t)frames,
			(uintmax_t)(now_us() - start), (uintmax_t)expected);
}

static void test_rates_hold(void **state)
{
	static const struct scene_options options = {.guests = 8,
		.rate = {RATE(10000000), RATE(15000000), RATE(20000000), RATE(30000000),
			RATE(40000000), RATE(50000000),
			{.frames_per_second = 1000, .burst_ns = UINT64_C(8000000000)}}};

	(void)state;
	begin_senders(&options);
	for (unsigned i = 0; i < 7; i++)
		expect_rate(i, i == 6 ? 1000 : options.rate[i].bits_per_second / 12000, 200000);
	assert_true(waits(SCENE_PLAIN) > 500);
	scene_check_sums(&scene);
	scene_end(&scene);
}

static void test_a_pinned_ring_is_shaped_where_it_is(void **state)
{
	static const struct scene_options options = {
		.guests = 2, .pinned = 1, .rate = {RATE(60000000)}};

	(void)state;
	begin_senders(&options);
	expect_rate(0, 5000, 200000);
	assert_int_equal(scene_residence(&scene.guest[0]), TP_RESIDENCE_PINNED);
	assert_int_equal(scene.worker->hot.wheel.count, 0);
	scene_end(&scene);
}

/* A ring that stops while it waits is forgotten, and one that starts anew is another. */
static void test_stop_while_waiting(void **state)
{
	static const struct scene_options options = {
		.guests = 3, .rate = {{.frames_per_second = 50}, {.frames_per_second = 50}}};

	(void)state;
	scene_begin(&scene, &options);
	for (unsigned round = 0; round < 20; round++) {
		fill(0, 2, 60);
		fill(1, 2, 60);
		for (unsigned i = 0; i < 5; i++)
			scene_sweep(&scene);
		assert_int_equal(scene_residence(&scene.guest[0]), TP_RESIDENCE_WAITING);
		assert_int_equal(scene.worker->hot.wheel.count, 2);
		tp_vring_retire(&scene.guest[0].context->pair[0].tx);
		atomic_fetch_add(&scene.dataplane->worker[0]->departures, 1);
		scene_sweep(&scene);
		assert_int_equal(scene.worker->hot.wheel.count, 1);
		scene_stop(&scene, 0);
		scene.guest[0].tx.avail->idx = scene.guest[0].tx.used->idx;
		scene_start(&scene, 0, &options);
		scene_sweep(&scene);
		assert_int_equal(scene_residence(&scene.guest[0]), TP_RESIDENCE_HOT);
		empty(2);
	}
	scene_end(&scene);
}

/* More rings come back than the table has room for: all have their turn. */
static void test_a_table_smaller_than_those_that_come_back(void **state)
{
	static const struct scene_options options = {.guests = 8,
		.hot_contexts = 2,
		.rate = {RATE(2400000), RATE(2400000), RATE(2400000), RATE(2400000), RATE(2400000),
			RATE(2400000), RATE(2400000)}};

	(void)state;
	begin_senders(&options);
	for (unsigned i = 0; i < 7; i++)
		expect_rate(i, 200, 100000);
	assert_true(scene.worker->hot.table.count <= 2);
	scene_check_sums(&scene);
	scene_end(&scene);
}

static void *run_worker(void *argument)
{
	tp_worker_run(argument);
	return NULL;
}

static uint64_t cpu_us(pthread_t thread)
{
	struct timespec time;
	clockid_t clock;

	assert_int_equal(pthread_getcpuclockid(thread, &clock), 0);
	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static void wait_us(unsigned us)
{
	const struct timespec time = {.tv_nsec = us * 1000L};

	nanosleep(&time, NULL);
}

/* A frame every 10 ms: the worker sleeps in between, and is in time. */
static void test_a_worker_sleeps_until_the_next_is_due(void **state)
{
	static const struct scene_options options = {.guests = 2,
		.stay_hot_ns = 1000,
		.rate = {{.frames_per_second = 100, .burst_ns = 50000000}}};
	const uint64_t *sleeps;
	uint64_t start, used, slept;
	pthread_t worker;
	unsigned frames = 0;

	(void)state;
	scene_begin(&scene, &options);
	assert_int_equal(pthread_create(&worker, NULL, run_worker, scene.worker), 0);
	fill(0, 1, 60);
	while (scene_counter(&scene.guest[0], TP_COUNTER_TX_FRAMES) < 7) {
		scene_arm(&scene);
		wait_us(1000);
	}
	empty(1);
	sleeps = &scene.dataplane->worker[0]->sleeps;
	slept = tp_counter_read(sleeps);
	start = now_us();
	used = cpu_us(worker);
	while (frames < 50) {
		scene_arm(&scene);
		wait_us(1000);
		while (scene_receive(&scene.guest[1], received) > 0)
			frames++;
	}
	used = cpu_us(worker) - used;
	assert_in_range(now_us() - start, 450000, 10000000);
	assert_true(used < 100000);
	assert_in_range(tp_counter_read(sleeps) - slept, 25, 1000); /* woken for each, or so */
	tp_dataplane_stop(scene.dataplane);
	pthread_join(worker, NULL);
	scene_check_sums(&scene);
	scene_end(&scene);
}

/* Rings stop and start while they wait, at a worker that sleeps. */
static void test_storm_of_starts_while_waiting(void **state)
{
	static const struct scene_options options = {.guests = 4,
		.stay_hot_ns = 1000,
		.hot_contexts = 2,
		.rate = {{.frames_per_second = 500}, {.frames_per_second = 300},
			{.frames_per_second = 2000}}};
	pthread_t worker;

	(void)state;
	srand(6);
	scene_begin(&scene, &options);
	assert_int_equal(pthread_create(&worker, NULL, run_worker, scene.worker), 0);
	for (unsigned n = 0; n < 1000; n++) {
		unsigned guest = (unsigned)rand() % 3;

		fill(0, 3, 60);
		fill(1, 3, 60);
		fill(2, 3, 60);
		scene_arm(&scene);
		if (rand() % 2 == 0)
			wait_us((unsigned)rand() % 1000);
		scene_stop(&scene, guest);
		scene_start(&scene, guest, &options);
		scene_arm(&scene);
		empty(3);
	}
	tp_dataplane_stop(scene.dataplane);
	pthread_join(worker, NULL);
	assert_true(waits(SCENE_PLAIN) > 100);
	scene_check_sums(&scene);
	scene_end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_ring_waits_outside_the_table),
		cmocka_unit_test(test_rates_hold),
		cmocka_unit_test(test_a_pinned_ring_is_shaped_where_it_is),
		cmocka_unit_test(test_stop_while_waiting),
		cmocka_unit_test(test_a_table_smaller_than_those_that_come_back),
		cmocka_unit_test(test_a_worker_sleeps_until_the_next_is_due),
		cmocka_unit_test(test_storm_of_starts_while_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
