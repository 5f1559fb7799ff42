/* SPDX-License-Identifier: BSD-3-Clause */
#include "shares.h"

/* Who gets how much of a worker. */

static void test_shares_by_weight(void **state)
{
	static const struct scene_options options = {.guests = 8, .weight = WEIGHTS};
	static const struct load equal = {.size = EQUAL, .talking = 15};
	static const struct load mixed = {.size = MIXED, .talking = 15};
	static const unsigned allotments[] = {1, 5, 16, 24};

	(void)state;
	for (unsigned i = 0; i < sizeof(allotments) / sizeof(allotments[0]); i++) {
		begin(&options, allotments[i]);
		expect_shares(&equal, options.weight, 4000);
		expect_shares(&mixed, options.weight, 4000);
		end();
	}
	begin(&options, 64);
	expect_shares(&equal, options.weight, 2000);
	end();
}

static void test_shares_of_pinned_rings(void **state)
{
	static const struct scene_options options = {.guests = 8, .weight = WEIGHTS, .pinned = 2};
	static const struct load load = {.size = MIXED, .talking = 15};

	(void)state;
	begin(&options, 16);
	assert_int_equal(scene_residence(&scene.guest[1]), TP_RESIDENCE_PINNED);
	assert_int_equal(scene_residence(&scene.guest[2]), TP_RESIDENCE_HOT);
	expect_shares(&load, options.weight, 4000);
	end();
}

/* The shares of those that are there, whoever comes and goes. */
static void test_senders_come_and_go(void **state)
{
	static const struct scene_options options = {
		.guests = 8, .weight = WEIGHTS, .stay_hot_ns = 1};
	static const unsigned talking[] = {15, 7, 9, 3, 15, 5, 10, 15, 1, 15};
	struct load load = {.size = MIXED};

	(void)state;
	begin(&options, 16);
	for (unsigned i = 0; i < sizeof(talking) / sizeof(talking[0]); i++) {
		load.talking = talking[i];
		expect_shares(&load, options.weight, 3000);
		load.talking = 0;
		run(&load, 100); /* all go cold */
	}
	end();
}

/* A ring with one dear frame at a time is empty after each, for so many sweeps, and still owes for
 * it.
 */
static void expect_debts(unsigned pause)
{
	static const struct scene_options options = {.guests = 8,
		.weight = {1, 1, 1, 1, 1, 1, 1, 1},
		.tariff = {.per_frame = 1, .per_64_bytes = 100}};
	static const struct load load = {.size = {{60, 60}}, .talking = 1};
	uint64_t before[SENDERS], after[SENDERS];
	unsigned idle = 0;
	double cheap, dear;

	begin(&options, 2);
	run(&load, 300); /* what a frame costs is known */
	note_frames(before);
	for (unsigned n = 0; n < 4000; n++) {
		bool waits = scene.guest[1].tx.avail->idx != scene.guest[1].tx.used->idx;

		send_all(&load);
		idle = waits ? 0 : idle + 1;
		if (idle > pause)
			scene_send_number(&scene.guest[1], scene.guest[5].mac, n, 1514);
		scene_sweep(&scene);
		receive_all(&load);
	}
	note_frames(after);
	cheap = (double)(after[0] - before[0]) * 101;
	dear = (double)(after[1] - before[1]) * 2401;
	if (dear > cheap * 1.02 || dear < cheap * 0.8)
		fail_msg("%g credits of dear frames, %g of cheap ones", dear, cheap);
	end();
}

static void test_debts_are_kept_by_an_empty_ring(void **state)
{
	(void)state;
	expect_debts(0);
	expect_debts(1);
	expect_debts(2);
}

/* A credit that was not used is not saved up. */
static void test_nothing_is_saved_by_an_empty_ring(void **state)
{
	static const struct scene_options options = {
		.guests = 8, .weight = {1, 1, 1, 1, 1, 1, 1, 1}};
	static const struct load both = {.size = EQUAL, .talking = 3};
	static const struct load one = {.size = EQUAL, .talking = 2};

	(void)state;
	for (unsigned quiet = 50; quiet < 60; quiet++) {
		uint64_t before[SENDERS], after[SENDERS];

		begin(&options, 4);
		for (unsigned n = 0; n < quiet; n++) { /* sender 0 sends a little all the time */
			scene_send_number(&scene.guest[0], scene.guest[4].mac, n, 60);
			run(&one, 1);
		}
		note_frames(before);
		run(&both, 10);
		note_frames(after);
		assert_int_equal(after[0] - before[0], 40);
		assert_int_equal(after[1] - before[1], 40);
		end();
	}
}

/* What is spent in advance is what the last frame cost more than there was. */
static void test_a_burst_ends_with_what_it_is_given(void **state)
{
	static const struct scene_options options = {.guests = 8, .weight = WEIGHTS};
	static const struct load load = {.size = MIXED, .talking = 15};

	(void)state;
	begin(&options, 5);
	for (unsigned n = 0; n < 2000; n++) {
		run(&load, 1);
		for (unsigned i = 0; i < SENDERS; i++)
			assert_true(scene.guest[i].context->pair[0].deficit >
				    -(INT64_C(40) << TP_DEFICIT_BITS));
	}
	end();
}

#define LONG_RING 256

