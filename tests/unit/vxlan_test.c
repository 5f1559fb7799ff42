/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow_hash.h"
#include "vxlan_pop.h"
#include "vxlan_support.h"

/*
 * Outer headers, byte by byte as RFC 7348 draws them; and that what is put on comes off again,
 * while every forged, cut or bent packet is refused by the reason that is its own.
 */

#define OURS4   "192.0.2.1"
#define THEIRS4 "192.0.2.7"
#define OURS6   "2001:db8::1"
#define THEIRS6 "2001:db8::7"

static const uint8_t inner[60] = {0x02, 0, 0, 0, 0, 9, 0x02, 0, 0, 0, 0, 8, 0x08, 0x06, 0, 1, 8};
static uint8_t frame[TP_TUNNEL_LONGEST + 2048];

/* An encapsulated frame in frame[]. @return its length. */
static uint32_t wrap(const struct tp_tunnel *tunnel, const uint8_t *bytes, uint32_t length)
{
	memset(frame, 0xee, sizeof(frame));
	tp_vxlan_push(tunnel, OUR_MAC, frame, length, tp_flow_hash(bytes, length));
	memcpy(frame + tunnel->length, bytes, length);
	if (tunnel->ipv6)
		tp_vxlan_checksum(tunnel, frame, length);
	return tunnel->length + length;
}

static enum tp_drop open_frame(const char *ours, uint32_t length, struct tp_inner *found)
{
	struct tp_underlay underlay = underlay_of(ours);
	struct tp_packet packet;

	switch (tp_outer_judge(&underlay, frame, length, &packet)) {
	case TP_OUTER_UDP:
		return tp_vxlan_pop(&packet, false, found);
	case TP_OUTER_CONTROL:
		return TP_DROP_COUNT;
	default:
		assert_int_not_equal(packet.drop, TP_DROP_NONE);
		return packet.drop;
	}
}

/* --- What is sent --- */

static void test_ipv4_headers_are_those_of_the_standard(void **state)
{
	static const uint8_t wanted[] = {
		0x02, 0, 0, 0, 0, 0x01, 0x02, 0, 0, 0, 0, 0x02, 0x08, 0x00, /* Ethernet */
		0x45, 0, 0, 96, 0, 0, 0x40, 0, 64, 17, 0, 0, /* IPv4, its sum below */
		192, 0, 2, 1, 192, 0, 2, 7,                  /* addresses */
		0, 0, 0x12, 0xb5, 0, 76, 0, 0,               /* UDP to 4789, no sum */
		0x08, 0, 0, 0, 0xab, 0xcd, 0xef, 0,          /* VXLAN: I, VNI */
	};
	struct tp_tunnel tunnel = tunnel_from(OURS4, THEIRS4, THEIR_MAC, 0);
	uint32_t sum = 0;

	(void)state;
	assert_int_equal(wrap(&tunnel, inner, sizeof(inner)), 50 + sizeof(inner));
	for (unsigned i = 14; i < 34; i += 2)
		sum += (uint32_t)frame[i] << 8 | frame[i + 1];
	assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
	frame[24] = frame[25] = 0;
	assert_true(frame[34] >= 0xc0); /* 49152 and above */
	frame[34] = frame[35] = 0;
	assert_memory_equal(frame, wanted, sizeof(wanted));
	assert_memory_equal(frame + sizeof(wanted), inner, sizeof(inner));
}

