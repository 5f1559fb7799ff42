/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "ledger_support.h"

/* Records become lines and come back; what is no whole record is not taken. */

static struct tp_charge charges[] = {
	{"acme", "vm1", "gold", 16016, 1001, 64064},
	{"umbra", "a.b-c_9", "bronze", INT64_MAX, 0, 7},
};

#define LINE                                                                                       \
	"{\"run\":\"5-77\",\"number\":3,\"begin\":\"2026-11-03T14:30:00Z\","                       \
	"\"end\":\"2026-11-03T14:31:00.250Z\",\"charges\":"                                        \
	"[[\"acme\",\"vm1\",\"gold\",16016,1001,64064],"                                           \
	"[\"umbra\",\"a.b-c_9\",\"bronze\",9223372036854775807,0,7]]}\n"

static struct tp_record a_record(void)
{
	return (struct tp_record){
		.run = "5-77",
		.number = 3,
		.begin = moment("2026-11-03T14:30:00"),
		.end = moment("2026-11-03T14:31:00.250"),
		.charges = charges,
		.count = 2,
	};
}

static void it_is_a_line_as_the_documentation_says(void **state)
{
	const struct tp_record record = a_record();
	char *line = tp_record_write(&record);

	(void)state;
	assert_string_equal(line, LINE);
	free(line);
}

static void it_comes_back(void **state)
{
	const struct tp_record before = a_record();
	struct tp_record record;

	(void)state;
	assert_int_equal(tp_record_read(LINE, strlen(LINE), &record), 0);
	assert_string_equal(record.run, "5-77");
	assert_int_equal(record.number, 3);
	assert_int_equal(record.begin, before.begin);
	assert_int_equal(record.end, before.end);
	assert_int_equal(record.count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(record.charges[i].tenant, charges[i].tenant);
		assert_string_equal(record.charges[i].interface, charges[i].interface);
		assert_string_equal(record.charges[i].class, charges[i].class);
		assert_int_equal(record.charges[i].sixteenths, charges[i].sixteenths);
		assert_int_equal(record.charges[i].frames, charges[i].frames);
		assert_int_equal(record.charges[i].bytes, charges[i].bytes);
	}
	tp_record_clear(&record);
}

static void a_line_cut_at_any_byte_is_none(void **state)
{
	size_t whole = strlen(LINE) - 1;
	struct tp_record record;

	(void)state;
	for (size_t length = 0; length < whole; length++) {
		char *part = malloc(length + 1);

		memcpy(part, LINE, length);
		assert_int_equal(tp_record_read(part, length, &record), -EINVAL);
		free(part);
	}
	assert_int_equal(tp_record_read(LINE, whole, &record), 0);
	tp_record_clear(&record);
}

static void what_is_wrong_in_it_is_not_taken(void **state)
{
	static const char *const changes[][2] = {
		{"\"run\":\"5-77\"", "\"run\":5"},
		{"\"5-77\"", "\"a run whose name is longer than any that was ever given\""},
		{"\"number\":3", "\"number\":-3"},
		{"\"number\":3", "\"number\":3.5"},
		{"\"number\":3", "\"number\":99999999999999999999"},
		{"\"number\":3,", ""},
		{"14:30:00Z", "24:30:00Z"},
		{"14:31:00.250Z", "14:29:00Z"},
		{"\"2026-11-03T14:30:00Z\"", "7"},
		{"\"charges\":[[", "\"charges\":{\"a\":[["},
		{"\"gold\",16016", "\"gold\",-1"},
		{"\"gold\",16016", "\"gold\",\"16016\""},
		{"\"gold\",", ""},
		{"64064]", "64064,1]"},
		{"\"vm1\"", "\"vm/1\""},
		{"\"vm1\"", "\"\""},
		{"\"vm1\"", "null"},
		{"[\"acme\"", "7,[\"acme\""},
	};
	struct tp_record record;

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		const char *place = strstr(LINE, changes[i][0]);
		char text[1024];

		assert_non_null(place);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(place - LINE), LINE, changes[i][1],
			place + strlen(changes[i][0]));
		if (tp_record_read(text, strlen(text), &record) != -EINVAL)
			fail_msg("taken: %s", text);
	}
	assert_int_equal(tp_record_read("{\0}\n", 4, &record), -EINVAL);
	assert_int_equal(tp_record_read("[]\n", 3, &record), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_a_line_as_the_documentation_says),
		cmocka_unit_test(it_comes_back),
		cmocka_unit_test(a_line_cut_at_any_byte_is_none),
		cmocka_unit_test(what_is_wrong_in_it_is_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
