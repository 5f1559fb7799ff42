/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include "burst.h"
#include "overload.h"
#include "scene_wire.h"
#include "switch_scene.h"

/* An uplink that takes less than it is given, and one that gives more than there is time for. */

#define PEER    100
#define ENTRIES 64 /* of the work queue */

static struct scene scene;
static struct wire wire;
static uint8_t received[65536];

static void begin(struct scene_options *options)
{
	scene_start_eal();
	wire_open(&wire, ENTRIES, 1);
	options->uplink = wire.uplink;
	options->network[0] = (struct tp_network){.wire = TP_WIRE_UNTAGGED};
	scene_begin(&scene, options);
}

static void end(void)
{
	wire_check_sums(&wire);
	scene_end(&scene);
	wire_close(&wire);
}

/* Send frames until the guest's ring is full and nothing moves. @return how many in all. */
static uint64_t send_until_full(unsigned guest)
{
	static uint64_t number;

	do {
		while (scene_send_number(&scene.guest[guest], scene_mac(PEER), number, 64))
			number++;
	} while (scene_sweep(&scene) > 0);
	return number;
}

/* What the device and the queue before it hold. Between the two is what is left of a burst of which
 * the device did not take all. */
#define PENDING (TP_UPLINK_BURST - WIRE_RING % TP_UPLINK_BURST)
#define HELD    (WIRE_RING + PENDING + ENTRIES)

static void test_a_full_wire_is_back_pressure(void **state)
{
	struct scene_options options = {.guests = 2};
	uint64_t sent, taken = 0;

	(void)state;
	begin(&options);
	sent = send_until_full(0);
	assert_int_equal(scene_counter(&scene.guest[0], TP_COUNTER_DELIVERED), HELD);
	assert_int_equal(sent, HELD + SCENE_RING);
	assert_true(scene_counter(&scene.guest[0], TP_COUNTER_REFUSED) > 0);
	/* Each arrives, in order, once there is room. */
	while (taken < sent) {
		while (wire_take(&wire, received) > 0)
			assert_int_equal(scene_number(received), taken++);
		scene_sweep(&scene);
	}
	assert_int_equal(wire_take(&wire, received), 0);
	assert_int_equal(scene_counter(&scene.guest[0], TP_COUNTER_DELIVERED), sent);
	end();
}

static void test_a_hold_runs_out(void **state)
{
	struct scene_options options = {.guests = 2, .hold_ns = 1};

	(void)state;
	begin(&options);
	for (unsigned n = 0; n < HELD + 10; n++) {
		while (!scene_send_number(&scene.guest[0], scene_mac(PEER), n, 64))
			scene_sweep(&scene);
	}
	while (scene_sweep(&scene) > 0)
		;
	for (unsigned n = 0; n < 10; n++)
		scene_sweep(&scene);
	/* One hold, then the uplink is deaf. */
	assert_int_equal(scene_drops(&scene.guest[0], TP_DROP_DESTINATION_FULL), 1);
	assert_int_equal(scene_drops(&scene.guest[0], TP_DROP_DESTINATION_DEAF), 9);
	/* Room: it hears again. */
	while (wire_take(&wire, received) > 0)
		;
	scene_sweep(&scene);
	assert_true(scene_send_number(&scene.guest[0], scene_mac(PEER), 0, 64));
	while (scene_sweep(&scene) > 0)
		;
	assert_int_equal(scene_drops(&scene.guest[0], TP_DROP_DESTINATION_DEAF), 9);
	end();
}

