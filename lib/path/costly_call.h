/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "state/context.h"

/*
 * costly call: what a worker knows of rings whose notifications take long.
 *
 * Signalling an eventfd visits all who wait for it, in the time of the one who signals: the worker.
 * A guest's process can let thousands wait for the descriptor that it passed, and so take a
 * millisecond of its neighbours' time with each call. What is done about it:
 *
 *    all calls of a sweep in one system call, timed ----- took long ----> each of these rings is
 *    with the TSC: the only cost while all is well                        costly, for now
 *                                                                              |
 *    not costly any more <---- its calls are quick ---- a costly ring is called alone, and timed:
 *                                   again               by the thread's CPU clock if the TSC says
 *                                                       that it took long, since the worker may
 *                                                       just not have run
 *
 * A costly ring is not called again before its calls take no more than a twentieth of the time;
 * what a call takes is a moving average here, as what an attacker can make quick now and then is.
 * Twenty such rings would still take all of it: those of which the average leaves no doubt are
 * called one after the other, whoever has waited longest, and take a tenth together.
 * Calls that are due meanwhile are one call later, which is all that a guest needs: it loses no
 * notification, only time. So it matters little if a ring is thought costly wrongly, because the
 * machine is slow. A ring whose calls take so long that no honest guest's do breaks, which ends its
 * guest's connection; the worker still knows it when the guest comes back.
 */

#define TP_COSTLY_RINGS 64

/* That a call may take: one that wakes somebody up takes 1 to 7 us, on a busy virtual machine 20
 * now and then. */
#define TP_COSTLY_ALLOWED_NS 10000

struct tp_calls;
struct tp_call;

/** A ring whose calls take long, or are thought to. */
struct tp_costly_ring {
	struct tp_vring *ring;
	struct tp_context *context;
	uint64_t not_before; /* TSC: when it may be called again */
	uint64_t excess;     /* ns that a call takes above what is allowed; moving average */
	uint32_t slow;       /* rises with each call that takes far too long, falls with others */
	bool late;           /* a call is due, and waits for that time */
};

/** Belongs to one worker. */
struct tp_costly_calls {
	unsigned count; /* rings */
	unsigned late;  /* of them with a call due */
	struct tp_costly_ring ring[TP_COSTLY_RINGS];
	uint64_t allowed;         /* TSC cycles for a call */
	uint64_t dear_not_before; /* TSC: when the next one without doubt may be called */
	int ours;                 /* an eventfd for which nobody waits, to compare with */
	bool broken;              /* a ring was broken; whoever tells control of it clears this */
};

/** The calls just made, calls->due[], have taken `took` TSC cycles, which is too long. */
void tp_costly_suspect(struct tp_calls *calls, uint64_t took);

/** Have `count` calls made together taken too long? */
static inline bool tp_costly_suspicious(
	const struct tp_costly_calls *costly, unsigned count, uint64_t took)
{
	return took > (count + 1) * costly->allowed;
}
