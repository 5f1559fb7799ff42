/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "neighbour.h"
#include "neighbour_message.h"

/*
 * ARP and neighbour discovery: two sane stations understand each other; what breaks a rule of the
 * protocol is not heard; and what is believed of a neighbour follows questions that were asked.
 */

#define MAC_A UINT64_C(0x0a0000000002) /* 02:00:00:00:00:0a */
#define MAC_B UINT64_C(0x0b0000000002)
#define MAC_C UINT64_C(0x0c0000000002)

static uint8_t frame[2048];

static struct tp_station station(const char *address, uint64_t mac)
{
	struct tp_station us = {.mac = mac};

	assert_true(tp_address_parse(address, &us.address));
	return us;
}

static uint16_t sum(const uint8_t *bytes, uint32_t length, uint32_t value)
{
	for (uint32_t i = 0; i + 1 < length; i += 2)
		value += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
	while (value >> 16)
		value = (value & 0xffff) + (value >> 16);
	return (uint16_t)value;
}

/* After a change to a neighbour discovery message or an echo request in frame[]. */
static void set_icmp6_sum(void)
{
	uint32_t length = (uint32_t)(frame[18] << 8 | frame[19]);
	uint16_t value;

	if (length > sizeof(frame) - 54)
		return;
	frame[56] = frame[57] = 0;
	value = (uint16_t)~sum(frame + 54, length, 58 + length + sum(frame + 22, 32, 0));
	frame[56] = (uint8_t)(value >> 8);
	frame[57] = (uint8_t)value;
}

/* --- Two of us --- */

static void understand_each_other(const char *first, const char *second)
{
	struct tp_station a = station(first, MAC_A), b = station(second, MAC_B);
	struct tp_message message;
	uint32_t length = tp_message_ask(&a, &b.address, 0, frame);

	message = tp_message_read(&b, frame, length);
	assert_int_equal(message.kind, TP_MESSAGE_ASKS);
	assert_true(tp_address_equal(&message.sender, &a.address));
	assert_int_equal(message.mac, MAC_A);
	length = tp_message_answer(&b, &message, frame);
	message = tp_message_read(&a, frame, length);
	assert_int_equal(message.kind, TP_MESSAGE_TELLS);
	assert_true(tp_address_equal(&message.sender, &b.address));
	assert_int_equal(message.mac, MAC_B);
	/* verified: to one station */
	length = tp_message_ask(&a, &b.address, MAC_B, frame);
	assert_memory_equal(frame, &(uint64_t){MAC_B}, 6);
	assert_int_equal(tp_message_read(&b, frame, length).kind, TP_MESSAGE_ASKS);
	/* a third one does not take it for its own */
	assert_int_equal(tp_message_read(&a, frame, tp_message_ask(&a, &b.address, 0, frame)).kind,
		TP_MESSAGE_NONE);
}

static void test_stations_understand_each_other(void **state)
{
	(void)state;
	understand_each_other("192.0.2.1", "192.0.2.7");
	understand_each_other("2001:db8::1", "fe80::7");
}

static void test_the_bytes_of_an_arp_request(void **state)
{
	static const uint8_t wanted[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0, 0, 0, 0x0a,
		0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1, 0x02, 0, 0, 0, 0, 0x0a, 192, 0, 2, 1, 0, 0, 0,
		0, 0, 0, 192, 0, 2, 7};
	struct tp_station a = station("192.0.2.1", MAC_A), b = station("192.0.2.7", MAC_B);

	(void)state;
	assert_int_equal(tp_message_ask(&a, &b.address, 0, frame), sizeof(wanted));
	assert_memory_equal(frame, wanted, sizeof(wanted));
	a.vlan = 7;
	assert_int_equal(tp_message_ask(&a, &b.address, 0, frame), sizeof(wanted) + 4);
	assert_memory_equal(frame + 12, ((const uint8_t[]){0x81, 0, 0, 7, 0x08, 0x06}), 6);
}

static void test_the_bytes_of_a_solicitation(void **state)
{
	struct tp_station a = station("2001:db8::1", MAC_A),
			  b = station("2001:db8::12:3456", MAC_B);

	(void)state;
	assert_int_equal(tp_message_ask(&a, &b.address, 0, frame), 86);
	assert_memory_equal(frame, ((const uint8_t[]){0x33, 0x33, 0xff, 0x12, 0x34, 0x56}), 6);
	assert_int_equal(frame[21], 255);
	assert_memory_equal(frame + 38,
		((const uint8_t[]){0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0x12, 0x34, 0x56}),
		16);
	assert_int_equal(frame[54], 135);
	assert_memory_equal(frame + 62, b.address.bytes, 16);
	assert_memory_equal(frame + 78, ((const uint8_t[]){1, 1, 0x02, 0, 0, 0, 0, 0x0a}), 8);
	assert_int_equal(sum(frame + 54, 32, 58 + 32 + sum(frame + 22, 32, 0)), 0xffff);
}

