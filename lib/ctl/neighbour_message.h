/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"

/*
 * What stations on the network below say of themselves: ARP (RFC 826, RFC 5227) and neighbour
 * discovery (RFC 4861), and echo requests to us. Pure: bytes in, bytes out. Whatever arrives is
 * hostile until every rule of its protocol holds for it.
 */

#define TP_MESSAGE_MOST 90 /* bytes of a frame that is written here, an echo's answer excepted */

/** Who we are there. */
struct tp_station {
	uint64_t mac; /* as it lies on the wire, in the low 48 bits */
	struct tp_address address;
	uint16_t vlan; /* frames that we write carry it, 0: untagged */
};

enum tp_message_kind {
	TP_MESSAGE_NONE,     /* nothing for us, or nothing sane */
	TP_MESSAGE_ASKS,     /* for our MAC, and may tell the sender's */
	TP_MESSAGE_TELLS,    /* the sender's MAC, to us */
	TP_MESSAGE_ECHO,     /* wants its bytes back */
	TP_MESSAGE_CONFLICT, /* from a station that says that it has our address */
};

struct tp_message {
	enum tp_message_kind kind;
	struct tp_address sender; /* length 0: not told */
	uint64_t mac;             /* the sender's, of a sender that is told */
	uint64_t reply_to;        /* MAC that the frame came from */
};

/**
 * Read a frame of the network below.
 * @param frame   from its destination MAC on, without a tag
 * @param length  of it
 * Threading: any.
 */
struct tp_message tp_message_read(
	const struct tp_station *us, const uint8_t *frame, uint32_t length);

/**
 * Write the answer to a message that asks.
 * @param frame  TP_MESSAGE_MOST bytes
 * @return its length.
 */
uint32_t tp_message_answer(
	const struct tp_station *us, const struct tp_message *message, uint8_t *frame);

/**
 * Write a question for a neighbour's MAC.
 * @param mac    of the neighbour, if it is only to be verified; 0: all are asked
 * @param frame  TP_MESSAGE_MOST bytes
 * @return its length.
 */
uint32_t tp_message_ask(const struct tp_station *us, const struct tp_address *neighbour,
	uint64_t mac, uint8_t *frame);

/**
 * Turn an echo request into its answer, where it lies. The tag of the network is not put on.
 * @return its length, without what lay behind the packet.
 */
uint32_t tp_message_echo(const struct tp_station *us, uint8_t *frame, uint32_t length);
