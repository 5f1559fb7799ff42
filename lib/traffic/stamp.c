/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>

#include "traffic/stamp.h"

#define PORT      9           /* discard */
#define NETWORK   0xc6120000u /* 198.18.0.0/15, for benchmarks: RFC 2544 */
#define HOST_MASK 0x1ffffu

struct headers {
	struct ether_header ethernet;
	struct iphdr ip;
	struct udphdr udp;
} __attribute__((packed));

_Static_assert(sizeof(struct headers) == TP_STAMP_OFFSET, "the stamp is behind the headers");

/* RFC 1071. */
static uint16_t checksum(const uint8_t *ip)
{
	uint16_t words[sizeof(struct iphdr) / 2];
	uint32_t sum = 0;

	memcpy(words, ip, sizeof(words));
	for (unsigned i = 0; i < sizeof(words) / 2; i++)
		sum += words[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void set_lengths(struct headers *headers, uint32_t size)
{
	uint32_t ip_bytes = size - (uint32_t)sizeof(headers->ethernet);

	headers->ip.tot_len = htons((uint16_t)ip_bytes);
	headers->udp.len = htons((uint16_t)(ip_bytes - sizeof(headers->ip)));
	headers->ip.check = 0;
	headers->ip.check = checksum((const uint8_t *)headers + offsetof(struct headers, ip));
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
			.daddr = htonl(NETWORK | (to & HOST_MASK))},
		.udp = {.source = htons(PORT), .dest = htons(PORT)}};

	memcpy(made.ethernet.ether_shost, source, ETH_ALEN);
	memcpy(made.ethernet.ether_dhost, destination, ETH_ALEN);
	set_lengths(&made, size);
	memset(headers, 0, sizeof(*headers));
	memcpy(headers->bytes, &made, sizeof(made));
}

/* Eight bytes of a pattern that differs with its seed and with the place. */
static uint64_t pattern(uint64_t seed, uint32_t offset)
{
	uint64_t word = (seed + offset) * 0x9e3779b97f4a7c15ull;

	return word ^ word >> 29;
}

static uint64_t flow_seed(uint32_t flow)
{
	return (uint64_t)flow << 20;
}

static uint64_t sequence_seed(uint32_t flow, uint32_t sequence)
{
	return flow_seed(flow) + ((uint64_t)sequence << 40 | sequence) + 1;
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

static bool payload_right(const uint8_t *frame, uint32_t length, uint64_t seed)
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

void tp_stamp_fill(
	uint8_t *frame, uint32_t size, const struct tp_stamp_headers *headers, uint32_t flow)
{
	struct headers made;

	memcpy(&made, headers->bytes, sizeof(made));
	set_lengths(&made, size);
	memcpy(frame, &made, sizeof(made));
	memset(frame + TP_STAMP_OFFSET, 0, TP_STAMP_PAYLOAD - TP_STAMP_OFFSET);
	write_payload(frame, size, flow_seed(flow));
}

void tp_stamp_payload(uint8_t *frame, uint32_t size, uint32_t flow, uint32_t sequence)
{
	write_payload(frame, size, sequence_seed(flow, sequence));
}

bool tp_stamp_payload_right(const uint8_t *frame, uint32_t length, uint32_t flow, uint32_t sequence)
{
	return payload_right(frame, length, sequence_seed(flow, sequence));
}

bool tp_stamp_pattern_right(const uint8_t *frame, uint32_t length, uint32_t flow)
{
	return payload_right(frame, length, flow_seed(flow));
}

bool tp_stamp_looks_ours(const uint8_t *frame)
{
	struct headers headers;

	memcpy(&headers, frame, sizeof(headers));
	return headers.ethernet.ether_type == htons(ETHERTYPE_IP) &&
	       headers.ip.protocol == IPPROTO_UDP && headers.udp.source == htons(PORT) &&
	       headers.udp.dest == htons(PORT) &&
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
	/* Ports are the same both ways. */
	address = headers.ip.saddr;
	headers.ip.saddr = headers.ip.daddr;
	headers.ip.daddr = address;
	return same(frame, &headers);
}

bool tp_stamp_headers_right(
	const uint8_t *frame, uint32_t length, const struct tp_stamp_headers *headers)
{
	uint64_t ours[5], theirs[5];
	uint16_t ip_bytes, our_tail, their_tail;
	uint64_t differ = 0;

	if (length < TP_STAMP_OFFSET)
		return false;
	memcpy(ours, headers->bytes, sizeof(ours));
	memcpy(theirs, frame, sizeof(theirs));
	memcpy(&our_tail, headers->bytes + sizeof(ours), sizeof(our_tail));
	memcpy(&their_tail, frame + sizeof(theirs), sizeof(their_tail));
	memcpy(&ip_bytes, headers->bytes + offsetof(struct headers, ip.tot_len), sizeof(ip_bytes));
	for (unsigned i = 0; i < 5; i++)
		differ |= ours[i] ^ theirs[i];
	differ |= our_tail ^ their_tail;
	if (__builtin_expect(differ == 0, 1))
		return ntohs(ip_bytes) + sizeof(struct ether_header) == length;
	return right_otherwise(frame, length, headers);
}
