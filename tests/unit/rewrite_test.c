/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "traffic/rewrite.h"

static const uint8_t own[6] = {2, 0, 0, 0, 0, 1}, peer[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t asker[6] = {2, 0, 0, 0, 0, 9};

/* Destination peer, source asker, IPv4, UDP 10.0.0.1:1000 to 10.0.0.2:2000. */
static const uint8_t udp4[60] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 9, 0x08, 0, 0x45, 0, 0, 46, 0, 0,
	0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x03, 0xe8, 0x07, 0xd0, 0, 26};

static void mac_modes(void **state)
{
	uint8_t frame[60];

	(void)state;
	memcpy(frame, udp4, 60);
	assert_true(tp_rewrite(TP_MODE_IO, frame, 60, own, peer));
	assert_memory_equal(frame, udp4, 60);
	assert_true(tp_rewrite(TP_MODE_MAC, frame, 60, own, peer));
	assert_memory_equal(frame, peer, 6);
	assert_memory_equal(frame + 6, own, 6);
	memcpy(frame, udp4, 60);
	assert_true(tp_rewrite(TP_MODE_MACSWAP, frame, 60, own, peer));
	assert_memory_equal(frame, asker, 6);
	assert_memory_equal(frame + 6, peer, 6);
	assert_memory_equal(frame + 12, udp4 + 12, 48);
}

static void five_tuples_are_swapped(void **state)
{
	static const uint8_t wanted[12] = {10, 0, 0, 2, 10, 0, 0, 1, 0x07, 0xd0, 0x03, 0xe8};
	uint8_t frame[64];

	(void)state;
	memcpy(frame, udp4, 60);
	assert_true(tp_rewrite(TP_MODE_5TSWAP, frame, 60, own, peer));
	assert_memory_equal(frame, asker, 6);
	assert_memory_equal(frame + 26, wanted, 12);
	/* behind a VLAN tag */
	memcpy(frame, udp4, 12);
	memcpy(frame + 12, (const uint8_t[]){0x81, 0, 0, 5}, 4);
	memcpy(frame + 16, udp4 + 12, 48);
	assert_true(tp_rewrite(TP_MODE_5TSWAP, frame, 64, own, peer));
	assert_memory_equal(frame + 30, wanted, 12);
	/* a later fragment has no ports */
	memcpy(frame, udp4, 60);
	frame[21] = 1;
	assert_true(tp_rewrite(TP_MODE_5TSWAP, frame, 60, own, peer));
	assert_memory_equal(frame + 26, wanted, 8);
	assert_memory_equal(frame + 34, udp4 + 34, 4);
}

static void ipv6_is_swapped(void **state)
{
	uint8_t frame[80] = {0}, before[80];

	(void)state;
	frame[12] = 0x86;
	frame[13] = 0xdd;
	frame[14] = 0x60;
	frame[20] = 6; /* TCP */
	for (unsigned i = 22; i < 80; i++)
		frame[i] = (uint8_t)i;
	memcpy(before, frame, 80);
	assert_true(tp_rewrite(TP_MODE_5TSWAP, frame, 80, own, peer));
	assert_memory_equal(frame + 22, before + 38, 16);
	assert_memory_equal(frame + 38, before + 22, 16);
	assert_memory_equal(frame + 54, before + 56, 2);
	assert_memory_equal(frame + 56, before + 54, 2);
	assert_memory_equal(frame + 58, before + 58, 22);
}

static void arp_is_answered(void **state)
{
	uint8_t frame[42] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 9, 0x08, 0x06, 0, 1, 8, 0,
		6, 4, 0, 1, 2, 0, 0, 0, 0, 9, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2};
	static const uint8_t answer[42] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x08, 0x06, 0, 1, 8,
		0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 1, 10, 0, 0, 2, 2, 0, 0, 0, 0, 9, 10, 0, 0, 1};

	(void)state;
	assert_true(tp_rewrite(TP_MODE_ICMPECHO, frame, 42, own, peer));
	assert_memory_equal(frame, answer, 42);
	assert_false(tp_rewrite(TP_MODE_ICMPECHO, frame, 42, own, peer)); /* a reply is not asked */
}

