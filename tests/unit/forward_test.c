/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_cpuflags.h>
#include <rte_cycles.h>
#include <rte_memory.h>
#include <rte_ring.h>

#include "burst.h"
#include "switch_scene.h"

/* A worker between guests: who gets what, in which order, and what is counted. */

static struct scene scene;
static uint8_t received[65536];
static uint8_t sent[SCENE_BUFFER];

static const uint64_t broadcast = TP_MAC_MASK;

static void begin(const struct scene_options *options)
{
	scene_begin(&scene, options);
}

static void end(void)
{
	scene_check_sums(&scene);
	scene_end(&scene);
}

static void fill(uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		sent[i] = (uint8_t)(i * 31 + length);
	scene_header(sent, scene.guest[1].mac, scene.guest[0].mac);
}

static void test_every_length_arrives_unchanged(const char *vector, uint64_t features)
{
	const struct scene_options options = {.guests = 2, .vector = vector, .features = features};

	begin(&options);
	for (uint32_t length = 14; length <= 1600; length++) {
		fill(length);
		assert_true(scene_send(&scene.guest[0], sent, length));
		assert_int_equal(scene_sweep(&scene), 1);
		assert_int_equal(scene_receive(&scene.guest[1], received), length);
		assert_memory_equal(received, sent, length);
		assert_int_equal(scene_receive(&scene.guest[0], received), 0);
	}
	end();
}

static void test_every_length_sse(void **state)
{
	(void)state;
	test_every_length_arrives_unchanged("sse", 0);
}

static void test_every_length_avx2(void **state)
{
	(void)state;
	if (rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX2) <= 0)
		skip();
	test_every_length_arrives_unchanged("avx2", SCENE_MERGEABLE);
}

static void test_every_length_avx512(void **state)
{
	(void)state;
	if (rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512BW) <= 0)
		skip();
	test_every_length_arrives_unchanged("avx512", SCENE_MERGEABLE);
}

static void shrink_receive_buffers(struct scene_guest *guest, uint32_t bytes)
{
	for (uint16_t i = 0; i < SCENE_RING; i++)
		guest->rx.desc[i].len = bytes;
}

static void test_frame_over_many_receive_buffers(void **state)
{
	const struct scene_options options = {.guests = 2, .features = SCENE_MERGEABLE};

	(void)state;
	begin(&options);
	for (uint32_t buffer = 40; buffer < 130; buffer += 7) {
		shrink_receive_buffers(&scene.guest[1], buffer);
		for (uint32_t length = 14; length < 1600; length += 61) {
			fill(length);
			assert_true(scene_send(&scene.guest[0], sent, length));
			assert_int_equal(scene_sweep(&scene), 1);
			assert_int_equal(scene_receive(&scene.guest[1], received), length);
			assert_memory_equal(received, sent, length);
		}
	}
	end();
}

/* Send a frame in pieces of `piece` bytes, the virtio-net header among them. */
static void send_in_pieces(struct scene_guest *guest, uint32_t length, uint32_t piece)
{
	uint8_t *buffer = guest->tx_buffer[0];
	uint32_t total = (uint32_t)TP_NET_HEADER + length;
	uint16_t n = 0;

	memset(buffer, 0, TP_NET_HEADER);
	memcpy(buffer + TP_NET_HEADER, sent, length);
	for (uint32_t at = 0; at < total; at += piece, n++) {
		bool last = at + piece >= total;

		guest_describe(&guest->tx, n, buffer + at, last ? total - at : piece,
			last ? 0 : VRING_DESC_F_NEXT, (uint16_t)(n + 1));
	}
	guest_post(&guest->tx, 0);
}

