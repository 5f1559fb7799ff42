/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_cycles.h>

#include "burst.h"
#include "switch_scene.h"

/*
 * Frames to many: who gets a copy, that many of them do not take a sweep for themselves, and that
 * pinned rings are served between the pieces of one.
 */

static struct scene scene;
static uint8_t received[65536];

static const uint64_t broadcast = TP_MAC_MASK;

static void begin(const struct scene_options *options)
{
	scene_begin(&scene, options);
}

static void end(void)
{
	assert_null(scene.worker->flood.source);
	scene_check_sums(&scene);
	scene_end(&scene);
}

static void test_flood_reaches_all_others_in_order(void **state)
{
	const struct scene_options options = {.guests = 4};
	const uint8_t multicast[8] = {1, 0, 0x5e, 0, 0, 1};

	(void)state;
	begin(&options);
	scene_send_number(&scene.guest[0], scene.guest[1].mac, 0, 60);
	scene_send_number(&scene.guest[0], broadcast, 1, 60);
	scene_send_number(&scene.guest[0], tp_mac_load(multicast), 2, 60);
	scene_send_number(&scene.guest[0], scene.guest[1].mac, 3, 60);
	for (unsigned i = 0; i < 4; i++)
		scene_sweep(&scene);
	for (uint64_t n = 0; n < 4; n++) {
		assert_int_equal(scene_receive(&scene.guest[1], received), 60);
		assert_int_equal(scene_number(received), n);
	}
	for (uint64_t n = 1; n < 3; n++) {
		assert_int_equal(scene_receive(&scene.guest[2], received), 60);
		assert_int_equal(scene_number(received), n);
	}
	assert_int_equal(scene_receive(&scene.guest[0], received), 0);
	assert_int_equal(scene_counter(&scene.guest[0], TP_COUNTER_FLOODED), 2);
	assert_int_equal(scene_counter(&scene.guest[0], TP_COUNTER_COPIES), 6);
	end();
}

static void test_flood_copies_are_never_held(void **state)
{
	const struct scene_options options = {.guests = 3, .receive_buffers = 1};

	(void)state;
	begin(&options);
	for (unsigned n = 0; n < 3; n++)
		scene_send_number(&scene.guest[0], broadcast, n, 60);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(scene_sweep(&scene), 1);
	assert_int_equal(scene_counter(&scene.guest[0], TP_COUNTER_COPIES), 2);
	assert_int_equal(scene_counter(&scene.guest[0], TP_COUNTER_COPIES_REFUSED), 4);
	assert_int_equal(scene_drops(&scene.guest[0], TP_DROP_FLOOD_NOBODY), 2);
	end();
}

/* What a sweep does for one of its floods it does not do for all: the others' frames wait, and the
 * rings take turns. */
static void test_floods_take_turns(void **state)
{
	enum { GUESTS = 6, FRAMES = 40 };
	const struct scene_options options = {.guests = GUESTS};
	uint64_t flooded[GUESTS];

	(void)state;
	begin(&options);
	scene.worker->flooding.most = 2 * GUESTS; /* two frames a sweep */
	for (unsigned g = 0; g < GUESTS; g++)
		for (unsigned n = 0; n < FRAMES; n++)
			scene_send_number(&scene.guest[g], broadcast, n, 60);
	scene_send_number(&scene.guest[0], scene.guest[1].mac, FRAMES, 60);
	for (unsigned sweep = 1; sweep <= GUESTS * FRAMES / 2 + 3; sweep++) {
		uint64_t sum = 0, least = UINT64_MAX, most = 0;

		scene_sweep(&scene);
		for (unsigned g = 0; g < GUESTS; g++) {
			flooded[g] = scene_counter(&scene.guest[g], TP_COUNTER_FLOODED);
			sum += flooded[g];
			least = flooded[g] < least ? flooded[g] : least;
			most = flooded[g] > most ? flooded[g] : most;
			while (scene_receive(&scene.guest[g], received))
				;
		}
		assert_in_range(sum, 0, 2 * sweep);
		assert_in_range(most - least, 0, 2);
	}
	for (unsigned g = 0; g < GUESTS; g++)
		assert_int_equal(flooded[g], FRAMES);
	end();
}

/* --- In pieces --- */

/* What happens before and after the worker has had a burst, or a piece, of a ring. */
static void (*before)(const struct tp_poll *poll);
static void (*between)(const struct tp_poll *poll);
static unsigned (*forward)(
	struct tp_worker *worker, const struct tp_poll *poll, const struct tp_limit *limit);
static unsigned pieces; /* of guest FLOODER, so far */

enum { PINNED, STARING, FILLER, OTHER, FLOODER, FIRST, SECOND, THIRD };

static unsigned forward_and_meddle(
	struct tp_worker *worker, const struct tp_poll *poll, const struct tp_limit *limit)
{
	unsigned done;

