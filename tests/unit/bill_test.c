/* SPDX-License-Identifier: BSD-3-Clause */
#include "bill.h"
#include "ledger_support.h"

/* Records become a bill: each is counted once, where it begins. */

static struct tp_charge charges[] = {
	{"acme", "vm1", "gold", 100, 10, 640},
	{"acme", "vm2", "gold", 1, 2, 3},
	{"umbra", "vm1", "gold", 7, 7, 7},
};

static int add(struct tp_bill *bill, const char *begin, const char *end, size_t first, size_t count)
{
	const struct tp_record record = {
		.run = "1-1",
		.begin = moment(begin),
		.end = moment(end),
		.charges = charges + first,
		.count = count,
	};

	return tp_bill_add(bill, &record);
}

static const char *text_in(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text != NULL ? text : "null";
}

static int64_t sum(const json_t *json, size_t place, const char *key)
{
	return json_integer_value(
		json_object_get(json_array_get(json_object_get(json, "charges"), place), key));
}

static size_t count(const json_t *json, const char *key)
{
	return json_array_size(json_object_get(json, key));
}

static const char *note(const json_t *json, size_t place)
{
	return json_string_value(json_array_get(json_object_get(json, "notes"), place));
}

/* Three minutes: the second one cut by the ends of the bills below. */
static json_t *bill_between(const char *from, const char *to)
{
	struct tp_bill *bill = tp_bill_new(
		from != NULL ? moment(from) : INT64_MIN, to != NULL ? moment(to) : INT64_MAX);
	json_t *json;

	assert_non_null(bill);
	assert_int_equal(add(bill, "2026-11-03T14:30", "2026-11-03T14:31", 0, 2), 0);
	assert_int_equal(add(bill, "2026-11-03T14:31", "2026-11-03T14:32", 0, 3), 0);
	assert_int_equal(add(bill, "2026-11-03T14:32", "2026-11-03T14:33", 1, 1), 0);
	json = tp_bill_to_json(bill);
	assert_non_null(json);
	tp_bill_free(bill);
	return json;
}

static void all_that_there_is(void **state)
{
	json_t *json = bill_between(NULL, NULL);

	(void)state;
	assert_string_equal(text_in(json, "from"), "null");
	assert_string_equal(text_in(json, "to"), "null");
	assert_string_equal(text_in(json, "begin"), "2026-11-03T14:30:00Z");
	assert_string_equal(text_in(json, "end"), "2026-11-03T14:33:00Z");
	assert_int_equal(json_integer_value(json_object_get(json, "intervals")), 3);
	assert_int_equal(count(json, "notes"), 0);
	assert_int_equal(count(json, "charges"), 3);
	assert_int_equal(sum(json, 0, "sixteenths"), 200);
	assert_int_equal(sum(json, 0, "frames"), 20);
	assert_int_equal(sum(json, 0, "bytes"), 1280);
	assert_int_equal(sum(json, 1, "sixteenths"), 3);
	assert_int_equal(sum(json, 2, "sixteenths"), 7);
	json_decref(json);
}

static void whole_intervals_need_no_note(void **state)
{
	json_t *json = bill_between("2026-11-03T14:31", "2026-11-03T14:32");

	(void)state;
	assert_string_equal(text_in(json, "from"), "2026-11-03T14:31:00Z");
	assert_string_equal(text_in(json, "to"), "2026-11-03T14:32:00Z");
	assert_string_equal(text_in(json, "begin"), "2026-11-03T14:31:00Z");
	assert_string_equal(text_in(json, "end"), "2026-11-03T14:32:00Z");
	assert_int_equal(count(json, "notes"), 0);
	assert_int_equal(sum(json, 0, "sixteenths"), 100);
	json_decref(json);
}

static void an_interval_counts_where_it_begins_and_that_is_said(void **state)
{
	json_t *json = bill_between("2026-11-03T14:30:20", "2026-11-03T14:31:30");

	(void)state;
	assert_string_equal(text_in(json, "begin"), "2026-11-03T14:31:00Z");
	assert_string_equal(text_in(json, "end"), "2026-11-03T14:32:00Z");
	assert_int_equal(count(json, "notes"), 2);
	assert_string_equal(note(json, 0),
		"from 2026-11-03T14:30:20Z lies inside the interval from 2026-11-03T14:30:00Z to "
		"2026-11-03T14:31:00Z, which is not counted: an interval counts where it begins");
	assert_string_equal(note(json, 1),
		"to 2026-11-03T14:31:30Z lies inside the interval from 2026-11-03T14:31:00Z to "
		"2026-11-03T14:32:00Z, which is counted whole: an interval counts where it begins");
	json_decref(json);
}

