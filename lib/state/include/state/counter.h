/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/drop.h"

/*
 * What is counted for every interface. One list: enum, names, help, telemetry and tables come from
 * it. "tx" and "rx" are the guest's: tx was taken from its transmit rings, rx was put into its
 * receive rings.
 *
 *   tx_frames = delivered + the sum of the drops (base/drop.h), for each interface and in total
 *   sum of rx_frames + frames accepted by uplinks = sum of (delivered - flooded + copies),
 *   uplinks as sources among them, whose "tx" is what came from their wire
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
	X(REFUSED_PRICE, refused_price,                                                            \
		"attempts refused because the price was above the class's bid")                    \
	X(REFUSED_OVERTAKEN, refused_overtaken,                                                    \
		"attempts given up because other workers were faster each time")                   \
	X(RETRIES, retries, "attempts repeated because another worker was faster")                 \
	X(CALLS, calls, "notifications sent to the guest")                                         \
	X(ANNOUNCEMENTS, announcements,                                                            \
		"of tx_frames, those sent in the guest's name to tell where it is now (RARP)")     \
	X(ANNOUNCEMENTS_FOREIGN, announcements_foreign,                                            \
		"announcements that its front-end asked for, of a MAC that is not the guest's")    \
	X(ANNOUNCEMENTS_TOO_MANY, announcements_too_many,                                          \
		"announcements that its front-end asked for too soon after others")

enum tp_counter {
#define X(NAME, name, help) TP_COUNTER_##NAME,
	TP_COUNTERS(X)
#undef X
		TP_COUNTER_COUNT
};

struct tp_counters {
	/* The tenant's worker, or its workers among them (tp_context.spread): rw, control: r
	 * (relaxed); but ANNOUNCEMENTS_FOREIGN and _TOO_MANY, which are control's: rw */
	uint64_t value[TP_COUNTER_COUNT];
	uint64_t drop[TP_DROP_COUNT]; /* the same; index is enum tp_drop */
	/* What the accepted frames were charged, in sixteenths of a credit; as value[] */
	uint64_t bill;
};

/** Add to a counter that only this thread writes. Threading: the writer. */
static inline void tp_counter_add(uint64_t *counter, uint64_t amount)
{
	__atomic_store_n(counter, *counter + amount, __ATOMIC_RELAXED);
}

/** Add to a counter that several threads write. Threading: any. */
static inline void tp_counter_add_among(uint64_t *counter, uint64_t amount)
{
	__atomic_fetch_add(counter, amount, __ATOMIC_RELAXED);
}

/** Add to a counter that several threads write if `many`, else this one alone. */
static inline void tp_counter_add_if(uint64_t *counter, uint64_t amount, bool many)
{
	if (__builtin_expect(many, 0))
		tp_counter_add_among(counter, amount);
	else
		tp_counter_add(counter, amount);
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
