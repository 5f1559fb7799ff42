/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "traffic/size.h"
#include "traffic/stamp.h"

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 1}, mac_b[6] = {2, 0, 0, 0, 0, 2};
static struct tp_stamp_headers headers;
static uint8_t frame[TP_SIZE_MOST + 64];

static void make(uint32_t size, uint32_t flow, uint32_t sequence, uint64_t tsc)
{
	memset(frame, 0xee, sizeof(frame));
	tp_stamp_headers(&headers, mac_a, mac_b, 3, 4, 64);
	tp_stamp_pattern(frame, size);
	tp_stamp_put(frame, tp_stamp_fill(frame, size, &headers, flow), sequence, tsc);
}

static uint32_t read16(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 8 | bytes[1];
}

/* Sums as a receiver's stack makes them, byte by byte in network order (RFC 791, 768). */
static uint32_t sum_bytes(const uint8_t *bytes, uint32_t length)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < length; i++)
		sum += (uint32_t)bytes[i] << (i % 2 == 0 ? 8 : 0);
	return sum;
}

static uint32_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void expect_sums_right(uint32_t size)
{
	uint32_t udp = size - 34;

	assert_int_equal(fold(sum_bytes(frame + 14, 20)), 0xffff);
	assert_int_equal(
		fold(sum_bytes(frame + 26, 8) + 17 + udp + sum_bytes(frame + 34, udp)), 0xffff);
	assert_int_equal(read16(frame + 16), size - 14);
	assert_int_equal(read16(frame + 38), udp);
	assert_int_not_equal(read16(frame + 40), 0);
}

static void a_frame_is_right_in_every_size(void **state)
{
	struct tp_stamp stamp;

	(void)state;
	for (uint32_t size = TP_SIZE_LEAST; size <= TP_SIZE_MOST; size += size < 200 ? 1 : 97) {
		make(size, 0x12345678 + size, 0xfffffff0 + size, 0x123456789abcull * size);
		expect_sums_right(size);
		tp_stamp_get(frame, &stamp);
		assert_int_equal(stamp.flow, 0x12345678 + size);
		assert_int_equal(stamp.sequence, (uint32_t)(0xfffffff0 + size));
		assert_int_equal(stamp.tsc, (0x123456789abcull * size) & TP_STAMP_TSC);
		assert_true(tp_stamp_right(frame, size));
		assert_true(tp_stamp_headers_right(frame, size, &headers));
		assert_int_equal(frame[size], 0xee);
	}
}

static void the_payload_of_a_frame_is_its_own(void **state)
{
	struct tp_stamp stamp;

	(void)state;
	for (uint32_t size = TP_SIZE_LEAST; size <= 1600; size += 7) {
		make(size, 9, 0, 0);
		tp_stamp_put(frame, tp_stamp_payload(frame, size, 9, 77), 77, 5);
		expect_sums_right(size);
		tp_stamp_get(frame, &stamp);
		assert_true(tp_stamp_payload_right(frame, size, &stamp));
		stamp.sequence++; /* stale bytes of another frame */
		assert_false(tp_stamp_payload_right(frame, size, &stamp));
	}
}

static void one_bit_is_noticed(void **state)
{
	struct tp_stamp stamp;

	(void)state;
	make(64, 5, 6, 7);
	for (unsigned bit = 0; bit < 8 * TP_STAMP_PAYLOAD; bit++) {
		frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(
			tp_stamp_headers_right(frame, 64, &headers) && tp_stamp_right(frame, 64));
		frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	tp_stamp_put(frame, tp_stamp_payload(frame, 64, 5, 6), 6, 7);
	for (unsigned bit = 8 * TP_STAMP_FLOW; bit < 8 * 64; bit++) {
		frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
		tp_stamp_get(frame, &stamp);
		assert_false(tp_stamp_payload_right(frame, 64, &stamp));
		frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void swap(unsigned one, unsigned other, unsigned length)
{
	uint8_t kept[16];

	memcpy(kept, frame + one, length);
	memcpy(frame + one, frame + other, length);
	memcpy(frame + other, kept, length);
}

static void what_was_sent_back_is_right(void **state)
{
	(void)state;
	make(128, 5, 6, 7);
	swap(0, 6, 6);
	assert_true(tp_stamp_headers_right(frame, 128, &headers));
	swap(26, 30, 4);
	swap(34, 36, 2);
	assert_true(tp_stamp_headers_right(frame, 128, &headers));
	assert_true(tp_stamp_right(frame, 128));
	swap(0, 6, 6); /* addresses alone are nobody's way to send back */
	assert_false(tp_stamp_headers_right(frame, 128, &headers));
}

static void a_cut_frame_is_not_right(void **state)
{
	(void)state;
	make(1500, 5, 6, 7);
	for (uint32_t size = 0; size < 1500; size += 13)
		assert_false(tp_stamp_headers_right(frame, size, &headers));
	assert_false(tp_stamp_right(frame, 59));
	assert_false(tp_stamp_right(frame, TP_SIZE_MOST + 1));
}

static void foreign_frames_are_not_ours(void **state)
{
	(void)state;
	make(64, 5, 6, 7);
	assert_true(tp_stamp_looks_ours(frame));
	frame[26] = 10; /* 10.18.0.3 */
	assert_false(tp_stamp_looks_ours(frame));
	memset(frame, 0, 64);
	assert_false(tp_stamp_looks_ours(frame));
	assert_false(tp_stamp_right(frame, 64));
}

static void what_to_verify_is_read(void **state)
{
	struct tp_error error = {""};
	enum tp_verify verify = TP_VERIFY_BURST;

	(void)state;
	assert_int_equal(tp_verify_parse("payload", &verify, &error), 0);
	assert_int_equal(verify, TP_VERIFY_PAYLOAD);
	assert_true(tp_verify_parse("all", &verify, &error) < 0);
	assert_non_null(strstr(error.text, "\"all\": accepted: burst, stamp, payload"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_is_right_in_every_size),
		cmocka_unit_test(the_payload_of_a_frame_is_its_own),
		cmocka_unit_test(one_bit_is_noticed),
		cmocka_unit_test(what_was_sent_back_is_right),
		cmocka_unit_test(a_cut_frame_is_not_right),
		cmocka_unit_test(foreign_frames_are_not_ours),
		cmocka_unit_test(what_to_verify_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
