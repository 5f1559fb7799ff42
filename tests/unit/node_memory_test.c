/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_malloc.h>
#include <rte_ring.h>

#include "state/context.h"
#include "state/dataplane.h"
#include "state/node_memory.h"
#include "switch_scene.h"

/* What goes to which NUMA node. */

#define NOWHERE 40 /* a node that DPDK has no heap for */

static int setup(void **state)
{
	(void)state;
	scene_start_eal();
	return 0;
}

static void test_a_node_without_room_is_no_error(void **state)
{
	uint64_t *memory = tp_node_zalloc("test", 4096, NOWHERE);
	struct rte_ring *first = tp_node_ring("test", 8, 64, NOWHERE);
	struct rte_ring *second = tp_node_ring("test", 8, 64, 0);

	(void)state;
	assert_non_null(memory);
	assert_int_equal((uintptr_t)memory % 64, 0);
	for (unsigned i = 0; i < 4096 / sizeof(*memory); i++)
		assert_int_equal(memory[i], 0);
	assert_non_null(first);
	assert_non_null(second);
	assert_true(rte_ring_get_capacity(first) >= 64);
	rte_ring_free(first);
	rte_ring_free(second);
	rte_free(memory);
}

static void test_more_than_there_is_anywhere(void **state)
{
	(void)state;
	assert_null(tp_node_zalloc("test", (size_t)1 << 40, 0));
	assert_null(tp_node_zalloc("test", (size_t)1 << 40, TP_NO_NODE));
}

static const uint8_t *end_of(const struct tp_context *context)
{
	return (const uint8_t *)&context->pair[context->pair_count];
}

/* Contexts of one node stand one after the other, those of different ones do not. */
static void test_contexts_by_node(void **state)
{
	const uint16_t pairs[] = {1, 2, 1, 8, 1, 1};
	const int nodes[] = {0, NOWHERE, 0, NOWHERE, TP_NO_NODE, 0};
	struct tp_context_store *store = tp_context_store_new(pairs, 6, nodes);
	const struct tp_context *context[6];

	(void)state;
	assert_non_null(store);
	for (uint32_t i = 0; i < 6; i++) {
		context[i] = tp_context_at(store, i);
		assert_int_equal(context[i]->pair_count, pairs[i]);
		assert_int_equal((uintptr_t)context[i] % 64, 0);
		assert_int_equal(context[i]->pair[pairs[i] - 1].rx.call_fd, -1);
	}
	assert_ptr_equal(context[2], end_of(context[0]));
	assert_ptr_equal(context[5], end_of(context[2]));
	assert_ptr_equal(context[3], end_of(context[1]));
	for (uint32_t i = 0; i < 6; i++)
		for (uint32_t n = 0; n < 6; n++)
			assert_true(i == n || end_of(context[i]) <= (const uint8_t *)context[n] ||
				    end_of(context[n]) <= (const uint8_t *)context[i]);
	tp_context_store_free(store);
}

static void test_no_contexts(void **state)
{
	struct tp_context_store *store = tp_context_store_new(NULL, 0, NULL);

	(void)state;
	assert_non_null(store);
	tp_context_store_free(store);
}

static void test_each_worker_has_its_own_node(void **state)
{
	const int nodes[] = {0, NOWHERE, TP_NO_NODE};
	const struct tp_dataplane_settings settings = {
		.workers = 3,
		.rings = 5,
		.socket = TP_NO_NODE,
		.worker_nodes = nodes,
	};
	struct tp_dataplane *dataplane = tp_dataplane_new(&settings, NULL);

	(void)state;
	assert_non_null(dataplane);
	for (unsigned w = 0; w < 3; w++) {
		assert_int_equal(dataplane->worker[w]->node, nodes[w]);
		assert_int_equal((uintptr_t)dataplane->worker[w] % 64, 0);
		assert_true(rte_ring_get_capacity(dataplane->worker[w]->arms) >= 5);
		assert_true(rte_ring_get_capacity(dataplane->worker[w]->sightings) >= 1000);
	}
	assert_null(dataplane->settings.worker_nodes);
	tp_dataplane_free(dataplane);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_node_without_room_is_no_error),
		cmocka_unit_test(test_more_than_there_is_anywhere),
		cmocka_unit_test(test_contexts_by_node),
		cmocka_unit_test(test_no_contexts),
		cmocka_unit_test(test_each_worker_has_its_own_node),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
