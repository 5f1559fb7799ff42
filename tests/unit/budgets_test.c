/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_support.h"
#include "eal_support.h"

#include <rte_memory.h>

#include "appliance_private.h"
#include "budget.h"

/* Budgets at work: what workers charge makes a tenant one of the lowest class, and time undoes it.
 */

/* "rich" earns 100 credits in 10 ms; "free" has no budget. */
#define TENANTS                                                                                    \
	"{'classes':{'gold':{'bid':16}},'tenants':{'free':{},"                                     \
	"'rich':{'budget':{'credits_per_second':10000,'burst':1000}}}}"

static void begin(struct tp_appliance *appliance, const char *config)
{
	struct tp_dataplane_settings settings = {.workers = 2, .socket = SOCKET_ID_ANY};
	struct tp_error error = {""};

	*appliance = (struct tp_appliance){.config = accepted(config)};
	settings.tenants = appliance->config->tenant_count;
	appliance->loop = tp_loop_new(&error);
	appliance->dataplane = tp_dataplane_new(&settings, &error);
	if (appliance->dataplane == NULL)
		fail_msg("%s", error.text);
	assert_int_equal(tp_budgets_open(appliance), 0);
}

static void end(struct tp_appliance *appliance)
{
	tp_budgets_close(appliance);
	tp_dataplane_free(appliance->dataplane);
	tp_loop_free(appliance->loop);
	tp_config_free(appliance->config);
}

/* @return does it become so within 5 s? */
static bool becomes(struct tp_appliance *appliance, uint32_t tenant, uint8_t expected)
{
	uint64_t until = tp_loop_now_ms() + 5000;

	while (appliance->dataplane->out_of_credit[tenant] != expected && tp_loop_now_ms() < until)
		tp_loop_step(appliance->loop, 20);
	return appliance->dataplane->out_of_credit[tenant] == expected;
}

static void charge(
	struct tp_appliance *appliance, unsigned worker, uint32_t tenant, unsigned credits)
{
	tp_counter_add(&appliance->dataplane->worker[worker]->tenant_bill[tenant], credits * 16);
}

static void charges_of_all_workers_demote_and_time_promotes(void **state)
{
	struct tp_appliance appliance;

	(void)state;
	begin(&appliance, TENANTS);
	charge(&appliance, 0, 1, 900);
	charge(&appliance, 1, 1, 900);
	charge(&appliance, 1, 0, 1000000);
	assert_true(becomes(&appliance, 1, 1));
	assert_true(tp_budget_of(&appliance, 1)->credit < 0);
	assert_int_equal(tp_budget_of(&appliance, 1)->demotions, 1);
	assert_true(becomes(&appliance, 1, 0));
	assert_true(tp_budget_of(&appliance, 1)->demoted_ns > 50000000);
	assert_int_equal(appliance.dataplane->out_of_credit[0], 0);
	assert_null(tp_budget_of(&appliance, 0));
	end(&appliance);
}

static void without_budgets_nothing_is_looked_at(void **state)
{
	struct tp_appliance appliance;

	(void)state;
	begin(&appliance, "{'classes':{'gold':{'bid':16}},'tenants':{'free':{}}}");
	assert_int_equal(tp_loop_step(appliance.loop, 30), 0);
	assert_null(tp_budget_of(&appliance, 0));
	end(&appliance);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(charges_of_all_workers_demote_and_time_promotes),
		cmocka_unit_test(without_budgets_nothing_is_looked_at),
	};

	return start_eal() ? cmocka_run_group_tests(tests, NULL, NULL) : EXIT_FAILURE;
}
