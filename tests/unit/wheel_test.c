/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <rte_memory.h>

#include "switch_scene.h"
#include "wheel.h"

/* The timing wheel, with a clock that the test moves. */

#define HZ    UINT64_C(2000000000)
#define TICK  2048 /* TSC cycles, at this frequency */
#define RINGS 64

static struct tp_wheel wheel;

static int open_wheel(void **state)
{
	(void)state;
	scene_start_eal();
	return tp_wheel_open(&wheel, RINGS, HZ, SOCKET_ID_ANY);
}

static int close_wheel(void **state)
{
	(void)state;
	tp_wheel_close(&wheel);
	return 0;
}

static bool add(uint32_t interface, uint64_t due, uint64_t now)
{
	const struct tp_ring_id id = {.interface = interface, .generation = 7, .pair = 3};

	return tp_wheel_add(&wheel, &id, due, now);
}

/* @return the interface that comes back now, or UINT32_MAX. */
static uint32_t take(uint64_t now)
{
	struct tp_ring_id id = {.interface = UINT32_MAX, .generation = 7, .pair = 3};

	tp_wheel_take(&wheel, now, &id);
	assert_int_equal(id.generation, 7);
	assert_int_equal(id.pair, 3);
	return id.interface;
}

static void test_a_tick_is_one_to_two_microseconds(void **state)
{
	static const uint64_t frequencies[] = {
		999999999, 1000000000, 2000000000, 2600000000, 3700000000, 5000000000};

	(void)state;
	for (unsigned i = 0; i < sizeof(frequencies) / sizeof(frequencies[0]); i++) {
		struct tp_wheel other;

		assert_int_equal(tp_wheel_open(&other, 1, frequencies[i], SOCKET_ID_ANY), 0);
		assert_in_range(UINT64_C(1000000000) << other.shift, frequencies[i] * 999,
			frequencies[i] * 2000);
		tp_wheel_close(&other);
	}
	assert_int_equal(1u << wheel.shift, TICK);
}

/* Never early, and in the tick after its time, from any time to any distance. */
static void test_each_comes_in_its_tick(void **state)
{
	static const uint64_t distances[] = {0, 1, 2, 254, 255, 256, 257, 511, 512, 65534, 65535,
		65536, 65537, 131071, 16777215, 16777216, 16777217, 4294967295, 4294967296,
		4294967297, 9000000000};
	static const uint64_t starts[] = {
		0, 1, 255, 256, 65535, 16777215, 4294967295, UINT64_C(123456789012345)};

	(void)state;
	for (unsigned s = 0; s < sizeof(starts) / sizeof(starts[0]); s++)
		for (unsigned d = 0; d < sizeof(distances) / sizeof(distances[0]); d++) {
			uint64_t now = starts[s] * TICK;
			uint64_t due = now + distances[d] * TICK + 5;
			uint64_t comes = (due / TICK + 1) * TICK;

			assert_true(add(1, due, now));
			assert_int_equal(take(comes - 1), UINT32_MAX);
			assert_int_equal(take(comes), 1);
			assert_int_equal(take(comes), UINT32_MAX);
		}
}

static void test_what_is_due_already_comes_in_the_next_tick(void **state)
{
	uint64_t now = 1000 * TICK;

	(void)state;
	assert_true(add(1, 5, now));
	assert_int_equal(take(now + TICK - 1), UINT32_MAX);
	assert_int_equal(take(now + TICK), 1);
	/* also while others keep the wheel where it is */
	assert_true(add(2, now + 100 * TICK, now));
	assert_true(add(3, now - 50 * TICK, now + 50 * TICK));
	assert_int_equal(take(now + 51 * TICK), 3);
	assert_int_equal(take(now + 101 * TICK), 2);
}

/* A thousand seconds in steps of any size, beside a list that is searched. */
static void test_order_beside_a_plain_list(void **state)
{
	uint64_t due[RINGS] = {0}; /* 0: not in the wheel */
	uint64_t now = UINT64_C(987654321987654);
	uint64_t taken = 0;

	(void)state;
	srand(3);
	for (unsigned step = 0; step < 300000; step++) {
		unsigned ring = (unsigned)rand() % RINGS;
		uint64_t last = 0;

		if (due[ring] == 0) {
			due[ring] = now + ((uint64_t)rand() << rand() % 8) % (HZ >> rand() % 20);
			assert_true(add(ring, due[ring], now));
		}
		now += (uint64_t)rand() % (rand() % 100 == 0 ? HZ / 50 : 4 * TICK);
		for (ring = take(now); ring != UINT32_MAX; ring = take(now), taken++) {
			assert_true(due[ring] != 0 && due[ring] < now);
			assert_true(due[ring] / TICK >= last);
			last = due[ring] / TICK;
			due[ring] = 0;
		}
		for (ring = 0; ring < RINGS; ring++) /* nobody is late */
			assert_true(due[ring] == 0 || due[ring] / TICK + 1 > now / TICK);
	}
	assert_true(taken > 10000);
}

