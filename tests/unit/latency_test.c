/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <rte_cycles.h>

#include "burst.h"
#include "latency.h"
#include "switch_scene.h"

/* From first seen to published: marks with made-up times, and frames whose delay is known. */

static struct scene scene;
static uint8_t received[65536];
static struct tp_times times;

static uint64_t counted(const struct tp_times *all)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < TP_HISTOGRAM_BUCKETS; i++)
		sum += all->bucket[i];
	return sum;
}

static uint64_t counted_as(uint64_t cycles)
{
	return times.bucket[tp_histogram_bucket(cycles)];
}

static void test_frames_under_a_mark(void **state)
{
	struct tp_ring_pair ring = {0};

	(void)state;
	times = (struct tp_times){0};
	tp_latency_see(&ring, 10, 1000);
	tp_latency_see(&ring, 200, 5000); /* the mark stands */
	tp_latency_count(&times, &ring, 0, 4, 0, 5000, 6000);
	assert_int_equal(counted_as(5000), 4);
	tp_latency_see(&ring, 200, 7000);
	tp_latency_count(&times, &ring, 4, 6, 0, 7000, 9000);
	assert_int_equal(counted_as(8000), 6);
	tp_latency_see(&ring, 200, 20000); /* all under it are taken: a new one */
	tp_latency_count(&times, &ring, 10, 64, 0, 20000, 20100);
	assert_int_equal(counted_as(100), 64);
	assert_int_equal(counted(&times), 74);
	assert_int_equal(times.most, 8000);
}

/* A burst that takes frames which came after its mark: these were first seen when it began. */
static void test_frames_beyond_a_mark(void **state)
{
	struct tp_ring_pair ring = {0};

	(void)state;
	times = (struct tp_times){0};
	tp_latency_see(&ring, 65534, 1000); /* the index wraps */
	tp_latency_count(&times, &ring, 65530, 10, 0, 50000, 51000);
	assert_int_equal(counted_as(50000), 4);
	assert_int_equal(counted_as(1000), 6);
	assert_int_equal(ring.seen_at, 0);
}

static void test_dropped_frames_do_not_count(void **state)
{
	struct tp_ring_pair ring = {0};

	(void)state;
	times = (struct tp_times){0};
	tp_latency_see(&ring, 8, 1000);
	tp_latency_count(&times, &ring, 0, 10, 10, 2000, 3000);
	assert_int_equal(counted(&times), 0);
	tp_latency_see(&ring, 20, 1000);
	tp_latency_count(&times, &ring, 10, 10, 3, 2000, 3000);
	assert_int_equal(counted(&times), 7);
}

static const struct tp_times *of_plain_class(void)
{
	return &scene.dataplane->worker[0]->latency[SCENE_PLAIN];
}

static uint64_t in_us(uint64_t cycles)
{
	return cycles * 1000000 / rte_get_tsc_hz();
}

/* Held for a time that the test knows. */
static void test_a_held_frame(void **state)
{
	static const struct scene_options options = {.guests = 2, .receive_buffers = 1};

	(void)state;
	scene_begin(&scene, &options);
	scene_send_number(&scene.guest[0], scene.guest[1].mac, 0, 60);
	scene_send_number(&scene.guest[0], scene.guest[1].mac, 1, 60);
	assert_int_equal(scene_sweep(&scene), 1);
	for (unsigned i = 0; i < 10; i++) {
		rte_delay_us_block(1000);
		assert_int_equal(scene_sweep(&scene), 0);
	}
	assert_int_equal(counted(of_plain_class()), 1);
	assert_true(in_us(of_plain_class()->most) < 10000);
	assert_int_equal(scene_receive(&scene.guest[1], received), 60);
	assert_int_equal(scene_sweep(&scene), 1);
	assert_int_equal(counted(of_plain_class()), 2);
	assert_true(in_us(of_plain_class()->most) >= 10000);
	scene_end(&scene);
}

/* What lies in the ring while the worker is elsewhere is not its time; of some tries one at least
 * is not disturbed. */
