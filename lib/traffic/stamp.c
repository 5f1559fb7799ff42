/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>

#include "traffic/size.h"
#include "traffic/stamp.h"

#define NETWORK   0xc6120000u /* 198.18.0.0/15, for benchmarks: RFC 2544 */
#define HOST_MASK 0x1ffffu

struct headers {
	struct ether_header ethernet;
	struct iphdr ip;
} __attribute__((packed));

_Static_assert(sizeof(struct headers) == TP_STAMP_FLOW, "UDP is behind the headers");

#define ADDRESSES (offsetof(struct headers, ip) + offsetof(struct iphdr, saddr))

int tp_verify_parse(const char *text, enum tp_verify *verify, struct tp_error *error)
{
	static const char *const names[] = {"burst", "stamp", "payload"};

	for (unsigned i = 0; i < 3; i++) {
		if (strcmp(text, names[i]) == 0) {
			*verify = (enum tp_verify)i;
			return 0;
		}
	}
	return tp_error_set(error, EINVAL, "verify \"%s\": accepted: burst, stamp, payload", text);
}

/* Sum of 16-bit words, an odd byte at the end padded with zero (RFC 1071). */
static uint64_t sum_words(const uint8_t *bytes, size_t length)
{
	uint64_t sum = 0, pair;
	uint32_t word;

	for (; length >= sizeof(pair); bytes += sizeof(pair), length -= sizeof(pair)) {
		memcpy(&pair, bytes, sizeof(pair));
		sum += (pair & 0xffffffff) + (pair >> 32);
	}
	for (; length >= sizeof(word); bytes += sizeof(word), length -= sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		sum += word;
	}
	word = 0;
	memcpy(&word, bytes, length);
	return sum + word;
}

static void set_lengths(struct headers *headers, uint32_t size)
{
	const uint8_t *ip = (const uint8_t *)headers + offsetof(struct headers, ip);

	headers->ip.tot_len = htons((uint16_t)(size - sizeof(headers->ethernet)));
	headers->ip.check = 0;
	headers->ip.check = (uint16_t)~tp_stamp_fold(sum_words(ip, sizeof(headers->ip)));
}

void tp_stamp_headers(struct tp_stamp_headers *headers, const uint8_t source[6],
	const uint8_t destination[6], uint32_t from, uint32_t to, uint32_t size)
{
	struct headers made = {.ethernet.ether_type = htons(ETHERTYPE_IP),
		.ip = {.version = 4,
			.ihl = 5,
			.ttl = 64,
			.protocol = IPPROTO_UDP,
			.saddr = htonl(NETWORK | (from & HOST_MASK)),
			.daddr = htonl(NETWORK | (to & HOST_MASK))}};

	memcpy(made.ethernet.ether_shost, source, ETH_ALEN);
	memcpy(made.ethernet.ether_dhost, destination, ETH_ALEN);
	set_lengths(&made, size);
	memset(headers, 0, sizeof(*headers));
	memcpy(headers->bytes, &made, sizeof(made));
}

/* Eight bytes of a pattern that differs with its seed and with the place. */
static inline uint64_t pattern(uint64_t seed, uint32_t offset)
{
	uint64_t word = (seed + offset) * 0x9e3779b97f4a7c15ull;

	return word ^ word >> 29;
}

#define FIXED_SEED 0x7475726e70696b65ull

static uint64_t sequence_seed(uint32_t flow, uint32_t sequence)
{
	return ((uint64_t)flow << 32 | sequence) * 0xff51afd7ed558ccdull;
}

static void write_payload(uint8_t *frame, uint32_t size, uint64_t seed)
{
	uint32_t at = TP_STAMP_PAYLOAD;
	uint64_t word;

	for (; at + sizeof(word) <= size; at += sizeof(word)) {
		word = pattern(seed, at);
		memcpy(frame + at, &word, sizeof(word));
	}
	word = pattern(seed, at);
	memcpy(frame + at, &word, size - at);
}

/* What the UDP checksum covers beside stamp and payload: addresses, protocol, lengths, ports. */
static uint64_t sum_headers(const uint8_t *frame, uint32_t size)
{
	uint16_t udp_length = htons((uint16_t)(size - TP_STAMP_FLOW));

	return sum_words(frame + ADDRESSES, 8) + htons(IPPROTO_UDP) + udp_length +
	       sum_words(frame + TP_STAMP_FLOW, 6);
}

/* The fixed pattern's sum up to any size, made at the start. */
static uint16_t pattern_sum[TP_SIZE_MOST + 1];

__attribute__((constructor)) static void sum_pattern(void)
{
	static uint8_t frame[TP_SIZE_MOST + 8];

	write_payload(frame, TP_SIZE_MOST, FIXED_SEED);
	for (uint32_t size = TP_STAMP_PAYLOAD; size <= TP_SIZE_MOST; size++) {
		uint32_t even = (size - TP_STAMP_PAYLOAD) & ~1u;
		uint16_t last = 0;

		/* Word by word from the size before. */
		if (even == 0) {
			pattern_sum[size] = size == TP_STAMP_PAYLOAD ? 0 : frame[TP_STAMP_PAYLOAD];
			continue;
		}
		memcpy(&last, frame + TP_STAMP_PAYLOAD + even - 2, 2);
		pattern_sum[size] =
			size % 2 == 0
				? tp_stamp_fold((uint64_t)pattern_sum[size - 2] + last)
				: tp_stamp_fold((uint64_t)pattern_sum[size - 1] + frame[size - 1]);
	}
}