static void test_ipv6_headers_are_those_of_the_standard(void **state)
{
	struct tp_tunnel tunnel = tunnel_from(OURS6, THEIRS6, THEIR_MAC, 0);
	struct tp_address ours = address_of(OURS6), theirs = address_of(THEIRS6);
	uint64_t sum = 17 + 76;

	(void)state;
	assert_int_equal(wrap(&tunnel, inner, sizeof(inner)), 70 + sizeof(inner));
	assert_int_equal(frame[12] << 8 | frame[13], 0x86dd);
	assert_int_equal(frame[14] >> 4, 6);
	assert_int_equal(frame[18] << 8 | frame[19], 76); /* UDP, VXLAN and 60 bytes */
	assert_int_equal(frame[20], 17);
	assert_int_equal(frame[21], 64);
	assert_memory_equal(frame + 22, ours.bytes, 16);
	assert_memory_equal(frame + 38, theirs.bytes, 16);
	assert_int_equal(frame[58] << 8 | frame[59], 76);
	/* the sum of RFC 8200, 8.1, as its text says it: over addresses, length, protocol, packet
	 */
	for (unsigned i = 22; i < 70 + sizeof(inner); i += 2)
		sum += (uint32_t)frame[i] << 8 | frame[i + 1];
	assert_int_not_equal(frame[60] << 8 | frame[61], 0);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	assert_int_equal(sum, 0xffff);
}

static void test_the_tag_of_the_network_below(void **state)
{
	struct tp_tunnel tunnel = tunnel_from(OURS4, THEIRS4, THEIR_MAC, 77);
	struct tp_inner found;

	(void)state;
	assert_int_equal(wrap(&tunnel, inner, sizeof(inner)), 54 + sizeof(inner));
	assert_int_equal(frame[12] << 8 | frame[13], 0x8100);
	assert_int_equal(frame[14] << 8 | frame[15], 77);
	memmove(frame + 4, frame, 12); /* what takes the tag off */
	memmove(frame, frame + 4, 50 + sizeof(inner));
	assert_int_equal(open_frame(THEIRS4, 50 + sizeof(inner), &found), TP_DROP_NONE);
}

static void test_a_checksum_that_comes_out_as_zero_is_sent_as_ones(void **state)
{
	struct tp_tunnel tunnel = tunnel_from(OURS6, THEIRS6, THEIR_MAC, 0);
	uint8_t bytes[60];
	uint16_t sum;

	(void)state;
	memcpy(bytes, inner, sizeof(bytes));
	wrap(&tunnel, bytes, sizeof(bytes));
	memcpy(&sum, frame + 60, sizeof(sum));
	memcpy(bytes + 40, &sum, sizeof(sum)); /* was 0: now the complement of all is 0 */
	wrap(&tunnel, bytes, sizeof(bytes));
	memcpy(&sum, frame + 60, sizeof(sum));
	assert_int_equal(sum, 0xffff);
}

static void test_room_below_the_mtu(void **state)
{
	struct tp_tunnel four = tunnel_from(OURS4, THEIRS4, THEIR_MAC, 0);
	struct tp_tunnel six = tunnel_from(OURS6, THEIRS6, THEIR_MAC, 5);

	(void)state;
	assert_int_equal(tp_tunnel_room(&four, 1500), 1450 + 14);
	assert_int_equal(tp_tunnel_room(&six, 1500), 1430 + 14);
	assert_int_equal(tp_tunnel_room(&six, 40), 0);
}

/* --- The flow's hash --- */

static void test_a_flow_has_one_port(void **state)
{
	uint8_t tcp[64] = {0x02, 0, 0, 0, 0, 9, 0x02, 0, 0, 0, 0, 8, 0x08, 0x00, 0x45};
	uint32_t hash;

	(void)state;
	tcp[23] = 6;
	tcp[30] = 1;
	tcp[35] = 80;
	hash = tp_flow_hash(tcp, 64);
	tcp[18] = 99; /* identification: another packet of the flow */
	tcp[50] = 99; /* what it carries */
	assert_int_equal(tp_flow_hash(tcp, 64), hash);
	tcp[35] = 81;
	assert_int_not_equal(tp_flow_hash(tcp, 64), hash);
	tcp[35] = 80;
	tcp[20] = 0x20; /* the first of some fragments: the others have no ports */
	hash = tp_flow_hash(tcp, 64);
	tcp[35] = 81;
	assert_int_equal(tp_flow_hash(tcp, 64), hash);
}

