/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <rte_cpuflags.h>

#include "scene_wire.h"
#include "switch_scene.h"

/* Frames between guests and the wire: every byte, every length, whatever they lie in. */

static struct scene scene;
static struct wire wire;
static uint8_t frame[SCENE_BUFFER];
static uint8_t received[65536];

static const struct tp_network untagged = {.wire = TP_WIRE_UNTAGGED};

static void begin(struct scene_options *options)
{
	scene_start_eal();
	wire_open(&wire, 256, 1);
	options->uplink = wire.uplink;
	scene_begin(&scene, options);
}

static void end(void)
{
	wire_check_sums(&wire);
	scene_end(&scene);
	wire_close(&wire);
}

static void fill(uint64_t to, uint64_t from, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		frame[i] = (uint8_t)(i * 31 + length);
	scene_header(frame, to, from);
}

/* The same frame with a tag in it. @return its length. */
static uint32_t tag(uint8_t *tagged, uint32_t length, uint16_t tci)
{
	memcpy(tagged, frame, 12);
	tagged[12] = 0x81;
	tagged[13] = 0;
	tagged[14] = (uint8_t)(tci >> 8);
	tagged[15] = (uint8_t)tci;
	memcpy(tagged + 16, frame + 12, length - 12);
	return length + 4;
}

/* --- Out --- */

static void check_out(const char *vector, const struct tp_network *network)
{
	struct scene_options options = {.guests = 2, .vector = vector, .network = {*network}};
	uint8_t expected[SCENE_BUFFER];

	begin(&options);
	for (uint32_t length = 14; length <= 1514; length++) {
		uint32_t wanted = length;

		fill(scene_mac(100), scene.guest[0].mac, length);
		memcpy(expected, frame, length);
		if (network->wire == TP_WIRE_TAGGED)
			wanted = tag(expected, length, 100);
		assert_true(scene_send(&scene.guest[0], frame, length));
		assert_int_equal(scene_sweep(&scene), 1);
		assert_int_equal(wire_take(&wire, received), wanted);
		assert_memory_equal(received, expected, wanted);
		assert_int_equal(scene_receive(&scene.guest[1], received), 0);
	}
	assert_int_equal(scene_counter(&scene.guest[0], TP_COUNTER_DELIVERED), 1501);
	end();
}

static void check_in(const char *vector, const struct tp_network *network, uint32_t piece)
{
	struct scene_options options = {
		.guests = 2, .vector = vector, .features = SCENE_MERGEABLE, .network = {*network}};
	uint8_t tagged[SCENE_BUFFER];

	begin(&options);
	for (uint32_t length = 14; length <= 1514; length++) {
		fill(scene.guest[1].mac, scene_mac(100), length);
		if (network->wire == TP_WIRE_TAGGED)
			wire_put(&wire, tagged, tag(tagged, length, 100), piece);
		else
			wire_put(&wire, frame, length, piece);
		assert_int_equal(scene_sweep(&scene), 1);
		assert_int_equal(scene_receive(&scene.guest[1], received), length);
		assert_memory_equal(received, frame, length);
		assert_int_equal(scene_receive(&scene.guest[0], received), 0);
	}
	assert_int_equal(wire_counter(&wire, TP_COUNTER_DELIVERED), 1501);
	assert_int_equal(wire_take(&wire, received), 0);
	end();
}

static void check_vector(const char *vector)
{
	const struct tp_network tagged = tp_network_tagged(0, 100);

	check_out(vector, &untagged);
	check_out(vector, &tagged);
	check_in(vector, &untagged, 0);
	check_in(vector, &tagged, 0);
}

static void test_every_length_sse(void **state)
{
	(void)state;
	check_vector("sse");
}

static void test_every_length_avx2(void **state)
{
	(void)state;
	if (rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX2) <= 0)
		skip();
	check_vector("avx2");
}

static void test_every_length_avx512(void **state)
{
	(void)state;
	if (rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512BW) <= 0)
		skip();
	check_vector("avx512");
}

static void test_frames_in_many_segments(void **state)
{
	const struct tp_network tagged = tp_network_tagged(0, 100);

	(void)state;
	check_in(NULL, &untagged, 37);
	check_in(NULL, &untagged, 14);
	check_in(NULL, &tagged, 70);
	check_in(NULL, &tagged, 18);
}

/* Not even the header is whole in the first segment: no driver does that, and nothing breaks. */
static void test_a_header_in_pieces_is_a_runt(void **state)
{
	struct scene_options options = {.guests = 2, .network = {tp_network_tagged(0, 100)}};
	uint8_t tagged[SCENE_BUFFER];

	(void)state;
	begin(&options);
	fill(scene.guest[1].mac, scene_mac(100), 100);
	tag(tagged, 100, 100);
	for (uint32_t piece = 1; piece < 18; piece++) {
		wire_put(&wire, tagged, 104, piece);
		assert_int_equal(scene_sweep(&scene), 1);
		assert_int_equal(wire_drops(&wire, TP_DROP_RUNT), piece);
	}
	wire_put(&wire, tagged, 13, 0);
	wire_put(&wire, tagged, 17, 0);
	assert_int_equal(scene_sweep(&scene), 2);
	assert_int_equal(wire_drops(&wire, TP_DROP_RUNT), 19);
	assert_int_equal(scene_receive(&scene.guest[1], received), 0);
	end();
}

/* Where frame n goes: guests 1 and 2 are ways 0 and 1, the wire is way 2. */
static bool goes(uint64_t n, unsigned way)
{
	return n % 7 % 4 == way || n % 7 % 4 == 3;
}

static uint32_t take(unsigned way)
{
	return way == 2 ? wire_take(&wire, received)
			: scene_receive(&scene.guest[1 + way], received);
}

/* Frames of all kinds take turns in a burst; each way keeps its order, and has them all. */
static void test_a_mixed_burst_keeps_its_order(void **state)
{
	struct scene_options options = {.guests = 3, .network = {untagged}};
	const uint64_t to[] = {scene_mac(1), scene_mac(2), scene_mac(100), TP_MAC_MASK};
	uint64_t next[3] = {0};

	(void)state;
	begin(&options);
	for (uint64_t n = 0; n < 600; n++) {
		assert_true(scene_send_number(
			&scene.guest[0], to[n % 7 % 4], n, 60 + (uint32_t)n % 40));
		if (n % 50 != 49)
			continue;
		while (scene_sweep(&scene) > 0)
			;
		for (unsigned way = 0; way < 3; way++)
			for (; next[way] <= n; next[way]++)
				if (goes(next[way], way)) {
					assert_int_equal(take(way), 60 + next[way] % 40);
					assert_int_equal(scene_number(received), next[way]);
				}
	}
	assert_int_equal(scene_counter(&scene.guest[0], TP_COUNTER_DELIVERED), 600);
	for (unsigned way = 0; way < 3; way++)
		assert_int_equal(take(way), 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_length_sse),
		cmocka_unit_test(test_every_length_avx2),
		cmocka_unit_test(test_every_length_avx512),
		cmocka_unit_test(test_frames_in_many_segments),
		cmocka_unit_test(test_a_header_in_pieces_is_a_runt),
		cmocka_unit_test(test_a_mixed_burst_keeps_its_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
