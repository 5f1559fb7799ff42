/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "base/drop.h"

/*
 * What is counted for every interface. One list: enum, names, help, telemetry and tables come from
 * it. "tx" and "rx" are the guest's: tx was taken from its transmit rings, rx was put into its
 * receive rings.
 *
 *   tx_frames = delivered + the sum of the drops (base/drop.h), for each interface and in total
 *   sum of rx_frames = sum of (delivered - flooded + copies)
 */
#define TP_COUNTERS(X)                                                                             \
	X(TX_FRAMES, tx_frames, "frames taken from the guest and completed")                       \
	X(TX_BYTES, tx_bytes, "bytes of those frames")                                             \
	X(RX_FRAMES, rx_frames, "frames put into the guest's receive rings")                       \
	X(RX_BYTES, rx_bytes, "bytes of those frames")                                             \
	X(DELIVERED, delivered, "frames taken from the guest that reached a destination")          \
	X(FLOODED, flooded, "of the delivered frames, those flooded to several destinations")      \
	X(COPIES, copies, "copies delivered of flooded frames")                                    \
	X(COPIES_REFUSED, copies_refused,                                                          \
		"copies of flooded frames that a destination had no room for")                     \
	X(REFUSED, refused,                                                                        \
		"attempts refused by a full destination; the frame stayed in its ring")            \
	X(CALLS, calls, "notifications sent to the guest")

enum tp_counter {
#define X(NAME, name, help) TP_COUNTER_##NAME,
	TP_COUNTERS(X)
#undef X
		TP_COUNTER_COUNT
};

struct tp_counters {
	uint64_t value[TP_COUNTER_COUNT]; /* the tenant's worker: rw, control: r (relaxed) */
	uint64_t drop[TP_DROP_COUNT];     /* the same; index is enum tp_drop */
	/* What the interface's accepted frames were charged, in sixteenths of a credit;
	 * interface's worker: rw, control: r (relaxed) */
	uint64_t bill;
};

/** Add to a counter that only this thread writes. Threading: the writer. */
static inline void tp_counter_add(uint64_t *counter, uint64_t amount)
{
	__atomic_store_n(counter, *counter + amount, __ATOMIC_RELAXED);
}

/** Read a counter that another thread writes. Threading: any. */
static inline uint64_t tp_counter_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/** Name of a counter or of a drop reason, as operators see it. Threading: any. */
const char *tp_counter_name(enum tp_counter counter);
const char *tp_drop_name(enum tp_drop drop);

/** One sentence about a counter or a drop reason. Threading: any. */
const char *tp_counter_help(enum tp_counter counter);
const char *tp_drop_help(enum tp_drop drop);
