/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "balance.h"

/*
 * Who reads and writes a guest's memory had better run on the NUMA node on which it lies. Where
 * there is a choice, who is served from another node moves to the least busy worker of the right
 * one; never so that the load (balance.h) would be out of balance then.
 */

struct tp_placed_worker {
	double busy; /* share of its time, 0..1 */
	int node;    /* of its CPU, or TP_NO_NODE */
};

/** Something that one worker serves and that can be given to another. */
struct tp_placed {
	unsigned worker; /* that serves it */
	double busy;     /* share of that worker's time, 0..1 */
	int node;        /* on which most of its guests' memory lies, or TP_NO_NODE */
};

struct tp_placement {
	uint32_t index; /* of what moves */
	unsigned to;
};

/**
 * What should move first, because of where memory lies: of those that may, what costs most.
 * @return false if all are best where they are. Threading: any.
 */
bool tp_placement_choose(const struct tp_placed_worker *workers, unsigned worker_count,
	const struct tp_placed *all, uint32_t count, struct tp_placement *placement);

/**
 * Look where the guests' memory lies, and move a tenant if that is due.
 * @param busy   share of each worker's time
 * @param loads  of each tenant
 * @return true if one has moved. Threading: control thread.
 */
bool tp_placement_look(
	struct tp_appliance *appliance, const double *busy, const struct tp_load *loads);
