/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch_scene.h"

/*
 * Bills: what is charged is what the tariff and the occupancy of the destination say, reckoned here
 * anew in another way, to the sixteenth of a credit.
 */

#define BID 2.0 /* of the plain class */

static struct scene scene;
static uint8_t frame[65536];

static uint64_t bill_of(unsigned guest)
{
	return scene_bill(&scene.guest[guest]);
}

static uint64_t tenant_bill(unsigned tenant)
{
	return tp_counter_read(&scene.dataplane->worker[0]->tenant_bill[tenant]);
}

/* The tariff of the scene, in words: 16 credits for a frame, 1 for each 64 bytes begun. */
static unsigned cost_of(unsigned length)
{
	unsigned credits = 16;

	for (unsigned sent = 0; sent < length; sent += 64)
		credits++;
	return credits;
}

/* What the receiver is taken to keep posted: 64, and less as time goes by in which it does not. */
static unsigned capacity(void)
{
	return scene.guest[1].context->pair[0].rx.capacity;
}

/* A destination of which so many buffers are free: capacity / free in sixteenths, rounded down. */
static unsigned price_at(unsigned free)
{
	return (unsigned)(16.0 * capacity() / free);
}

/* Frames that a bidder gets in one attempt while so many are free. */
static unsigned admitted(unsigned free)
{
	unsigned count = 0;

	while (free - count > 0 && capacity() / (double)(free - count) <= BID)
		count++;
	return count;
}

static void test_one_frame_in_an_empty_ring(void **state)
{
	const struct scene_options options = {.guests = 2, .prices = true};

	(void)state;
	scene_begin(&scene, &options);
	scene_send_number(&scene.guest[0], scene.guest[1].mac, 0, 64);
	assert_int_equal(scene_sweep(&scene), 1);
	assert_int_equal(bill_of(0), 16 * (16 + 1));
	assert_int_equal(bill_of(1), 0); /* who receives pays nothing */
	scene_end(&scene);
}

static void test_bills_agree_with_what_was_accepted(void **state)
{
	const struct scene_options options = {.guests = 2, .prices = true};
	uint64_t expected = 0;
	unsigned free = SCENE_RING;

	(void)state;
	scene_begin(&scene, &options);
	srand(7);
	for (unsigned round = 0; round < 2000; round++) {
		unsigned wanted = (unsigned)rand() % 9;
		unsigned length = 60 + (unsigned)rand() % 1400;
		unsigned taken = (unsigned)rand() % 9;
		unsigned accepted = 0;
		unsigned done;

		for (unsigned n = 0; n < wanted; n++)
			scene_send_number(&scene.guest[0], scene.guest[1].mac, round, length);
		done = scene_sweep(&scene);
		while (accepted < wanted && admitted(free) > 0) {
			unsigned now = admitted(free);

			now = now < wanted - accepted ? now : wanted - accepted;
			expected += (uint64_t)now * cost_of(length) * price_at(free);
			accepted += now;
			free -= now;
		}
		assert_int_equal(done, accepted);
		/* Those that were refused are tried again, when there is room. */
		while (accepted < wanted) {
			if (scene_receive(&scene.guest[1], frame) > 0)
				free++;
			done = scene_sweep(&scene);
			if (done == 0)
				continue;
			assert_in_range(done, 1, admitted(free));
			expected += (uint64_t)done * cost_of(length) * price_at(free);
			free -= done;
			accepted += done;
		}
		for (; taken > 0 && scene_receive(&scene.guest[1], frame) > 0; taken--)
			free++;
	}
	assert_int_equal(bill_of(0), expected);
	assert_int_equal(tenant_bill(0), expected);
	assert_true(scene_counter(&scene.guest[0], TP_COUNTER_REFUSED_PRICE) > 0);
	scene_end(&scene);
}

static void test_each_tenant_has_its_own(void **state)
{
	const struct scene_options options = {.guests = 4, .tenants = 2, .prices = true};

	(void)state;
	scene_begin(&scene, &options);
	for (unsigned n = 0; n < 5; n++)
		scene_send_number(&scene.guest[2], scene.guest[3].mac, n, 64);
	scene_send_number(&scene.guest[3], scene.guest[2].mac, 0, 65);
	scene_sweep(&scene);
	assert_int_equal(tenant_bill(0), 0);
	assert_int_equal(tenant_bill(1), bill_of(2) + bill_of(3));
	assert_int_equal(bill_of(2), 5 * 16 * 17);
	assert_int_equal(bill_of(3), 16 * 18);
	scene_end(&scene);
}

static void test_dropped_frames_cost_nothing_and_copies_do(void **state)
{
	const struct scene_options options = {.guests = 4, .prices = true};
	const uint64_t broadcast = TP_MAC_MASK;

	(void)state;
	scene_begin(&scene, &options);
	scene_send_number(&scene.guest[0], scene_mac(77), 0, 64); /* nobody has it */
	scene_sweep(&scene);
	assert_int_equal(bill_of(0), 0);
	scene_send_number(&scene.guest[0], broadcast, 0, 64);
	scene_sweep(&scene);
	assert_int_equal(bill_of(0), 3 * 16 * 17);
	scene_end(&scene);
}

/* The dear class reaches much further than the plain one, until its tenant is out of credit. */
static void test_out_of_credit_is_the_lowest_class(void **state)
{
	const struct scene_options options = {.guests = 2, .dear = 2, .prices = true};

	(void)state;
	scene_begin(&scene, &options);
	for (unsigned n = 0; n < 60; n++)
		scene_send_number(&scene.guest[0], scene.guest[1].mac, n, 64);
	scene.dataplane->out_of_credit[0] = 1;
	assert_int_equal(scene_sweep(&scene), SCENE_RING / 2 + 1);
	assert_int_equal(scene_sweep(&scene), 0);
	scene.dataplane->out_of_credit[0] = 0;
	assert_int_equal(scene_sweep(&scene), 60 - SCENE_RING / 2 - 1);
	scene_end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_frame_in_an_empty_ring),
		cmocka_unit_test(test_bills_agree_with_what_was_accepted),
		cmocka_unit_test(test_each_tenant_has_its_own),
		cmocka_unit_test(test_dropped_frames_cost_nothing_and_copies_do),
		cmocka_unit_test(test_out_of_credit_is_the_lowest_class),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
