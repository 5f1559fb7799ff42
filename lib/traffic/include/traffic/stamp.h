/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * What a generated frame carries: Ethernet, IPv4 and UDP headers of its flow, and behind them
 *
 *   42        46         50         58       60
 *   |  flow   | sequence |   TSC    |  check | payload ...
 *
 * in the byte order of this machine (the frame comes back to the process that sent it). `check`
 * covers the three. The payload is a pattern of the flow: the same in all its frames, or with
 * TP_VERIFY_PAYLOAD also of the sequence number, so that stale bytes are found.
 */

#define TP_STAMP_OFFSET  42
#define TP_STAMP_PAYLOAD 60 /* first byte behind the stamp, and the least size of a frame */

enum tp_verify {
	TP_VERIFY_BURST,   /* the last frame of each burst, its stamp and headers */
	TP_VERIFY_STAMP,   /* stamp and headers of each frame */
	TP_VERIFY_PAYLOAD, /* every byte of each frame */
};

struct tp_stamp {
	uint32_t flow;
	uint32_t sequence;
	uint64_t tsc;
} __attribute__((packed));

/** The headers of one flow: compared as a whole. Aligned for wide loads. */
struct tp_stamp_headers {
	uint8_t bytes[TP_STAMP_OFFSET];
	uint8_t unused[64 - TP_STAMP_OFFSET];
} __attribute__((aligned(64)));

/**
 * Headers of a flow for frames of any size: the IPv4 and UDP length fields, and the IPv4 checksum,
 * are those of `size` bytes. Addresses are 198.18.0.0/15 (RFC 2544) plus device number, ports 9.
 */
void tp_stamp_headers(struct tp_stamp_headers *headers, const uint8_t source[6],
	const uint8_t destination[6], uint32_t from, uint32_t to, uint32_t size);

/** Put headers (with the length fields of `size`) and the payload pattern into a frame. */
void tp_stamp_fill(
	uint8_t *frame, uint32_t size, const struct tp_stamp_headers *headers, uint32_t flow);

/** Payload that depends on the sequence number too (TP_VERIFY_PAYLOAD). */
void tp_stamp_payload(uint8_t *frame, uint32_t size, uint32_t flow, uint32_t sequence);

/** 16 bits of the three values; any change of one bit changes it. Must be cheap: no division, no
 * table. */
static inline uint16_t tp_stamp_check16(const struct tp_stamp *stamp)
{
	uint64_t head, mixed;

	memcpy(&head, stamp, sizeof(head));
	/* Zeros are not a stamp. */
	mixed = (head ^ 0x5bd1e9955bd1e995ull ^ stamp->tsc * 0x9e3779b97f4a7c15ull) *
		0xff51afd7ed558ccdull;
	return (uint16_t)(mixed >> 48);
}

static inline void tp_stamp_put(uint8_t *frame, uint32_t flow, uint32_t sequence, uint64_t tsc)
{
	struct tp_stamp stamp = {flow, sequence, tsc};
	uint16_t check = tp_stamp_check16(&stamp);

	memcpy(frame + TP_STAMP_OFFSET, &stamp, sizeof(stamp));
	memcpy(frame + TP_STAMP_OFFSET + sizeof(stamp), &check, sizeof(check));
}

/** Read a stamp. @return false when there is none, or a damaged one. */
static inline bool tp_stamp_get(const uint8_t *frame, uint32_t length, struct tp_stamp *stamp)
{
	uint16_t check;

	if (length < TP_STAMP_PAYLOAD)
		return false;
	memcpy(stamp, frame + TP_STAMP_OFFSET, sizeof(*stamp));
	memcpy(&check, frame + TP_STAMP_OFFSET + sizeof(*stamp), sizeof(check));
	return check == tp_stamp_check16(stamp);
}

/** Does a frame whose stamp is not right have headers that only we write (IPv4, UDP, ports 9,
 * addresses of 198.18.0.0/15)? Then it was damaged. @param frame  at least TP_STAMP_PAYLOAD bytes
 */
bool tp_stamp_looks_ours(const uint8_t *frame);

/**
 * Are the headers those of the flow? The length fields must be those of `length`; a frame that was
 * sent back (MACs, or MACs, addresses and ports exchanged) is right too.
 */
bool tp_stamp_headers_right(
	const uint8_t *frame, uint32_t length, const struct tp_stamp_headers *headers);

/** Is the payload that of tp_stamp_payload? */
bool tp_stamp_payload_right(
	const uint8_t *frame, uint32_t length, uint32_t flow, uint32_t sequence);

/** Is the payload that of tp_stamp_fill? */
bool tp_stamp_pattern_right(const uint8_t *frame, uint32_t length, uint32_t flow);
