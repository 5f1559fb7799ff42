/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "vlan.h"

/*
 * Tags: what guests of each kind of network may send, what is on the wire then, and what of the
 * wire reaches them.
 */

#define C(vlan) (0x81000000u | (vlan))
#define S(vlan) (0x88a80000u | (vlan))

static struct tp_vlan_set trunk_set;
static const struct tp_vlan_rule untagged;
static const struct tp_vlan_rule access_100 = {.vlan = 100};
static const struct tp_vlan_rule trunk = {.trunk = &trunk_set}; /* 100 and 4094 */
static const struct tp_vlan_rule stacked = {.service = 300, .any = true};
static const struct tp_vlan_rule stacked_access = {.service = 300, .vlan = 100};
static const struct tp_vlan_rule stacked_trunk = {.service = 300, .trunk = &trunk_set};

/* A frame with these tags, up to three, 0 ends them. @return its length. */
static uint32_t build(uint8_t *frame, uint32_t first, uint32_t second, uint32_t third)
{
	const uint32_t tags[] = {first, second, third};
	uint32_t length = 12;

	memcpy(frame, (const uint8_t[]){2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}, 12);
	for (unsigned i = 0; i < 3 && tags[i] != 0; i++, length += 4)
		tp_tag_put(frame + length, (uint16_t)(tags[i] >> 16), (uint16_t)tags[i]);
	frame[length] = 0x08;
	frame[length + 1] = 0;
	memset(frame + length + 2, 0x77, 46);
	return length + 48;
}

static bool admits(const struct tp_vlan_rule *rule, uint32_t first, uint32_t second, uint32_t third)
{
	uint8_t frame[96];
	uint32_t length = build(frame, first, second, third);

	return tp_vlan_admits(rule, frame, length);
}

static bool accepts(
	const struct tp_vlan_rule *rule, uint32_t first, uint32_t second, uint32_t third)
{
	uint8_t frame[96];
	uint32_t length = build(frame, first, second, third);

	return tp_vlan_accept(rule, frame, length) == TP_DROP_NONE;
}

static void test_access_guests_have_no_tags(void **state)
{
	const struct tp_vlan_rule *rules[] = {&untagged, &access_100, &stacked_access};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		assert_true(admits(rules[i], 0, 0, 0));
		assert_false(admits(rules[i], C(100), 0, 0));
		assert_false(admits(rules[i], C(0), 0, 0)); /* a priority alone is a tag as well */
		assert_false(admits(rules[i], S(300), 0, 0));
		assert_false(admits(rules[i], C(100), C(200), 0));
		assert_false(admits(rules[i], 0x91000064, 0, 0));
	}
}

static void test_trunk_guests_have_one_tag_of_the_list(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		const struct tp_vlan_rule *rule = i == 0 ? &trunk : &stacked_trunk;

		assert_true(admits(rule, C(100), 0, 0));
		assert_true(admits(rule, C(4094), 0, 0));
		assert_true(admits(rule, C(0xe064), 0, 0)); /* with a priority */
		assert_false(admits(rule, 0, 0, 0));
		assert_false(admits(rule, C(0), 0, 0));
		assert_false(admits(rule, C(101), 0, 0));
		assert_false(admits(rule, C(4095), 0, 0));
		assert_false(admits(rule, S(100), 0, 0));
		assert_false(admits(rule, C(100), C(200), 0));
	}
}

static void test_stacked_guests_have_any_tags_but_ours(void **state)
{
	(void)state;
	assert_true(admits(&stacked, 0, 0, 0));
	assert_true(admits(&stacked, C(5), 0, 0));
	assert_true(admits(&stacked, C(5), C(6), 0));
	assert_false(admits(&stacked, S(300), 0, 0));
	assert_false(admits(&stacked, C(5), S(300), 0));
	assert_false(admits(&stacked, 0x9100012c, 0, 0));
}

