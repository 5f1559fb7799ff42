/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include <rte_errno.h>
#include <rte_flow.h>

#include "config_support.h"
#include "ctl/offloads.h"
#include "flow_rules.h"
#include "uplink_device.h"

/*
 * Rules in a device that has room for few and refuses some, made up here: the real ones of
 * tests/smoke/steering_test.py never fill up. The linker takes these functions before DPDK's.
 */

#define ROOM_MOST 16

static struct rte_flow {
	bool used;
	uint16_t vlan, type, queue;
	uint16_t mask;
	uint32_t vni;
} flows[ROOM_MOST];

static unsigned room, tries;
static uint32_t refused_vlan;

static void read_item(struct rte_flow *flow, const struct rte_flow_item *item)
{
	const struct rte_flow_item_vlan *tag = item->spec, *mask = item->mask;
	const struct rte_flow_item_vxlan *vxlan = item->spec;

	if (item->type == RTE_FLOW_ITEM_TYPE_VLAN && tag != NULL) {
		flow->vlan = rte_be_to_cpu_16(tag->tci);
		flow->type = rte_be_to_cpu_16(tag->inner_type);
		flow->mask = rte_be_to_cpu_16(mask->tci);
	}
	if (item->type == RTE_FLOW_ITEM_TYPE_VXLAN)
		flow->vni = (uint32_t)vxlan->vni[0] << 16 | (uint32_t)vxlan->vni[1] << 8 |
			    vxlan->vni[2];
}

int rte_flow_validate(uint16_t port, const struct rte_flow_attr *attributes,
	const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
	struct rte_flow_error *error)
{
	struct rte_flow flow = {0};

	(void)port;
	(void)error;
	assert_true(attributes->ingress);
	assert_int_equal(pattern[0].type, RTE_FLOW_ITEM_TYPE_ETH);
	assert_int_equal(actions[0].type, RTE_FLOW_ACTION_TYPE_QUEUE);
	assert_int_equal(actions[1].type, RTE_FLOW_ACTION_TYPE_END);
	for (; pattern->type != RTE_FLOW_ITEM_TYPE_END; pattern++)
		read_item(&flow, pattern);
	tries++;
	if (refused_vlan == 0 || flow.vlan != refused_vlan)
		return 0;
	rte_errno = ENOTSUP;
	return -ENOTSUP;
}

struct rte_flow *rte_flow_create(uint16_t port, const struct rte_flow_attr *attributes,
	const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
	struct rte_flow_error *error)
{
	const struct rte_flow_action_queue *to = actions[0].conf;

	(void)port;
	(void)attributes;
	for (unsigned i = 0; i < room; i++) {
		if (flows[i].used)
			continue;
		flows[i] = (struct rte_flow){.used = true, .queue = to->index};
		for (; pattern->type != RTE_FLOW_ITEM_TYPE_END; pattern++)
			read_item(&flows[i], pattern);
		return &flows[i];
	}
	error->message = "table full";
	return NULL;
}

int rte_flow_destroy(uint16_t port, struct rte_flow *flow, struct rte_flow_error *error)
{
	(void)port;
	(void)error;
	assert_true(flow->used);
	flow->used = false;
	return 0;
}

static unsigned used(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < ROOM_MOST; i++)
		count += flows[i].used;
	return count;
}

/* By which queue a VLAN comes in; -1: by any. */
static int queue_of(uint16_t vlan)
{
	for (unsigned i = 0; i < ROOM_MOST; i++)
		if (flows[i].used && flows[i].vlan == vlan)
			return flows[i].queue;
	return -1;
}

/* --- */

static struct tp_flow_rules rules;
static struct tp_uplink_config uplink = {.name = (char[]){"wan0"}, .steering = true};
static struct tp_device device = {.queues = 2, .driver = "net_some"};

static void fulfil(const struct tp_steering_wish *wishes, uint32_t count)
{
	tp_flow_rules_fulfil(&rules, &uplink, &device, wishes, count, ROOM_MOST);
	assert_int_equal(rules.count, count);
}

