/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "budget.h"

/* A tenant's credit over time. Amounts in sixteenths of a credit, times in ns. */

#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)
#define START  (500 * SECOND)
#define CREDIT INT64_C(16)

/* 1,000 credits a second, 500 saved up at most. */
static struct tp_budget a_budget(void)
{
	struct tp_budget budget;

	tp_budget_begin(&budget, 1000, 500, START, 777);
	return budget;
}

static void it_begins_with_a_full_bucket(void **state)
{
	struct tp_budget budget = a_budget();

	(void)state;
	assert_false(tp_budget_look(&budget, START, 777));
	assert_int_equal(budget.credit, 500 * CREDIT);
	assert_int_equal(budget.demotions, 0);
}

static void charges_are_taken_and_time_gives_back(void **state)
{
	struct tp_budget budget = a_budget();

	(void)state;
	assert_false(tp_budget_look(&budget, START, 777 + 400 * 16));
	assert_int_equal(budget.credit, 100 * CREDIT);
	assert_false(tp_budget_look(&budget, START + 10 * MS, 777 + 400 * 16));
	assert_int_equal(budget.credit, 110 * CREDIT);
	assert_false(tp_budget_look(&budget, START + 110 * MS, 777 + 450 * 16));
	assert_int_equal(budget.credit, 160 * CREDIT);
}

static void no_more_than_the_burst_is_saved(void **state)
{
	struct tp_budget budget = a_budget();

	(void)state;
	tp_budget_look(&budget, START, 777 + 100 * 16);
	tp_budget_look(&budget, START + 3600 * SECOND, 777 + 100 * 16);
	assert_int_equal(budget.credit, 500 * CREDIT);
}

/* An income of a sixteenth every 62.5 ms, looked at every 10 ms: nothing is lost to rounding. */
static void small_incomes_add_up(void **state)
{
	struct tp_budget budget;

	(void)state;
	tp_budget_begin(&budget, 1, 100, START, 0);
	tp_budget_look(&budget, START, 50 * 16);
	for (unsigned i = 1; i <= 1000; i++)
		tp_budget_look(&budget, START + i * 10 * MS, 50 * 16);
	assert_int_equal(budget.credit, 60 * CREDIT);
}

static void what_was_spent_too_much_is_paid_back(void **state)
{
	struct tp_budget budget = a_budget();
	uint64_t bill = 777 + 800 * 16;

	(void)state;
	assert_true(tp_budget_look(&budget, START, bill));
	assert_int_equal(budget.credit, -300 * CREDIT);
	assert_int_equal(budget.demotions, 1);
	assert_true(tp_budget_look(&budget, START + 300 * MS, bill));
	assert_int_equal(budget.credit, 0);
	assert_true(tp_budget_look(&budget, START + 304 * MS, bill));
	assert_false(tp_budget_look(&budget, START + 305 * MS, bill));
	assert_int_equal(budget.credit, 5 * CREDIT);
	assert_int_equal(budget.demoted_ns, 305 * MS);
}

static void it_is_out_at_nothing_and_back_at_a_hundredth(void **state)
{
	struct tp_budget budget = a_budget();

	(void)state;
	assert_false(tp_budget_look(&budget, START, 777 + 500 * 16 - 1));
	assert_true(tp_budget_look(&budget, START, 777 + 500 * 16));
	assert_true(tp_budget_look(&budget, START + 5 * MS - 1, 777 + 500 * 16));
	assert_false(tp_budget_look(&budget, START + 5 * MS, 777 + 500 * 16));
	assert_int_equal(budget.demotions, 1);
}

/* The smallest burst there is: a hundredth of it is no whole sixteenth. */
static void a_small_burst_comes_back_as_well(void **state)
{
	struct tp_budget budget;

	(void)state;
	tp_budget_begin(&budget, 1, 1, START, 0);
	assert_true(tp_budget_look(&budget, START, 16));
	assert_true(tp_budget_look(&budget, START + 62 * MS, 16));
	assert_false(tp_budget_look(&budget, START + 63 * MS, 16));
}