/* --- Echo --- */

static void test_echo_comes_back(void **state)
{
	struct tp_station us = station("192.0.2.1", MAC_A);
	uint8_t request[64] = {0x02, 0, 0, 0, 0, 0x0a, 0x02, 0, 0, 0, 0, 0x0b, 8, 0, 0x45, 0, 0, 49,
		0, 0, 0x40, 0, 9, 1, 0, 0, 192, 0, 2, 7, 192, 0, 2, 1, 8, 0, 0, 0, 1, 2, 3, 4};
	uint16_t value = (uint16_t)~sum(request + 14, 20, 0);

	(void)state;
	request[24] = (uint8_t)(value >> 8);
	request[25] = (uint8_t)value;
	request[62] = 0x99; /* the last byte of an odd number */
	value = (uint16_t)~sum(request + 34, 30, 0);
	request[36] = (uint8_t)(value >> 8);
	request[37] = (uint8_t)value;
	memcpy(frame, request, sizeof(request));
	assert_int_equal(tp_message_read(&us, frame, 64).kind, TP_MESSAGE_ECHO);
	assert_int_equal(tp_message_echo(&us, frame, 64), 63);
	assert_memory_equal(frame, request + 6, 6);
	assert_memory_equal(frame + 26, request + 30, 4);
	assert_memory_equal(frame + 30, request + 26, 4);
	assert_int_equal(frame[34], 0);
	assert_memory_equal(frame + 38, request + 38, 25);
	assert_int_equal(sum(frame + 14, 20, 0), 0xffff);
	frame[63] = 0;
	assert_int_equal(sum(frame + 34, 30, 0), 0xffff);
	memcpy(frame, request, sizeof(request));
	frame[50] ^= 1;
	assert_int_equal(tp_message_read(&us, frame, 64).kind, TP_MESSAGE_NONE);
}

static void test_echo_comes_back_over_ipv6(void **state)
{
	struct tp_station us = station("2001:db8::1", MAC_A), them = station("2001:db8::7", MAC_B);

	(void)state;
	tp_message_ask(&them, &us.address, MAC_A, frame); /* made into an echo request */
	memcpy(frame + 38, us.address.bytes, 16);
	frame[21] = 64;
	frame[54] = 128;
	set_icmp6_sum();
	assert_int_equal(tp_message_read(&us, frame, 86).kind, TP_MESSAGE_ECHO);
	assert_int_equal(tp_message_echo(&us, frame, 86), 86);
	assert_int_equal(frame[54], 129);
	assert_memory_equal(frame + 38, them.address.bytes, 16);
	assert_int_equal(sum(frame + 54, 32, 58 + 32 + sum(frame + 22, 32, 0)), 0xffff);
}

/* --- Not heard --- */

static void test_arp_that_breaks_a_rule(void **state)
{
	static const struct {
		uint32_t at;
		uint8_t value;
		enum tp_message_kind kind;
	} cases[] = {
		{6, 0x03, TP_MESSAGE_NONE},   /* from a group */
		{11, 0x0c, TP_MESSAGE_NONE},  /* from another station than it says */
		{11, 0x0a, TP_MESSAGE_NONE},  /* from us */
		{15, 6, TP_MESSAGE_NONE},     /* hardware */
		{16, 9, TP_MESSAGE_NONE},     /* protocol */
		{18, 7, TP_MESSAGE_NONE},     /* length of a MAC */
		{19, 16, TP_MESSAGE_NONE},    /* of an address */
		{21, 3, TP_MESSAGE_NONE},     /* operation */
		{28, 224, TP_MESSAGE_NONE},   /* a group's address */
		{31, 1, TP_MESSAGE_CONFLICT}, /* our own */
		{41, 9, TP_MESSAGE_NONE},     /* for another station */
	};
	struct tp_station us = station("192.0.2.1", MAC_A), them = station("192.0.2.7", MAC_B);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t length = tp_message_ask(&them, &us.address, 0, frame);

		assert_int_equal(tp_message_read(&us, frame, length).kind, TP_MESSAGE_ASKS);
		frame[cases[i].at] = cases[i].value;
		assert_int_equal(tp_message_read(&us, frame, length).kind, cases[i].kind);
	}
}

