/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_cycles.h>

#include "shares.h"

/* Whose turn it is at a destination that is full. */

/* All send to one receiver, which takes less than they send: its room is shared by weight. */
static void test_shares_of_a_full_destination(void **state)
{
	static const struct scene_options options = {.guests = 5, .weight = WEIGHTS};
	static const unsigned drained[] = {1, 3, 10, 17, 40};
	struct load load = {.size = EQUAL, .talking = 15, .one_receiver = true};

	(void)state;
	for (unsigned i = 0; i < sizeof(drained) / sizeof(drained[0]); i++)
		for (unsigned allotment = 4; allotment <= 64; allotment *= 4) {
			load.drained = drained[i];
			begin(&options, allotment);
			expect_shares(&load, options.weight, 4000 + 30000 / drained[i]);
			end();
		}
}

/* A receiver that takes nothing holds up its sender alone, and those that send to it as well. */
static void test_others_do_not_wait_at_a_full_destination(void **state)
{
	static const struct scene_options options = {.guests = 8, .weight = WEIGHTS};
	static const struct load load = {.size = EQUAL, .talking = 7};
	uint64_t before[SENDERS], after[SENDERS];

	(void)state;
	begin(&options, 8);
	for (unsigned n = 0; n < SCENE_RING + 10; n++) { /* the deaf one's buffers run out */
		scene_send_number(&scene.guest[3], scene.guest[7].mac, n, 60);
		scene_send_number(&scene.guest[0], scene.guest[7].mac, n, 60);
		scene_sweep(&scene);
	}
	while (scene_send_number(&scene.guest[3], scene.guest[7].mac, 0, 60))
		continue;
	note_frames(before);
	for (unsigned n = 0; n < 2000; n++) {
		send_all(&load);
		scene_sweep(&scene);
		for (unsigned i = SENDERS; i < 7; i++)
			while (scene_receive(&scene.guest[i], received) > 0)
				continue;
	}
	note_frames(after);
	assert_int_equal(after[3], before[3]);
	assert_int_equal(after[0], before[0]); /* its oldest frame is for the deaf one */
	assert_true(after[1] - before[1] > 2000 && after[2] - before[2] > 4000);
	/* Only one of the two tries. */
	assert_in_range(scene_counter(&scene.guest[0], TP_COUNTER_REFUSED) +
				scene_counter(&scene.guest[3], TP_COUNTER_REFUSED),
		1, 2100);
	end();
}

/* The higher bid does not wait for the lower one's turn. */
static void test_higher_bids_go_first_at_a_full_destination(void **state)
{
	static const struct scene_options options = {.guests = 5, .weight = WEIGHTS};
	static const struct load load = {
		.size = EQUAL, .talking = 15, .one_receiver = true, .drained = 1};
	uint64_t before[SENDERS], after[SENDERS];
	struct tp_snapshot *snapshot;

	(void)state;
	begin(&options, 4);
	snapshot = scene_snapshot(&scene, &options);
	snapshot->classes[SCENE_OWN + 1].bid = 64 * 16;
	tp_dataplane_publish_snapshot(scene.dataplane, snapshot);
	run(&load, 200);
	note_frames(before);
	run(&load, 2000);
	note_frames(after);
	assert_true(after[1] - before[1] > 1900);
	end();
}

/* Whoever has the turn at a deaf receiver for however long: a class that drops does not wait, and
 * its frames to others go on. */
static void test_who_drops_waits_for_no_turn(void **state)
{
	static const struct scene_options options = {.guests = 8, .weight = WEIGHTS};
	struct tp_snapshot *snapshot;

	(void)state;
	begin(&options, 8);
	snapshot = scene_snapshot(&scene, &options);
	snapshot->classes[SCENE_OWN + 2].drop_when_full = true;
	tp_dataplane_publish_snapshot(scene.dataplane, snapshot);
	for (unsigned n = 0; n < SCENE_RING + 10; n++) { /* the deaf one's buffers run out */
		scene_send_number(&scene.guest[0], scene.guest[7].mac, n, 60);
		scene_sweep(&scene);
	}
	for (unsigned n = 0; n < 4; n++)
		scene_send_number(&scene.guest[2], scene.guest[7].mac, n, 60);
	scene_send_number(&scene.guest[2], scene.guest[4].mac, 2, 60);
	for (unsigned n = 0; n < 100; n++)
		scene_sweep(&scene);
	assert_int_equal(scene_receive(&scene.guest[4], received), 60);
	assert_int_equal(scene_number(received), 2);
	end();
}