static void test_frame_from_many_pieces(void **state)
{
	const struct scene_options options = {.guests = 2};

	(void)state;
	begin(&options);
	for (uint32_t piece = 1; piece < 100; piece++)
		for (uint32_t length = 14; length < 180; length += 15) {
			if ((TP_NET_HEADER + length + piece - 1) / piece > SCENE_RING)
				continue;
			fill(length);
			send_in_pieces(&scene.guest[0], length, piece);
			assert_int_equal(scene_sweep(&scene), 1);
			assert_int_equal(scene_receive(&scene.guest[1], received), length);
			assert_memory_equal(received, sent, length);
		}
	end();
}

static void test_order_is_kept_and_each_frame_comes_once(void **state)
{
	const struct scene_options options = {.guests = 4, .features = SCENE_MERGEABLE};
	uint64_t next_sent[4][4] = {0};
	uint64_t next_seen[4][4] = {0};

	(void)state;
	srand(1);
	begin(&options);
	for (unsigned round = 0; round < 20000; round++) {
		unsigned from = (unsigned)rand() % 4;
		unsigned to = (from + 1 + (unsigned)rand() % 3) % 4;
		unsigned burst = (unsigned)rand() % 48;

		for (unsigned i = 0; i < burst; i++)
			if (scene_send_number(&scene.guest[from], scene.guest[to].mac,
				    (uint64_t)from << 32 | next_sent[from][to],
				    60 + (uint32_t)rand() % 200))
				next_sent[from][to]++;
		if (rand() % 3 != 0)
			scene_sweep(&scene);
		for (unsigned g = 0; g < 4; g++)
			for (int n = rand() % 64; n > 0 && scene_receive(&scene.guest[g], received);
				n--) {
				uint64_t number = scene_number(received);
				unsigned source = (unsigned)(number >> 32);

				assert_int_equal((uint32_t)number, next_seen[source][g]++);
			}
	}
	for (unsigned n = 0; n < 1000; n++) {
		scene_sweep(&scene);
		for (unsigned g = 0; g < 4; g++)
			while (scene_receive(&scene.guest[g], received))
				next_seen[(unsigned)(scene_number(received) >> 32)][g]++;
	}
	assert_memory_equal(next_sent, next_seen, sizeof(next_sent));
	end();
}

static void test_tenants_with_equal_macs_never_meet(void **state)
{
	const struct scene_options options = {.guests = 6,
		.tenants = 2,
		.same_macs = true,
		.flood_unknown = true,
		.no_source_check = true,
		.learning = true};
	uint8_t *before[3];

	(void)state;
	begin(&options);
	scene_sweep(&scene); /* whether they are asked to kick has been said */
	for (unsigned i = 0; i < 3; i++) {
		before[i] = malloc(1u << 20);
		memcpy(before[i], scene.guest[3 + i].memory.base, 1u << 20);
	}
	for (unsigned n = 0; n < 200; n++) {
		scene_send_number(&scene.guest[0], scene.guest[1].mac, n, 60);
		scene_send_number(&scene.guest[1], broadcast, n, 60);
		scene_send_number(&scene.guest[2], scene_mac(77), n, 60); /* unknown */
		for (unsigned i = 0; i < 4; i++)
			scene_sweep(&scene);
		for (unsigned g = 0; g < 3; g++)
			while (scene_receive(&scene.guest[g], received))
				;
	}
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(scene_counter(&scene.guest[3 + i], TP_COUNTER_RX_FRAMES), 0);
		assert_memory_equal(before[i], scene.guest[3 + i].memory.base, 1u << 20);
		free(before[i]);
	}
	assert_int_equal(scene_counter(&scene.guest[1], TP_COUNTER_RX_FRAMES), 400);
	end();
}

static void expect_drop(enum tp_drop drop)
{
	uint64_t before = scene_drops(&scene.guest[0], drop);

	assert_int_equal(scene_sweep(&scene), 1);
	assert_int_equal(scene_drops(&scene.guest[0], drop), before + 1);
	assert_int_equal(scene_receive(&scene.guest[1], received), 0);
}