static void test_a_cut_head_is_hashed_as_far_as_it_goes(void **state)
{
	uint8_t head[64];

	(void)state;
	for (unsigned round = 0; round < 1000; round++) {
		for (unsigned i = 0; i < sizeof(head); i++)
			head[i] = (uint8_t)rand();
		head[12] = round & 1 ? 0x08 : 0x86;
		head[13] = round & 1 ? 0x00 : 0xdd;
		head[14] |= 0x0f; /* the longest IPv4 header */
		for (uint32_t length = 14; length <= 64; length++) {
			uint8_t *exact = malloc(length); /* so that sanitizers see a step beyond */

			memcpy(exact, head, length);
			tp_flow_hash(exact, length);
			free(exact);
		}
	}
}

/* --- What comes back --- */

static void comes_off(const char *from, const char *to)
{
	struct tp_tunnel tunnel = tunnel_from(from, to, THEIR_MAC, 0);
	struct tp_inner found;
	uint8_t big[1450];

	memset(big, 0x5a, sizeof(big));
	assert_int_equal(open_frame(to, wrap(&tunnel, inner, 14), &found), TP_DROP_NONE);
	assert_int_equal(found.length, 14);
	assert_int_equal(open_frame(to, wrap(&tunnel, big, sizeof(big)), &found), TP_DROP_NONE);
	assert_int_equal(found.length, sizeof(big));
	assert_int_equal(found.vni, VNI);
	assert_memory_equal(found.frame, big, sizeof(big));
	/* Ethernet's padding, or a trailer, behind it */
	wrap(&tunnel, inner, 14);
	assert_int_equal(open_frame(to, tunnel.length + 14 + 6, &found), TP_DROP_NONE);
	assert_int_equal(found.length, 14);
}

static void test_what_was_put_on_comes_off(void **state)
{
	(void)state;
	comes_off(THEIRS4, OURS4);
	comes_off(THEIRS6, OURS6);
}

/* One byte of a sound packet is changed. */
static void bent(const char *from, const char *to, uint32_t at, uint8_t value, enum tp_drop wanted)
{
	struct tp_tunnel tunnel = tunnel_from(from, to, THEIR_MAC, 0);
	uint32_t length = wrap(&tunnel, inner, sizeof(inner));
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame + 14);
	struct tp_inner found;

	frame[at] = value;
	if (!tunnel.ipv6 && at >= 14 && at < 34 && at != 24 && at != 25) {
		ip->hdr_checksum = 0;
		ip->hdr_checksum = rte_ipv4_cksum(ip);
	}
	assert_int_equal(open_frame(to, length, &found), wanted);
}

static void test_bent_headers_are_refused_by_name(void **state)
{
	static const struct {
		uint32_t at4, at6; /* 0: not there */
		uint8_t value;
		enum tp_drop drop;
	} cases[] = {
		{5, 5, 0x99, TP_DROP_OUTER_OTHER},       /* another station's MAC */
		{12, 12, 0x12, TP_DROP_OUTER_OTHER},     /* another protocol */
		{14, 0, 0x44, TP_DROP_OUTER_MALFORMED},  /* header length below 20 */
		{14, 0, 0x4f, TP_DROP_OUTER_OTHER},      /* 60: the port lies elsewhere */
		{14, 14, 0x55, TP_DROP_OUTER_MALFORMED}, /* version 5 */
		{16, 18, 0x7f, TP_DROP_OUTER_MALFORMED}, /* longer than the frame */
		{17, 19, 95, TP_DROP_OUTER_MALFORMED},   /* not as UDP has it */
		{17, 19, 3, TP_DROP_OUTER_MALFORMED},    /* below a header's length */
		{20, 0, 0x60, TP_DROP_OUTER_FRAGMENT},   /* more fragments */
		{21, 0, 1, TP_DROP_OUTER_FRAGMENT},      /* not the first one */
		{0, 20, 44, TP_DROP_OUTER_FRAGMENT},     /* fragment header */
		{0, 20, 0, TP_DROP_OUTER_OTHER},         /* hop-by-hop options */
		{23, 20, 6, TP_DROP_OUTER_OTHER},        /* TCP */
		{24, 0, 0xff, TP_DROP_OUTER_MALFORMED},  /* sum */
		{33, 53, 2, TP_DROP_OUTER_OTHER},        /* not our address */
		{37, 57, 0xb6, TP_DROP_OUTER_OTHER},     /* port 4790 */
		{39, 59, 75, TP_DROP_OUTER_MALFORMED},   /* UDP length */
		{41, 61, 0xa5, TP_DROP_OUTER_CHECKSUM},  /* UDP sum */
		{0, 70, 0xa5, TP_DROP_OUTER_CHECKSUM},   /* what it covers */
		{42, 62, 0xf7, TP_DROP_VXLAN_FLAGS},     /* all flags but I */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].at4 != 0)
			bent(THEIRS4, OURS4, cases[i].at4, cases[i].value, cases[i].drop);
		if (cases[i].at6 != 0)
			bent(THEIRS6, OURS6, cases[i].at6, cases[i].value, cases[i].drop);
	}
}

