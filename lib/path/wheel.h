/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "state/doorbell.h"

/*
 * A timing wheel: rings that come back at a time (Varghese and Lauck 1987, scheme 7). To add one
 * and to take one out costs the same whatever their number.
 *
 *   level 0   a slot is a tick, of 1 to 2 us                    256 ticks
 *   level 1   a slot is 256 ticks; when the first of them is    65,536 ticks
 *             reached, what is in the slot goes to level 0
 *   level 2, 3   likewise                                       2^24, 2^32 ticks
 *
 * What is further away than that goes round once more. A ring comes back in the tick after its
 * time, never before it. Belongs to one worker.
 */

#define TP_WHEEL_LEVELS 4
#define TP_WHEEL_SLOTS  256

struct tp_wheel_node {
	struct tp_ring_id id;
	uint64_t due;  /* TSC */
	uint32_t next; /* in its slot, or among the free or ready ones */
};

struct tp_wheel {
	struct tp_wheel_node *node;
	uint32_t free;  /* list of nodes that are not used */
	uint32_t ready; /* list of those whose time has come, in the order of their ticks */
	uint32_t ready_last;
	uint32_t count;                                 /* added and not taken */
	unsigned shift;                                 /* a tick is 2^shift TSC cycles */
	uint64_t tick;                                  /* the last one that was gone through */
	uint32_t slot[TP_WHEEL_LEVELS][TP_WHEEL_SLOTS]; /* lists of nodes */
	uint64_t used[TP_WHEEL_LEVELS][TP_WHEEL_SLOTS / 64]; /* a bit for each slot that has any */
};

/**
 * Make a wheel.
 * @param rings   most that are in it at a time
 * @param tsc_hz  frequency of the time-stamp counter
 * @param node    NUMA node of its memory, TP_NO_NODE: anywhere
 * @return 0, or -ENOMEM. Threading: control thread.
 */
int tp_wheel_open(struct tp_wheel *wheel, uint32_t rings, uint64_t tsc_hz, int node);
void tp_wheel_close(struct tp_wheel *wheel);

/** Have a ring come back at the TSC `due`. @return false if the wheel is full. */
bool tp_wheel_add(struct tp_wheel *wheel, const struct tp_ring_id *id, uint64_t due, uint64_t now);

/** Take one whose time has come. @return false if there is none. */
bool tp_wheel_take(struct tp_wheel *wheel, uint64_t now, struct tp_ring_id *id);

/**
 * Until when nothing comes back: not later than the next one, and earlier only where another look
 * is needed to tell.
 * @return TSC; UINT64_MAX if the wheel is empty
 */
uint64_t tp_wheel_next(const struct tp_wheel *wheel);

/** Take out all that are gone. */
void tp_wheel_purge(struct tp_wheel *wheel,
	bool (*gone)(const void *owner, const struct tp_ring_id *id), const void *owner);