static int begin(void **state)
{
	(void)state;
	memset(flows, 0, sizeof(flows));
	room = ROOM_MOST;
	tries = refused_vlan = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	tp_flow_rules_forget(&rules);
	return 0;
}

#define TO(vlan, to)                                                                               \
	{                                                                                          \
		.kind = TP_STEER_VLAN, .number = (vlan), .queue = (to)                             \
	}

static void test_rules_come_move_and_go(void **state)
{
	const struct tp_steering_wish first[] = {TO(5, 0), TO(7, 1)};
	const struct tp_steering_wish second[] = {TO(6, 0), TO(7, 0)};

	(void)state;
	fulfil(first, 2);
	assert_int_equal(queue_of(5), 0);
	assert_int_equal(queue_of(7), 1);
	assert_int_equal(flows[0].mask, 0x0fff);
	assert_int_equal(tp_flow_rules_in_force(&rules), 2);
	fulfil(second, 2);
	assert_int_equal(queue_of(5), -1);
	assert_int_equal(queue_of(6), 0);
	assert_int_equal(queue_of(7), 0);
	assert_int_equal(used(), 2);
	fulfil(NULL, 0);
	assert_int_equal(used(), 0);
}

static void test_nothing_to_do_does_nothing(void **state)
{
	const struct tp_steering_wish wishes[] = {TO(5, 0), TO(7, 1)};

	(void)state;
	refused_vlan = 7;
	fulfil(wishes, 2);
	assert_int_equal(tries, 2);
	fulfil(wishes, 2);
	assert_int_equal(tries, 2);
}

static void test_what_stays_is_not_touched(void **state)
{
	const struct tp_steering_wish first[] = {TO(5, 0), TO(7, 1)};
	const struct tp_steering_wish second[] = {TO(3, 0), TO(5, 0), TO(7, 1), TO(9, 1)};

	(void)state;
	fulfil(first, 2);
	fulfil(second, 4);
	assert_int_equal(tries, 4);
	assert_int_equal(used(), 4);
}

static void test_a_full_table(void **state)
{
	const struct tp_steering_wish three[] = {TO(5, 0), TO(6, 0), TO(7, 1)};
	const struct tp_steering_wish two[] = {TO(6, 0), TO(7, 1)};
	const struct tp_steering_wish other[] = {TO(5, 0), TO(6, 1), TO(7, 1)};

	(void)state;
	room = 2;
	fulfil(three, 3);
	assert_int_equal(tp_flow_rules_in_force(&rules), 2);
	assert_string_equal(rules.rule[2].why, "the device refuses a rule: table full");
	/* A rule that is replaced leaves no more room than before. */
	fulfil(other, 3);
	assert_int_equal(queue_of(6), 1);
	assert_int_equal(queue_of(7), -1);
	/* One that ends does. */
	fulfil(two, 2);
	assert_int_equal(queue_of(7), 1);
	assert_string_equal(rules.rule[1].why, "");
}

static void test_a_few_at_a_time(void **state)
{
	const struct tp_steering_wish wishes[] = {TO(5, 0), TO(6, 1), TO(7, 1), TO(8, 0), TO(9, 1)};

	(void)state;
	refused_vlan = 6;
	for (unsigned made = 2; made <= 5; made += 2) {
		tp_flow_rules_fulfil(&rules, &uplink, &device, wishes, 5, 2);
		assert_int_equal(tries, made);
	}
	tp_flow_rules_fulfil(&rules, &uplink, &device, wishes, 5, 2);
	tp_flow_rules_fulfil(&rules, &uplink, &device, wishes, 5, 2);
	assert_int_equal(tries, 5);
	assert_int_equal(tp_flow_rules_in_force(&rules), 4);
	assert_int_equal(queue_of(9), 1);
}

