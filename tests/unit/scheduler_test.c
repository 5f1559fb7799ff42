/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_memory.h>

#include "burst.h"
#include "switch_scene.h"

/* Who gets how much of a worker, and how long a sweep takes. */

#define SENDERS 4

static struct scene scene;
static uint8_t received[65536];

/* What guests do between two sweeps. */
struct load {
	uint32_t size[SENDERS][2]; /* bytes of a sender's frames, one size after the other */
	unsigned talking;          /* a bit a sender */
	bool one_receiver;         /* guest 4, else each sender has its own */
	unsigned drained;          /* frames that a receiver takes after a sweep; 0: all */
};

/* Bursts of so many frames for the heaviest weight, whatever the time they take. */
static void fix_allotment(unsigned frames)
{
	struct tp_scheduler *scheduler = &scene.worker->scheduler;

	scheduler->least = scheduler->most = scheduler->allotment = frames * TP_ALLOTMENT;
	scheduler->hope_at = scheduler->sweep + INT32_MAX;
}

static unsigned receiver_of(const struct load *load, unsigned sender)
{
	return load->one_receiver ? SENDERS : SENDERS + sender;
}

static void send_all(const struct load *load)
{
	for (unsigned i = 0; i < SENDERS; i++) {
		uint64_t to = scene.guest[receiver_of(load, i)].mac;
		struct scene_guest *guest = &scene.guest[i];

		while ((load->talking >> i & 1) != 0 &&
			scene_send_number(guest, to, 0, load->size[i][guest->tx_next % 2]))
			continue;
	}
}

static void receive_all(const struct load *load)
{
	for (unsigned i = SENDERS; i < scene.guests; i++)
		for (unsigned n = 0; load->drained == 0 || n < load->drained; n++)
			if (scene_receive(&scene.guest[i], received) == 0)
				break;
}

static void run(const struct load *load, unsigned sweeps)
{
	for (unsigned n = 0; n < sweeps; n++) {
		send_all(load);
		scene_sweep(&scene);
		receive_all(load);
	}
}

/* Frames of two sizes in turn: their bytes and their number give their cost. */
static double cost_of(const struct load *load, unsigned sender, uint64_t frames)
{
	const struct tp_tariff *tariff = &scene.worker->snapshot->tariff;

	return (double)frames *
	       (double)(tp_cost(tariff, 1, tp_blocks(load->size[sender][0])) +
			tp_cost(tariff, 1, tp_blocks(load->size[sender][1]))) /
	       2;
}

static void note_frames(uint64_t *frames)
{
	for (unsigned i = 0; i < SENDERS; i++)
		frames[i] = scene_counter(&scene.guest[i], TP_COUNTER_TX_FRAMES);
}

/* The shares of those that talk, by weight, within 2 %. */
static void expect_shares(const struct load *load, const uint32_t *weight, unsigned sweeps)
{
	uint64_t before[SENDERS], after[SENDERS];
	double cost[SENDERS] = {0};
	double all = 0, weights = 0;

	run(load, sweeps / 10);
	note_frames(before);
	run(load, sweeps);
	note_frames(after);
	for (unsigned i = 0; i < SENDERS; i++) {
		if ((load->talking >> i & 1) == 0)
			continue;
		cost[i] = cost_of(load, i, after[i] - before[i]);
		all += cost[i];
		weights += weight[i];
	}
	for (unsigned i = 0; i < SENDERS; i++) {
		double expected = all * weight[i] / weights;

		if ((load->talking >> i & 1) != 0 &&
			(cost[i] < expected * 0.98 || cost[i] > expected * 1.02))
			fail_msg("talking %x: sender %u got %g of %g, not %g", load->talking, i,
				cost[i], all, expected);
	}
}

static void begin(const struct scene_options *options, unsigned allotment)
{
	scene_begin(&scene, options);
	if (allotment > 0)
		fix_allotment(allotment);
	scene_sweep(&scene);
}

static void end(void)
{
	scene_check_sums(&scene);
	scene_end(&scene);
}