/* Who sleeps until the wheel says is never late, and wakes a few times only. */
static void test_next_is_not_late_and_seldom_early(void **state)
{
	(void)state;
	assert_true(tp_wheel_next(&wheel) == UINT64_MAX);
	srand(4);
	for (unsigned round = 0; round < 2000; round++) {
		uint64_t now = ((uint64_t)rand() << 20) + (uint64_t)rand();
		uint64_t due = now + ((uint64_t)rand() << rand() % 14);
		unsigned wakes = 0;

		add(1, due, now);
		while (take(now) == UINT32_MAX) {
			uint64_t next = tp_wheel_next(&wheel);

			assert_true(next > now && next <= (due / TICK + 1) * TICK);
			now = next;
			wakes++;
		}
		assert_true(now == (due / TICK + 1) * TICK || now / TICK == due / TICK + 1);
		assert_in_range(wakes, 1, TP_WHEEL_LEVELS + 1);
	}
}

static void test_it_holds_as_many_as_it_was_made_for(void **state)
{
	uint64_t now = 77 * TICK;

	(void)state;
	for (unsigned round = 0; round < 10; round++) {
		unsigned count = 0;

		for (uint32_t i = 0; i < RINGS; i++)
			assert_true(add(i, now + i % 5 * TICK, now));
		assert_false(add(99, now, now));
		now += 10 * TICK;
		while (take(now) != UINT32_MAX)
			count++;
		assert_int_equal(count, RINGS);
	}
}

static bool is_odd(const void *owner, const struct tp_ring_id *id)
{
	assert_ptr_equal(owner, &wheel);
	return id->interface % 2 != 0;
}

/* From all levels, and from among those that were about to come. */
static void test_purge(void **state)
{
	uint64_t seen = 0;
	uint64_t now = 12345 * TICK;
	uint32_t ring;

	(void)state;
	for (uint32_t i = 0; i < RINGS; i++)
		assert_true(add(i, now + ((uint64_t)TICK << i % 21), now));
	now += 3 * TICK;
	ring = take(now); /* the three others of its tick are ready */
	assert_int_equal(ring % 21, 0);
	seen = UINT64_C(1) << ring;
	tp_wheel_purge(&wheel, is_odd, &wheel);
	now += (uint64_t)TICK << 40;
	while ((ring = take(now)) != UINT32_MAX)
		seen |= UINT64_C(1) << ring;
	assert_true(seen == (UINT64_C(0x5555555555555555) | seen >> 63 << 63));
	add(1, now + 10 * TICK, now);
	add(2, now + 100 * TICK, now);
	tp_wheel_purge(&wheel, is_odd, &wheel);
	assert_true(tp_wheel_next(&wheel) == (now / TICK + 101) * TICK);
	now += 200 * TICK;
	assert_int_equal(take(now), 2);
	for (uint32_t i = 0; i < RINGS; i++) /* their places are free */
		assert_true(add(i, now, now));
	tp_wheel_purge(&wheel, is_odd, &wheel);
	for (unsigned i = 0; i < RINGS / 2; i++)
		assert_true(take(now + 2 * TICK) % 2 == 0);
	assert_int_equal(take(now + 2 * TICK), UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_tick_is_one_to_two_microseconds, open_wheel, close_wheel),
		cmocka_unit_test_setup_teardown(
			test_each_comes_in_its_tick, open_wheel, close_wheel),
		cmocka_unit_test_setup_teardown(
			test_what_is_due_already_comes_in_the_next_tick, open_wheel, close_wheel),
		cmocka_unit_test_setup_teardown(
			test_order_beside_a_plain_list, open_wheel, close_wheel),
		cmocka_unit_test_setup_teardown(
			test_next_is_not_late_and_seldom_early, open_wheel, close_wheel),
		cmocka_unit_test_setup_teardown(
			test_it_holds_as_many_as_it_was_made_for, open_wheel, close_wheel),
		cmocka_unit_test_setup_teardown(test_purge, open_wheel, close_wheel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
