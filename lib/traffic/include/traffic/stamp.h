/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"

/*
 * What a generated frame carries: Ethernet, IPv4 and UDP of its flow, and in them and behind them
 *
 *   0                  34     38       40         42         46    52
 *   | Ethernet, IPv4 | ports | length | checksum | sequence | TSC | payload ...
 *
 * The two UDP ports are the number of the flow; sequence number and the low 48 bits of the TSC are
 * in the byte order of this machine, for the frame comes back to the process that sent it. The UDP
 * checksum is right, covers all of that, and so tells a damaged stamp. What changes from frame to
 * frame, bytes 40 to 51, ends where a cache line does when the virtio-net header begins one.
 *
 * The payload is a fixed pattern, or with TP_VERIFY_PAYLOAD one of flow and sequence number, so
 * that stale bytes are found as well.
 */

#define TP_STAMP_FLOW    34 /* byte of the ports */
#define TP_STAMP_OFFSET  40 /* first byte that changes from frame to frame */
#define TP_STAMP_PAYLOAD 52
#define TP_STAMP_LEAST   60 /* bytes of the shortest frame */
#define TP_STAMP_TSC     0xffffffffffffull

enum tp_verify {
	TP_VERIFY_BURST,   /* the last frame of each burst, its stamp and headers */
	TP_VERIFY_STAMP,   /* stamp and headers of each frame */
	TP_VERIFY_PAYLOAD, /* every byte of each frame */
};

/** Read "burst", "stamp" or "payload". @return 0, or -EINVAL with *error listing them. */
int tp_verify_parse(const char *text, enum tp_verify *verify, struct tp_error *error);

struct tp_stamp {
	uint32_t flow;
	uint32_t sequence;
	uint64_t tsc; /* 48 bits */
};

/** Ethernet and IPv4 headers between two devices. */
struct tp_stamp_headers {
	uint8_t bytes[TP_STAMP_FLOW];
	uint8_t unused[64 - TP_STAMP_FLOW];
} __attribute__((aligned(64)));

/**
 * Headers for frames of any size: the IPv4 length and checksum are those of `size` bytes. Addresses
 * are 198.18.0.0/15 (RFC 2544) plus device number.
 */
void tp_stamp_headers(struct tp_stamp_headers *headers, const uint8_t source[6],
	const uint8_t destination[6], uint32_t from, uint32_t to, uint32_t size);

/**
 * Write a frame but for stamp and payload: headers of `size` bytes, and ports.
 * @return the sum of what the UDP checksum covers, with the fixed pattern, for tp_stamp_put.
 */
uint16_t tp_stamp_fill(
	uint8_t *frame, uint32_t size, const struct tp_stamp_headers *headers, uint32_t flow);

/** Write the fixed pattern, the same whatever the flow and the size. */
void tp_stamp_pattern(uint8_t *frame, uint32_t size);

/** Payload of flow and sequence number (TP_VERIFY_PAYLOAD), of a frame that is filled.
 * @return the sum of what the UDP checksum covers. */
uint16_t tp_stamp_payload(uint8_t *frame, uint32_t size, uint32_t flow, uint32_t sequence);

/** RFC 1071: a sum of 16-bit words, carries added. */
static inline uint16_t tp_stamp_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* Sum of the stamp's own words, not folded. */
static inline uint64_t tp_stamp_words(uint32_t sequence, uint64_t tsc)
{
	return (uint64_t)sequence + (tsc & 0xffff) + (tsc >> 16 & 0xffffffff);
}

/** Write the stamp. @param sum  of tp_stamp_fill or tp_stamp_payload */
static inline void tp_stamp_put(uint8_t *frame, uint16_t sum, uint32_t sequence, uint64_t tsc)
{
	uint16_t check =
		(uint16_t)~tp_stamp_fold(sum + tp_stamp_words(sequence, tsc & TP_STAMP_TSC));
	uint64_t low;
	uint32_t high = (uint32_t)(tsc >> 16);

	if (check == 0) /* which would say that there is none (RFC 768) */
		check = 0xffff;
	low = check | (uint64_t)sequence << 16 | tsc << 48;
	memcpy(frame + TP_STAMP_OFFSET, &low, sizeof(low));
	memcpy(frame + TP_STAMP_OFFSET + sizeof(low), &high, sizeof(high));
}

/** Read a stamp, right or not, of TP_STAMP_PAYLOAD bytes at least. */
static inline void tp_stamp_get(const uint8_t *frame, struct tp_stamp *stamp)
{
	uint64_t low;
	uint32_t high, ports;

	memcpy(&ports, frame + TP_STAMP_FLOW, sizeof(ports));
	memcpy(&low, frame + TP_STAMP_OFFSET, sizeof(low));
	memcpy(&high, frame + TP_STAMP_OFFSET + sizeof(low), sizeof(high));
	stamp->flow = __builtin_bswap32(ports);
	stamp->sequence = (uint32_t)(low >> 16);
	stamp->tsc = low >> 48 | (uint64_t)high << 16;
}

/** Is the UDP checksum right if the payload is the fixed pattern? Does not look at the payload.
 * @param length  bytes of the frame, TP_STAMP_PAYLOAD to 9018 */
bool tp_stamp_right(const uint8_t *frame, uint32_t length);

/** Is every byte right: UDP checksum, and payload as tp_stamp_payload writes it? */
bool tp_stamp_payload_right(const uint8_t *frame, uint32_t length, const struct tp_stamp *stamp);

/** Has the frame headers that only we write (IPv4, UDP, addresses of 198.18.0.0/15)? With a stamp
 * that is not right it was damaged. @param frame  TP_STAMP_PAYLOAD bytes at least */
bool tp_stamp_looks_ours(const uint8_t *frame);

/**
 * Are the headers those of the flow? The length fields must be those of `length`; a frame that was
 * sent back (MACs, or MACs and addresses exchanged) is right too.
 */
bool tp_stamp_headers_right(
	const uint8_t *frame, uint32_t length, const struct tp_stamp_headers *headers);
