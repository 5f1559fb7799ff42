/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * testpmd's forwarding modes, and what the ones that forward do to a frame, in place.
 *
 *   io         nothing
 *   mac        destination to the partner's MAC, source to one's own
 *   macswap    MACs exchanged
 *   txonly     send only, no receive
 *   rxonly     receive only
 *   flowgen    send and receive: generate flows and terminate them
 *   5tswap     MACs, IPv4/IPv6 addresses and UDP/TCP ports exchanged
 *   icmpecho   ARP requests and ICMP echo requests answered, all else dropped
 *
 * Source: testpmd application user guide, "set fwd".
 */

enum tp_mode {
	TP_MODE_IO,
	TP_MODE_MAC,
	TP_MODE_MACSWAP,
	TP_MODE_TXONLY,
	TP_MODE_RXONLY,
	TP_MODE_FLOWGEN,
	TP_MODE_5TSWAP,
	TP_MODE_ICMPECHO,
	TP_MODE_COUNT,
};

/** Name as testpmd has it. */
const char *tp_mode_name(enum tp_mode mode);

/** Read a name. @return 0, or -EINVAL with *error listing the right ones. */
int tp_mode_parse(const char *text, enum tp_mode *mode, struct tp_error *error);

static inline bool tp_mode_generates(enum tp_mode mode)
{
	return mode == TP_MODE_TXONLY || mode == TP_MODE_FLOWGEN;
}

static inline bool tp_mode_terminates(enum tp_mode mode)
{
	return mode == TP_MODE_RXONLY || mode == TP_MODE_FLOWGEN;
}

/**
 * Change a received frame into the one to send.
 *
 * @param frame   from destination MAC on
 * @param length  bytes, any (what is too short for a step is left alone)
 * @param own     6 bytes, MAC of the device that sends
 * @param peer    6 bytes, MAC of its partner (mode mac)
 * @return whether to send it. Never reads or writes beyond length. Threading: any.
 */
bool tp_rewrite(enum tp_mode mode, uint8_t *frame, size_t length, const uint8_t own[6],
	const uint8_t peer[6]);
