/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "burst.h"
#include "flood_share.h"
#include "scene_wire.h"
#include "switch_scene.h"

/*
 * Frames to many that come from a wire or go there, in pieces, between which pinned rings are
 * served: whatever the pieces, the same arrives and is paid for.
 */

#define PEER 100 /* number of the MAC of a host behind the wire */
#define VLAN 100

/* The first four are a tenant of their own, the others have a VLAN. */
enum { PINNED, FULL, FILLER, ALONE, FIRST, SECOND, THIRD, FOURTH };

static const uint32_t sizes[] = {1000, 1, 2, 3};
#define RUNS (sizeof(sizes) / sizeof(sizes[0]))

static struct scene scene;
static struct wire wire;
static uint8_t received[65536];

static const uint64_t broadcast = TP_MAC_MASK;

/* The pinned guest has a burst between all pieces. */
static void begin(uint32_t piece)
{
	struct scene_options options = {
		.guests = 8,
		.tenants = 2,
		.pinned = 1,
		.network = {{.wire = TP_WIRE_NONE}, tp_network_tagged(0, VLAN)},
	};

	scene_start_eal();
	wire_open(&wire, 256, 1);
	options.uplink = wire.uplink;
	scene_begin(&scene, &options);
	scene.worker->flood.piece = piece;
	scene_keep_trying(&scene, PINNED, FULL, FILLER);
}

static void end_however_paid(void)
{
	assert_null(scene.worker->flood.source);
	wire_check_sums(&wire);
	scene_end(&scene);
	wire_close(&wire);
}

static void end(void)
{
	assert_int_equal(scene_bill(&scene.guest[PINNED]), 0);
	end_however_paid();
}

/* A frame of the wire in mbufs of so many bytes. */
static void from_wire(uint64_t to, uint8_t number, uint32_t piece)
{
	uint8_t frame[200];

	memset(frame, number, sizeof(frame));
	scene_header(frame, to, scene_mac(PEER));
	memcpy(frame + 12, "\x81\x00\x00\x64\x08\x00", 6);
	wire_put(&wire, frame, sizeof(frame), piece);
}

static void expect(unsigned guest, uint8_t number)
{
	assert_int_equal(scene_receive(&scene.guest[guest], received), 196);
	for (unsigned i = 14; i < 196; i++)
		assert_int_equal(received[i], number);
}

static void test_from_the_wire(void **state)
{
	uint64_t whole[8] = {0};

	(void)state;
	for (unsigned run = 0; run < RUNS; run++) {
		unsigned each = (4 + sizes[run] - 1) / sizes[run];
		uint64_t polls;

		begin(sizes[run]);
		polls = scene_pinned_polls(&scene);
		from_wire(scene_mac(FIRST), 1, 0);
		from_wire(broadcast, 2, 50);
		from_wire(scene_mac(FOURTH), 3, 70);
		from_wire(scene_mac(PEER + 1), 9, 0); /* nobody's */
		from_wire(broadcast, 4, 0);
		from_wire(scene_mac(FIRST), 5, 0);
		assert_int_equal(scene_sweep(&scene), 6);
		/* Between all pieces; and at the head of the sweep, and behind the filler's ring.
		 */
		assert_int_equal(scene_pinned_polls(&scene) - polls, 1 + 2 * (each - 1));
		for (unsigned g = FIRST; g <= FOURTH; g++) {
			if (g == FIRST)
				expect(g, 1);
			expect(g, 2);
			if (g == FOURTH)
				expect(g, 3);
			expect(g, 4);
			if (g == FIRST)
				expect(g, 5);
			assert_int_equal(scene_receive(&scene.guest[g], received), 0);
			if (run == 0)
				whole[g] = scene_bill(&scene.guest[g]);
			assert_true(whole[g] > 0);
			assert_int_equal(scene_bill(&scene.guest[g]), whole[g]);
		}
		assert_int_equal(wire_counter(&wire, TP_COUNTER_TX_FRAMES), 6);
		assert_int_equal(wire_counter(&wire, TP_COUNTER_DELIVERED), 5);
		assert_int_equal(wire_counter(&wire, TP_COUNTER_FLOODED), 2);
		assert_int_equal(wire_counter(&wire, TP_COUNTER_COPIES), 8);
		assert_int_equal(wire_drops(&wire, TP_DROP_UNKNOWN_DESTINATION), 1);
		end();
	}
}

static unsigned (*receive)(struct tp_worker *worker, struct tp_uplink_queue *queue);

/* The pinned guest sends before the second piece of a frame of the wire. */
static unsigned receive_and_send(struct tp_worker *worker, struct tp_uplink_queue *queue)
{
	if (worker->flood.source == queue && worker->flood.next == 1)
		scene_send_number(&scene.guest[PINNED], scene.guest[FULL].mac, 78, 60);
	return receive(worker, queue);
}

