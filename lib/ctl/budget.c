/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "appliance_private.h"
#include "base/log.h"
#include "budget.h"

#define LOOK_MS    10
#define SECOND_NS  1000000000
#define SIXTEENTHS 16
#define BACK_SHARE 100 /* of the burst: one hundredth */

struct tp_budgets {
	struct tp_appliance *appliance;
	struct tp_timer timer;
	bool armed;
	struct tp_budget tenant[TP_CONFIG_TENANTS_MAX]; /* by place */
};

void tp_budget_begin(struct tp_budget *budget, uint64_t credits_per_second, uint64_t burst,
	uint64_t now_ns, uint64_t bill)
{
	*budget = (struct tp_budget){
		.income = credits_per_second * SIXTEENTHS,
		.burst = (int64_t)(burst * SIXTEENTHS),
		.credit = (int64_t)(burst * SIXTEENTHS),
		.bill = bill,
		.looked_ns = now_ns,
	};
}

/* In whole sixteenths; the rest is carried to the next look. */
static __int128 earn(struct tp_budget *budget, uint64_t elapsed_ns)
{
	unsigned __int128 earned =
		(unsigned __int128)budget->income * elapsed_ns + budget->fraction;

	budget->fraction = (uint64_t)(earned % SECOND_NS);
	return (__int128)(earned / SECOND_NS);
}

static void set_credit(struct tp_budget *budget, __int128 credit)
{
	int64_t income = (int64_t)budget->income;
	int64_t most_owed = budget->burst > income ? budget->burst : income;

	if (credit >= budget->burst) {
		credit = budget->burst;
		budget->fraction = 0;
	} else if (credit < -most_owed) {
		credit = -most_owed;
	}
	budget->credit = (int64_t)credit;
}

void tp_budget_adjust(struct tp_budget *budget, uint64_t credits_per_second, uint64_t burst)
{
	budget->income = credits_per_second * SIXTEENTHS;
	budget->burst = (int64_t)(burst * SIXTEENTHS);
	set_credit(budget, budget->credit);
}

bool tp_budget_look(struct tp_budget *budget, uint64_t now_ns, uint64_t bill)
{
	uint64_t elapsed_ns = now_ns > budget->looked_ns ? now_ns - budget->looked_ns : 0;
	uint64_t spent = bill > budget->bill ? bill - budget->bill : 0;
	int64_t enough = budget->burst / BACK_SHARE > 0 ? budget->burst / BACK_SHARE : 1;

	set_credit(budget, budget->credit + earn(budget, elapsed_ns) - (__int128)spent);
	budget->looked_ns = now_ns;
	budget->bill = bill;
	if (budget->out_of_credit) {
		budget->demoted_ns += elapsed_ns;
		budget->out_of_credit = budget->credit < enough;
	} else if (budget->credit <= 0) {
		budget->out_of_credit = true;
		tp_counter_add(&budget->demotions, 1);
	}
	return budget->out_of_credit;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* Whichever workers served it. */
static uint64_t bill_of(const struct tp_dataplane *dataplane, uint32_t tenant)
{
	uint64_t bill = 0;

	for (unsigned w = 0; w < dataplane->worker_count; w++)
		bill += tp_counter_read(&dataplane->worker[w]->tenant_bill[tenant]);
	return bill;
}

static void look_at(struct tp_budgets *budgets, const struct tp_tenant_config *tenant, uint64_t now)
{
	struct tp_dataplane *dataplane = budgets->appliance->dataplane;
	struct tp_budget *budget = &budgets->tenant[tenant->place];
	bool before = budget->out_of_credit;

	if (tp_budget_look(budget, now, bill_of(dataplane, tenant->place)) == before)
		return;
	__atomic_store_n(&dataplane->out_of_credit[tenant->place], !before, __ATOMIC_RELAXED);
	tp_log(TP_LOG_DEBUG, "tenant %s: %s", tenant->name,
		before ? "has credit again" : "out of credit, served as the lowest class");
}

static bool wanted(const struct tp_config *config)
{
	for (uint32_t t = 0; t < config->tenant_count; t++)
		if (config->tenants[t].has_budget)
			return true;
	return false;
}

static void look(struct tp_timer *timer)
{
	struct tp_budgets *budgets = tp_container_of(timer, struct tp_budgets, timer);
	uint64_t now = now_ns();

	const struct tp_config *config = budgets->appliance->config;

	budgets->armed = wanted(config);
	for (uint32_t t = 0; t < config->tenant_count; t++)
		if (config->tenants[t].has_budget)
			look_at(budgets, &config->tenants[t], now);
	if (budgets->armed)
		tp_loop_arm(budgets->appliance->loop, timer, LOOK_MS);
}

static void begin(struct tp_budgets *budgets, const struct tp_tenant_config *tenant)
{
	tp_budget_begin(&budgets->tenant[tenant->place], tenant->credits_per_second, tenant->burst,
		now_ns(), bill_of(budgets->appliance->dataplane, tenant->place));
}

static int start_looking(struct tp_budgets *budgets)
{
	if (budgets->armed || !wanted(budgets->appliance->config))
		return 0;
	budgets->armed = true;
	return tp_loop_arm(budgets->appliance->loop, &budgets->timer, LOOK_MS);
}

int tp_budgets_open(struct tp_appliance *appliance)
{
	const struct tp_config *config = appliance->config;
	struct tp_budgets *budgets = calloc(1, sizeof(*budgets));

	if (budgets == NULL)
		return -ENOMEM;
	budgets->appliance = appliance;
	budgets->timer.expired = look;
	for (uint32_t t = 0; t < config->tenant_count; t++)
		if (config->tenants[t].has_budget)
			begin(budgets, &config->tenants[t]);
	appliance->budgets = budgets;
	return start_looking(budgets);
}

/* The tenant is served as its class again. */
static void forget(struct tp_budgets *budgets, uint32_t place)
{
	budgets->tenant[place] = (struct tp_budget){0};
	__atomic_store_n(&budgets->appliance->dataplane->out_of_credit[place], 0, __ATOMIC_RELAXED);
}

void tp_budget_go(struct tp_appliance *appliance, uint32_t place)
{
	forget(appliance->budgets, place);
}

void tp_budget_change(struct tp_appliance *appliance, const struct tp_tenant_config *tenant)
{
	struct tp_budgets *budgets = appliance->budgets;
	struct tp_budget *budget = &budgets->tenant[tenant->place];

	if (!tenant->has_budget) {
		forget(budgets, tenant->place);
	} else if (budget->income == 0) {
		begin(budgets, tenant);
	} else {
		look_at(budgets, tenant, now_ns());
		tp_budget_adjust(budget, tenant->credits_per_second, tenant->burst);
	}
	if (start_looking(budgets) < 0)
		tp_log(TP_LOG_ERROR, "budgets are not looked at: no memory for a timer");
}

void tp_budgets_close(struct tp_appliance *appliance)
{
	if (appliance->budgets == NULL)
		return;
	tp_loop_disarm(appliance->loop, &appliance->budgets->timer);
	free(appliance->budgets);
	appliance->budgets = NULL;
}

const struct tp_budget *tp_budget_of(const struct tp_appliance *appliance, uint32_t tenant)
{
	const struct tp_tenant_config *config = &appliance->config->tenants[tenant];

	return config->has_budget ? &appliance->budgets->tenant[config->place] : NULL;
}
