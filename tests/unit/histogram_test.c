/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/histogram.h"

static uint64_t random_state;

static uint64_t random64(void)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return random_state ^ random_state >> 33;
}

static void buckets_are_in_a_row(void **state)
{
	(void)state;
	for (unsigned i = 0; i + 1 < TP_HISTOGRAM_BUCKETS; i++) {
		uint64_t start = tp_histogram_bucket_start(i),
			 end = tp_histogram_bucket_start(i + 1);

		assert_true(start < end);
		assert_int_equal(tp_histogram_bucket(start), i);
		assert_int_equal(tp_histogram_bucket(end - 1), i);
		/* A value is known to a 32nd of itself. */
		assert_true((end - start - 1) * 32 <= start || end - start == 1);
	}
	assert_int_equal(tp_histogram_bucket(UINT64_MAX), TP_HISTOGRAM_BUCKETS - 1);
}

static int compare(const void *left, const void *right)
{
	uint64_t one = *(const uint64_t *)left, other = *(const uint64_t *)right;

	return one < other ? -1 : one > other;
}

static void quantiles_are_those_of_the_sorted_values(void **state)
{
	static const double shares[] = {0, 0.01, 0.5, 0.9, 0.99, 0.999, 1};
	static struct tp_histogram histogram;
	static uint64_t values[10000];

	(void)state;
	memset(&histogram, 0, sizeof(histogram));
	for (unsigned i = 0; i < 10000; i++) {
		values[i] = random64() >> (24 + random64() % 36);
		tp_histogram_add(&histogram, values[i], 1);
	}
	qsort(values, 10000, sizeof(values[0]), compare);
	for (unsigned i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		unsigned rank = (unsigned)(shares[i] * 10000);
		double exact = (double)values[rank > 0 ? rank - 1 : 0];
		double found = (double)tp_histogram_quantile(&histogram, shares[i]);

		assert_true(
			found >= exact * (1 - 1.0 / 32) - 1 && found <= exact * (1 + 1.0 / 32) + 1);
	}
	assert_int_equal(tp_histogram_quantile(&histogram, 1), values[9999]);
	assert_int_equal(histogram.least, values[0]);
}

static void merged_is_as_counted_together(void **state)
{
	static struct tp_histogram one, other, both;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t value = random64() >> 40;

		tp_histogram_add(i % 3 == 0 ? &one : &other, value, i % 5);
		tp_histogram_add(&both, value, i % 5);
	}
	tp_histogram_merge(&one, &other);
	assert_memory_equal(one.bucket, both.bucket, sizeof(both.bucket));
	assert_int_equal(one.count, both.count);
	assert_int_equal(one.sum, both.sum);
	assert_int_equal(one.most, both.most);
	assert_true(tp_histogram_mean(&one) == (double)both.sum / (double)both.count);
}

static void empty_says_nothing(void **state)
{
	static const struct tp_histogram empty;
	static struct tp_histogram one;

	(void)state;
	assert_int_equal(tp_histogram_quantile(&empty, 0.5), 0);
	assert_true(tp_histogram_mean(&empty) == 0);
	tp_histogram_add(&one, 7, 3);
	tp_histogram_merge(&one, &empty);
	assert_int_equal(one.least, 7);
	assert_int_equal(one.count, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_are_in_a_row),
		cmocka_unit_test(quantiles_are_those_of_the_sorted_values),
		cmocka_unit_test(merged_is_as_counted_together),
		cmocka_unit_test(empty_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