static void test_the_wire_is_judged_by_the_network(void **state)
{
	(void)state;
	assert_true(accepts(&untagged, 0, 0, 0));
	assert_false(accepts(&untagged, C(100), 0, 0));
	assert_true(accepts(&access_100, C(100), 0, 0));
	assert_true(accepts(&access_100, C(0xe064), 0, 0));
	assert_false(accepts(&access_100, 0, 0, 0));
	assert_false(accepts(&access_100, C(101), 0, 0));
	assert_false(accepts(&access_100, S(100), 0, 0));
	assert_false(accepts(&access_100, C(100), C(7), 0)); /* a tag below ours */
	assert_true(accepts(&trunk, C(100), 0, 0));
	assert_false(accepts(&trunk, C(102), 0, 0));
	assert_true(accepts(&stacked, S(300), 0, 0));
	assert_true(accepts(&stacked, S(300), C(5), 0));
	assert_false(accepts(&stacked, C(300), C(5), 0));
	assert_true(accepts(&stacked_access, S(300), C(100), 0));
	assert_false(accepts(&stacked_access, S(300), 0, 0));
	assert_false(accepts(&stacked_access, S(300), C(101), 0));
	assert_false(accepts(&stacked_access, S(300), C(100), C(9)));
	assert_true(accepts(&stacked_trunk, S(300), C(4094), 0));
	assert_false(accepts(&stacked_trunk, S(300), C(4094), C(4)));
}

/* What is put on is what is taken off. */
static void there_and_back(const struct tp_vlan_rule *rule, uint32_t tag)
{
	uint8_t frame[96], wire[120];
	uint32_t length = build(frame, tag, 0, 0);
	uint32_t added = tp_vlan_added(rule);
	uint8_t *end = tp_vlan_push(rule, wire, frame);

	assert_true(tp_vlan_admits(rule, frame, length));
	assert_int_equal(end - wire, 12 + added);
	memcpy(end, frame + 12, length - 12);
	assert_int_equal(tp_vlan_accept(rule, wire, length + added), TP_DROP_NONE);
	assert_memory_equal(wire + 12 + added, frame + 12, length - 12);
	assert_memory_equal(wire, frame, 12);
}

static void test_there_and_back(void **state)
{
	(void)state;
	there_and_back(&untagged, 0);
	there_and_back(&access_100, 0);
	there_and_back(&trunk, C(100));
	there_and_back(&stacked, 0);
	there_and_back(&stacked, C(5));
	there_and_back(&stacked_access, 0);
	there_and_back(&stacked_trunk, C(4094));
}

static void test_order_of_tags_on_the_wire(void **state)
{
	uint8_t frame[96], wire[32];

	(void)state;
	build(frame, 0, 0, 0);
	tp_vlan_push(&stacked_access, wire, frame);
	assert_memory_equal(
		wire + 12, ((const uint8_t[]){0x88, 0xa8, 0x01, 0x2c, 0x81, 0x00, 0x00, 0x64}), 8);
}

/* A frame that ends in its tags is refused, and not read beyond its end. */
static void test_frames_cut_in_a_tag(void **state)
{
	const struct tp_vlan_rule *rules[] = {
		&untagged, &access_100, &trunk, &stacked, &stacked_access, &stacked_trunk};
	uint8_t frame[96];

	(void)state;
	build(frame, S(300), C(100), C(100));
	for (uint32_t length = 14; length < 26; length++) {
		uint8_t *exact = malloc(length);

		memcpy(exact, frame, length);
		for (unsigned i = 0; i < 6; i++) {
			assert_int_equal(tp_vlan_accept(rules[i], exact, length), TP_DROP_TAGGED);
			assert_false(tp_vlan_admits(rules[i], exact, length));
		}
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_access_guests_have_no_tags),
		cmocka_unit_test(test_trunk_guests_have_one_tag_of_the_list),
		cmocka_unit_test(test_stacked_guests_have_any_tags_but_ours),
		cmocka_unit_test(test_the_wire_is_judged_by_the_network),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_order_of_tags_on_the_wire),
		cmocka_unit_test(test_frames_cut_in_a_tag),
	};

	tp_vlan_set_add(&trunk_set, 100);
	tp_vlan_set_add(&trunk_set, 4094);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
