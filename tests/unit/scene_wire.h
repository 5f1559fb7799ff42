/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "state/uplink.h"

struct rte_ring;
struct rte_mempool;

/*
 * The wire of an uplink, for unit tests: an ethdev whose queues are rings (net_ring), of which the
 * test holds the other ends.
 */

#define WIRE_RING  511 /* frames that the device takes */
#define WIRE_MBUFS 2047

struct wire {
	struct rte_ring *to_switch;
	struct rte_ring *from_switch;
	struct rte_mempool *own;  /* of what comes from the wire */
	struct rte_mempool *pool; /* of the uplink */
	struct tp_uplink *uplink;
};

/**
 * Make it, running, the link up. The EAL has been started.
 * @param entries  of its work queue
 * @param workers  several: in threads of their own
 */
void wire_open(struct wire *wire, uint32_t entries, unsigned workers);

/** Take it away; no mbuf of its pools may be missing. */
void wire_close(struct wire *wire);

/** A frame comes from the wire, in one segment or in segments of `piece` bytes (0: one). */
void wire_put(struct wire *wire, const uint8_t *frame, uint32_t length, uint32_t piece);

/** The same; the device has taken a tag out of it. */
void wire_put_stripped(struct wire *wire, const uint8_t *frame, uint32_t length, uint16_t tci);

/** Take a frame that the switch has sent. @return its length, 0 if there is none. */
uint32_t wire_take(struct wire *wire, uint8_t *frame);

/** As wire_take; before, what the switch asked of the device is done, as the device would. */
uint32_t wire_take_finished(struct wire *wire, uint8_t *frame);

/** What the wire's queue counts as a source, and behind acceptance. */
uint64_t wire_counter(const struct wire *wire, enum tp_counter counter);
uint64_t wire_drops(const struct wire *wire, enum tp_drop drop);

/** received = delivered + drops; accepted = sent + lost + waiting. */
void wire_check_sums(const struct wire *wire);
