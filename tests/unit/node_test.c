/* SPDX-License-Identifier: BSD-3-Clause */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>
#include <numaif.h>

#include "base/node.h"

/* What this machine tells of its nodes, and what follows from it. */

/* The kernel's own word for where this thread runs. */
static void test_node_of_a_cpu(void **state)
{
	cpu_set_t before;
	unsigned seen = 0;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		cpu_set_t one;
		unsigned runs_on, node;

		if (!CPU_ISSET(cpu, &before))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
		assert_int_equal(syscall(SYS_getcpu, &runs_on, &node, NULL), 0);
		assert_int_equal(runs_on, cpu);
		assert_int_equal(tp_node_of_cpu(cpu), node);
		assert_true(node < tp_node_count());
		seen++;
	}
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	assert_true(seen > 0);
}

static void test_a_cpu_that_is_not_there(void **state)
{
	(void)state;
	assert_int_equal(tp_node_of_cpu(-1), TP_NO_NODE);
	assert_int_equal(tp_node_of_cpu(1000000), TP_NO_NODE);
}

static void test_pages_are_known_once_touched(void **state)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *memory =
		mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *pages[4];
	unsigned char resident[4];
	int node;

	(void)state;
	assert_ptr_not_equal(memory, MAP_FAILED);
	for (unsigned i = 0; i < 4; i++)
		pages[i] = memory + i * page + 100; /* anywhere in it */
	assert_int_equal(tp_node_of_pages(pages, 4), TP_NO_NODE);
	/* The question has made none. */
	assert_int_equal(mincore(memory, 4 * page, resident), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_false(resident[i] & 1);
	memory[2 * page] = 1;
	node = tp_node_of_pages(pages, 4);
	assert_in_range(node, 0, tp_node_count() - 1);
	munmap(memory, 4 * page);
	assert_int_equal(tp_node_of_pages(pages, 4), TP_NO_NODE);
}

static int majority(uint32_t on_0, uint32_t on_1, uint32_t on_63)
{
	const uint32_t on_node[TP_NODES_MAX] = {[0] = on_0, [1] = on_1, [63] = on_63};

	return tp_node_majority(on_node);
}

static void test_majority(void **state)
{
	(void)state;
	assert_int_equal(majority(0, 0, 0), TP_NO_NODE);
	assert_int_equal(majority(1, 0, 0), 0);
	assert_int_equal(majority(0, 2, 1), 1);
	assert_int_equal(majority(0, 0, 7), 63);
	assert_int_equal(majority(2, 2, 0), TP_NO_NODE);
	assert_int_equal(majority(3, 2, 2), TP_NO_NODE); /* the most, but not most of it */
	assert_int_equal(majority(UINT32_MAX, UINT32_MAX, 0), TP_NO_NODE);
	assert_int_equal(majority(UINT32_MAX, UINT32_MAX - 1, 0), 0);
}

/* Whatever was asked for before, for example by numactl(8), holds again. */
static void test_the_policy_is_as_before(void **state)
{
	const unsigned long first = 1;
	unsigned long nodes[16] = {0};
	struct tp_node_policy before;
	int mode = -1;

	(void)state;
	assert_int_equal(set_mempolicy(MPOL_BIND, &first, 65), 0);
	for (int node = TP_NO_NODE; node < (int)tp_node_count(); node++) {
		tp_node_prefer(node, &before);
		assert_int_equal(get_mempolicy(&mode, nodes, 1024, NULL, 0), 0);
		assert_int_equal(
			mode, node >= 0 && tp_node_count() > 1 ? MPOL_PREFERRED : MPOL_BIND);
		if (mode == MPOL_PREFERRED)
			assert_int_equal(nodes[0], 1ul << node);
		tp_node_restore(&before);
		assert_int_equal(get_mempolicy(&mode, nodes, 1024, NULL, 0), 0);
		assert_int_equal(mode, MPOL_BIND);
		assert_int_equal(nodes[0], first);
	}
	assert_int_equal(set_mempolicy(MPOL_DEFAULT, NULL, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_node_of_a_cpu),
		cmocka_unit_test(test_a_cpu_that_is_not_there),
		cmocka_unit_test(test_pages_are_known_once_touched),
		cmocka_unit_test(test_majority),
		cmocka_unit_test(test_the_policy_is_as_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
