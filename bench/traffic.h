/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "frontend/frontend.h"

/*
 * The index-moving load: guests that keep their transmit rings full of stamped frames and give
 * every received buffer back at once, from one core, at the least cost a frame can have. All
 * descriptors and available entries are written once; afterwards a frame costs the store of its
 * sequence number and its share of two index reads and two index writes a burst.
 *
 * It relies on buffers coming back in the order in which they were given, and looks at one used
 * entry of every burst to know that they do. That entry's frame tells of loss and reordering: the
 * k-th frame received must carry the number k.
 *
 * Frames are IPv4/UDP, from the sender's MAC to its partner's.
 */

struct tp_flow; /* one direction between two guests */

struct tp_traffic {
	struct tp_frontend **guests;
	unsigned guest_count;
	struct tp_flow *flows;
	unsigned flow_count;
	uint32_t frame_size; /* bytes, of the last run */
	uint8_t mac[6];      /* of guest 0 */
};

struct tp_traffic_result {
	uint64_t frames_sent;     /* given to the back-end */
	uint64_t frames_in_ring;  /* of these, not taken when all else was drained */
	uint64_t frames_received; /* in all, warm-up and drain included */
	uint64_t frames_measured; /* received in the measured time */
	uint64_t out_of_order;    /* samples that carried a number already passed */
	double seconds;           /* measured */
	double cpu;               /* share of the measured time that this thread ran, 0 to 1 */
	double fairness;          /* Jain's index over the flows, 1 is fair */
};

/**
 * Set up flows between guests 0 and 1, 2 and 3, and so on, both ways.
 *
 * @param guests  attached (or never to be attached) devices without chains; not owned
 * @param pairs   how many pairs talk; the other guests are idle
 * @param mac     of guest 0; guest i has this plus i
 * @return 0, or negative errno with *error set. Threading: one thread for all functions here.
 */
int tp_traffic_init(struct tp_traffic *traffic, struct tp_frontend **guests, unsigned guest_count,
	unsigned pairs, const uint8_t mac[6], struct tp_error *error);

/** Free the flows; the guests stay. */
void tp_traffic_free(struct tp_traffic *traffic);

/**
 * Send at full rate, measure, stop sending, and wait until what is on its way has arrived.
 *
 * @param frame_size  bytes from destination MAC on, 60 to the guests' buffer size
 * @param warm_up_s   seconds before the measurement
 * @param seconds     seconds measured
 * @param result      filled in
 * @return 0, or negative errno with *error set: -ECONNRESET when the back-end hung up, -EPROTO when
 * buffers came back in another order, -EBUSY for a new size while frames of the last are in rings.
 */
int tp_traffic_run(struct tp_traffic *traffic, uint32_t frame_size, double warm_up_s,
	double seconds, struct tp_traffic_result *result, struct tp_error *error);