static void test_reserved_bits_are_ignored(void **state)
{
	struct tp_tunnel tunnel = tunnel_from(THEIRS4, OURS4, THEIR_MAC, 0);
	struct tp_inner found;
	uint32_t length = wrap(&tunnel, inner, sizeof(inner));

	(void)state;
	frame[42] = 0xff;
	frame[43] = frame[44] = frame[45] = frame[49] = 0xff;
	assert_int_equal(open_frame(OURS4, length, &found), TP_DROP_NONE);
	assert_int_equal(found.vni, VNI);
}

static void test_zero_checksum_over_ipv6_is_taken(void **state)
{
	struct tp_tunnel tunnel = tunnel_from(THEIRS6, OURS6, THEIR_MAC, 0);
	uint32_t length = wrap(&tunnel, inner, sizeof(inner));
	struct tp_inner found;

	(void)state;
	frame[60] = frame[61] = 0;
	assert_int_equal(open_frame(OURS6, length, &found), TP_DROP_NONE);
}

static void test_a_tunnel_packet_to_a_group_is_refused(void **state)
{
	struct tp_tunnel tunnel = tunnel_from(THEIRS6, OURS6, THEIR_MAC, 0);
	uint32_t length = wrap(&tunnel, inner, sizeof(inner));
	struct tp_inner found;

	(void)state;
	frame[0] = frame[1] = 0x33;
	assert_int_equal(open_frame(OURS6, length, &found), TP_DROP_OUTER_OTHER);
}

/* Cut off at every byte, every byte bent to random values: no step outside, and no frame that is
 * longer than what was there. */
static void test_any_bytes(void **state)
{
	struct tp_tunnel tunnels[2] = {
		tunnel_from(THEIRS4, OURS4, THEIR_MAC, 0),
		tunnel_from(THEIRS6, OURS6, THEIR_MAC, 0),
	};

	(void)state;
	srand(1);
	for (unsigned round = 0; round < 20000; round++) {
		bool six = round & 1;
		uint32_t whole = wrap(&tunnels[six], inner, sizeof(inner));
		uint32_t length = round < 2 * whole ? round / 2 : whole;
		struct tp_underlay underlay = underlay_of(six ? OURS6 : OURS4);
		struct tp_packet packet;
		struct tp_inner found;
		uint8_t *exact = malloc(length); /* so that sanitizers see a step beyond */
		unsigned bends = (unsigned)rand() % 4;

		memcpy(exact, frame, length);
		for (unsigned i = 0; i < bends && length > 0; i++)
			exact[(uint32_t)rand() % length] = (uint8_t)rand();
		if (tp_outer_judge(&underlay, exact, length, &packet) == TP_OUTER_UDP &&
			tp_vxlan_pop(&packet, false, &found) == TP_DROP_NONE) {
			assert_true(found.frame + found.length <= exact + length);
			assert_true(found.length >= 14);
		} else {
			assert_true(length < whole || bends > 0);
		}
		free(exact);
	}
}