static void test_a_probe_is_answered_and_tells_nothing(void **state)
{
	struct tp_station us = station("192.0.2.1", MAC_A), them = station("192.0.2.7", MAC_B);
	uint32_t length = tp_message_ask(&them, &us.address, 0, frame);
	struct tp_message message;

	(void)state;
	memset(frame + 28, 0, 4);
	message = tp_message_read(&us, frame, length);
	assert_int_equal(message.kind, TP_MESSAGE_ASKS);
	assert_int_equal(message.sender.length, 0);
	assert_int_equal(tp_message_answer(&us, &message, frame), 42);
}

/* A solicitation to us with a change; the sum is right, so that the rule alone is looked at. */
static void solicited(
	uint32_t at, uint8_t value, uint32_t length, enum tp_message_kind kind, bool sound)
{
	struct tp_station us = station("2001:db8::1", MAC_A), them = station("2001:db8::7", MAC_B);

	tp_message_ask(&them, &us.address, 0, frame);
	frame[at] = value;
	if (sound)
		set_icmp6_sum();
	assert_int_equal(tp_message_read(&us, frame, length).kind, kind);
}

static void test_solicitations_that_break_a_rule(void **state)
{
	(void)state;
	solicited(80, 0x02, 86, TP_MESSAGE_ASKS, true);
	solicited(21, 254, 86, TP_MESSAGE_NONE, true);   /* came through a router */
	solicited(55, 1, 86, TP_MESSAGE_NONE, true);     /* code */
	solicited(60, 1, 86, TP_MESSAGE_NONE, false);    /* sum */
	solicited(79, 0, 86, TP_MESSAGE_NONE, true);     /* an option of length 0 */
	solicited(79, 2, 86, TP_MESSAGE_NONE, true);     /* longer than the message */
	solicited(80, 0x03, 86, TP_MESSAGE_NONE, true);  /* a group as a MAC */
	solicited(19, 23, 86, TP_MESSAGE_NONE, true);    /* cut in the target */
	solicited(19, 31, 86, TP_MESSAGE_NONE, true);    /* cut in the option */
	solicited(19, 24, 86, TP_MESSAGE_ASKS, true);    /* without an option */
	solicited(19, 40, 86, TP_MESSAGE_NONE, false);   /* longer than the frame */
	solicited(77, 2, 86, TP_MESSAGE_NONE, true);     /* another target */
	solicited(22, 0xff, 86, TP_MESSAGE_NONE, true);  /* from a group */
	solicited(37, 1, 86, TP_MESSAGE_CONFLICT, true); /* from our address */
}

