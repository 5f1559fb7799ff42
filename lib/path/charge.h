/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "burst.h"
#include "cost.h"

/*
 * charge: what was accepted is paid for at the price at which it was: its cost times the price, in
 * sixteenths of a credit, which are whole numbers. The sum is the interface's bill and its
 * tenant's.
 */

/* These frames were accepted in one attempt. */
TP_FAST void tp_charge_attempt(
	struct tp_burst *burst, unsigned frames, uint32_t blocks, uint32_t price)
{
	burst->charge += tp_cost(&burst->snapshot->tariff, frames, blocks) * price;
}

/* Nobody here sent what came from a wire: who receives it bids for it, and pays. */
static inline void tp_charge_to(struct tp_worker *worker, const struct tp_interface *receiver)
{
	struct tp_burst *burst = &worker->burst;

	tp_counter_add_if(
		&receiver->context->counters.bill, burst->charge, receiver->context->spread);
	tp_counter_add(&worker->share->tenant_bill[receiver->tenant], burst->charge);
	burst->charge = 0;
}

/* Put the burst's charges on the bills. */
static inline void tp_charge(struct tp_worker *worker)
{
	struct tp_burst *burst = &worker->burst;

	if (burst->charge == 0)
		return;
	tp_counter_add_if(&burst->context->counters.bill, burst->charge, burst->context->spread);
	tp_counter_add(&worker->share->tenant_bill[burst->source->tenant], burst->charge);
	burst->charge = 0;
}
