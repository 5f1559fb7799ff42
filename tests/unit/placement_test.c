/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/node.h"
#include "placement.h"

/* Who moves to the node of its guests' memory, and who had better stay. Nodes are made up. */

#define NOBODY UINT32_MAX

static struct tp_placement chosen(const struct tp_placed_worker *workers, unsigned worker_count,
	const struct tp_placed *all, uint32_t count)
{
	struct tp_placement placement;

	if (!tp_placement_choose(workers, worker_count, all, count, &placement))
		placement = (struct tp_placement){.index = NOBODY};
	return placement;
}

static void test_to_the_node_of_its_memory(void **state)
{
	const struct tp_placed_worker workers[] = {{0.3, 0}, {0.1, 1}};
	const struct tp_placed all[] = {{0, 0.1, 0}, {0, 0.2, 1}, {1, 0.1, 1}};
	struct tp_placement placement = chosen(workers, 2, all, 3);

	(void)state;
	assert_int_equal(placement.index, 1);
	assert_int_equal(placement.to, 1);
}

static void test_to_the_least_busy_worker_of_it(void **state)
{
	const struct tp_placed_worker workers[] = {{0.1, 0}, {0.2, 1}, {0.1, 1}, {0.15, 1}};
	const struct tp_placed all[] = {{0, 0.1, 1}};

	(void)state;
	assert_int_equal(chosen(workers, 4, all, 1).to, 2);
}

static void test_who_costs_most_goes_first(void **state)
{
	const struct tp_placed_worker workers[] = {{0.36, 0}, {0, 1}};
	const struct tp_placed all[] = {{0, 0.01, 1}, {0, 0.2, 1}, {0, 0.15, 1}, {0, 0, 1}};

	(void)state;
	assert_int_equal(chosen(workers, 2, all, 4).index, 1);
}

static void test_the_quiet_go_as_well(void **state)
{
	const struct tp_placed_worker workers[] = {{0, 0}, {0, 1}};
	const struct tp_placed all[] = {{0, 0, 1}};

	(void)state;
	assert_int_equal(chosen(workers, 2, all, 1).index, 0);
}

static void test_who_is_where_it_belongs_stays(void **state)
{
	const struct tp_placed_worker workers[] = {{0.2, 0}, {0.2, 1}};
	const struct tp_placed all[] = {{0, 0.2, 0}, {1, 0.2, 1}, {0, 0, TP_NO_NODE}};

	(void)state;
	assert_int_equal(chosen(workers, 2, all, 3).index, NOBODY);
}

static void test_no_worker_on_that_node(void **state)
{
	const struct tp_placed_worker workers[] = {{0.2, 0}, {0.2, 1}, {0.1, TP_NO_NODE}};
	const struct tp_placed all[] = {{0, 0.2, 2}};

	(void)state;
	assert_int_equal(chosen(workers, 3, all, 1).index, NOBODY);
}

static void test_never_so_that_a_worker_is_overloaded(void **state)
{
	const struct tp_placed_worker workers[] = {{0.3, 0}, {0.5, 1}};
	const struct tp_placed all[] = {{0, 0.3, 1}, {1, 0.5, 1}};
	const struct tp_placed small[] = {{0, 0.3, 0}, {0, 0.01, 1}};
	const struct tp_placed_worker alike[] = {{0.7, 0}, {0.62, 1}};
	const struct tp_placed_worker traded[] = {{0.65, 0}, {0.5, 1}};
	const struct tp_placed large = {0, 0.25, 1};

	(void)state;
	assert_int_equal(chosen(workers, 2, all, 2).index, NOBODY);
	/* Who loses it is idler afterwards. */
	assert_int_equal(chosen(traded, 2, &large, 1).index, NOBODY);
	/* Both are busy, and as busy as before: nothing speaks against it. */
	assert_int_equal(chosen(alike, 2, small, 2).index, 1);
}

/* Whatever the loads: what moved is where its memory is, the load needs no move back, and moves
 * come to an end. */
static void test_moves_are_not_undone(void **state)
{
	enum { WORKERS = 6, TENANTS = 30 };
	unsigned moves = 0;

	(void)state;
	for (unsigned n = 0; n < 2000; n++) {
		struct tp_placed_worker workers[WORKERS] = {0};
		struct tp_placed all[TENANTS];
		struct tp_placement placement;

		for (unsigned w = 0; w < WORKERS; w++)
			workers[w].node = (int)w % 3;
		for (unsigned t = 0; t < TENANTS; t++) {
			all[t].worker = (unsigned)rand() % WORKERS;
			all[t].busy = (double)(rand() % 1000) / 8000;
			all[t].node = rand() % 5 - 1;
			workers[all[t].worker].busy += all[t].busy;
		}
		for (unsigned left = TENANTS;
			tp_placement_choose(workers, WORKERS, all, TENANTS, &placement); moves++) {
			struct tp_placed *moved = &all[placement.index];
			double busy[WORKERS];
			struct tp_load load;
			struct tp_move back;

			assert_int_not_equal(left--, 0);
			assert_int_not_equal(workers[moved->worker].node, moved->node);
			workers[moved->worker].busy -= moved->busy;
			workers[placement.to].busy += moved->busy;
			moved->worker = placement.to;
			assert_int_equal(workers[placement.to].node, moved->node);
			for (unsigned w = 0; w < WORKERS; w++)
				busy[w] = workers[w].busy;
			load = (struct tp_load){moved->worker, moved->busy};
			assert_false(tp_balance_choose(busy, WORKERS, &load, 1, 0.12, &back));
		}
	}
	assert_true(moves > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_to_the_node_of_its_memory),
		cmocka_unit_test(test_to_the_least_busy_worker_of_it),
		cmocka_unit_test(test_who_costs_most_goes_first),
		cmocka_unit_test(test_the_quiet_go_as_well),
		cmocka_unit_test(test_who_is_where_it_belongs_stays),
		cmocka_unit_test(test_no_worker_on_that_node),
		cmocka_unit_test(test_never_so_that_a_worker_is_overloaded),
		cmocka_unit_test(test_moves_are_not_undone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