static void test_drops_have_names(void **state)
{
	const struct scene_options options = {.guests = 2};

	(void)state;
	begin(&options);
	fill(60);
	scene_send(&scene.guest[0], sent, 13);
	expect_drop(TP_DROP_RUNT);
	scene_header(sent, scene.guest[1].mac, scene_mac(9)); /* spoofed */
	scene_send(&scene.guest[0], sent, 60);
	expect_drop(TP_DROP_SOURCE_MAC);
	scene_send_number(&scene.guest[0], scene_mac(9), 0, 60);
	expect_drop(TP_DROP_UNKNOWN_DESTINATION);
	scene_send_number(&scene.guest[0], scene.guest[0].mac, 0, 60);
	expect_drop(TP_DROP_OWN_DESTINATION);
	shrink_receive_buffers(&scene.guest[1], 60);
	scene_send_number(&scene.guest[0], scene.guest[1].mac, 0, 60);
	expect_drop(TP_DROP_DESTINATION_TOO_SMALL);
	tp_vring_retire(&scene.guest[1].context->pair[0].rx);
	scene_send_number(&scene.guest[0], scene.guest[1].mac, 0, 60);
	expect_drop(TP_DROP_DESTINATION_DOWN);
	scene_send_number(&scene.guest[0], broadcast, 0, 60);
	expect_drop(TP_DROP_FLOOD_NOBODY);
	end();
}

static void test_multicast_source_is_dropped_unchecked(void **state)
{
	const struct scene_options options = {.guests = 2, .no_source_check = true};

	(void)state;
	begin(&options);
	scene_header(sent, scene.guest[1].mac, broadcast);
	scene_send(&scene.guest[0], sent, 60);
	expect_drop(TP_DROP_SOURCE_MAC);
	end();
}

static void test_held_frame_waits_in_its_ring(void **state)
{
	const struct scene_options options = {.guests = 2, .receive_buffers = 2};

	(void)state;
	begin(&options);
	for (unsigned n = 0; n < 4; n++)
		scene_send_number(&scene.guest[0], scene.guest[1].mac, n, 60);
	assert_int_equal(scene_sweep(&scene), 2);
	for (unsigned i = 0; i < 100; i++) /* refused again and again: nothing changes */
		assert_int_equal(scene_sweep(&scene), 0);
	assert_int_equal(guest_returned(&scene.guest[0].tx), 2);
	assert_int_equal(scene_receive(&scene.guest[1], received), 60); /* posts it again */
	assert_int_equal(scene_sweep(&scene), 1);
	for (uint64_t n = 1; n < 3; n++) {
		assert_int_equal(scene_receive(&scene.guest[1], received), 60);
		assert_int_equal(scene_number(received), n);
	}
	assert_true(scene_counter(&scene.guest[0], TP_COUNTER_REFUSED) >= 101);
	end();
}

static void test_hold_ends_and_the_destination_is_deaf(void **state)
{
	const struct scene_options options = {
		.guests = 3, .receive_buffers = 1, .hold_ns = 2000000};

	(void)state;
	begin(&options);
	for (unsigned n = 0; n < 4; n++)
		scene_send_number(&scene.guest[0], scene.guest[1].mac, n, 60);
	scene_send_number(&scene.guest[0], scene.guest[2].mac, 4, 60);
	assert_int_equal(scene_sweep(&scene), 1); /* the second is held from here */
	assert_int_equal(scene_sweep(&scene), 0);
	rte_delay_us_block(3000);
	assert_int_equal(scene_sweep(&scene), 4);
	assert_int_equal(scene_drops(&scene.guest[0], TP_DROP_DESTINATION_FULL), 1);
	assert_int_equal(scene_drops(&scene.guest[0], TP_DROP_DESTINATION_DEAF), 2);
	assert_int_equal(scene_receive(&scene.guest[2], received), 60); /* others are served */
	assert_int_equal(scene_receive(&scene.guest[1], received), 60); /* it listens again */
	scene_send_number(&scene.guest[0], scene.guest[1].mac, 5, 60);
	scene_send_number(&scene.guest[0], scene.guest[1].mac, 6, 60);
	assert_int_equal(scene_sweep(&scene), 1); /* the second is held, not dropped */
	assert_int_equal(scene_sweep(&scene), 0);
	end();
}

