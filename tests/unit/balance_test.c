/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "balance.h"

/* Who moves, and who had better stay. */

static const struct tp_move nobody = {.which = UINT32_MAX};

static struct tp_move chosen(
	const double *busy, unsigned workers, const struct tp_load *tenants, uint32_t count)
{
	struct tp_move move;

	return tp_balance_choose(busy, workers, tenants, count, 0.12, &move) ? move : nobody;
}

static void test_the_one_that_halves_the_difference(void **state)
{
	const double busy[] = {0.9, 0.1};
	const struct tp_load tenants[] = {{0, 0.05}, {0, 0.45}, {0, 0.4}, {1, 0.1}};
	struct tp_move move = chosen(busy, 2, tenants, 4);

	(void)state;
	assert_int_equal(move.which, 2);
	assert_int_equal(move.from, 0);
	assert_int_equal(move.to, 1);
}

static void test_a_single_tenant_stays(void **state)
{
	const double busy[] = {0.95, 0.0};
	const struct tp_load tenants[] = {{0, 0.95}};

	(void)state;
	assert_int_equal(chosen(busy, 2, tenants, 1).which, nobody.which);
}

static void test_workers_that_are_alike_or_idle(void **state)
{
	const struct tp_load tenants[] = {{0, 0.2}, {0, 0.2}, {1, 0.3}};
	const double alike[] = {0.7, 0.6};
	const double idle[] = {0.4, 0.0};

	(void)state;
	assert_int_equal(chosen(alike, 2, tenants, 3).which, nobody.which);
	assert_int_equal(chosen(idle, 2, tenants, 3).which, nobody.which);
}

/* Whatever the loads: a move leaves the two workers nearer to each other, and moves come to an
 * end. */
static void test_moves_end(void **state)
{
	enum { WORKERS = 4, TENANTS = 40 };

	(void)state;
	for (unsigned n = 0; n < 2000; n++) {
		struct tp_load tenants[TENANTS];
		double busy[WORKERS] = {0};
		struct tp_move move;
		unsigned moves = 0;

		for (unsigned t = 0; t < TENANTS; t++) {
			tenants[t].worker = (unsigned)rand() % (1 + n % WORKERS);
			tenants[t].busy = (double)(rand() % 1000) / 10000;
			busy[tenants[t].worker] += tenants[t].busy;
		}
		while (tp_balance_choose(busy, WORKERS, tenants, TENANTS, 0.12, &move)) {
			double before = busy[move.from] - busy[move.to];
			double cost = tenants[move.which].busy;

			assert_int_equal(tenants[move.which].worker, move.from);
			busy[move.from] -= cost;
			busy[move.to] += cost;
			tenants[move.which].worker = move.to;
			assert_true(busy[move.from] - busy[move.to] < before);
			assert_true(busy[move.to] - busy[move.from] < before);
			assert_true(++moves < 200);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_one_that_halves_the_difference),
		cmocka_unit_test(test_a_single_tenant_stays),
		cmocka_unit_test(test_workers_that_are_alike_or_idle),
		cmocka_unit_test(test_moves_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