	if (before != NULL)
		before(poll);
	done = forward(worker, poll, limit);
	pieces += poll->interface == FLOODER;
	if (between != NULL)
		between(poll);
	return done;
}

/* Two tenants of four. In the first a pinned guest, whose bursts come between all pieces of others.
 */
static void begin_in_pieces(uint32_t piece, void (*meddle)(const struct tp_poll *poll))
{
	const struct scene_options options = {.guests = 8, .tenants = 2, .pinned = 1};

	begin(&options);
	scene.worker->flood.piece = piece;
	scene_keep_trying(&scene, PINNED, STARING, FILLER);
	pieces = 0;
	before = NULL;
	between = meddle;
	forward = scene.worker->forward;
	scene.worker->forward = forward_and_meddle;
}

/* A frame of the flooder's in descriptors of 20 bytes, which carries a number and the pattern. */
static void flood_in_descriptors(uint64_t number, uint32_t length)
{
	struct scene_guest *guest = &scene.guest[FLOODER];
	uint32_t total = (uint32_t)TP_NET_HEADER + length;
	uint8_t *buffer = guest->tx_buffer[0];
	uint16_t n = 8;

	memset(buffer, 0, TP_NET_HEADER);
	for (uint32_t i = 0; i < length; i++)
		buffer[TP_NET_HEADER + i] = (uint8_t)(i * 31 + number);
	scene_header(buffer + TP_NET_HEADER, broadcast, guest->mac);
	memcpy(buffer + TP_NET_HEADER + 14, &number, sizeof(number));
	for (uint32_t at = 0; at < total; at += 20, n++)
		guest_describe(&guest->tx, n, buffer + at, at + 20 < total ? 20 : total - at,
			at + 20 < total ? VRING_DESC_F_NEXT : 0, (uint16_t)(n + 1));
	guest_post(&guest->tx, 8);
	guest->tx_next = 40;
}

static void expect_flooded(unsigned guest, uint64_t number, uint32_t length)
{
	assert_int_equal(scene_receive(&scene.guest[guest], received), length);
	assert_int_equal(scene_number(received), number);
	for (uint32_t i = 22; i < length; i++)
		assert_int_equal(received[i], (uint8_t)(i * 31 + number));
}

static void expect_number(unsigned guest, uint64_t number)
{
	assert_int_equal(scene_receive(&scene.guest[guest], received), 60);
	assert_int_equal(scene_number(received), number);
}

/* Whatever the pieces, the same arrives and is paid for, once, before what is behind it. */
static void test_pieces_add_up_to_the_whole(void **state)
{
	static const uint32_t sizes[] = {1000, 1, 2, 3};
	uint64_t whole = 0;

	(void)state;
	for (unsigned run = 0; run < sizeof(sizes) / sizeof(sizes[0]); run++) {
		uint64_t polls, pinned_bill;

		begin_in_pieces(sizes[run], NULL);
		polls = scene_pinned_polls(&scene);
		pinned_bill = scene_bill(&scene.guest[PINNED]);
		flood_in_descriptors(1, 400);
		scene_send_number(&scene.guest[FLOODER], scene.guest[FIRST].mac, 2, 60);
		assert_int_equal(scene_sweep(&scene), 1);
		assert_int_equal(pieces, run == 0 ? 1 : (4 + sizes[run] - 1) / sizes[run]);
		/* At the head of the sweep, after the filler's ring, and after each piece. */
		assert_int_equal(scene_pinned_polls(&scene) - polls, 1 + pieces);
		assert_null(scene.worker->flood.source);
		scene_sweep(&scene);
		for (unsigned g = FIRST; g <= THIRD; g++) {
			expect_flooded(g, 1, 400);
			if (g == FIRST)
				expect_number(g, 2);
			assert_int_equal(scene_receive(&scene.guest[g], received), 0);
		}
		assert_int_equal(scene_counter(&scene.guest[FLOODER], TP_COUNTER_COPIES), 3);
		assert_int_equal(scene_counter(&scene.guest[FLOODER], TP_COUNTER_FLOODED), 1);
		assert_int_equal(scene_counter(&scene.guest[FLOODER], TP_COUNTER_TX_FRAMES), 2);
		assert_int_equal(scene_bill(&scene.guest[PINNED]), pinned_bill);
		if (run == 0)
			whole = scene_bill(&scene.guest[FLOODER]);
		assert_true(whole > 0);
		assert_int_equal(scene_bill(&scene.guest[FLOODER]), whole);
		end();
	}
}