static void test_time_begins_when_it_is_seen(void **state)
{
	static const struct scene_options options = {.guests = 2};
	uint64_t shortest = UINT64_MAX;

	(void)state;
	scene_begin(&scene, &options);
	scene_sweep(&scene);
	for (unsigned i = 0; i < 20; i++) {
		struct tp_times *all = &scene.dataplane->worker[0]->latency[SCENE_PLAIN];

		*all = (struct tp_times){0};
		scene_send_number(&scene.guest[0], scene.guest[1].mac, i, 60);
		rte_delay_us_block(2000);
		assert_int_equal(scene_sweep(&scene), 1);
		assert_int_equal(counted(all), 1);
		shortest = all->most < shortest ? all->most : shortest;
		scene_receive(&scene.guest[1], received);
	}
	assert_true(in_us(shortest) < 1000);
	scene_end(&scene);
}

/* The wait for a rate is the switch's. */
static void test_a_shaped_frame(void **state)
{
	static const struct scene_options options = {
		.guests = 2, .rate = {{.frames_per_second = 200}}};
	uint64_t start = rte_rdtsc();

	(void)state;
	scene_begin(&scene, &options);
	for (unsigned n = 0; n < 4; n++) /* two at once, the others 5 and 10 ms later */
		scene_send_number(&scene.guest[0], scene.guest[1].mac, n, 60);
	while (counted(of_plain_class()) < 4 && in_us(rte_rdtsc() - start) < 5000000)
		scene_sweep(&scene);
	assert_int_equal(counted(of_plain_class()), 4);
	assert_in_range(in_us(of_plain_class()->most), 9000, 5000000);
	scene_end(&scene);
}

/* Each delivered frame counts once, in its class. */
static void test_as_many_as_were_delivered(void **state)
{
	static const struct scene_options options = {
		.guests = 8, .dear = 4, .hold_ns = 1000, .hot_contexts = 3, .stay_hot_ns = 1};
	uint64_t delivered[SCENE_CLASSES] = {0};

	(void)state;
	srand(1);
	scene_begin(&scene, &options);
	for (unsigned n = 0; n < 20000; n++) {
		struct scene_guest *from = &scene.guest[rand() % 8];
		uint64_t to = rand() % 50 == 0 ? TP_MAC_MASK : scene_mac((unsigned)rand() % 9);

		scene_send_number(from, to, n, 14 + (uint32_t)rand() % 100);
		if (rand() % 4 == 0)
			scene_sweep(&scene);
		if (rand() % 3 == 0)
			scene_receive(&scene.guest[rand() % 8], received);
	}
	for (unsigned i = 0; i < 8; i++)
		delivered[i < 4 ? SCENE_PLAIN : SCENE_DEAR] +=
			scene_counter(&scene.guest[i], TP_COUNTER_DELIVERED);
	assert_true(delivered[SCENE_DEAR] > 1000);
	for (unsigned c = 0; c < SCENE_CLASSES; c++)
		assert_int_equal(counted(&scene.dataplane->worker[0]->latency[c]), delivered[c]);
	scene_end(&scene);
}

/* A mark of a guest that is gone is not its successor's. */
static void test_a_new_guest_begins_anew(void **state)
{
	static const struct scene_options options = {.guests = 2, .receive_buffers = 1};

	(void)state;
	scene_begin(&scene, &options);
	scene_send_number(&scene.guest[0], scene.guest[1].mac, 0, 60);
	scene_send_number(&scene.guest[0], scene.guest[1].mac, 1, 60);
	assert_int_equal(scene_sweep(&scene), 1);
	assert_int_equal(scene_sweep(&scene), 0);
	assert_true(scene.guest[0].context->pair[0].seen_at != 0);
	scene_stop(&scene, 0);
	scene_start(&scene, 0, &options);
	assert_true(scene.guest[0].context->pair[0].seen_at == 0);
	scene_end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames_under_a_mark),
		cmocka_unit_test(test_frames_beyond_a_mark),
		cmocka_unit_test(test_dropped_frames_do_not_count),
		cmocka_unit_test(test_a_held_frame),
		cmocka_unit_test(test_time_begins_when_it_is_seen),
		cmocka_unit_test(test_a_shaped_frame),
		cmocka_unit_test(test_as_many_as_were_delivered),
		cmocka_unit_test(test_a_new_guest_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