/* A ring of which more than one burst can be taken, all its frames the same and for nobody. */
static void replace_ring(struct scene_guest *guest, unsigned number)
{
	static const struct scene_options options;
	uint8_t *buffer = guest->tx_buffer[0];

	scene_stop(&scene, number);
	guest_ring_init(&guest->tx, &guest->memory, LONG_RING, 0);
	memset(buffer, 0, TP_NET_HEADER + 60);
	scene_header(buffer + TP_NET_HEADER, scene_mac(77), guest->mac);
	for (uint16_t i = 0; i < LONG_RING; i++) {
		guest_describe(&guest->tx, i, buffer, TP_NET_HEADER + 60, 0, 0);
		guest->tx.avail->ring[i] = i;
	}
	scene_start(&scene, number, &options);
}

/* Where its share is more than 64 frames a ring gets several bursts. */
static void test_more_than_one_burst(void **state)
{
	static const struct scene_options options = {
		.guests = 8, .weight = {1, 1, 1, 1, 1, 1, 1, 1}};
	static const struct load load = {.size = {{60, 60}, {1514, 1514}}, .talking = 2};
	struct guest_ring *ring = &scene.guest[0].tx;
	uint64_t before[SENDERS], after[SENDERS];
	double cheap, dear;

	(void)state;
	begin(&options, 64);
	replace_ring(&scene.guest[0], 0);
	for (unsigned n = 0; n < 2000; n++) {
		if (n == 200)
			note_frames(before);
		__atomic_store_n(&ring->avail->idx, (uint16_t)(ring->used->idx + LONG_RING),
			__ATOMIC_RELEASE);
		run(&load, 1);
	}
	note_frames(after);
	cheap = (double)(after[0] - before[0]) * 17;
	dear = (double)(after[1] - before[1]) * 40;
	assert_true(after[0] - before[0] > 1800 * 80);
	if (cheap > dear * 1.02 || cheap < dear * 0.98)
		fail_msg("%g and %g credits", cheap, dear);
	end();
}

/* Frames that cost nothing are counted as if they did: weights hold, and a sweep ends. */
static void test_frames_that_cost_nothing(void **state)
{
	static const struct scene_options options = {.guests = 8, .weight = WEIGHTS};
	static const struct load load = {.size = EQUAL, .talking = 15};
	struct tp_snapshot *snapshot;
	uint64_t before[SENDERS], after[SENDERS];

	(void)state;
	begin(&options, 8);
	snapshot = scene_snapshot(&scene, &options);
	snapshot->tariff = (struct tp_tariff){0};
	tp_dataplane_publish_snapshot(scene.dataplane, snapshot);
	run(&load, 200);
	note_frames(before);
	run(&load, 1000);
	note_frames(after);
	for (unsigned i = 0; i < SENDERS; i++)
		assert_in_range(
			after[i] - before[i], 980 * options.weight[i], 1020 * options.weight[i]);
	end();
}

/* The lightest beside the heaviest there can be gets what is its own. */
static void test_one_to_a_thousand(void **state)
{
	static const struct scene_options options = {
		.guests = 8, .weight = {1, 1000, 1, 1, 1, 1, 1, 1}};
	static const struct load load = {.size = EQUAL, .talking = 3};
	uint64_t before[SENDERS], after[SENDERS];

	(void)state;
	begin(&options, 32);
	run(&load, 500);
	note_frames(before);
	run(&load, 20000);
	note_frames(after);
	assert_in_range((after[1] - before[1]) / (after[0] - before[0]), 980, 1020);
	end();
}

static uint64_t bursts_of(unsigned guest)
{
	return tp_counter_read(&scene.dataplane->worker[0]->cache[SCENE_OWN + guest].hits);
}

/* With one or two rings bursts are whole, whatever the sizes of the frames. */
static void test_bursts_are_whole_when_few_are_busy(void **state)
{
	static const struct scene_options options = {.guests = 8,
		.weight = {3, 3, 3, 3, 1, 1, 1, 1},
		.sweep_budget_ns = UINT64_C(10000000000)};
	static const struct load loads[] = {
		{.size = EQUAL, .talking = 1},
		{.size = EQUAL, .talking = 3},
		{.size = {{1514, 1514}, {1514, 1514}}, .talking = 3},
		{.size = {{60, 1514}, {594, 60}}, .talking = 1},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		uint64_t before[SENDERS], after[SENDERS], bursts;

		begin(&options, 0);
		run(&loads[i], 100);
		note_frames(before);
		bursts = bursts_of(0);
		run(&loads[i], 1000);
		note_frames(after);
		assert_in_range((after[0] - before[0]) / (bursts_of(0) - bursts), 60, 64);
		assert_in_range(after[0] - before[0], 62000, 64000);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares_by_weight),
		cmocka_unit_test(test_shares_of_pinned_rings),
		cmocka_unit_test(test_senders_come_and_go),
		cmocka_unit_test(test_debts_are_kept_by_an_empty_ring),
		cmocka_unit_test(test_nothing_is_saved_by_an_empty_ring),
		cmocka_unit_test(test_a_burst_ends_with_what_it_is_given),
		cmocka_unit_test(test_more_than_one_burst),
		cmocka_unit_test(test_frames_that_cost_nothing),
		cmocka_unit_test(test_one_to_a_thousand),
		cmocka_unit_test(test_bursts_are_whole_when_few_are_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