/* What the scheduler takes for a flooded frame is the same as well. */
static void test_pieces_cost_what_the_whole_costs(void **state)
{
	int64_t deficit[2];

	(void)state;
	for (unsigned run = 0; run < 2; run++) {
		begin_in_pieces(run == 0 ? 1000 : 1, NULL);
		flood_in_descriptors(1, 800);
		scene_send_number(&scene.guest[FLOODER], scene.guest[FIRST].mac, 2, 60);
		assert_int_equal(scene_sweep(&scene), 1);
		deficit[run] = scene.guest[FLOODER].context->pair[0].deficit;
		assert_true(deficit[run] > 0); /* not drained: it keeps what it has */
		assert_int_equal(scene_sweep(&scene), 1);
		/* Nobody could take it. */
		for (unsigned g = FIRST; g <= THIRD; g++)
			tp_vring_retire(&scene.guest[g].context->pair[0].rx);
		flood_in_descriptors(3, 60);
		assert_int_equal(scene_sweep(&scene), 1);
		assert_int_equal(scene_drops(&scene.guest[FLOODER], TP_DROP_FLOOD_NOBODY), 1);
		end();
	}
	assert_int_equal(deficit[0], deficit[1]);
}

/* As a burst of them is shorter. */
static void test_pieces_of_large_frames_are_smaller(void **state)
{
	enum { DESCRIPTORS = 20, BYTES = 2000, LENGTH = DESCRIPTORS * BYTES - 12 };
	const struct scene_options options = {
		.guests = 4, .pinned = 1, .features = SCENE_MERGEABLE};
	struct guest_ring *ring = &scene.guest[1].tx;
	uint64_t polls;

	(void)state;
	begin(&options);
	scene_sweep(&scene);
	polls = scene_pinned_polls(&scene);
	scene_header(scene.guest[1].tx_buffer[0] + TP_NET_HEADER, broadcast, scene.guest[1].mac);
	for (uint16_t n = 0; n < DESCRIPTORS; n++)
		guest_describe(ring, n, scene.guest[1].tx_buffer[0], BYTES,
			n + 1 < DESCRIPTORS ? VRING_DESC_F_NEXT : 0, (uint16_t)(n + 1));
	guest_post(ring, 0);
	assert_int_equal(scene_sweep(&scene), 1);
	assert_int_equal(scene_pinned_polls(&scene) - polls, 1 + 4);
	for (unsigned g = 0; g < 4; g++)
		assert_int_equal(scene_receive(&scene.guest[g], received), g == 1 ? 0 : LENGTH);
	end();
}

static void send_when_a_piece_is_done(const struct tp_poll *poll)
{
	const struct scene_guest *other = &scene.guest[OTHER];

	if (poll->interface != FLOODER)
		return;
	if (pieces == 2) /* the first was its own turn: no copy */
		assert_true(scene_send_number(&scene.guest[PINNED], other->mac, 5, 60));
	if (pieces == 3) {
		assert_int_equal(scene_counter(other, TP_COUNTER_RX_FRAMES), 1);
		assert_int_equal(scene_counter(&scene.guest[THIRD], TP_COUNTER_RX_FRAMES), 0);
	}
}

static void test_a_pinned_frame_arrives_between_two_pieces(void **state)
{
	const struct scene_options options = {.guests = 8, .tenants = 2, .pinned = 1};

	(void)state;
	begin(&options);
	scene_sweep(&scene);
	scene.worker->flood.piece = 1;
	pieces = 0;
	before = NULL;
	between = send_when_a_piece_is_done;
	forward = scene.worker->forward;
	scene.worker->forward = forward_and_meddle;
	flood_in_descriptors(1, 400);
	assert_int_equal(scene_sweep(&scene), 2);
	assert_int_equal(pieces, 4);
	expect_number(OTHER, 5);
	/* Each pays for its own, here at price 1. */
	assert_int_equal(scene_bill(&scene.guest[PINNED]), 16 * (16 + 1));
	assert_int_equal(scene_bill(&scene.guest[FLOODER]), 3 * 16 * (16 + 7));
	for (unsigned g = FIRST; g <= THIRD; g++)
		expect_flooded(g, 1, 400);
	end();
}

static void flood_late(const struct tp_poll *poll)
{
	if (poll->interface == FLOODER && pieces == 0)
		for (uint64_t n = 1; n <= 2; n++)
			scene_send_number(&scene.guest[FLOODER],
				n == 1 ? scene.guest[FIRST].mac : broadcast, n, 60);
}

/* A frame that came after its ring was looked at has been in the switch's hands since its first
 * piece, and not since the machine was started. */
static void test_latency_of_a_frame_in_pieces(void **state)
{
	const struct tp_times *times;

	(void)state;
	begin_in_pieces(1, NULL);
	times = &scene.worker->share->latency[SCENE_PLAIN];
	before = flood_late;
	scene_send_number(&scene.guest[FLOODER], scene.guest[FIRST].mac, 0, 60);
	assert_int_equal(scene_sweep(&scene), 3);
	assert_int_equal(pieces, 4);
	assert_in_range(times->most, 1, 60 * rte_get_tsc_hz());
	expect_number(FIRST, 0);
	expect_number(FIRST, 1);
	for (unsigned g = FIRST; g <= THIRD; g++)
		expect_number(g, 2);
	end();
}

