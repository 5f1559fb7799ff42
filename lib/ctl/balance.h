/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "appliance_private.h"

/*
 * Load is spread over the workers: once a second, as they were busy since. A tenant moves as a
 * whole where that helps, since a tenant on one worker is served cheapest; where one tenant is too
 * much for a worker, single source rings of it move (spread.h). One that would fit one worker again
 * for a while is gathered.
 */

/** What a tenant, or a source ring, cost of late. */
struct tp_load {
	unsigned worker; /* that serves it; TP_NO_WORKER: it is not to be moved */
	double busy;     /* share of that worker's time, 0..1 */
};

struct tp_move {
	uint32_t which; /* index of the load that moves */
	unsigned from;
	unsigned to;
};

/**
 * What should move from the busiest worker to the idlest: the load that takes about half of the
 * difference, if the busiest is busy and the difference is worth it.
 * @param worker_busy  share of each worker's time, 0..1
 * @param worth        by how much the difference has to become less
 * @return false if all are better where they are. Threading: any.
 */
bool tp_balance_choose(const double *worker_busy, unsigned workers, const struct tp_load *loads,
	uint32_t count, double worth, struct tp_move *move);

/** Begin: tenants are dealt out in order. @return 0, or -ENOMEM. */
int tp_balance_open(struct tp_appliance *appliance);
void tp_balance_close(struct tp_appliance *appliance);

/** Look at the loads, and move what is due. */
void tp_balance_look(struct tp_appliance *appliance);

/** Have one worker serve a whole tenant now. @param reason for people, of the move; copied. */
void tp_balance_move(
	struct tp_appliance *appliance, uint32_t tenant, unsigned to, const char *reason);

/** Have a worker serve a source ring now. @return 0, or -ENOMEM: it stays where it is. */
int tp_balance_move_ring(struct tp_appliance *appliance, struct tp_port *port, uint32_t pair,
	unsigned to, const char *reason);