/* Debt is bounded: by the burst, or by a second's income where that is more. */
static void who_stops_is_back_in_time(void **state)
{
	struct tp_budget slow, fast;

	(void)state;
	tp_budget_begin(&slow, 10, 500, START, 0);
	assert_true(tp_budget_look(&slow, START, UINT64_MAX));
	assert_int_equal(slow.credit, -500 * CREDIT);
	tp_budget_begin(&fast, 1000, 1, START, 0);
	assert_true(tp_budget_look(&fast, START, 100000 * 16));
	assert_int_equal(fast.credit, -1000 * CREDIT);
	assert_true(tp_budget_look(&fast, START + 1000 * MS, 100000 * 16));
	assert_false(tp_budget_look(&fast, START + 1001 * MS, 100000 * 16));
}

/* Far more often than the bucket holds: 1,000 credits a second through a burst of 1. */
static void steady_spending_within_the_income_never_demotes(void **state)
{
	struct tp_budget budget;

	(void)state;
	tp_budget_begin(&budget, 1000, 1, START, 0);
	for (uint64_t i = 1; i <= 1000; i++)
		assert_false(tp_budget_look(&budget, START + i * 10 * MS, i * 10 * 16));
	assert_int_equal(budget.credit, CREDIT);
	assert_true(tp_budget_look(&budget, START + 10010 * MS, (10000 + 11) * 16));
}

static void a_clock_that_goes_back_earns_nothing(void **state)
{
	struct tp_budget budget = a_budget();

	(void)state;
	assert_true(tp_budget_look(&budget, START, 777 + 600 * 16));
	assert_true(tp_budget_look(&budget, START - 100 * SECOND, 777 + 600 * 16));
	assert_int_equal(budget.credit, -100 * CREDIT);
	assert_int_equal(budget.demoted_ns, 0);
	tp_budget_look(&budget, START - 100 * SECOND + 50 * MS, 777 + 600 * 16);
	assert_int_equal(budget.credit, -50 * CREDIT);
}

static void a_clock_that_jumps_ahead_fills_the_bucket_only(void **state)
{
	struct tp_budget budget;

	(void)state;
	tp_budget_begin(&budget, 1000000000000000, 1000000000000000, 0, 0);
	tp_budget_look(&budget, 0, UINT64_C(16000000000000000));
	assert_int_equal(budget.credit, 0);
	assert_false(tp_budget_look(&budget, UINT64_MAX, UINT64_C(16000000000000000)));
	assert_int_equal(budget.credit, INT64_C(1000000000000000) * CREDIT);
}

/* Demoted, it is charged on; the time is counted, and each time anew. */
static void demotions_and_their_time_are_counted(void **state)
{
	struct tp_budget budget = a_budget();
	uint64_t bill = 777;
	uint64_t now = START;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		bill += 600 * 16;
		assert_true(tp_budget_look(&budget, now, bill));
		now += 100 * MS;
		bill += 50 * 16;
		assert_true(tp_budget_look(&budget, now, bill));
		assert_int_equal(budget.credit, -50 * CREDIT);
		now += SECOND;
		assert_false(tp_budget_look(&budget, now, bill));
		now += SECOND;
		assert_false(tp_budget_look(&budget, now, bill));
	}
	assert_int_equal(budget.demotions, 3);
	assert_int_equal(budget.demoted_ns, 3 * 1100 * MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_begins_with_a_full_bucket),
		cmocka_unit_test(charges_are_taken_and_time_gives_back),
		cmocka_unit_test(no_more_than_the_burst_is_saved),
		cmocka_unit_test(small_incomes_add_up),
		cmocka_unit_test(what_was_spent_too_much_is_paid_back),
		cmocka_unit_test(it_is_out_at_nothing_and_back_at_a_hundredth),
		cmocka_unit_test(a_small_burst_comes_back_as_well),
		cmocka_unit_test(who_stops_is_back_in_time),
		cmocka_unit_test(steady_spending_within_the_income_never_demotes),
		cmocka_unit_test(a_clock_that_goes_back_earns_nothing),
		cmocka_unit_test(a_clock_that_jumps_ahead_fills_the_bucket_only),
		cmocka_unit_test(demotions_and_their_time_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