/* The guest writes another frame over it, takes it back, says that nothing is there, and its ring
 * is being stopped. */
static void meddle_with_the_frame(const struct tp_poll *poll)
{
	struct scene_guest *guest = &scene.guest[FLOODER];

	if (poll->interface != FLOODER || pieces != 2)
		return;
	scene_header(guest->tx_buffer[0] + TP_NET_HEADER, scene.guest[FIRST].mac, 0);
	guest_describe(&guest->tx, 8, guest->tx_buffer[1], 13, 0, 0);
	guest->tx.avail->ring[0] = 9;
	guest->tx.avail->idx--;
	tp_vring_retire(&guest->context->pair[0].tx);
}

static void test_what_a_guest_does_between_two_pieces_is_too_late(void **state)
{
	uint8_t expected[12];

	(void)state;
	begin_in_pieces(1, meddle_with_the_frame);
	scene_header(received, broadcast, scene.guest[FLOODER].mac);
	memcpy(expected, received, sizeof(expected));
	flood_in_descriptors(1, 400);
	assert_int_equal(scene_sweep(&scene), 1);
	for (unsigned g = FIRST; g <= THIRD; g++) {
		expect_flooded(g, 1, 400);
		assert_memory_equal(received, expected, sizeof(expected));
		assert_int_equal(scene_receive(&scene.guest[g], received), 0);
	}
	scene.guest[FLOODER].tx.avail->idx++;
	end();
}

/* A pinned ring that floods does not wait for its own frame, nor floods between another's pieces.
 */
static void test_order_is_kept_and_each_copy_comes_once(void **state)
{
	enum { GUESTS = 6, PINNED_GUESTS = 3 };
	const struct scene_options options = {.guests = GUESTS, .pinned = PINNED_GUESTS};
	uint64_t next_sent[GUESTS][GUESTS] = {{0}};
	uint64_t next_seen[GUESTS][GUESTS] = {{0}};
	uint64_t number[GUESTS] = {0};
	uint64_t last[GUESTS][GUESTS] = {{0}};

	(void)state;
	srand(1);
	begin(&options);
	for (unsigned round = 0; round < 6000; round++) {
		scene.worker->flood.piece = 1 + (uint32_t)rand() % 4;
		scene.worker->flooding.most = 1 + (uint32_t)rand() % 30;
		for (unsigned n = (unsigned)rand() % 8; n > 0; n--) {
			unsigned from = (unsigned)rand() % GUESTS;
			unsigned to = (from + 1 + (unsigned)rand() % (GUESTS - 1)) % GUESTS;
			bool all = rand() % 2 == 0;

			if (!scene_send_number(&scene.guest[from],
				    all ? broadcast : scene.guest[to].mac,
				    (uint64_t)from << 32 | ++number[from],
				    60 + (uint32_t)rand() % 200))
				continue;
			for (unsigned g = 0; g < GUESTS; g++)
				next_sent[from][g] += all ? g != from : g == to;
		}
		scene_sweep(&scene);
		assert_null(scene.worker->flood.source);
		for (unsigned g = 0; g < GUESTS; g++)
			while (scene_receive(&scene.guest[g], received)) {
				unsigned source = (unsigned)(scene_number(received) >> 32);
				uint32_t n = (uint32_t)scene_number(received);

				assert_true(n > last[source][g]);
				last[source][g] = n;
				next_seen[source][g]++;
			}
		if (round % 100 == 0)
			scene_check_sums(&scene);
	}
	for (unsigned n = 0; n < 1000; n++) {
		scene_sweep(&scene);
		for (unsigned g = 0; g < GUESTS; g++)
			while (scene_receive(&scene.guest[g], received))
				next_seen[(unsigned)(scene_number(received) >> 32)][g]++;
	}
	assert_memory_equal(next_sent, next_seen, sizeof(next_sent));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flood_reaches_all_others_in_order),
		cmocka_unit_test(test_flood_copies_are_never_held),
		cmocka_unit_test(test_floods_take_turns),
		cmocka_unit_test(test_pieces_add_up_to_the_whole),
		cmocka_unit_test(test_pieces_cost_what_the_whole_costs),
		cmocka_unit_test(test_pieces_of_large_frames_are_smaller),
		cmocka_unit_test(test_a_pinned_frame_arrives_between_two_pieces),
		cmocka_unit_test(test_latency_of_a_frame_in_pieces),
		cmocka_unit_test(test_what_a_guest_does_between_two_pieces_is_too_late),
		cmocka_unit_test(test_order_is_kept_and_each_copy_comes_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
