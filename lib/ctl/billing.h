/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "appliance_private.h"

/* The appliance's ledger (ledger.h): its accounts are the interfaces. */

/** Open it as the configuration says. After the ports. @return 0, or negative errno with *error
 * set.
 */
int tp_billing_open(struct tp_appliance *appliance, struct tp_error *error);

/** Write down what is left and close, before the ports and the control socket. Nothing happens if
 * it is not open. */
void tp_billing_close(struct tp_appliance *appliance);

/** The configuration, which is in force, may say something else of billing. */
void tp_billing_change(struct tp_appliance *appliance);

/**
 * Do the command {"command":"bill","from":TIME,"to":TIME}, where both times (ctl/moment.h) may be
 * missing. The answer is promised; it is tp_ledger_ask's.
 * @return NULL, with *error set if it is refused.
 */
json_t *tp_billing_answer(
	struct tp_appliance *appliance, const json_t *request, struct tp_error *error);
