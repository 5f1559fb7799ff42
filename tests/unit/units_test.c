/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/units.h"

static uint64_t parsed(const char *text, const struct tp_unit_family *family)
{
	struct tp_error error = {""};
	uint64_t value = 0;

	if (tp_units_parse(text, family, &value, &error) != 0)
		fail_msg("%s: %s", text, error.text);
	return value;
}

static void refused(
	const char *text, const struct tp_unit_family *family, int code, const char *reason)
{
	struct tp_error error = {""};
	uint64_t value = 42;

	assert_int_equal(tp_units_parse(text, family, &value, &error), code);
	assert_int_equal(value, 42);
	if (strstr(error.text, reason) == NULL || strstr(error.text, family->example) == NULL)
		fail_msg("\"%s\": the message is: %s", text, error.text);
}

static void rates_are_in_bits_per_second(void **state)
{
	(void)state;
	assert_int_equal(parsed("1bit/s", &tp_units_rate), 1);
	assert_int_equal(parsed("0bit/s", &tp_units_rate), 0);
	assert_int_equal(parsed("64kbit/s", &tp_units_rate), 64000);
	assert_int_equal(parsed("2Gbit/s", &tp_units_rate), 2000000000);
	assert_int_equal(parsed("2 Gbit/s", &tp_units_rate), 2000000000);
	assert_int_equal(parsed("1.5Tbit/s", &tp_units_rate), 1500000000000);
}

static void rates_may_count_frames(void **state)
{
	(void)state;
	assert_int_equal(parsed("7pps", &tp_units_rate), 7);
	assert_int_equal(parsed("1.5kpps", &tp_units_rate), 1500);
	assert_int_equal(parsed("2 Mpps", &tp_units_rate), 2000000);
	assert_true(tp_units_match("2 Mpps", &tp_units_frame_rate));
	assert_false(tp_units_match("2Mbit/s", &tp_units_frame_rate));
	assert_false(tp_units_match("Mpps", &tp_units_frame_rate));
	assert_false(tp_units_match("2  Mpps", &tp_units_frame_rate));
	assert_false(tp_units_match("", &tp_units_frame_rate));
}

static void bursts_are_sizes_or_times(void **state)
{
	(void)state;
	assert_int_equal(parsed("64KiB", &tp_units_burst), 65536);
	assert_int_equal(parsed("2ms", &tp_units_burst), 2000000);
	assert_true(tp_units_match("64KiB", &tp_units_size));
	assert_false(tp_units_match("2ms", &tp_units_size));
}

static void times_are_in_nanoseconds(void **state)
{
	(void)state;
	assert_int_equal(parsed("7ns", &tp_units_time), 7);
	assert_int_equal(parsed("100us", &tp_units_time), 100000);
	assert_int_equal(parsed("0.000000001s", &tp_units_time), 1);
	assert_int_equal(parsed("10s", &tp_units_time), 10000000000);
}

static void sizes_are_in_bytes(void **state)
{
	(void)state;
	assert_int_equal(parsed("3B", &tp_units_size), 3);
	assert_int_equal(parsed("1.5KiB", &tp_units_size), 1536);
	assert_int_equal(parsed("0.0009765625KiB", &tp_units_size), 1);
	assert_int_equal(parsed("2GiB", &tp_units_size), (uint64_t)2 << 30);
}

static void zeros_change_nothing(void **state)
{
	(void)state;
	assert_int_equal(parsed("007ns", &tp_units_time), 7);
	assert_int_equal(parsed("7.000ns", &tp_units_time), 7);
	assert_int_equal(parsed("7.5000us", &tp_units_time), 7500);
	assert_int_equal(parsed("1.0500us", &tp_units_time), 1050);
	assert_int_equal(parsed("7.00000000000000000000000000000000ns", &tp_units_time), 7);
}

static void the_largest_value_fits(void **state)
{
	(void)state;
	assert_int_equal(parsed("18446744073709551615ns", &tp_units_time), UINT64_MAX);
	assert_int_equal(parsed("18446744073.709551615s", &tp_units_time), UINT64_MAX);
}

static void overflow_is_told(void **state)
{
	(void)state;
	refused("18446744073709551616ns", &tp_units_time, -ERANGE, "64 bits");
	refused("18446744074s", &tp_units_time, -ERANGE, "64 bits");
	refused("18446744073.709551616s", &tp_units_time, -ERANGE, "64 bits");
	refused("99999999999999999999999999999999999999s", &tp_units_time, -ERANGE, "64 bits");
	refused("18446745Tbit/s", &tp_units_rate, -ERANGE, "64 bits");
}

static void a_number_needs_a_unit(void **state)
{
	(void)state;
	refused("2000000", &tp_units_rate, -EINVAL, "without a unit");
	refused("2 ", &tp_units_rate, -EINVAL, "without a unit");
	refused("2Gb/s", &tp_units_rate, -EINVAL, "not one of the units");
	refused("2gbit/s", &tp_units_rate, -EINVAL, "not one of the units");
	refused("2Gbit/s ", &tp_units_rate, -EINVAL, "not one of the units");
	refused("2  Gbit/s", &tp_units_rate, -EINVAL, "not one of the units");
	refused("100us", &tp_units_rate, -EINVAL, "bit/s, kbit/s, Mbit/s, Gbit/s, Tbit/s");
	refused("1e3us", &tp_units_time, -EINVAL, "ns, us, ms, s");
	refused("1.2.3us", &tp_units_time, -EINVAL, "not one of the units");
}

static void a_unit_needs_a_number(void **state)
{
	static const char *const texts[] = {
		"", "us", " 1us", "-1us", "+1us", ".5us", "1.us", "1.", "0x1us", "nan", "one us"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		refused(texts[i], &tp_units_time, -EINVAL, "accepted: ");
}

static void fractions_below_the_smallest_unit_are_refused(void **state)
{
	(void)state;
	refused("0.5ns", &tp_units_time, -EINVAL, "smallest unit");
	refused("1.0005us", &tp_units_time, -EINVAL, "smallest unit");
	refused("0.3KiB", &tp_units_size, -EINVAL, "smallest unit");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_are_in_bits_per_second),
		cmocka_unit_test(rates_may_count_frames),
		cmocka_unit_test(bursts_are_sizes_or_times),
		cmocka_unit_test(times_are_in_nanoseconds),
		cmocka_unit_test(sizes_are_in_bytes),
		cmocka_unit_test(zeros_change_nothing),
		cmocka_unit_test(the_largest_value_fits),
		cmocka_unit_test(overflow_is_told),
		cmocka_unit_test(a_number_needs_a_unit),
		cmocka_unit_test(a_unit_needs_a_number),
		cmocka_unit_test(fractions_below_the_smallest_unit_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
