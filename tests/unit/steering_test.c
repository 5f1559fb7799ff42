/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_support.h"
#include "steering.h"

/* Which queue a tenant's frames should come in by: that of the worker which serves it. */

#define FILE_OF_TENANTS(uplink, tenants)                                                           \
	"{'dataplane':{'worker_cores':[0,1,2]},'classes':{" GOLD                                   \
	"},'uplinks':{'wan0':{'device':'net_tap0'" uplink                                          \
	"},'wan1':{'device':'net_tap1','vxlan':{'address':'192.0.2.1/24'}}},"                      \
	"'tenants':{" tenants "}}"
#define ON(name, network) "'" name "':{'network':{'uplink':'wan0'," network "}}"
#define TWO               ON("a", "'vlan':7") "," ON("b", "'vlan':5")

/* Queue 0 is worker 1's, queue 1 worker 2's; worker 0 has none. */
static const struct tp_steering_queues queues = {.count = 2, .owner = {1, 2}};

static struct tp_steering_wish *wishes;
static int count;

static void wish(const char *text, uint32_t uplink, const struct tp_tenant_place *places)
{
	struct tp_config *config = accepted(text);

	free(wishes);
	count = tp_steering_wishes(config, uplink, &queues, places, &wishes);
	tp_config_free(config);
}

static void test_to_the_queue_of_its_worker(void **state)
{
	const struct tp_tenant_place places[] = {{.worker = 2}, {.worker = 1}};

	(void)state;
	wish(FILE_OF_TENANTS("", TWO), 0, places);
	assert_int_equal(count, 2);
	/* In the order of VLANs. */
	assert_int_equal(wishes[0].number, 5);
	assert_int_equal(wishes[0].tenant, 1);
	assert_int_equal(wishes[0].queue, 0);
	assert_null(wishes[0].why);
	assert_int_equal(wishes[1].number, 7);
	assert_int_equal(wishes[1].queue, 1);
	wish(FILE_OF_TENANTS("", TWO), 1, places);
	assert_int_equal(count, 0);
}

static void test_no_queue_is_better(void **state)
{
	const struct tp_tenant_place places[] = {{.worker = 0}, {.worker = 1, .spread = true}};

	(void)state;
	wish(FILE_OF_TENANTS("", TWO), 0, places);
	assert_int_equal(count, 2);
	assert_string_equal(wishes[0].why, "several workers serve it");
	assert_non_null(strstr(wishes[1].why, "owns no queue"));
}

static void test_none_where_none_is_wanted(void **state)
{
	const struct tp_tenant_place places[] = {{.worker = 1}, {.worker = 1}};

	(void)state;
	wish(FILE_OF_TENANTS(",'steering':'off'", TWO), 0, places);
	assert_int_equal(count, 0);
	assert_null(wishes);
	wish(FILE_OF_TENANTS(",'steering':'auto'", TWO), 0, places);
	assert_int_equal(count, 2);
}

static void test_trunks_have_a_rule_for_each_tag(void **state)
{
	const struct tp_tenant_place places[] = {{.worker = 1}, {.worker = 2}};

	(void)state;
	wish(FILE_OF_TENANTS("", ON("a", "'trunk':[9,'1-3']") "," ON("b", "'vlan':4")), 0, places);
	assert_int_equal(count, 5);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(wishes[i].number, i < 4 ? i + 1 : 9);
		assert_int_equal(wishes[i].queue, i == 3);
	}
	wish(FILE_OF_TENANTS("", ON("a", "'trunk':['1-17']")), 0, places);
	assert_int_equal(count, 1);
	assert_int_equal(wishes[0].kind, TP_STEER_NONE);
	assert_non_null(strstr(wishes[0].why, "more tags"));
}

static void test_other_networks(void **state)
{
	const struct tp_tenant_place places[] = {{.worker = 1}, {.worker = 1}, {.worker = 2}};

	(void)state;
	wish(FILE_OF_TENANTS("",
		     ON("a", "'service_vlan':5,'vlan':6") ",'b':{'network':{'uplink':'wan0'}},"
							  "'c':{'network':{'uplink':'wan1',"
							  "'vni':5000,'remotes':[{'address':'192.0."
							  "2.7'}]}}"),
		0, places);
	assert_int_equal(count, 2);
	for (int i = 0; i < count; i++) {
		assert_int_equal(wishes[i].kind, TP_STEER_NONE);
		assert_non_null(wishes[i].why);
	}
	wish(FILE_OF_TENANTS("", "'a':{},'b':{},'c':{'network':{'uplink':'wan1','vni':5000,"
				 "'remotes':[{'address':'192.0.2.7'}]}}"),
		1, places);
	assert_int_equal(count, 1);
	assert_int_equal(wishes[0].kind, TP_STEER_VNI);
	assert_int_equal(wishes[0].number, 5000);
	assert_int_equal(wishes[0].queue, 1);
}

static int end(void **state)
{
	(void)state;
	free(wishes);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_to_the_queue_of_its_worker),
		cmocka_unit_test(test_no_queue_is_better),
		cmocka_unit_test(test_none_where_none_is_wanted),
		cmocka_unit_test(test_trunks_have_a_rule_for_each_tag),
		cmocka_unit_test(test_other_networks),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
