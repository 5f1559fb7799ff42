/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "vring/work_queue.h"

/*
 * The shared work queue: what is accepted, at what price; the order; producers that stand still.
 */

#define SIZE      16
#define PRODUCERS 3
#define REQUESTS  50000u /* of each producer */
#define SECONDS   60     /* at most; it takes about one */

static struct tp_work_queue queue;
static void *entries[SIZE];
static uint16_t baton[SIZE];
static const uint32_t rich = (65536 + 999) / 1000;

static void begin(void)
{
	assert_int_equal(tp_work_queue_init(&queue, SIZE, entries, baton), 0);
}

static void *number(uintptr_t n)
{
	return (void *)n;
}

static struct tp_work_offer accepted(uint32_t wanted)
{
	struct tp_work_offer offer;

	assert_int_equal(tp_work_queue_reserve(&queue, wanted, rich, &offer), TP_WORK_ACCEPTED);
	return offer;
}

static void fill(const struct tp_work_offer *offer)
{
	for (uint32_t i = 0; i < offer->count; i++)
		tp_work_queue_put(&queue, offer, i, number(offer->first + i));
}

static void test_sizes(void **state)
{
	(void)state;
	assert_int_equal(tp_work_queue_init(&queue, 1, entries, baton), -EINVAL);
	assert_int_equal(tp_work_queue_init(&queue, 12, entries, baton), -EINVAL);
	assert_int_equal(tp_work_queue_init(&queue, 65536, entries, baton), -EINVAL);
}

static void test_refused_at_a_price(void **state)
{
	const uint32_t two = tp_price_threshold(2 * TP_PRICE_ONE);
	struct tp_work_offer offer;

	(void)state;
	begin();
	assert_int_equal(tp_work_queue_reserve(&queue, SIZE, two, &offer), TP_WORK_ACCEPTED);
	assert_int_equal(offer.count, SIZE / 2 + 1); /* until it is half full */
	assert_int_equal(offer.price, TP_PRICE_ONE);
	assert_int_equal(tp_work_queue_reserve(&queue, 1, two, &offer), TP_WORK_TOO_DEAR);
	assert_int_equal(offer.price, 16 * TP_PRICE_ONE / 7);
	assert_int_equal(accepted(SIZE).count, 7); /* a higher bid has the rest */
	assert_int_equal(tp_work_queue_reserve(&queue, 1, rich, &offer), TP_WORK_FULL);
	assert_int_equal(offer.count, 0);
	assert_int_equal(queue.reserved, SIZE); /* refusals left no trace */
}

static void test_seen_in_the_order_of_reservation(void **state)
{
	struct tp_work_offer first, second, third;
	void *work[SIZE];

	(void)state;
	begin();
	for (unsigned round = 0; round < 5; round++) { /* places are used anew */
		first = accepted(2);
		second = accepted(3);
		third = accepted(1);
		fill(&third);
		tp_work_queue_publish(&queue, &third);
		fill(&second);
		tp_work_queue_publish(&queue, &second);
		assert_int_equal(tp_work_queue_take(&queue, work, SIZE), 0);
		fill(&first);
		tp_work_queue_publish(&queue, &first);
		assert_int_equal(tp_work_queue_take(&queue, work, 4), 4);
		assert_int_equal(tp_work_queue_take(&queue, work + 4, SIZE), 2);
		for (unsigned i = 0; i < 6; i++)
			assert_ptr_equal(work[i], number(6 * round + i));
	}
}

/* --- Threads --- */

static void stand_still(unsigned *seed)
{
	int chance = rand_r(seed) % 1000;

	if (chance < 50)
		sched_yield();
	else if (chance < 52)
		usleep(200);
}

static void *produce(void *argument)
{
	uintptr_t producer = (uintptr_t)argument;
	unsigned seed = (unsigned)producer;
	uint32_t sent = 0;

	while (sent < REQUESTS) {
		uint32_t wanted = 1 + (uint32_t)rand_r(&seed) % 4;
		struct tp_work_offer offer;

		if (wanted > REQUESTS - sent)
			wanted = REQUESTS - sent;
		if (tp_work_queue_reserve(&queue, wanted, rich, &offer) != TP_WORK_ACCEPTED) {
			sched_yield();
			continue;
		}
		stand_still(&seed);
		for (uint32_t i = 0; i < offer.count; i++)
			tp_work_queue_put(&queue, &offer, i, number(producer << 32 | sent++));
		stand_still(&seed);
		tp_work_queue_publish(&queue, &offer);
	}
	return NULL;
}

static void test_many_producers(void **state)
{
	pthread_t thread[PRODUCERS];
	uint32_t next[PRODUCERS] = {0};
	time_t give_up = time(NULL) + SECONDS;
	uint32_t taken = 0;

	(void)state;
	begin();
	for (uintptr_t i = 0; i < PRODUCERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, produce, number(i)), 0);
	while (taken < PRODUCERS * REQUESTS && time(NULL) < give_up) {
		void *work[SIZE];
		uint32_t count = tp_work_queue_take(&queue, work, SIZE);

		for (uint32_t i = 0; i < count; i++) {
			uintptr_t one = (uintptr_t)work[i];

			assert_in_range(one >> 32, 0, PRODUCERS - 1);
			assert_int_equal((uint32_t)one, next[one >> 32]++);
		}
		taken += count;
		if (count == 0)
			sched_yield();
	}
	assert_int_equal(taken, PRODUCERS * REQUESTS);
	for (unsigned i = 0; i < PRODUCERS; i++)
		pthread_join(thread[i], NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_refused_at_a_price),
		cmocka_unit_test(test_seen_in_the_order_of_reservation),
		cmocka_unit_test(test_many_producers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