static void test_advertisements_that_break_a_rule(void **state)
{
	struct tp_station us = station("2001:db8::1", MAC_A), them = station("2001:db8::7", MAC_B);
	const struct tp_message question = {
		.kind = TP_MESSAGE_ASKS, .sender = us.address, .reply_to = MAC_A};
	static const struct {
		uint32_t at;
		uint8_t value;
		enum tp_message_kind kind;
	} cases[] = {
		{58, 0x60, TP_MESSAGE_TELLS},
		{21, 1, TP_MESSAGE_NONE},
		{38, 0xff, TP_MESSAGE_NONE}, /* solicited, and yet to a group */
		{62, 0xff, TP_MESSAGE_NONE}, /* a group's */
		{79, 0, TP_MESSAGE_NONE},
		{85, 0x0c, TP_MESSAGE_NONE}, /* for another station */
		{77, 1, TP_MESSAGE_CONFLICT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		tp_message_answer(&them, &question, frame);
		frame[cases[i].at] = cases[i].value;
		set_icmp6_sum();
		assert_int_equal(tp_message_read(&us, frame, 86).kind, cases[i].kind);
	}
}

/* Whatever comes: cut anywhere, bent anywhere. Nothing is read or written beyond, which sanitizers
 * see, and what is answered is what was asked. */
static void test_any_bytes(void **state)
{
	static const char *const pairs[][2] = {
		{"192.0.2.1", "192.0.2.7"}, {"2001:db8::1", "2001:db8::7"}};
	uint8_t answer[TP_MESSAGE_MOST];

	(void)state;
	srand(1);
	for (unsigned round = 0; round < 40000; round++) {
		struct tp_station us = station(pairs[round & 1][0], MAC_A);
		struct tp_station them = station(pairs[round & 1][1], MAC_B);
		uint32_t length = tp_message_ask(&them, &us.address, 0, frame);
		struct tp_message message;
		uint8_t *exact;

		for (unsigned bend = (unsigned)rand() % 4; bend > 0; bend--)
			frame[(uint32_t)rand() % length] = (uint8_t)rand();
		if ((round & 3) == 1)
			set_icmp6_sum();
		if ((round & 7) == 7)
			length = (uint32_t)rand() % length;
		exact = malloc(length);
		memcpy(exact, frame, length);
		message = tp_message_read(&us, exact, length);
		if (message.kind == TP_MESSAGE_ASKS)
			assert_true(tp_message_answer(&us, &message, answer) <= sizeof(answer));
		if (message.kind == TP_MESSAGE_ECHO)
			assert_true(tp_message_echo(&us, exact, length) <= length);
		free(exact);
	}
}

/* --- What is believed --- */

static void test_questions_get_rarer(void **state)
{
	struct tp_knowledge knowledge = {0};
	uint64_t last = 0, gap = 0;
	unsigned asked = 0;

	(void)state;
	for (uint64_t now = 1000; now < 601000; now += 20) {
		if (tp_knowledge_pass(&knowledge, now) == TP_QUESTION_NONE)
			continue;
		assert_true(now - last >= gap || last == 0);
		gap = last == 0 ? 0 : now - last;
		last = now;
		asked++;
	}
	assert_true(asked > 20 && asked < 40); /* and it never ends */
	assert_true(gap >= TP_NEIGHBOUR_LAST_MS && gap < TP_NEIGHBOUR_LAST_MS + 100);
}

static void test_nothing_is_believed_unasked(void **state)
{
	struct tp_knowledge knowledge = {0};

	(void)state;
	assert_false(tp_knowledge_told(&knowledge, MAC_C, 1));
	assert_int_equal(knowledge.mac, 0);
	assert_int_equal(tp_knowledge_pass(&knowledge, 2), TP_QUESTION_ALL);
	assert_true(tp_knowledge_told(&knowledge, MAC_B, 3));
	assert_int_equal(knowledge.mac, MAC_B);
	assert_int_equal(tp_knowledge_pass(&knowledge, 4), TP_QUESTION_NONE);
}

static void test_a_neighbour_is_verified_and_forgotten(void **state)
{
	struct tp_knowledge knowledge = {0};
	uint64_t now = 1000;

	(void)state;
	tp_knowledge_pass(&knowledge, now);
	tp_knowledge_told(&knowledge, MAC_B, now);
	now += TP_NEIGHBOUR_KNOWN_MS;
	assert_int_equal(tp_knowledge_pass(&knowledge, now), TP_QUESTION_ONE);
	assert_int_equal(knowledge.mac, MAC_B); /* used meanwhile */
	assert_false(tp_knowledge_told(&knowledge, MAC_B, now));
	assert_int_equal(knowledge.state, TP_NEIGHBOUR_KNOWN);
	now += TP_NEIGHBOUR_KNOWN_MS;
	for (unsigned i = 0; i < TP_NEIGHBOUR_PROBES; i++, now += TP_NEIGHBOUR_PROBE_MS)
		assert_int_equal(tp_knowledge_pass(&knowledge, now), TP_QUESTION_ONE);
	assert_int_equal(tp_knowledge_pass(&knowledge, now), TP_QUESTION_ALL);
	assert_int_equal(knowledge.mac, 0);
	assert_int_equal(knowledge.state, TP_NEIGHBOUR_ASKING);
}

static void test_another_mac_is_doubted_first(void **state)
{
	struct tp_knowledge knowledge = {0};
	uint64_t now = 3;

	(void)state;
	tp_knowledge_pass(&knowledge, 1);
	tp_knowledge_told(&knowledge, MAC_B, 2);
	assert_false(tp_knowledge_told(&knowledge, MAC_C, now)); /* forged? */
	assert_int_equal(knowledge.mac, MAC_B);
	assert_int_equal(tp_knowledge_pass(&knowledge, now), TP_QUESTION_ALL);
	assert_false(tp_knowledge_told(&knowledge, MAC_B, 4)); /* it is still there */
	assert_int_equal(knowledge.state, TP_NEIGHBOUR_KNOWN);
	assert_false(tp_knowledge_told(&knowledge, MAC_C, 5)); /* so nobody is asked for a while */
	assert_int_equal(tp_knowledge_pass(&knowledge, 5), TP_QUESTION_NONE);
	now += TP_NEIGHBOUR_CALM_MS + 1;
	assert_false(tp_knowledge_told(&knowledge, MAC_C, now));
	for (unsigned i = 0; i < TP_NEIGHBOUR_PROBES; i++, now += TP_NEIGHBOUR_DOUBTED_MS) {
		assert_int_equal(tp_knowledge_pass(&knowledge, now), TP_QUESTION_ALL);
		assert_false(tp_knowledge_told(&knowledge, MAC_C, now + 1));
		assert_int_equal(tp_knowledge_pass(&knowledge, now + 2), TP_QUESTION_NONE);
		assert_int_equal(knowledge.mac, MAC_B);
	}
	assert_int_equal(tp_knowledge_pass(&knowledge, now), TP_QUESTION_NONE); /* it has moved */
	assert_int_equal(knowledge.state, TP_NEIGHBOUR_KNOWN);
	assert_int_equal(knowledge.mac, MAC_C);
}

/* A station that answers faster than the neighbour itself, and all the time. */
static void test_who_shouts_does_not_take_a_neighbours_place(void **state)
{
	struct tp_knowledge knowledge = {0};
	unsigned questions = 0;

	(void)state;
	tp_knowledge_pass(&knowledge, 1);
	tp_knowledge_told(&knowledge, MAC_B, 2);
	for (uint64_t now = 20; now < 60000; now += 20) {
		bool asked = tp_knowledge_pass(&knowledge, now) != TP_QUESTION_NONE;

		for (unsigned i = 0; i < 20; i++) {
			assert_false(tp_knowledge_told(&knowledge, MAC_C, now + i));
			if (asked && i == 10)
				assert_false(tp_knowledge_told(&knowledge, MAC_B, now + i));
		}
		assert_int_equal(knowledge.mac, MAC_B);
		questions += asked;
	}
	assert_true(questions > 10 && questions <= 61);
	/* The neighbour goes, and the other one has its address from now on. */
	for (uint64_t now = 60000; now < 62000; now += 20) {
		tp_knowledge_pass(&knowledge, now);
		tp_knowledge_told(&knowledge, MAC_C, now + 1);
	}
	assert_int_equal(knowledge.mac, MAC_C);
}

/* What was told once by nobody who answers is nothing: the known one is verified as ever. */
static void test_a_doubt_that_nobody_answers(void **state)
{
	struct tp_knowledge knowledge = {0};
	uint64_t now = 1000;

	(void)state;
	tp_knowledge_pass(&knowledge, now);
	tp_knowledge_told(&knowledge, MAC_B, now);
	tp_knowledge_told(&knowledge, MAC_C, now);
	for (unsigned i = 0; i < TP_NEIGHBOUR_PROBES; i++, now += TP_NEIGHBOUR_DOUBTED_MS)
		assert_int_equal(tp_knowledge_pass(&knowledge, now), TP_QUESTION_ALL);
	for (unsigned i = 0; i < TP_NEIGHBOUR_PROBES; i++, now += TP_NEIGHBOUR_PROBE_MS) {
		assert_int_equal(tp_knowledge_pass(&knowledge, now), TP_QUESTION_ONE);
		assert_int_equal(knowledge.mac, MAC_B);
	}
	assert_int_equal(tp_knowledge_pass(&knowledge, now), TP_QUESTION_ALL);
	assert_int_equal(knowledge.state, TP_NEIGHBOUR_ASKING);
	assert_int_equal(knowledge.mac, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stations_understand_each_other),
		cmocka_unit_test(test_the_bytes_of_an_arp_request),
		cmocka_unit_test(test_the_bytes_of_a_solicitation),
		cmocka_unit_test(test_echo_comes_back),
		cmocka_unit_test(test_echo_comes_back_over_ipv6),
		cmocka_unit_test(test_arp_that_breaks_a_rule),
		cmocka_unit_test(test_a_probe_is_answered_and_tells_nothing),
		cmocka_unit_test(test_solicitations_that_break_a_rule),
		cmocka_unit_test(test_advertisements_that_break_a_rule),
		cmocka_unit_test(test_any_bytes),
		cmocka_unit_test(test_questions_get_rarer),
		cmocka_unit_test(test_nothing_is_believed_unasked),
		cmocka_unit_test(test_a_neighbour_is_verified_and_forgotten),
		cmocka_unit_test(test_another_mac_is_doubted_first),
		cmocka_unit_test(test_who_shouts_does_not_take_a_neighbours_place),
		cmocka_unit_test(test_a_doubt_that_nobody_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
