/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "appliance_private.h"

/*
 * Tenants are spread over the workers by load. A tenant is served whole by one worker, so that each
 * ring has one writer; it moves while frames flow: they wait in their rings meanwhile.
 */

/** What a tenant cost of late. */
struct tp_tenant_load {
	unsigned worker; /* that serves it */
	double busy;     /* share of that worker's time, 0..1 */
};

struct tp_move {
	uint32_t tenant;
	unsigned from;
	unsigned to;
};

/**
 * Which tenant should move from the busiest worker to the idlest: one that takes about half of the
 * difference, if the busiest is busy and the difference is worth it.
 * @param worker_busy  share of each worker's time, 0..1
 * @return false if all are better where they are. Threading: any.
 */
bool tp_balance_choose(const double *worker_busy, unsigned workers,
	const struct tp_tenant_load *tenants, uint32_t tenant_count, struct tp_move *move);

/** Begin: tenants are dealt out in order. @return 0, or -ENOMEM. */
int tp_balance_open(struct tp_appliance *appliance);
void tp_balance_close(struct tp_appliance *appliance);

/** Look at the loads, and move a tenant if that is due. */
void tp_balance_look(struct tp_appliance *appliance);

/** Move a tenant now. @param reason for people, of the move; copied. */
void tp_balance_move(
	struct tp_appliance *appliance, uint32_t tenant, unsigned to, const char *reason);