/* Whatever the moment that divides them, two bills make the whole. */
static void bills_that_follow_each_other_count_all_once(void **state)
{
	static const char *const cuts[] = {"2026-11-03T14:30", "2026-11-03T14:30:00.001",
		"2026-11-03T14:31", "2026-11-03T14:31:59.999", "2026-11-03T14:32:10",
		"2026-11-03T15:00"};

	(void)state;
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		json_t *before = bill_between(NULL, cuts[i]);
		json_t *after = bill_between(cuts[i], NULL);
		int64_t frames = 0;

		for (size_t c = 0; c < 3; c++)
			frames += sum(before, c, "frames") + sum(after, c, "frames");
		assert_int_equal(frames, 12 + 19 + 2);
		json_decref(before);
		json_decref(after);
	}
}

static void nothing_in_that_time(void **state)
{
	json_t *json = bill_between("2027-01-01", NULL);

	(void)state;
	assert_string_equal(text_in(json, "begin"), "null");
	assert_string_equal(text_in(json, "end"), "null");
	assert_int_equal(count(json, "charges"), 0);
	json_decref(json);
}

static void an_interface_that_changes_class_has_two_sums(void **state)
{
	struct tp_bill *bill = tp_bill_new(INT64_MIN, INT64_MAX);
	json_t *json;

	(void)state;
	add(bill, "2026-11-03T14:30", "2026-11-03T14:31", 0, 1);
	charges[0].class = "bronze";
	add(bill, "2026-11-03T14:31", "2026-11-03T14:32", 0, 1);
	charges[0].class = "gold";
	json = tp_bill_to_json(bill);
	assert_int_equal(count(json, "charges"), 2);
	assert_int_equal(sum(json, 1, "sixteenths"), 100);
	json_decref(json);
	tp_bill_free(bill);
}

/* So many that every table grows several times. */
static void thousands_of_interfaces(void **state)
{
	struct tp_bill *bill = tp_bill_new(INT64_MIN, INT64_MAX);
	char name[16];
	struct tp_charge one = {"acme", name, "gold", 3, 2, 1};
	const struct tp_record record = {.charges = &one, .count = 1};
	json_t *json;

	(void)state;
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < 5000; i++) {
			snprintf(name, sizeof(name), "pod%u", i);
			assert_int_equal(tp_bill_add(bill, &record), 0);
		}
	json = tp_bill_to_json(bill);
	assert_int_equal(count(json, "charges"), 5000);
	for (size_t i = 0; i < 5000; i += 617)
		assert_int_equal(sum(json, i, "sixteenths"), 9);
	json_decref(json);
	tp_bill_free(bill);
}

static void damage_is_noted_up_to_a_point(void **state)
{
	struct tp_bill *bill = tp_bill_new(INT64_MIN, INT64_MAX);
	json_t *json;

	(void)state;
	for (unsigned long line = 1; line <= 1000; line++)
		tp_bill_note_damaged(bill, "ledger-2026-11.jsonl", line);
	json = tp_bill_to_json(bill);
	assert_int_equal(count(json, "notes"), 11);
	assert_string_equal(
		note(json, 0), "ledger-2026-11.jsonl: line 1 is no whole record: skipped");
	assert_string_equal(note(json, 10), "990 further lines are no whole records: skipped");
	json_decref(json);
	tp_bill_free(bill);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_there_is),
		cmocka_unit_test(whole_intervals_need_no_note),
		cmocka_unit_test(an_interval_counts_where_it_begins_and_that_is_said),
		cmocka_unit_test(bills_that_follow_each_other_count_all_once),
		cmocka_unit_test(nothing_in_that_time),
		cmocka_unit_test(an_interface_that_changes_class_has_two_sums),
		cmocka_unit_test(thousands_of_interfaces),
		cmocka_unit_test(damage_is_noted_up_to_a_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
