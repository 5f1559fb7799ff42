/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <rte_memory.h>

#include "scene_wire.h"
#include "switch_scene.h"

/*
 * Trunks and stacked tags (QinQ) on one uplink: each frame is one tenant's, whether the device
 * takes tags off or leaves them, and guests see what their network says.
 */

#define PEER 100

static struct scene scene;
static struct wire wire;
static uint8_t received[65536];
static uint8_t frame[2048];

static struct tp_network with_trunk(struct tp_network network, uint16_t first, uint16_t second)
{
	struct tp_vlan_set *trunk;

	scene_start_eal();
	trunk = tp_snapshot_add_trunk(&network, SOCKET_ID_ANY, NULL);
	assert_non_null(trunk);
	tp_vlan_set_add(trunk, first);
	tp_vlan_set_add(trunk, second);
	network.extra = 4;
	return network;
}

/* One guest each: a trunk of 100 and 101; S-tag 300 with anything below; 301 with 100; 302 with a
 * trunk of 100 and 5. */
static void begin(void)
{
	struct scene_options options = {
		.guests = 4,
		.tenants = 4,
		.same_macs = true,
		.network =
			{
				with_trunk((struct tp_network){.wire = TP_WIRE_TAGGED}, 100, 101),
				{.wire = TP_WIRE_TAGGED,
					.extra = 8,
					.rule = {.service = 300, .any = true}},
				{.wire = TP_WIRE_TAGGED, .rule = {.service = 301, .vlan = 100}},
				with_trunk((struct tp_network){.wire = TP_WIRE_TAGGED,
						   .rule = {.service = 302}},
					100, 5),
			},
	};

	wire_open(&wire, 256, 1);
	options.uplink = wire.uplink;
	scene_begin(&scene, &options);
}

static void end(void)
{
	wire_check_sums(&wire);
	scene_end(&scene);
	wire_close(&wire);
}

/* A frame with these words behind its MACs, 0x0800 the last. @return its length. */
static uint32_t make(uint64_t to, uint64_t from, const uint16_t *words, unsigned count)
{
	memset(frame, 0x66, 80);
	scene_header(frame, to, from);
	for (unsigned i = 0; i < count; i++) {
		frame[12 + 2 * i] = (uint8_t)(words[i] >> 8);
		frame[13 + 2 * i] = (uint8_t)words[i];
	}
	return 80;
}

#define WORDS(...) (const uint16_t[]){__VA_ARGS__}, sizeof((uint16_t[]){__VA_ARGS__}) / 2

/* From the wire: guest `who` alone gets it, without `strip` bytes of tags; -1: nobody. */
static void arrives(int who, uint32_t strip, const uint16_t *words, unsigned count)
{
	uint32_t length = make(scene_mac(0), scene_mac(PEER), words, count);

	for (unsigned stripped = 0; stripped < 2; stripped++) {
		uint8_t without[80];

		if (stripped == 1 && count < 3)
			return;
		if (stripped == 1) { /* the device has taken the outermost tag off */
			memcpy(without, frame, 12);
			memcpy(without + 12, frame + 16, length - 16);
			wire_put_stripped(&wire, without, length - 4, words[1]);
		} else {
			wire_put(&wire, frame, length, 0);
		}
		assert_int_equal(scene_sweep(&scene), 1);
		for (int guest = 0; guest < 4; guest++) {
			uint32_t got = scene_receive(&scene.guest[guest], received);

			assert_int_equal(got, guest == who ? length - strip : 0);
			if (got == 0)
				continue;
			assert_memory_equal(received, frame, 12);
			assert_memory_equal(received + 12, frame + 12 + strip, length - 12 - strip);
		}
	}
}

/* From a guest: it leaves with `added` before its own words; NULL: it does not. */
static void leaves(unsigned guest, const char *added, uint32_t added_length, const uint16_t *words,
	unsigned count)
{
	uint32_t length = make(scene_mac(PEER), scene.guest[guest].mac, words, count);

	assert_true(scene_send(&scene.guest[guest], frame, length));
	assert_int_equal(scene_sweep(&scene), 1);
	if (added == NULL) {
		assert_int_equal(wire_take(&wire, received), 0);
		return;
	}
	assert_int_equal(wire_take(&wire, received), length + added_length);
	assert_memory_equal(received, frame, 12);
	assert_memory_equal(received + 12, added, added_length);
	assert_memory_equal(received + 12 + added_length, frame + 12, length - 12);
}

