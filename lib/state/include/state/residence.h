/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

/*
 * Where a source ring stands towards the hot-context cache of its worker.
 *
 *                   its rate pays for no frame yet
 *          WAITING <-------------------+------------------------------+
 *             |                        |                              |
 *             | it is time             |                              |
 *             v       load             |   idle for long enough       |
 *   COLD --------------------------> HOT ----------------------> DRAINING
 *    |  ^                             ^        frames came            |
 *    |  |                             +-------------------------------+
 *    |  |                                                             |
 *    |  +-------------------------------------------------------------+
 *    |        its doorbell is armed, notifications are on, the last look found nothing
 *    +----> PINNED      load, in a pinned class; leaves only when the ring stops
 *
 * The guest's notifications (virtio 1.2, 2.7.10) are on while its ring is COLD and off in all other
 * states: those in which it is polled, and WAITING, in which it is known to have frames. Any state
 * becomes COLD when the ring stops.
 */

#define TP_RESIDENCES(X)                                                                           \
	X(COLD, cold)                                                                              \
	X(HOT, hot)                                                                                \
	X(DRAINING, draining)                                                                      \
	X(WAITING, waiting)                                                                        \
	X(PINNED, pinned)

enum tp_residence {
#define X(NAME, name) TP_RESIDENCE_##NAME,
	TP_RESIDENCES(X)
#undef X
		TP_RESIDENCE_COUNT
};

/** Is it a transition of the picture above? Staying is not one. Threading: any. */
bool tp_residence_legal(enum tp_residence from, enum tp_residence to);

/** The state's name, as operators see it. Threading: any. */
const char *tp_residence_name(enum tp_residence residence);