#define WEIGHTS                                                                                    \
	{                                                                                          \
		1, 2, 4, 8, 1, 1, 1, 1                                                             \
	}
#define EQUAL                                                                                      \
	{                                                                                          \
		{60, 60}, {60, 60}, {60, 60},                                                      \
		{                                                                                  \
			60, 60                                                                     \
		}                                                                                  \
	}
#define MIXED                                                                                      \
	{                                                                                          \
		{1514, 1514}, {60, 1514}, {60, 60},                                                \
		{                                                                                  \
			594, 1514                                                                  \
		}                                                                                  \
	}

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
	uint64_t before[SENDERS], after[SENDERS];

	(void)state;
	begin(&options, 4);
	for (unsigned n = 0; n < 500; n++) { /* sender 0 sends a little all the time */
		scene_send_number(&scene.guest[0], scene.guest[4].mac, n, 60);
		run(&one, 1);
	}
	note_frames(before);
	run(&both, 10);
	note_frames(after);
	assert_in_range(after[0] - before[0], 39, 41);
	assert_in_range(after[1] - before[1], 39, 41);
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

/* --- The length of a sweep, by a clock of the test's own --- */

struct machine {
	unsigned rings; /* backlogged */
	uint64_t polls; /* cycles of a sweep without bursts */
	uint64_t burst; /* cycles of a burst without its frames */
	uint64_t frame; /* cycles */
	uint64_t took;  /* of the last sweep */
};

#define BUDGET 40000

/* A sweep in which every ring takes its share. */
static void sweep(struct tp_scheduler *scheduler, struct machine *machine)
{
	uint64_t bursts = machine->rings * machine->burst;

	tp_scheduler_begin(scheduler, machine->took);
	for (unsigned i = 0; i < machine->rings; i++) {
		struct tp_ring_pair ring = {.swept = scheduler->sweep - 1};
		unsigned frames;

		assert_true(tp_scheduler_admit(scheduler, &ring, 1));
		frames = tp_scheduler_frames(scheduler, tp_scheduler_most(&ring));
		tp_scheduler_charge(scheduler, &ring, 1, frames, frames * 17, false);
		bursts += frames * machine->frame;
	}
	scheduler->served += bursts;
	machine->took = machine->polls + bursts;
}

static unsigned frames_of_a_burst(const struct tp_scheduler *scheduler)
{
	return scheduler->allotment / TP_ALLOTMENT;
}

static void run_machine(struct tp_scheduler *scheduler, struct machine *machine, unsigned sweeps)
{
	static const struct tp_tariff tariff = {.per_frame = 16, .per_64_bytes = 1};

	tp_scheduler_open(scheduler, BUDGET);
	tp_scheduler_price(scheduler, &tariff);
	for (unsigned i = 0; i < sweeps; i++)
		sweep(scheduler, machine);
}

static void test_sweeps_keep_to_their_budget(void **state)
{
	static const unsigned rings[] = {1, 2, 5, 10, 50, 60};
	struct tp_scheduler scheduler;

	(void)state;
	for (unsigned i = 0; i < sizeof(rings) / sizeof(rings[0]); i++) {
		struct machine machine = {
			.rings = rings[i], .polls = 500, .burst = 150, .frame = 60};
		uint64_t longest = 0;
		uint64_t sum = 0;

		run_machine(&scheduler, &machine, 40);
		for (unsigned n = 0; n < 1000; n++) {
			sweep(&scheduler, &machine);
			longest = machine.took > longest ? machine.took : longest;
			sum += machine.took;
		}
		assert_true(longest < BUDGET * 13 / 10);
		if (rings[i] <= 8)
			assert_int_equal(frames_of_a_burst(&scheduler), 64);
		else
			assert_true(sum / 1000 > BUDGET * 7 / 10);
	}
}