static void test_what_comes_in(void **state)
{
	(void)state;
	begin();
	arrives(0, 0, WORDS(0x8100, 100, 0x0800));
	arrives(0, 0, WORDS(0x8100, 0xe000 | 101, 0x0800));
	arrives(-1, 0, WORDS(0x8100, 102, 0x0800));
	arrives(-1, 0, WORDS(0x0800));
	arrives(1, 4, WORDS(0x88a8, 300, 0x0800));
	arrives(1, 4, WORDS(0x88a8, 300, 0x8100, 77, 0x0800));
	arrives(1, 4, WORDS(0x88a8, 300, 0x8100, 100, 0x0800)); /* not the trunk's */
	arrives(-1, 0, WORDS(0x88a8, 300, 0x88a8, 301, 0x0800));
	arrives(2, 8, WORDS(0x88a8, 301, 0x8100, 100, 0x0800));
	arrives(-1, 0, WORDS(0x88a8, 301, 0x8100, 101, 0x0800));
	arrives(-1, 0, WORDS(0x88a8, 301, 0x0800));
	arrives(-1, 0, WORDS(0x88a8, 301, 0x8100, 100, 0x8100, 5, 0x0800));
	arrives(3, 4, WORDS(0x88a8, 302, 0x8100, 5, 0x0800));
	arrives(-1, 0, WORDS(0x88a8, 302, 0x8100, 6, 0x0800));
	arrives(-1, 0, WORDS(0x8100, 100, 0x8100, 101, 0x0800));
	end();
}

static void test_what_goes_out(void **state)
{
	(void)state;
	begin();
	leaves(0, "", 0, WORDS(0x8100, 100, 0x0800));
	leaves(0, NULL, 0, WORDS(0x8100, 300, 0x0800));
	leaves(0, NULL, 0, WORDS(0x88a8, 300, 0x0800));
	leaves(0, NULL, 0, WORDS(0x8100, 100, 0x8100, 300, 0x0800));
	leaves(0, NULL, 0, WORDS(0x0800));
	leaves(1, "\x88\xa8\x01\x2c", 4, WORDS(0x0800));
	leaves(1, "\x88\xa8\x01\x2c", 4, WORDS(0x8100, 100, 0x0800));
	leaves(1, "\x88\xa8\x01\x2c", 4, WORDS(0x8100, 100, 0x8100, 7, 0x0800));
	leaves(1, NULL, 0, WORDS(0x88a8, 301, 0x8100, 100, 0x0800));
	leaves(2, "\x88\xa8\x01\x2d\x81\x00\x00\x64", 8, WORDS(0x0800));
	leaves(2, NULL, 0, WORDS(0x8100, 100, 0x0800));
	leaves(3, "\x88\xa8\x01\x2e", 4, WORDS(0x8100, 5, 0x0800));
	leaves(3, NULL, 0, WORDS(0x8100, 6, 0x0800));
	leaves(3, NULL, 0, WORDS(0x0800));
	end();
}

/* Tags of guests do not count against the MTU. */
static void test_the_longest_frames(void **state)
{
	static const uint32_t longest[] = {1518, 1522, 1514, 1518};
	static const uint16_t vlan[] = {100, 7, 0, 5};

	(void)state;
	begin();
	for (unsigned guest = 0; guest < 4; guest++)
		for (uint32_t beyond = 0; beyond < 2; beyond++) {
			uint32_t length = longest[guest] + beyond;

			memset(frame, 0x66, length);
			make(scene_mac(PEER), scene.guest[guest].mac,
				WORDS(0x8100, vlan[guest], 0x0800));
			if (vlan[guest] == 0)
				make(scene_mac(PEER), scene.guest[guest].mac, WORDS(0x0800));
			assert_true(scene_send(&scene.guest[guest], frame, length));
			assert_int_equal(scene_sweep(&scene), 1);
			assert_int_equal(wire_take(&wire, received) > 0, beyond == 0);
			assert_int_equal(
				scene_drops(&scene.guest[guest], TP_DROP_OVER_MTU), beyond);
		}
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_comes_in),
		cmocka_unit_test(test_what_goes_out),
		cmocka_unit_test(test_the_longest_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