static uint16_t sum_frame(const uint8_t *frame, uint32_t size)
{
	return tp_stamp_fold(sum_headers(frame, size) +
			     sum_words(frame + TP_STAMP_PAYLOAD, size - TP_STAMP_PAYLOAD));
}

uint16_t tp_stamp_fill(
	uint8_t *frame, uint32_t size, const struct tp_stamp_headers *headers, uint32_t flow)
{
	uint32_t ports = htonl(flow);
	uint16_t udp_length = htons((uint16_t)(size - TP_STAMP_FLOW));
	struct headers made;

	memcpy(&made, headers->bytes, sizeof(made));
	set_lengths(&made, size);
	memcpy(frame, &made, sizeof(made));
	memcpy(frame + TP_STAMP_FLOW, &ports, sizeof(ports));
	memcpy(frame + TP_STAMP_FLOW + 4, &udp_length, sizeof(udp_length));
	return tp_stamp_fold(sum_headers(frame, size) + pattern_sum[size]);
}

void tp_stamp_pattern(uint8_t *frame, uint32_t size)
{
	write_payload(frame, size, FIXED_SEED);
}

uint16_t tp_stamp_payload(uint8_t *frame, uint32_t size, uint32_t flow, uint32_t sequence)
{
	write_payload(frame, size, sequence_seed(flow, sequence));
	return sum_frame(frame, size);
}

bool tp_stamp_right(const uint8_t *frame, uint32_t length)
{
	uint64_t sum;

	if (length < TP_STAMP_LEAST || length > TP_SIZE_MOST)
		return false;
	sum = sum_headers(frame, length) +
	      sum_words(frame + TP_STAMP_OFFSET, TP_STAMP_PAYLOAD - TP_STAMP_OFFSET) +
	      pattern_sum[length];
	return tp_stamp_fold(sum) == 0xffff;
}

static bool pattern_right(const uint8_t *frame, uint32_t length, uint64_t seed)
{
	uint32_t at = TP_STAMP_PAYLOAD;
	uint64_t differ = 0, expected, found;

	for (; at + sizeof(found) <= length; at += sizeof(found)) {
		memcpy(&found, frame + at, sizeof(found));
		differ |= found ^ pattern(seed, at);
	}
	expected = pattern(seed, at);
	return differ == 0 && memcmp(frame + at, &expected, length - at) == 0;
}

bool tp_stamp_payload_right(const uint8_t *frame, uint32_t length, const struct tp_stamp *stamp)
{
	if (length < TP_STAMP_LEAST ||
		!pattern_right(frame, length, sequence_seed(stamp->flow, stamp->sequence)))
		return false;
	return tp_stamp_fold(sum_headers(frame, length) +
			     sum_words(frame + TP_STAMP_OFFSET, length - TP_STAMP_OFFSET)) ==
	       0xffff;
}

bool tp_stamp_looks_ours(const uint8_t *frame)
{
	struct headers headers;

	memcpy(&headers, frame, sizeof(headers));
	return headers.ethernet.ether_type == htons(ETHERTYPE_IP) &&
	       headers.ip.protocol == IPPROTO_UDP &&
	       (ntohl(headers.ip.saddr) & ~HOST_MASK) == NETWORK &&
	       (ntohl(headers.ip.daddr) & ~HOST_MASK) == NETWORK;
}

static bool same(const uint8_t *frame, const struct headers *headers)
{
	return memcmp(frame, headers, sizeof(*headers)) == 0;
}

/* With the lengths of this frame, or sent back. */
static bool right_otherwise(
	const uint8_t *frame, uint32_t length, const struct tp_stamp_headers *expected)
{
	struct headers headers;
	uint8_t mac[ETH_ALEN];
	uint32_t address;

	memcpy(&headers, expected->bytes, sizeof(headers));
	set_lengths(&headers, length);
	if (same(frame, &headers))
		return true;
	memcpy(mac, headers.ethernet.ether_shost, ETH_ALEN);
	memcpy(headers.ethernet.ether_shost, headers.ethernet.ether_dhost, ETH_ALEN);
	memcpy(headers.ethernet.ether_dhost, mac, ETH_ALEN);
	if (same(frame, &headers))
		return true;
	address = headers.ip.saddr;
	headers.ip.saddr = headers.ip.daddr;
	headers.ip.daddr = address;
	return same(frame, &headers);
}

bool tp_stamp_headers_right(
	const uint8_t *frame, uint32_t length, const struct tp_stamp_headers *headers)
{
	uint64_t ours[4], theirs[4], differ = 0;
	uint16_t ip_length, udp_length, our_tail, their_tail;

	if (length < TP_STAMP_LEAST)
		return false;
	memcpy(ours, headers->bytes, sizeof(ours));
	memcpy(theirs, frame, sizeof(theirs));
	memcpy(&our_tail, headers->bytes + sizeof(ours), sizeof(our_tail));
	memcpy(&their_tail, frame + sizeof(theirs), sizeof(their_tail));
	memcpy(&ip_length, headers->bytes + offsetof(struct headers, ip.tot_len),
		sizeof(ip_length));
	memcpy(&udp_length, frame + TP_STAMP_FLOW + 4, sizeof(udp_length));
	for (unsigned i = 0; i < 4; i++)
		differ |= ours[i] ^ theirs[i];
	differ |= our_tail ^ their_tail;
	if (ntohs(udp_length) + (uint32_t)TP_STAMP_FLOW != length)
		return false;
	if (__builtin_expect(differ == 0, 1) &&
		ntohs(ip_length) + sizeof(struct ether_header) == length)
		return true;
	return right_otherwise(frame, length, headers);
}
