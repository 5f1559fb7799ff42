/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "ring_guest.h"

/*
 * A worker at a ring whose guest does anything: what it takes is checked at every step. While
 * nobody else is there (not racing) that includes every byte of the guest's memory.
 */

struct ring_worker {
	struct ring_guest guest;
	struct tp_vring ring;
	uint16_t baton[256];
	bool racing;  /* the guest does not wait for its turn */
	bool started; /* the ring */
};

/** Start the ring again, or for the first time. */
void worker_start(struct ring_worker *worker);
void worker_stop(struct ring_worker *worker);

/** What a guest may do between two looks of the worker; nothing while it runs by itself. */
void worker_interlude(struct ring_worker *worker, struct input *input);

/** Note the guest's memory now. */
void worker_note(struct ring_worker *worker);

/** Is it as it was noted? True while racing. */
bool worker_unchanged(const struct ring_worker *worker);

/** This much of it may have changed since: note it as it is. */
void worker_allow(struct ring_worker *worker, const void *data, size_t size);

/** One step at a source ring: ring_source.c. */
void source_step(struct ring_worker *worker, struct input *input);

/** One step at a destination ring: ring_destination.c. */
void destination_step(struct ring_worker *worker, struct input *input);

/** Finish what is open; `shared`: whether many workers may write to it from now on. */
void destination_settle(struct ring_worker *worker);
void destination_share(struct ring_worker *worker, bool shared);

/**
 * Let a guest take steps while a worker runs, again and again: ring_thread.c, ring_between.c.
 * @param run    goes through the worker's steps
 * @param input  the worker's steps
 */
void worker_race(const struct ring_guest *guest, struct input steps,
	void (*run)(struct input *input), struct input input);
