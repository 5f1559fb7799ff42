/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "balance.h"
#include "base/log.h"
#include "billing.h"

/*
 * Answers to the commands of the control socket.
 */

static bool find_tenant(const struct tp_appliance *appliance, const char *name, uint32_t *tenant)
{
	for (uint32_t t = 0; name != NULL && t < appliance->config->tenant_count; t++)
		if (strcmp(appliance->config->tenants[t].name, name) == 0) {
			*tenant = t;
			return true;
		}
	return false;
}

static json_t *answer_move(
	struct tp_appliance *appliance, const json_t *request, struct tp_error *error)
{
	const char *name = json_string_value(json_object_get(request, "tenant"));
	const json_t *worker = json_object_get(request, "worker");
	json_int_t to = json_is_integer(worker) ? json_integer_value(worker) : -1;
	uint32_t tenant;

	if (!find_tenant(appliance, name, &tenant)) {
		tp_error_set(error, EINVAL,
			"move: tenant: found \"%.40s\"; accepted: a tenant's name",
			name == NULL ? "" : name);
		return NULL;
	}
	if (to < 0 || to >= appliance->config->worker_count) {
		tp_error_set(error, EINVAL, "move: worker: accepted: a number from 0 to %u",
			appliance->config->worker_count - 1);
		return NULL;
	}
	tp_balance_move(appliance, tenant, (unsigned)to, "an operator wanted it");
	return json_true();
}

json_t *tp_answer(void *owner, const char *command, const json_t *request, struct tp_error *error)
{
	struct tp_appliance *appliance = owner;

	if (strcmp(command, "show") == 0)
		return tp_show(
			appliance, json_string_value(json_object_get(request, "what")), error);
	if (strcmp(command, "move") == 0)
		return answer_move(appliance, request, error);
	if (strcmp(command, "bill") == 0)
		return tp_billing_answer(appliance, request, error);
	if (strcmp(command, "stop") == 0) {
		tp_log(TP_LOG_INFO, "stop command: stopping");
		tp_loop_stop(appliance->loop);
		return json_true();
	}
	tp_error_set(error, EINVAL, "found command \"%.40s\"; accepted: show, move, bill, stop",
		command);
	return NULL;
}