static void test_a_low_bid_leaves_room_for_a_high_one(void **state)
{
	struct scene_options options = {
		.guests = 2, .prices = true, .dear = 1, .drop_when_full = true};
	uint64_t low, high;

	(void)state;
	begin(&options);
	for (unsigned n = 0; n < 2 * HELD; n++) {
		scene_send_number(&scene.guest[0], scene_mac(PEER), n, 64);
		scene_sweep(&scene);
	}
	low = scene_counter(&scene.guest[0], TP_COUNTER_DELIVERED);
	assert_true(scene_drops(&scene.guest[0], TP_DROP_DESTINATION_DEAR) > 0);
	assert_int_equal(scene_drops(&scene.guest[0], TP_DROP_DESTINATION_FULL), 0);
	for (unsigned n = 0; n < HELD; n++) {
		scene_send_number(&scene.guest[1], scene_mac(PEER), n, 64);
		scene_sweep(&scene);
	}
	high = scene_counter(&scene.guest[1], TP_COUNTER_DELIVERED);
	/* A bid of 2 fills half of the queue, one of 64 all of it. */
	assert_int_equal(low, HELD - ENTRIES + ENTRIES / 2 + 1);
	assert_int_equal(high, HELD - low);
	/* The last ones were dear: more than price 1 each. */
	assert_true(scene.guest[1].context->counters.bill > high * 17 * 16 * 2);
	end();
}

static void test_a_link_that_is_down(void **state)
{
	struct scene_options options = {.guests = 2};
	uint64_t accepted;

	(void)state;
	begin(&options);
	send_until_full(0);
	accepted = scene_counter(&scene.guest[0], TP_COUNTER_DELIVERED);
	wire.uplink->link_up = 0;
	while (scene_sweep(&scene) > 0)
		;
	/* What the device has is its; what waits is lost by name; what comes is dropped by name. */
	assert_int_equal(wire.uplink->queue[0]->sent.sent, WIRE_RING);
	assert_int_equal(wire.uplink->queue[0]->sent.lost_link_down, accepted - WIRE_RING);
	assert_int_equal(scene_drops(&scene.guest[0], TP_DROP_UPLINK_DOWN), SCENE_RING);
	/* Between guests nothing has changed. */
	assert_true(scene_send_number(&scene.guest[0], scene.guest[1].mac, 7, 64));
	assert_int_equal(scene_sweep(&scene), 1);
	assert_int_equal(scene_receive(&scene.guest[1], received), 64);
	wire.uplink->link_up = 1;
	while (wire_take(&wire, received) > 0)
		;
	assert_true(scene_send_number(&scene.guest[0], scene_mac(PEER), 8, 64));
	scene_sweep(&scene);
	assert_int_equal(wire_take(&wire, received), 64);
	assert_int_equal(scene_number(received), 8);
	end();
}

static void test_a_device_that_is_away(void **state)
{
	struct scene_options options = {.guests = 2};

	(void)state;
	begin(&options);
	send_until_full(0);
	wire.uplink->running = 0;
	while (scene_sweep(&scene) > 0)
		;
	assert_int_equal(scene_drops(&scene.guest[0], TP_DROP_UPLINK_DOWN), SCENE_RING);
	tp_uplink_discard(wire.uplink);
	assert_int_equal(wire.uplink->queue[0]->sent.lost_device_gone, PENDING + ENTRIES);
	end();
}

static void test_what_is_too_long_for_the_wire(void **state)
{
	struct scene_options options = {.guests = 2};

	(void)state;
	begin(&options);
	wire.uplink->mtu = 1000;
	assert_true(scene_send_number(&scene.guest[0], scene_mac(PEER), 0, 1014));
	assert_true(scene_send_number(&scene.guest[0], scene_mac(PEER), 1, 1015));
	assert_true(scene_send_number(&scene.guest[0], scene.guest[1].mac, 2, 1015));
	assert_true(scene_send_number(&scene.guest[0], scene_mac(PEER), 3, 60));
	while (scene_sweep(&scene) > 0)
		;
	assert_int_equal(wire_take(&wire, received), 1014);
	assert_int_equal(wire_take(&wire, received), 60);
	assert_int_equal(scene_receive(&scene.guest[1], received), 1015);
	assert_int_equal(scene_drops(&scene.guest[0], TP_DROP_OVER_MTU), 1);
	end();
}

