/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tp_appliance;
struct tp_tenant_config;

/*
 * Budgets: a token bucket a tenant. What the workers charge a tenant is taken from its credit; out
 * of credit it is served as the lowest class, and charged on, until it has credit again.
 *
 *   credit <= 0                 out of credit
 *   credit >= burst / 100       back, so that it does not go back and forth with every frame
 *   credit <= burst             more is not saved up
 *   credit >= -most owed        what was spent too much between two looks is paid back; but no more
 *                               than a burst or a second's income is owed, whichever is more, so
 * that who stops is back after a time that the configuration tells
 *
 * Amounts are in sixteenths of a credit, as bills are.
 */
struct tp_budget {
	uint64_t income;     /* a second; 0: no budget */
	int64_t burst;       /* most that it saves up */
	int64_t credit;      /* below 0: it owes */
	uint64_t fraction;   /* earned beyond whole sixteenths, in 1 / 10^9 of one */
	uint64_t bill;       /* of the tenant, when last looked at */
	uint64_t looked_ns;  /* CLOCK_MONOTONIC */
	bool out_of_credit;  /* served as the lowest class */
	uint64_t demotions;  /* times it came to that; control: w, telemetry: r (relaxed) */
	uint64_t demoted_ns; /* spent so, up to the last look */
};

/**
 * Begin with a full bucket.
 * @param credits_per_second  1 to 10^15
 * @param burst               credits, 1 to 10^15
 * @param now_ns              CLOCK_MONOTONIC
 * @param bill                of the tenant up to now
 * Threading: control thread, as all functions here.
 */
void tp_budget_begin(struct tp_budget *budget, uint64_t credits_per_second, uint64_t burst,
	uint64_t now_ns, uint64_t bill);

/**
 * Account for the time and the charges since the last look. Pure arithmetic.
 *
 * Income and charges of the time between two looks are taken together and the sum is then capped:
 * who spends as steadily as it earns keeps its credit, however seldom it is looked at. A clock that
 * goes back earns nothing, and one that jumps ahead at most fills the bucket.
 *
 * @param now_ns  CLOCK_MONOTONIC
 * @param bill    of the tenant up to now
 * @return is it out of credit?
 */
bool tp_budget_look(struct tp_budget *budget, uint64_t now_ns, uint64_t bill);

/**
 * Go on with another income and burst: what it has, and owes, stays, as far as these allow. Time
 * and charges up to now have been accounted for.
 */
void tp_budget_adjust(struct tp_budget *budget, uint64_t credits_per_second, uint64_t burst);

/* The budgets of an appliance. */
struct tp_budgets;

/**
 * Begin to keep the budgets of the configuration's tenants; they are looked at every 10 ms. Costs
 * nothing afterwards if there are none.
 * @return 0, or -ENOMEM.
 */
int tp_budgets_open(struct tp_appliance *appliance);

/** End it. Nothing happens if tp_budgets_open was not called or failed. */
void tp_budgets_close(struct tp_appliance *appliance);

/** What the configuration, which is in force, says of a tenant's budget may be new. */
void tp_budget_change(struct tp_appliance *appliance, const struct tp_tenant_config *tenant);

/** The tenant at a place is gone. */
void tp_budget_go(struct tp_appliance *appliance, uint32_t place);

/** The budget of a tenant, or NULL if it has none. */
const struct tp_budget *tp_budget_of(const struct tp_appliance *appliance, uint32_t tenant);