/* Ending them may take as long; none is made before those are gone that might lead elsewhere. */
static void test_a_few_end_at_a_time(void **state)
{
	const struct tp_steering_wish five[] = {TO(5, 0), TO(6, 0), TO(7, 0), TO(8, 0), TO(9, 0)};
	const struct tp_steering_wish moved[] = {TO(5, 1), TO(6, 1), TO(7, 1), TO(8, 0), TO(9, 0)};

	(void)state;
	fulfil(five, 5);
	tp_flow_rules_fulfil(&rules, &uplink, &device, moved, 5, 2);
	assert_int_equal(used(), 3);
	tp_flow_rules_fulfil(&rules, &uplink, &device, moved, 5, 2);
	assert_int_equal(used(), 3);
	tp_flow_rules_fulfil(&rules, &uplink, &device, moved, 5, 2);
	assert_int_equal(used(), 5);
	for (uint16_t vlan = 5; vlan <= 9; vlan++)
		assert_int_equal(queue_of(vlan), vlan < 8);
	for (int left = 3; left >= -1; left -= 2) {
		tp_flow_rules_fulfil(&rules, &uplink, &device, NULL, 0, 2);
		assert_int_equal(used(), left > 0 ? left : 0);
	}
	assert_false(rules.more);
}

static void test_a_tenant_that_is_spread(void **state)
{
	const struct tp_steering_wish one[] = {TO(5, 1)};
	const struct tp_steering_wish none[] = {
		{.kind = TP_STEER_VLAN, .number = 5, .why = "several workers serve it"}};

	(void)state;
	fulfil(one, 1);
	fulfil(none, 1);
	assert_int_equal(used(), 0);
	assert_string_equal(rules.rule[0].why, "several workers serve it");
	fulfil(one, 1);
	assert_int_equal(queue_of(5), 1);
	assert_string_equal(rules.rule[0].why, "");
}

static void test_a_tap(void **state)
{
	/* 300 is 44 to it, 16 is 0. */
	const struct tp_steering_wish wishes[] = {TO(16, 0), TO(100, 1), TO(300, 1)};

	(void)state;
	strcpy(device.driver, "net_tap");
	fulfil(wishes, 3);
	strcpy(device.driver, "net_some");
	assert_int_equal(queue_of(16), -1);
	assert_int_equal(queue_of(300), -1);
	assert_int_equal(queue_of(100), 1);
	assert_int_equal(used(), 3); /* of IPv4, IPv6 and ARP */
	for (unsigned i = 0; i < 3; i++)
		for (unsigned j = 0; j < i; j++)
			assert_int_not_equal(flows[i].type, flows[j].type);
}

/* All flows of a rule, or none. */
static void test_half_a_rule(void **state)
{
	const struct tp_steering_wish wishes[] = {TO(100, 1)};

	(void)state;
	room = 2;
	strcpy(device.driver, "net_tap");
	fulfil(wishes, 1);
	strcpy(device.driver, "net_some");
	assert_int_equal(used(), 0);
	assert_int_equal(tp_flow_rules_in_force(&rules), 0);
}

static void test_tunnels(void **state)
{
	const struct tp_steering_wish wishes[] = {
		{.kind = TP_STEER_VNI, .number = 0x123456, .queue = 1}};

	(void)state;
	fulfil(wishes, 1);
	assert_int_equal(flows[0].vni, 0x123456);
	assert_int_equal(flows[0].queue, 1);
}

static void test_what_a_device_can(void **state)
{
	(void)state;
	assert_int_equal(tp_flow_rules_can(&uplink, &device), TP_CAN_STEER_VLAN);
	uplink.underlay.address.length = 4;
	assert_int_equal(tp_flow_rules_can(&uplink, &device), TP_CAN_STEER_VLAN | TP_CAN_STEER_VNI);
	uplink.underlay.address.length = 0;
	assert_int_equal(used(), 0);
	room = 0;
	assert_int_equal(tp_flow_rules_can(&uplink, &device), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rules_come_move_and_go),
		TEST(nothing_to_do_does_nothing),
		TEST(what_stays_is_not_touched),
		TEST(a_full_table),
		TEST(a_few_at_a_time),
		TEST(a_few_end_at_a_time),
		TEST(a_tenant_that_is_spread),
		TEST(a_tap),
		TEST(half_a_rule),
		TEST(tunnels),
		TEST(what_a_device_can),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