static void test_without_mbufs_frames_wait(void **state)
{
	struct scene_options options = {.guests = 2};
	struct rte_mbuf *all[WIRE_MBUFS];

	(void)state;
	begin(&options);
	assert_int_equal(rte_pktmbuf_alloc_bulk(wire.pool, all, WIRE_MBUFS), 0);
	assert_true(scene_send_number(&scene.guest[0], scene_mac(PEER), 5, 64));
	assert_true(scene_send_number(&scene.guest[0], TP_MAC_MASK, 6, 64));
	assert_int_equal(scene_sweep(&scene), 0);
	assert_int_equal(wire_take(&wire, received), 0);
	rte_pktmbuf_free_bulk(all, WIRE_MBUFS);
	while (scene_sweep(&scene) > 0)
		;
	assert_int_equal(wire_take(&wire, received), 64);
	assert_int_equal(scene_number(received), 5);
	assert_int_equal(wire_take(&wire, received), 64);
	assert_int_equal(scene_receive(&scene.guest[1], received), 64);
	end();
}

/* --- In --- */

static void put(uint64_t to, uint64_t number)
{
	uint8_t frame[64] = {0};

	scene_header(frame, to, scene_mac(PEER));
	memcpy(frame + 14, &number, sizeof(number));
	wire_put(&wire, frame, sizeof(frame), 0);
}

static void test_a_guest_that_takes_nothing(void **state)
{
	struct scene_options options = {.guests = 2};

	(void)state;
	begin(&options);
	for (unsigned n = 0; n < 100; n++) {
		put(scene.guest[0].mac, n);
		put(scene.guest[1].mac, n);
		scene_sweep(&scene);
		while (scene_receive(&scene.guest[1], received) > 0)
			assert_int_equal(scene_number(received), n);
	}
	/* The other one has them all. */
	assert_int_equal(scene_counter(&scene.guest[1], TP_COUNTER_RX_FRAMES), 100);
	assert_int_equal(scene_counter(&scene.guest[0], TP_COUNTER_RX_FRAMES), SCENE_RING);
	assert_int_equal(wire_drops(&wire, TP_DROP_DESTINATION_FULL), 100 - SCENE_RING);
	end();
}

/* Who receives pays, and nobody else. */
static void test_the_receiver_is_charged(void **state)
{
	struct scene_options options = {.guests = 2};

	(void)state;
	begin(&options);
	put(scene.guest[0].mac, 0);
	put(TP_MAC_MASK, 1);
	scene_sweep(&scene);
	/* 16 + 1 credits each at price 1, in sixteenths. */
	assert_int_equal(scene.guest[0].context->counters.bill, 2 * 17 * 16);
	assert_int_equal(scene.guest[1].context->counters.bill, 17 * 16);
	assert_int_equal(scene.dataplane->worker[0]->tenant_bill[0], 3 * 17 * 16);
	end();
}

/* One sweep with more on the wire than it takes, half of it for each guest. */
static void flood_sweep(void)
{
	while (rte_ring_free_count(wire.to_switch) >= 2)
		for (unsigned g = 0; g < 2; g++)
			put(scene.guest[g].mac, 0);
	scene_sweep(&scene);
	for (unsigned g = 0; g < 2; g++)
		while (scene_receive(&scene.guest[g], received) > 0)
			;
}

static uint64_t received_by(unsigned guest)
{
	return scene_counter(&scene.guest[guest], TP_COUNTER_RX_FRAMES);
}

/* Each queue has an owner among so many workers, and each worker sends by a queue: its own, if it
 * has one. */
static void check_owners(struct tp_uplink *uplink, unsigned workers)
{
	unsigned owned[TP_WORKERS_MAX] = {0};

	tp_uplink_deal_out(uplink, workers);
	for (uint16_t q = 0; q < uplink->queue_count; q++) {
		assert_in_range(uplink->queue[q]->worker, 0, workers - 1);
		owned[uplink->queue[q]->worker]++;
	}
	for (unsigned w = 0; w < workers; w++) {
		const struct tp_uplink_queue *queue = tp_uplink_queue_of(uplink, w);

		assert_in_range(owned[w], uplink->queue_count / workers,
			(uplink->queue_count + workers - 1) / workers);
		if (owned[w] > 0)
			assert_int_equal(queue->worker, w);
	}
}

