/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scheduler.h"

/* How long sweeps and bursts are, by a clock of the test's own. */

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

/* A burst has 64 places, whatever the tariff and what is left to spend. */
static void test_no_credit_pays_for_more_than_a_burst(void **state)
{
	static const struct tp_tariff tariffs[] = {{16, 1}, {0, 0}, {16384, 1}, {20000, 10},
		{50000, 1000}, {1000000, 1}, {1000000, 1000000}};
	struct tp_scheduler scheduler;

	(void)state;
	for (unsigned t = 0; t < sizeof(tariffs) / sizeof(tariffs[0]); t++) {
		uint64_t burst;

		tp_scheduler_open(&scheduler, BUDGET);
		tp_scheduler_price(&scheduler, &tariffs[t]);
		burst = 64 * scheduler.cheapest;
		for (uint64_t credits = burst > 100000 ? burst - 100000 : 1; credits < burst + 10;
			credits++)
			assert_in_range(tp_scheduler_frames(&scheduler, credits), 1, TP_BURST);
		assert_int_equal(tp_scheduler_frames(&scheduler, 1), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sweeps_keep_to_their_budget),
		cmocka_unit_test(test_a_budget_that_cannot_be_kept),
		cmocka_unit_test(test_polls_that_take_the_budget),
		cmocka_unit_test(test_polls_that_take_half_of_the_budget),
		cmocka_unit_test(test_a_heavy_newcomer),
		cmocka_unit_test(test_one_long_sweep_costs_a_half),
		cmocka_unit_test(test_no_credit_pays_for_more_than_a_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
