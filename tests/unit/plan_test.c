/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_support.h"
#include "ctl/plan.h"

/* What a configuration needs, node by node. Nodes are made up. */

/* Three tenants, dealt out to the workers in order. */
#define FILE_ON(cores, queue_pairs)                                                                \
	"{'dataplane':{'worker_cores':" cores "},'classes':{" GOLD "},'tenants':{"                 \
	"'a':{'interfaces':{" VM(                                                                  \
		"1") "}},'b':{'interfaces':{'pod':{'count':1000,"                                  \
		     "'mac':'02:00:00:01:00:00','class':'gold','queue_pairs':" queue_pairs ","     \
		     "'socket':'/run/pod%d.sock'}}},'c':{'interfaces':{" VM("2") "}}}}"

static void test_each_node_has_what_its_workers_use(void **state)
{
	struct tp_config *config = accepted(FILE_ON("[0,1,2]", "1"));
	const int nodes[] = {0, 1, 0};
	uint64_t on_0 = tp_plan_node_memory(config, nodes, 0);
	uint64_t on_1 = tp_plan_node_memory(config, nodes, 1);
	uint64_t context = TP_PLAN_CONTEXT_BYTES + TP_PLAN_PAIR_BYTES;

	(void)state;
	/* Two workers and two contexts, one worker and a thousand. */
	assert_int_equal(2 * (on_1 - 1000 * context), on_0 - 2 * context);
	assert_true(on_1 > 1000 * context);
	assert_int_equal(tp_plan_node_memory(config, nodes, 2), 0);
	assert_true(on_0 + on_1 < tp_plan_memory(config));
	tp_config_free(config);
}

static void test_one_node_has_it_all(void **state)
{
	struct tp_config *config = accepted(FILE_ON("[0,1]", "1"));
	const int apart[] = {0, 1};
	const int together[] = {1, 1};

	(void)state;
	assert_int_equal(tp_plan_node_memory(config, together, 1),
		tp_plan_node_memory(config, apart, 0) + tp_plan_node_memory(config, apart, 1));
	tp_config_free(config);
}

static void test_queue_pairs_count(void **state)
{
	struct tp_config *one = accepted(FILE_ON("[0,1]", "1"));
	struct tp_config *eight = accepted(FILE_ON("[0,1]", "8"));
	const int nodes[] = {0, 1};
	uint64_t more = tp_plan_node_memory(eight, nodes, 1) - tp_plan_node_memory(one, nodes, 1);

	(void)state;
	assert_true(more >= 7000 * TP_PLAN_PAIR_BYTES);
	tp_config_free(one);
	tp_config_free(eight);
}

/* Each of the 1002 has a socket; a guest of one queue pair adds four descriptors. */
static void test_descriptors_count(void **state)
{
	struct tp_config *one = accepted(FILE_ON("[0,1]", "1"));
	struct tp_config *eight = accepted(FILE_ON("[0,1]", "8"));

	(void)state;
	assert_int_equal(
		tp_plan_descriptors(one) - tp_plan_first_descriptors(one), 4 * UINT64_C(1002));
	assert_int_equal(tp_plan_descriptors(eight) - tp_plan_descriptors(one), 3 * 7 * 1000);
	assert_true(tp_plan_first_descriptors(one) >= 1002 + TP_PLAN_KEPT_DESCRIPTORS);
	tp_config_free(one);
	tp_config_free(eight);
}

static void test_a_machine_with_one_node_hears_nothing_of_nodes(void **state)
{
	struct tp_config *config = accepted(FILE_ON("[0]", "1"));
	struct tp_plan_item items[TP_PLAN_ITEMS_MAX];
	unsigned count = tp_plan_make(config, items);

	(void)state;
	assert_int_equal(count > TP_PLAN_RESOURCES, tp_node_count() > 1);
	for (unsigned i = 0; i < count; i++) {
		assert_string_not_equal(items[i].name, "");
		assert_string_not_equal(items[i].note, "");
	}
	tp_config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_node_has_what_its_workers_use),
		cmocka_unit_test(test_one_node_has_it_all),
		cmocka_unit_test(test_queue_pairs_count),
		cmocka_unit_test(test_descriptors_count),
		cmocka_unit_test(test_a_machine_with_one_node_hears_nothing_of_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