static void test_class_that_drops_does_not_hold(void **state)
{
	const struct scene_options options = {
		.guests = 2, .receive_buffers = 1, .drop_when_full = true};

	(void)state;
	begin(&options);
	for (unsigned n = 0; n < 4; n++)
		scene_send_number(&scene.guest[0], scene.guest[1].mac, n, 60);
	assert_int_equal(scene_sweep(&scene), 4);
	assert_int_equal(scene_drops(&scene.guest[0], TP_DROP_DESTINATION_FULL), 3);
	end();
}

static void test_broken_guest_leaves_its_neighbours_alone(void **state)
{
	const struct scene_options options = {.guests = 4};

	(void)state;
	begin(&options);
	scene.guest[2].tx.avail->idx += SCENE_RING + 1;
	scene.guest[3].rx.desc[0].addr = 0;
	scene_send_number(&scene.guest[0], scene.guest[3].mac, 0, 60);
	for (unsigned n = 0; n < 1000; n++) {
		scene_send_number(&scene.guest[0], scene.guest[1].mac, n, 60);
		scene_sweep(&scene);
		assert_int_equal(scene_receive(&scene.guest[1], received), 60);
		assert_int_equal(scene_number(received), n);
	}
	assert_int_equal(tp_vring_fault(&scene.guest[2].context->pair[0].tx), TP_VRING_AVAIL_INDEX);
	assert_int_equal(
		tp_vring_fault(&scene.guest[3].context->pair[0].rx), TP_VRING_RECEIVE_ADDRESS);
	assert_int_equal(scene_drops(&scene.guest[0], TP_DROP_DESTINATION_DOWN), 1);
	end();
}

static uint64_t broken(void)
{
	return __atomic_load_n(&scene.dataplane->worker[0]->broken, __ATOMIC_ACQUIRE);
}

/* Control looks for broken rings only when the count has grown. */
static void test_each_broken_ring_is_told_once(void **state)
{
	const struct scene_options options = {.guests = 4, .flood_unknown = true};

	(void)state;
	begin(&options);
	scene_send_number(&scene.guest[0], scene.guest[1].mac, 0, 60);
	scene_sweep(&scene);
	assert_int_equal(broken(), 0);

	scene.guest[1].tx.avail->idx += SCENE_RING + 1; /* a source */
	scene_sweep(&scene);
	assert_int_equal(broken(), 1);

	scene.guest[2].rx.desc[0].addr = 0; /* a destination */
	scene_send_number(&scene.guest[0], scene.guest[2].mac, 1, 60);
	scene_sweep(&scene);
	assert_int_equal(broken(), 2);

	scene.guest[3].rx.desc[0].len = 11; /* one of many */
	scene_send_number(&scene.guest[0], broadcast, 2, 60);
	scene_sweep(&scene);
	assert_int_equal(broken(), 3);

	for (unsigned n = 0; n < 10; n++) {
		for (unsigned to = 1; to < 4; to++)
			scene_send_number(&scene.guest[0], scene.guest[to].mac, n, 60);
		scene_send_number(&scene.guest[0], broadcast, n, 60);
		scene_sweep(&scene);
	}
	assert_int_equal(broken(), 3);
	end();
}

static void test_learning_reports_new_sources(void **state)
{
	const struct scene_options options = {
		.guests = 3, .learning = true, .no_source_check = true, .flood_unknown = true};
	uint64_t key = tp_mac_key(0, scene_mac(40));

	(void)state;
	begin(&options);
	scene_header(sent, scene.guest[1].mac, scene_mac(40)); /* someone behind guest 0 */
	scene_send(&scene.guest[0], sent, 60);
	assert_int_equal(scene_sweep(&scene), 1);
	assert_int_equal(rte_ring_count(scene.dataplane->worker[0]->sightings), 1);
	assert_int_equal(tp_learned_set(scene.dataplane->learned, key, 0), 0);
	atomic_fetch_add(&scene.dataplane->learned_generation, 1);
	scene_send_number(&scene.guest[2], scene_mac(40), 1, 60);
	assert_int_equal(scene_sweep(&scene), 1);
	assert_int_equal(scene_receive(&scene.guest[0], received), 60);
	assert_int_equal(scene_receive(&scene.guest[1], received), 60); /* the first frame only */
	assert_int_equal(scene_receive(&scene.guest[1], received), 0);
	end();
}

