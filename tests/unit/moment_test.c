/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/moment.h"

#define NOW INT64_C(1762180205250) /* 2025-11-03T14:30:05.250Z */

static int64_t moment_of(const char *text)
{
	struct tp_error error = {""};
	int64_t moment = 0;

	if (tp_moment_parse(text, NOW, &moment, &error) < 0)
		fail_msg("%s", error.text);
	return moment;
}

static void dates_and_times_are_utc(void **state)
{
	(void)state;
	assert_int_equal(moment_of("1970-01-01"), 0);
	assert_int_equal(moment_of("2025-11-03"), INT64_C(1762128000000));
	assert_int_equal(moment_of("2025-11-03T14:30"), INT64_C(1762180200000));
	assert_int_equal(moment_of("2025-11-03 14:30:05"), INT64_C(1762180205000));
	assert_int_equal(moment_of("2025-11-03T14:30:05Z"), INT64_C(1762180205000));
	assert_int_equal(moment_of("2025-11-03T14:30:05.25Z"), NOW);
	assert_int_equal(moment_of("2025-11-03T14:30:05.250"), NOW);
	assert_int_equal(moment_of("2024-02-29"), INT64_C(1709164800000));
	assert_int_equal(moment_of("2000-02-29"), INT64_C(951782400000));
	assert_int_equal(moment_of("9999-12-31T23:59:59.999"), INT64_C(253402300799999));
}

static void times_before_now(void **state)
{
	(void)state;
	assert_int_equal(moment_of("-0s"), NOW);
	assert_int_equal(moment_of("-90s"), NOW - 90000);
	assert_int_equal(moment_of("-30m"), NOW - 1800000);
	assert_int_equal(moment_of("-1h"), NOW - 3600000);
	assert_int_equal(moment_of("-7d"), NOW - 604800000);
}

static void others_are_refused(void **state)
{
	static const char *const bad[] = {"", "-", "yesterday", "-1", "-h", "-1y", "-1h30m", "- 1h",
		"1h", "+1h", "-99999d", "-9999999999999999999999s", "2025", "2025-11", "2025-11-3",
		"25-11-03", "2025-11-03T", "2025-11-03T14", "2025-11-03T14:3",
		"2025-11-03T14:30:", "2025-11-03T14:30:5", "2025-11-03T14:30:05.",
		"2025-11-03T14:30:05.1234", "2025-11-03T14:30+01:00", "2025-11-03x", "2025/11/03",
		"2025-00-03", "2025-13-03", "2025-11-00", "2025-11-31", "2025-02-29", "2100-02-29",
		"1969-12-31", "2025-11-03T24:00", "2025-11-03T14:60", "2025-11-03T14:30:60",
		" 2025-11-03"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct tp_error error = {""};
		char found[64];
		int64_t moment;

		if (tp_moment_parse(bad[i], NOW, &moment, &error) == 0)
			fail_msg("accepted \"%s\" as %" PRId64, bad[i], moment);
		snprintf(found, sizeof(found), "found \"%s\"; accepted: a date or", bad[i]);
		assert_int_equal(strncmp(error.text, found, strlen(found)), 0);
	}
}

static void what_is_refused_is_quoted_in_part(void **state)
{
	struct tp_error error = {""};
	char text[2000];
	int64_t moment;

	(void)state;
	memset(text, '\x1b', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_true(tp_moment_parse(text, NOW, &moment, &error) < 0);
	assert_null(strchr(error.text, '\x1b'));
	assert_non_null(strstr(error.text, "; accepted: a date"));
}

static void they_are_written_as_they_are_read(void **state)
{
	static const char *const texts[] = {
		"1970-01-01T00:00:00Z", "2025-11-03T14:30:05.250Z", "9999-12-31T23:59:59.001Z"};
	char buffer[TP_MOMENT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_string_equal(tp_moment_format(moment_of(texts[i]), buffer), texts[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_and_times_are_utc),
		cmocka_unit_test(times_before_now),
		cmocka_unit_test(others_are_refused),
		cmocka_unit_test(what_is_refused_is_quoted_in_part),
		cmocka_unit_test(they_are_written_as_they_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