/* When so many are busy that no burst is short enough, bursts are whole. */
static void test_a_budget_that_cannot_be_kept(void **state)
{
	struct machine machine = {.rings = 1000, .polls = 500, .burst = 150, .frame = 60};
	struct tp_scheduler scheduler;
	unsigned short_ones = 0;

	(void)state;
	run_machine(&scheduler, &machine, 100);
	for (unsigned n = 0; n < 2000; n++) {
		sweep(&scheduler, &machine);
		short_ones += frames_of_a_burst(&scheduler) < 64;
		assert_true(frames_of_a_burst(&scheduler) >= 8);
	}
	assert_in_range(short_ones, 1, 100); /* it tries again at times */
	machine.rings = 20;
	for (unsigned n = 0; n < 256 + 60; n++)
		sweep(&scheduler, &machine);
	assert_in_range(frames_of_a_burst(&scheduler), 20, 32);
}

/* Polls of idle rings take more than the budget: that is no reason to send less. */
static void test_polls_that_take_the_budget(void **state)
{
	struct machine machine = {.rings = 2, .polls = 3 * BUDGET, .burst = 150, .frame = 60};
	struct tp_scheduler scheduler;

	(void)state;
	run_machine(&scheduler, &machine, 100);
	assert_int_equal(frames_of_a_burst(&scheduler), 64);
}

/* What polls take is not there for bursts. */
static void test_polls_that_take_half_of_the_budget(void **state)
{
	struct machine machine = {.rings = 20, .polls = BUDGET / 2, .burst = 150, .frame = 60};
	struct tp_scheduler scheduler;

	(void)state;
	run_machine(&scheduler, &machine, 100);
	assert_true(machine.took < BUDGET * 5 / 4);
}

/* Beside a light ring comes one of a thousand times its weight: not all at once. */
static void test_a_heavy_newcomer(void **state)
{
	struct machine machine = {.rings = 1, .polls = 500, .burst = 150, .frame = 60};
	struct tp_scheduler scheduler;
	struct tp_ring_pair newcomer = {0};

	(void)state;
	run_machine(&scheduler, &machine, 100);
	assert_true(tp_scheduler_admit(&scheduler, &newcomer, 1000));
	assert_int_equal(tp_scheduler_most(&newcomer), TP_BURST * 17);
	tp_scheduler_charge(&scheduler, &newcomer, 1000, 64, 64 * 17, false);
}

/* Something took the CPU away for once. */
static void test_one_long_sweep_costs_a_half(void **state)
{
	struct machine machine = {.rings = 2, .polls = 500, .burst = 150, .frame = 60};
	struct tp_scheduler scheduler;

	(void)state;
	run_machine(&scheduler, &machine, 100);
	scheduler.served += 1000 * BUDGET;
	machine.took += 1000 * BUDGET;
	sweep(&scheduler, &machine);
	assert_int_equal(frames_of_a_burst(&scheduler), 32);
	for (unsigned n = 0; n < 8; n++)
		sweep(&scheduler, &machine);
	assert_int_equal(frames_of_a_burst(&scheduler), 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares_by_weight),
		cmocka_unit_test(test_shares_of_pinned_rings),
		cmocka_unit_test(test_senders_come_and_go),
		cmocka_unit_test(test_shares_of_a_full_destination),
		cmocka_unit_test(test_others_do_not_wait_at_a_full_destination),
		cmocka_unit_test(test_higher_bids_go_first_at_a_full_destination),
		cmocka_unit_test(test_debts_are_kept_by_an_empty_ring),
		cmocka_unit_test(test_nothing_is_saved_by_an_empty_ring),
		cmocka_unit_test(test_frames_that_cost_nothing),
		cmocka_unit_test(test_one_to_a_thousand),
		cmocka_unit_test(test_bursts_are_whole_when_few_are_busy),
		cmocka_unit_test(test_sweeps_keep_to_their_budget),
		cmocka_unit_test(test_a_budget_that_cannot_be_kept),
		cmocka_unit_test(test_polls_that_take_the_budget),
		cmocka_unit_test(test_polls_that_take_half_of_the_budget),
		cmocka_unit_test(test_a_heavy_newcomer),
		cmocka_unit_test(test_one_long_sweep_costs_a_half),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