static void test_queues_are_dealt_out_anew(void **state)
{
	struct tp_error error;

	(void)state;
	for (uint8_t number = 0; number < 4; number++) {
		struct tp_uplink *uplink = tp_uplink_new(number, 3, 64, 3, NULL, &error);

		assert_non_null(uplink);
		for (unsigned workers = 1; workers < 9; workers++)
			check_owners(uplink, workers);
		check_owners(uplink, 2);
		tp_uplink_free(uplink);
	}
}

static void test_overload_drops_the_low_bids_first(void **state)
{
	struct scene_options options = {.guests = 2, .prices = true, .dear = 1};
	const struct tp_uplink_queue *queue;
	uint64_t low, high, drops;

	(void)state;
	begin(&options);
	queue = wire.uplink->queue[0];
	flood_sweep();
	assert_true(received_by(0) > 0 && received_by(1) > 0);
	assert_int_equal(wire_drops(&wire, TP_DROP_OVERLOAD), 0);
	for (unsigned round = 0; round < TP_OVERLOAD_FULL; round++)
		flood_sweep();
	low = received_by(0);
	high = received_by(1);
	drops = wire_drops(&wire, TP_DROP_OVERLOAD);
	flood_sweep();
	assert_int_equal(received_by(0), low);
	assert_true(received_by(1) > high);
	assert_int_equal(wire_drops(&wire, TP_DROP_OVERLOAD), drops + 4 * TP_BURST / 2);
	/* It is over: all are served. */
	for (unsigned n = 0; n < 20; n++)
		scene_sweep(&scene);
	assert_int_equal(queue->pressure, 0);
	drops = wire_drops(&wire, TP_DROP_OVERLOAD);
	put(scene.guest[0].mac, 9);
	scene_sweep(&scene);
	assert_int_equal(wire_drops(&wire, TP_DROP_OVERLOAD), drops);
	end();
}

/* Where all bid the same, nobody is refused for want of time: the device drops what it must. */
static void test_overload_among_equals(void **state)
{
	struct scene_options options = {.guests = 2, .prices = true};

	(void)state;
	begin(&options);
	for (unsigned round = 0; round < 2 * TP_OVERLOAD_FULL; round++)
		flood_sweep();
	/* The scene has a class with a higher bid, which nobody is of. */
	assert_int_equal(wire_drops(&wire, TP_DROP_OVERLOAD), 0);
	end();
	/* Who bids more, but has no network, takes no part. */
	options = (struct scene_options){.guests = 4, .tenants = 2, .prices = true, .dear = 2};
	begin(&options);
	for (unsigned round = 0; round < 2 * TP_OVERLOAD_FULL; round++)
		flood_sweep();
	assert_int_equal(wire_drops(&wire, TP_DROP_OVERLOAD), 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_full_wire_is_back_pressure),
		cmocka_unit_test(test_a_hold_runs_out),
		cmocka_unit_test(test_a_low_bid_leaves_room_for_a_high_one),
		cmocka_unit_test(test_a_link_that_is_down),
		cmocka_unit_test(test_a_device_that_is_away),
		cmocka_unit_test(test_what_is_too_long_for_the_wire),
		cmocka_unit_test(test_without_mbufs_frames_wait),
		cmocka_unit_test(test_a_guest_that_takes_nothing),
		cmocka_unit_test(test_the_receiver_is_charged),
		cmocka_unit_test(test_queues_are_dealt_out_anew),
		cmocka_unit_test(test_overload_drops_the_low_bids_first),
		cmocka_unit_test(test_overload_among_equals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