/* Polls of pinned rings between pieces are at their own time, and what is found there counts. */
static void test_polls_between_pieces_are_timed_and_counted(void **state)
{
	const struct tp_worker_share *share;
	uint64_t frames, polls;

	(void)state;
	begin(1);
	share = scene.worker->share;
	while (scene_receive(&scene.guest[FULL], received) > 0)
		;
	scene_sweep(&scene); /* nothing is left in the pinned ring */
	scene_sweep(&scene);
	frames = tp_counter_read(&share->frames);
	polls = scene_pinned_polls(&scene);
	from_wire(broadcast, 1, 0);
	assert_int_equal(scene_sweep(&scene), 1);
	assert_int_equal(scene_pinned_polls(&scene) - polls, 1 + 3);
	assert_int_equal(tp_counter_read(&share->pinned_gap.bucket[0]), 0);
	assert_int_equal(tp_counter_read(&share->frames) - frames, 1);
	receive = scene.worker->receive;
	scene.worker->receive = receive_and_send;
	from_wire(broadcast, 2, 0);
	scene_sweep(&scene);
	assert_int_equal(scene_counter(&scene.guest[FULL], TP_COUNTER_RX_FRAMES), SCENE_RING + 2);
	assert_int_equal(tp_counter_read(&share->frames) - frames, 3);
	end_however_paid();
}

/* Everybody is away. */
static void test_from_the_wire_to_nobody(void **state)
{
	(void)state;
	begin(1);
	for (unsigned g = FIRST; g <= FOURTH; g++)
		tp_vring_retire(&scene.guest[g].context->pair[0].rx);
	from_wire(broadcast, 1, 0);
	from_wire(broadcast, 2, 0);
	assert_int_equal(scene_sweep(&scene), 2);
	assert_int_equal(wire_drops(&wire, TP_DROP_FLOOD_NOBODY), 2);
	assert_int_equal(wire_counter(&wire, TP_COUNTER_DELIVERED), 0);
	end();
}

/* The wire is the last of those that get a guest's frame. */
static void test_to_the_wire(void **state)
{
	uint64_t whole = 0;

	(void)state;
	for (unsigned run = 0; run < RUNS; run++) {
		begin(sizes[run]);
		scene_send_number(&scene.guest[SECOND], broadcast, 1, 100);
		scene_send_number(&scene.guest[SECOND], scene_mac(PEER), 2, 100);
		assert_int_equal(scene_sweep(&scene), 1);
		assert_int_equal(scene_sweep(&scene), 1);
		for (unsigned g = FIRST; g <= FOURTH; g++) {
			if (g == SECOND)
				continue;
			assert_int_equal(scene_receive(&scene.guest[g], received), 100);
			assert_int_equal(scene_number(received), 1);
			assert_int_equal(scene_receive(&scene.guest[g], received), 0);
		}
		for (uint64_t n = 1; n <= 2; n++) {
			assert_int_equal(wire_take(&wire, received), 104);
			assert_int_equal(scene_number(received + 4), n);
		}
		assert_int_equal(wire_take(&wire, received), 0);
		assert_int_equal(scene_counter(&scene.guest[SECOND], TP_COUNTER_COPIES), 4);
		if (run == 0)
			whole = scene_bill(&scene.guest[SECOND]);
		assert_true(whole > 0);
		assert_int_equal(scene_bill(&scene.guest[SECOND]), whole);
		end();
	}
}

/* However much of it comes from a wire, guests' own frames to many have their turn. */
static void test_a_storm_from_the_wire_leaves_guests_their_turn(void **state)
{
	(void)state;
	begin(TP_FLOOD_PIECE);
	scene.worker->flooding.most = 4; /* one frame to the tenant that has a network */
	for (uint8_t sweep = 0; sweep < 4; sweep++) {
		if (sweep == 1)
			scene_send_number(&scene.guest[ALONE], broadcast, 7, 60);
		from_wire(broadcast, sweep, 0);
		from_wire(broadcast, sweep, 0);
		scene_sweep(&scene);
	}
	assert_int_equal(scene_counter(&scene.guest[ALONE], TP_COUNTER_FLOODED), 1);
	end();
}

/* Of a storm a sweep takes a burst; of other frames, several. */
static void test_a_storm_from_the_wire_comes_burst_by_burst(void **state)
{
	(void)state;
	begin(TP_FLOOD_PIECE);
	scene.worker->flooding.most = 4;
	for (unsigned n = 0; n < 3 * TP_BURST; n++)
		from_wire(broadcast, (uint8_t)n, 0);
	for (unsigned sweep = 1; sweep <= 2; sweep++) {
		scene_sweep(&scene);
		assert_int_equal(wire_counter(&wire, TP_COUNTER_TX_FRAMES), sweep * TP_BURST);
		assert_true(wire.uplink->queue[0]->pressure > 0);
	}
	scene.worker->flooding.most = TP_FLOOD_COPIES;
	for (unsigned n = 0; n < TP_BURST; n++)
		from_wire(broadcast, (uint8_t)n, 0);
	scene_sweep(&scene);
	assert_int_equal(wire_counter(&wire, TP_COUNTER_TX_FRAMES), 4 * TP_BURST);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_the_wire),
		cmocka_unit_test(test_polls_between_pieces_are_timed_and_counted),
		cmocka_unit_test(test_from_the_wire_to_nobody),
		cmocka_unit_test(test_to_the_wire),
		cmocka_unit_test(test_a_storm_from_the_wire_leaves_guests_their_turn),
		cmocka_unit_test(test_a_storm_from_the_wire_comes_burst_by_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