/* Others wait as long as their own class says, and then their frames to others go on. */
static void test_a_turn_holds_nobody_longer_than_its_class(void **state)
{
	static const struct scene_options options = {.guests = 8, .weight = WEIGHTS};
	struct tp_snapshot *snapshot;

	(void)state;
	begin(&options, 8);
	snapshot = scene_snapshot(&scene, &options);
	snapshot->classes[SCENE_OWN + 1].hold_cycles = rte_get_tsc_hz() / 10;
	tp_dataplane_publish_snapshot(scene.dataplane, snapshot);
	for (unsigned n = 0; n < SCENE_RING + 10; n++) { /* the deaf one's buffers run out */
		scene_send_number(&scene.guest[0], scene.guest[7].mac, n, 60);
		scene_sweep(&scene);
	}
	for (unsigned n = 0; n < 4; n++)
		scene_send_number(&scene.guest[1], scene.guest[7].mac, n, 60);
	scene_send_number(&scene.guest[1], scene.guest[4].mac, 1, 60);
	scene_sweep(&scene);
	assert_int_equal(scene_receive(&scene.guest[4], received), 0);
	rte_delay_us_block(110000);
	for (unsigned n = 0; n < 100; n++)
		scene_sweep(&scene);
	assert_int_equal(scene_receive(&scene.guest[4], received), 60);
	assert_int_equal(scene_number(received), 1);
	assert_int_equal(scene_drops(&scene.guest[1], TP_DROP_DESTINATION_FULL), 1);
	assert_int_equal(scene_drops(&scene.guest[1], TP_DROP_DESTINATION_DEAF), 3);
	end();
}

/* A receiver that takes frames, though not those of a low bid, is not deaf: each of these waits for
 * as long as it may, and the next one has its own time. */
static void test_a_live_destination_is_not_deaf_to_those_who_wait(void **state)
{
	static const struct scene_options options = {.guests = 8, .weight = WEIGHTS};
	struct tp_snapshot *snapshot;
	uint64_t until, hold = rte_get_tsc_hz() / 5;

	(void)state;
	begin(&options, 8);
	snapshot = scene_snapshot(&scene, &options);
	snapshot->classes[SCENE_OWN].bid = 64 * 16;
	snapshot->classes[SCENE_OWN + 1].hold_cycles = hold;
	tp_dataplane_publish_snapshot(scene.dataplane, snapshot);
	for (unsigned n = 0; n < SCENE_RING; n++)
		scene_send_number(&scene.guest[1], scene.guest[7].mac, n, 60);
	until = rte_get_tsc_cycles() + 5 * hold / 2;
	while (rte_get_tsc_cycles() < until) {
		while (scene_send_number(&scene.guest[0], scene.guest[7].mac, 0, 60))
			continue;
		scene_sweep(&scene);
		scene_receive(&scene.guest[7], received);
	}
	assert_int_equal(scene_drops(&scene.guest[1], TP_DROP_DESTINATION_DEAF), 0);
	assert_in_range(scene_drops(&scene.guest[1], TP_DROP_DESTINATION_FULL) +
				scene_drops(&scene.guest[1], TP_DROP_DESTINATION_DEAR),
		1, 2);
	end();
}

/* Who holds the turn at a full destination and goes away takes it with him. */
static void test_a_turn_is_lost_with_its_holder(void **state)
{
	static const struct scene_options options = {.guests = 5, .weight = WEIGHTS};
	static const struct load full = {
		.size = EQUAL, .talking = 3, .one_receiver = true, .drained = 1};
	static const struct load rest = {
		.size = EQUAL, .talking = 2, .one_receiver = true, .drained = 1};
	uint64_t before[SENDERS], after[SENDERS];

	(void)state;
	begin(&options, 4);
	for (unsigned n = 0; n < 10; n++) {
		run(&full, 100 + n);
		scene_stop(&scene, 0);
		note_frames(before);
		run(&rest, 100);
		note_frames(after);
		assert_in_range(after[1] - before[1], 97, 101);
		scene_start(&scene, 0, &options);
	}
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares_of_a_full_destination),
		cmocka_unit_test(test_others_do_not_wait_at_a_full_destination),
		cmocka_unit_test(test_higher_bids_go_first_at_a_full_destination),
		cmocka_unit_test(test_who_drops_waits_for_no_turn),
		cmocka_unit_test(test_a_turn_holds_nobody_longer_than_its_class),
		cmocka_unit_test(test_a_live_destination_is_not_deaf_to_those_who_wait),
		cmocka_unit_test(test_a_turn_is_lost_with_its_holder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
