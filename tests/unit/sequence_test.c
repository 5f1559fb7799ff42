/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "traffic/sequence.h"

static void expect(const struct tp_sequence *sequence, uint64_t received, uint64_t duplicates,
	uint64_t reordered, uint64_t late, uint64_t skipped)
{
	assert_int_equal(sequence->received, received);
	assert_int_equal(sequence->duplicates, duplicates);
	assert_int_equal(sequence->reordered, reordered);
	assert_int_equal(sequence->late, late);
	assert_int_equal(sequence->skipped, skipped);
}

static void see(struct tp_sequence *sequence, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		tp_sequence_see(sequence, first + i);
}

static void in_order(void **state)
{
	struct tp_sequence sequence = {0};

	(void)state;
	see(&sequence, 0, 10000);
	expect(&sequence, 10000, 0, 0, 0, 0);
}

static void numbers_wrap(void **state)
{
	struct tp_sequence sequence = {.next = 0xffffff00};

	(void)state;
	see(&sequence, 0xffffff00, 255);
	see(&sequence, 0, 300);
	expect(&sequence, 555, 0, 0, 0, 1);
	tp_sequence_see(&sequence, 299);
	expect(&sequence, 555, 1, 0, 0, 1);
}

static void lost_twice_and_late(void **state)
{
	struct tp_sequence sequence = {0};

	(void)state;
	see(&sequence, 0, 10);
	see(&sequence, 12, 5); /* 10 and 11 are missing */
	expect(&sequence, 15, 0, 0, 0, 2);
	tp_sequence_see(&sequence, 11);
	expect(&sequence, 16, 0, 1, 0, 1);
	assert_int_equal(sequence.extent, 6);
	tp_sequence_see(&sequence, 11);
	tp_sequence_see(&sequence, 5);
	expect(&sequence, 16, 2, 1, 0, 1);
	see(&sequence, 17, 300);
	tp_sequence_see(&sequence, 10); /* nobody knows any more */
	expect(&sequence, 316, 2, 1, 1, 1);
	see(&sequence, 5000, 1); /* a gap of more than the window */
	tp_sequence_see(&sequence, 4900);
	expect(&sequence, 318, 2, 2, 1, 1 + 4683 - 1);
}

/* What a list that forgets nothing says, as long as all is within the window. */
static void as_a_list_says(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed < 50; seed++) {
		struct tp_sequence sequence = {0};
		bool seen[2000] = {false};
		uint64_t received = 0, duplicates = 0, reordered = 0;
		uint32_t next = 0;

		srand(seed);
		for (unsigned i = 0; i < 1500; i++) {
			uint32_t number = next + (uint32_t)(rand() % 8 == 0 ? rand() % 4 : 0);

			if (rand() % 10 == 0 && next > 200)
				number = next - 1 - (uint32_t)(rand() % 200);
			if (number >= 2000)
				break;
			if (seen[number])
				duplicates++;
			else
				received++, reordered += number < next;
			seen[number] = true;
			if (number >= next)
				next = number + 1;
			tp_sequence_see(&sequence, number);
		}
		expect(&sequence, received, duplicates, reordered, 0, next - received);
	}
}

static void bursts(void **state)
{
	struct tp_sequence sequence = {0};

	(void)state;
	tp_sequence_see_burst(&sequence, 31, 32);
	expect(&sequence, 32, 0, 0, 0, 0);
	tp_sequence_see_burst(&sequence, 66, 32); /* three were lost */
	expect(&sequence, 64, 0, 0, 0, 3);
	tp_sequence_see_burst(&sequence, 96, 32); /* two came twice */
	expect(&sequence, 94, 2, 0, 0, 3);
	tp_sequence_see_burst(&sequence, 50, 8);
	expect(&sequence, 94, 2, 0, 8, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order),
		cmocka_unit_test(numbers_wrap),
		cmocka_unit_test(lost_twice_and_late),
		cmocka_unit_test(as_a_list_says),
		cmocka_unit_test(bursts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
