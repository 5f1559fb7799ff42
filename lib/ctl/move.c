/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "balance.h"

/*
 * The command `move` of the control socket: which worker serves a tenant, an interface of it, or
 * one queue pair.
 */

/* One queue pair of an interface, or all. */
static json_t *move_rings(struct tp_appliance *appliance, struct tp_port *port,
	const json_t *wanted, unsigned to, struct tp_error *error)
{
	uint32_t count = port->context->pair_count;
	json_int_t one = json_is_integer(wanted) ? json_integer_value(wanted) : -1;

	if (wanted != NULL && (one < 0 || one >= count)) {
		tp_error_set(error, EINVAL, "move: queue_pair: accepted: a number from 0 to %u",
			count - 1);
		return NULL;
	}
	for (uint32_t pair = 0; pair < count; pair++) {
		if (wanted != NULL && pair != one)
			continue;
		if (tp_balance_move_ring(appliance, port, pair, to, "an operator wanted it") < 0) {
			tp_error_set(error, ENOMEM,
				"move: no memory in the EAL's heap for what workers share");
			return NULL;
		}
	}
	return json_true();
}

json_t *tp_answer_move(
	struct tp_appliance *appliance, const json_t *request, struct tp_error *error)
{
	const json_t *worker = json_object_get(request, "worker");
	json_int_t to = json_is_integer(worker) ? json_integer_value(worker) : -1;
	const json_t *interface = json_object_get(request, "interface");
	uint32_t tenant;
	const json_t *pair = json_object_get(request, "queue_pair");
	struct tp_port *port;

	if (tp_find_tenant(appliance, "move", json_object_get(request, "tenant"), &tenant, error) <
		0)
		return NULL;
	if (to < 0 || to >= appliance->config->worker_count) {
		tp_error_set(error, EINVAL, "move: worker: accepted: a number from 0 to %u",
			appliance->config->worker_count - 1);
		return NULL;
	}
	if (interface == NULL) {
		tp_balance_move(appliance, tenant, (unsigned)to, "an operator wanted it");
		return json_true();
	}
	port = tp_find_port(appliance, "move", tenant, interface, error);
	if (port == NULL)
		return NULL;
	return move_rings(appliance, port, pair, (unsigned)to, error);
}