static unsigned sightings_after(uint64_t source)
{
	scene_header(sent, scene.guest[1].mac, source);
	scene_send(&scene.guest[0], sent, 60);
	assert_int_equal(scene_sweep(&scene), 1);
	return rte_ring_count(scene.dataplane->worker[0]->sightings);
}

static void test_only_what_may_be_learned_is_reported(void **state)
{
	const struct scene_options options = {
		.guests = 3, .learning = true, .no_source_check = true};

	(void)state;
	begin(&options);
	assert_int_equal(sightings_after(scene.guest[2].mac), 0); /* configured elsewhere */
	assert_int_equal(sightings_after(scene_mac(40)), 1);
	atomic_store(&scene.guest[0].context->learned_enough, true);
	assert_int_equal(sightings_after(scene_mac(41)), 1); /* not one more */
	atomic_store(&scene.guest[0].context->learned_enough, false);
	assert_int_equal(sightings_after(scene_mac(42)), 2);
	end();
}

static void test_sums_hold_under_a_random_guest(void **state)
{
	const struct scene_options options = {.guests = 4, .hold_ns = 1000, .flood_unknown = true};

	(void)state;
	srand(2);
	begin(&options);
	for (unsigned n = 0; n < 15000; n++) {
		struct scene_guest *guest = &scene.guest[rand() % 4];
		uint32_t length = 1 + (uint32_t)rand() % 100;

		scene_header(sent, scene_mac((unsigned)rand() % 6),
			rand() % 4 ? guest->mac : scene_mac((unsigned)rand() % 6));
		if (rand() % 20 == 0)
			memset(sent, 0xff, 6);
		if (scene_send(guest, sent, length) && rand() % 8 == 0) {
			uint16_t index = (uint16_t)(guest->tx_next - 1) % SCENE_RING;

			guest->tx.desc[index].flags = (uint16_t)(rand() % 8);
			guest->tx.desc[index].next = (uint16_t)(rand() % (SCENE_RING + 2));
			guest->tx.desc[index].len = (uint32_t)rand() % 3000;
		}
		if (rand() % 4 == 0)
			scene_sweep(&scene);
		if (rand() % 4 == 0)
			scene_receive(&scene.guest[rand() % 4], received);
	}
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_length_sse),
		cmocka_unit_test(test_every_length_avx2),
		cmocka_unit_test(test_every_length_avx512),
		cmocka_unit_test(test_frame_over_many_receive_buffers),
		cmocka_unit_test(test_frame_from_many_pieces),
		cmocka_unit_test(test_order_is_kept_and_each_frame_comes_once),
		cmocka_unit_test(test_tenants_with_equal_macs_never_meet),
		cmocka_unit_test(test_drops_have_names),
		cmocka_unit_test(test_multicast_source_is_dropped_unchecked),
		cmocka_unit_test(test_held_frame_waits_in_its_ring),
		cmocka_unit_test(test_hold_ends_and_the_destination_is_deaf),
		cmocka_unit_test(test_class_that_drops_does_not_hold),
		cmocka_unit_test(test_broken_guest_leaves_its_neighbours_alone),
		cmocka_unit_test(test_each_broken_ring_is_told_once),
		cmocka_unit_test(test_learning_reports_new_sources),
		cmocka_unit_test(test_only_what_may_be_learned_is_reported),
		cmocka_unit_test(test_sums_hold_under_a_random_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