static uint16_t sum(const uint8_t *bytes, size_t length)
{
	uint32_t total = 0;

	for (size_t i = 0; i < length; i++)
		total += (uint32_t)bytes[i] << (i % 2 == 0 ? 8 : 0);
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)total;
}

static void make_echo(uint8_t frame[74], uint8_t fill)
{
	static const uint8_t start[34] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x08, 0, 0x45, 0, 0,
		60, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};
	uint16_t check;

	memset(frame, fill, 74);
	memcpy(frame, start, 34);
	check = (uint16_t)~sum(frame + 14, 20);
	frame[24] = (uint8_t)(check >> 8);
	frame[25] = (uint8_t)check;
	memcpy(frame + 34, (const uint8_t[]){8, 0, 0, 0}, 4);
	check = (uint16_t)~sum(frame + 34, 40);
	frame[36] = (uint8_t)(check >> 8);
	frame[37] = (uint8_t)check;
}

static void echo_is_answered(void **state)
{
	uint8_t frame[74];

	(void)state;
	for (unsigned fill = 0; fill < 256; fill++) {
		make_echo(frame, (uint8_t)fill);
		assert_true(tp_rewrite(TP_MODE_ICMPECHO, frame, 74, own, peer));
		assert_int_equal(frame[34], 0);
		assert_int_equal(sum(frame + 14, 20), 0xffff);
		assert_int_equal(sum(frame + 34, 40), 0xffff);
		assert_memory_equal(frame, asker, 6);
		assert_int_equal(frame[29], 2);
		assert_int_equal(frame[33], 1);
	}
	make_echo(frame, 1);
	frame[30] = 224; /* to a group: not answered */
	assert_false(tp_rewrite(TP_MODE_ICMPECHO, frame, 74, own, peer));
	memcpy(frame, udp4, 60);
	assert_false(tp_rewrite(TP_MODE_ICMPECHO, frame, 60, own, peer));
}

/* Frames of every length and kind in a block of just their size: the sanitizer's builds see the
 * byte behind. */
static void nothing_beyond_the_end(void **state)
{
	static const uint8_t types[][2] = {
		{0x08, 0}, {0x08, 0x06}, {0x86, 0xdd}, {0x81, 0}, {0x88, 0xa8}};

	(void)state;
	for (size_t length = 1; length <= 100; length++) {
		for (unsigned seed = 0; seed < 200; seed++) {
			uint8_t *frame = malloc(length);

			assert_non_null(frame);
			srand(seed);
			for (size_t i = 0; i < length; i++)
				frame[i] = (uint8_t)rand();
			if (length > 13)
				memcpy(frame + 12, types[seed % 5], 2);
			if (length > 14)
				frame[14] = (uint8_t)(0x40 | seed % 16);
			for (int mode = 0; mode < TP_MODE_COUNT; mode++)
				(void)tp_rewrite((enum tp_mode)mode, frame, length, own, peer);
			free(frame);
		}
	}
}

static void modes_have_names(void **state)
{
	struct tp_error error = {""};
	enum tp_mode mode;

	(void)state;
	for (int i = 0; i < TP_MODE_COUNT; i++) {
		assert_int_equal(tp_mode_parse(tp_mode_name((enum tp_mode)i), &mode, NULL), 0);
		assert_int_equal(mode, i);
	}
	assert_int_equal(tp_mode_parse("csum", &mode, &error), -EINVAL);
	assert_non_null(strstr(error.text, "csum"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mac_modes),
		cmocka_unit_test(five_tuples_are_swapped),
		cmocka_unit_test(ipv6_is_swapped),
		cmocka_unit_test(arp_is_answered),
		cmocka_unit_test(echo_is_answered),
		cmocka_unit_test(nothing_beyond_the_end),
		cmocka_unit_test(modes_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