/* --- Whose it is --- */

static void test_endpoints_are_found_by_their_address(void **state)
{
	static struct tp_tunnel tunnel[TP_TUNNELS_MAX];
	static uint16_t slot[2048];
	struct tp_tunnels tunnels = {.tunnel = tunnel, .slot = slot};

	(void)state;
	for (uint32_t count = 0; count <= TP_TUNNELS_MAX; count += 1 + count / 2) {
		memset(slot, 0, sizeof(slot));
		tunnels.count = count;
		tunnels.slots = tp_tunnels_slots(count);
		assert_true(tunnels.slots > count);
		for (uint32_t i = 0; i < count; i++)
			tunnel[i].remote = (struct tp_address){
				.bytes = {10, 0, 0, (uint8_t)i}, .length = i & 1 ? 4 : 16};
		tp_tunnels_index(&tunnels);
		for (uint32_t i = 0; i < count; i++)
			assert_int_equal(tp_tunnel_find(&tunnels, &tunnel[i].remote), i);
		assert_int_equal(
			tp_tunnel_find(&tunnels, &(struct tp_address){{11}, 4}), TP_TUNNEL_NONE);
		assert_int_equal(tp_tunnel_find(&tunnels, &(struct tp_address){{10}, 4}),
			TP_TUNNEL_NONE); /* the same bytes, of the other family */
	}
}

/* Neighbours are on this link: a router would have counted a hop. */
static void test_neighbours_are_not_beyond_a_router(void **state)
{
	const struct tp_address ours = address_of(OURS6), theirs = address_of(THEIRS6);
	struct tp_inner found;

	(void)state;
	memset(frame, 0, sizeof(frame));
	memcpy(frame, &(uint64_t){OUR_MAC}, 6);
	memcpy(frame + 12, (uint8_t[]){0x86, 0xdd, 0x60, 0, 0, 0, 0, 24, 58, 255}, 10);
	memcpy(frame + 22, theirs.bytes, 16);
	memcpy(frame + 38, ours.bytes, 16);
	for (uint8_t type = TP_ICMPV6_ECHO; type <= TP_ND_ADVERTISEMENT; type++) {
		bool echo = type == TP_ICMPV6_ECHO;
		bool neighbour = type == TP_ND_SOLICITATION || type == TP_ND_ADVERTISEMENT;

		frame[54] = type;
		frame[21] = 255;
		assert_int_equal(open_frame(OURS6, 78, &found),
			echo || neighbour ? TP_DROP_COUNT : TP_DROP_OUTER_OTHER);
		assert_int_equal(tp_outer_is_echo(frame), echo);
		frame[21] = 254;
		assert_int_equal(
			open_frame(OURS6, 78, &found), echo ? TP_DROP_COUNT : TP_DROP_OUTER_OTHER);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_neighbours_are_not_beyond_a_router),
		cmocka_unit_test(test_ipv4_headers_are_those_of_the_standard),
		cmocka_unit_test(test_ipv6_headers_are_those_of_the_standard),
		cmocka_unit_test(test_the_tag_of_the_network_below),
		cmocka_unit_test(test_a_checksum_that_comes_out_as_zero_is_sent_as_ones),
		cmocka_unit_test(test_room_below_the_mtu),
		cmocka_unit_test(test_a_flow_has_one_port),
		cmocka_unit_test(test_a_cut_head_is_hashed_as_far_as_it_goes),
		cmocka_unit_test(test_what_was_put_on_comes_off),
		cmocka_unit_test(test_bent_headers_are_refused_by_name),
		cmocka_unit_test(test_reserved_bits_are_ignored),
		cmocka_unit_test(test_zero_checksum_over_ipv6_is_taken),
		cmocka_unit_test(test_a_tunnel_packet_to_a_group_is_refused),
		cmocka_unit_test(test_any_bytes),
		cmocka_unit_test(test_endpoints_are_found_by_their_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
