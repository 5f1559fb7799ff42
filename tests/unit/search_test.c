/* SPDX-License-Identifier: BSD-3-Clause */
/* The search for a rate, on a switch that is a formula. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "search.h"

struct formula {
	double capacity; /* frames a second that it carries without loss */
	double most;     /* and at full load, with loss: */
	double leak;     /* this share of what is above its capacity */
	unsigned trials;
	unsigned stall_every;   /* so many trials the generator stalls, and frames are lost */
	unsigned disturb_every; /* the switch does */
	unsigned fail_at;       /* this trial cannot be run */
};

static int run(
	void *context, struct tp_trial *trial, struct tp_histogram *latency, struct tp_error *error)
{
	struct formula *formula = context;
	double offered = trial->offered > 0 ? trial->offered : 2 * formula->most;
	double sent = offered < formula->most ? offered : formula->most;

	formula->trials++;
	if (formula->trials == formula->fail_at)
		return tp_error_set(error, EPROTO, "nonsense");
	trial->seconds = 1;
	trial->sent = (uint64_t)sent;
	trial->lost = sent > formula->capacity
			      ? (uint64_t)((sent - formula->capacity) * formula->leak)
			      : 0;
	if (formula->disturb_every > 0 && formula->trials % formula->disturb_every == 0)
		trial->lost += 100;
	if (formula->stall_every > 0 && formula->trials % formula->stall_every == 0) {
		trial->lost += 1000;
		trial->stall = 0.005;
	}
	trial->received = trial->sent - trial->lost;
	if (latency != NULL)
		tp_histogram_add(latency, (uint64_t)(trial->offered / 1000), 1);
	return 0;
}

static double find(struct formula *formula, const struct tp_search_goal *goal)
{
	static struct tp_search_result result;

	assert_int_equal(tp_search(goal, run, formula, &result, NULL), 0);
	for (unsigned i = 0; result.rate > 0 && i < TP_SEARCH_LATENCIES; i++)
		assert_int_equal(
			result.latency[i].most, (uint64_t)(result.share[i] * result.rate / 1000));
	return result.rate;
}

static void finds_the_rate_without_loss(void **state)
{
	static const double shares[] = {1, 0.99, 0.5, 0.123, 0.02};
	const struct tp_search_goal ndr = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		struct formula formula = {.capacity = shares[i] * 1e7, .most = 1e7, .leak = 0.01};
		double rate = find(&formula, &ndr);

		assert_true(rate <= formula.capacity);
		assert_true(rate >= formula.capacity * 0.98);
		assert_true(formula.trials < 40);
	}
}

static void finds_the_rate_with_some_loss(void **state)
{
	const struct tp_search_goal pdr = {.partial = true, .percent = 10};
	struct formula formula = {.capacity = 5e6, .most = 1e7, .leak = 1};
	double rate = find(&formula, &pdr);

	(void)state;
	assert_true(fabs(rate - 5e6 / 0.9) < 0.02 * 5e6 / 0.9);
}

static void stalls_and_disturbance_do_not_mislead(void **state)
{
	const struct tp_search_goal ndr = {0};
	struct formula stalling = {.capacity = 5e6, .most = 1e7, .leak = 0.01, .stall_every = 2};
	struct formula disturbed = {.capacity = 5e6, .most = 1e7, .leak = 0.01, .disturb_every = 3};

	(void)state;
	assert_true(find(&stalling, &ndr) > 4.9e6);
	assert_true(find(&disturbed, &ndr) > 4.9e6);
}

static void nothing_at_all(void **state)
{
	const struct tp_search_goal ndr = {0};
	struct formula dead = {.capacity = 0, .most = 1e6, .leak = 1};

	(void)state;
	assert_true(find(&dead, &ndr) == 0);
}

static void a_run_that_fails_ends_it(void **state)
{
	const struct tp_search_goal ndr = {0};
	static struct tp_search_result result;
	struct tp_error error = {""};

	(void)state;
	for (unsigned trial = 1; trial < 12; trial++) {
		struct formula formula = {
			.capacity = 5e6, .most = 1e7, .leak = 0.01, .fail_at = trial};

		assert_int_equal(tp_search(&ndr, run, &formula, &result, &error), -EPROTO);
		assert_string_equal(error.text, "nonsense");
		assert_int_equal(formula.trials, trial);
	}
}

static void too_few_sent_is_no_pass(void **state)
{
	const struct tp_search_goal pdr = {.partial = true, .percent = 50};
	struct tp_trial trial = {.offered = 1e6, .seconds = 1, .sent = 990000};

	(void)state;
	assert_false(tp_search_passes(&pdr, &trial));
	trial.sent = 999500;
	assert_true(tp_search_passes(&pdr, &trial));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_rate_without_loss),
		cmocka_unit_test(finds_the_rate_with_some_loss),
		cmocka_unit_test(stalls_and_disturbance_do_not_mislead),
		cmocka_unit_test(nothing_at_all),
		cmocka_unit_test(a_run_that_fails_ends_it),
		cmocka_unit_test(too_few_sent_is_no_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
