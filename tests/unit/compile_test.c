/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_support.h"
#include "eal_support.h"

#include <rte_memory.h>

#include "appliance_private.h"

/* What of a configuration reaches the dataplane, and how. */

static struct tp_snapshot *compiled(const char *text)
{
	struct tp_config *config = accepted(text);
	struct tp_context_store *store = tp_context_store_new(NULL, 0, NULL);
	struct tp_error error = {""};
	struct tp_snapshot *snapshot = tp_compile(config, store, NULL, NULL, &error);

	if (snapshot == NULL)
		fail_msg("%s", error.text);
	tp_context_store_free(store);
	tp_config_free(config);
	return snapshot;
}

static void tariff_bids_and_weights_arrive(void **state)
{
	struct tp_snapshot *snapshot =
		compiled("{'tariff':{'per_frame':20,'per_64_bytes':3},'classes':{'a':{'bid':1.5,"
			 "'weight':7},'b':{'bid':1000}},'tenants':{'acme':{}}}");

	(void)state;
	assert_int_equal(snapshot->tariff.per_frame, 20);
	assert_int_equal(snapshot->tariff.per_64_bytes, 3);
	assert_int_equal(snapshot->classes[0].bid, 24);
	assert_int_equal(snapshot->classes[0].weight, 7);
	assert_int_equal(snapshot->classes[1].bid, 16000);
	assert_int_equal(snapshot->classes[1].weight, 1);
	tp_snapshot_free(snapshot);
}

static void expect_lowest(const char *classes, unsigned lowest)
{
	char text[512];
	struct tp_snapshot *snapshot;

	snprintf(text, sizeof(text), "{'classes':{%s},'tenants':{'acme':{}}}", classes);
	snapshot = compiled(text);
	if (snapshot->lowest_class != lowest)
		fail_msg("%s: lowest is %u", classes, snapshot->lowest_class);
	tp_snapshot_free(snapshot);
}

static void the_lowest_class_is_found(void **state)
{
	(void)state;
	expect_lowest("'a':{'bid':2}", 0);
	expect_lowest("'a':{'bid':64},'b':{'bid':16},'c':{'bid':2},'d':{'bid':3}", 2);
	expect_lowest("'a':{'bid':2,'weight':5},'b':{'bid':2,'weight':4},'c':{'bid':2,'weight':4},"
		      "'d':{'bid':3,'weight':1}",
		1);
	/* alike in the sixteenths in which they are compared */
	expect_lowest("'a':{'bid':2.01,'weight':1},'b':{'bid':2,'weight':2}", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tariff_bids_and_weights_arrive),
		cmocka_unit_test(the_lowest_class_is_found),
	};

	return start_eal() ? cmocka_run_group_tests(tests, NULL, NULL) : EXIT_FAILURE;
}
