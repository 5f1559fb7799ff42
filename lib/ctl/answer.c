/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "appliance_private.h"
#include "base/log.h"
#include "billing.h"

/*
 * Answers to the commands of the control socket.
 */

static const struct {
	const char *command;
	json_t *(*answer)(
		struct tp_appliance *appliance, const json_t *request, struct tp_error *error);
} changing[] = {
	{"apply", tp_answer_apply},
	{"edit", tp_answer_edit},
	{"rollback", tp_answer_rollback},
	{"save", tp_answer_save},
};
int tp_find_tenant(const struct tp_appliance *appliance, const char *command, const json_t *name,
	uint32_t *tenant, struct tp_error *error)
{
	const char *text = json_string_value(name);

	for (uint32_t t = 0; text != NULL && t < appliance->config->tenant_count; t++) {
		if (strcmp(appliance->config->tenants[t].name, text) == 0) {
			*tenant = t;
			return 0;
		}
	}
	return tp_error_set(error, EINVAL, "%s: tenant: found \"%.40s\"; accepted: a tenant's name",
		command, text == NULL ? "" : text);
}

struct tp_port *tp_find_port(struct tp_appliance *appliance, const char *command, uint32_t tenant,
	const json_t *name, struct tp_error *error)
{
	const struct tp_tenant_config *config = &appliance->config->tenants[tenant];
	const char *text = json_string_value(name);

	for (uint32_t i = 0; text != NULL && i < config->interface_count; i++) {
		uint32_t index = config->first_interface + i;

		if (strcmp(appliance->config->interfaces[index].name, text) == 0)
			return appliance->ports[index];
	}
	tp_error_set(error, EINVAL,
		"%s: interface: found \"%.40s\"; accepted: the name of one of tenant %s", command,
		text == NULL ? "" : text, config->name);
	return NULL;
}

json_t *tp_answer(void *owner, const char *command, const json_t *request, struct tp_error *error)
{
	struct tp_appliance *appliance = owner;

	if (strcmp(command, "show") == 0)
		return tp_show(
			appliance, json_string_value(json_object_get(request, "what")), error);
	if (strcmp(command, "move") == 0)
		return tp_answer_move(appliance, request, error);
	if (strcmp(command, "flush") == 0)
		return tp_answer_flush(appliance, request, error);
	if (strcmp(command, "bill") == 0)
		return tp_billing_answer(appliance, request, error);
	for (size_t i = 0; i < sizeof(changing) / sizeof(changing[0]); i++)
		if (strcmp(command, changing[i].command) == 0)
			return changing[i].answer(appliance, request, error);
	if (strcmp(command, "stop") == 0) {
		tp_log(TP_LOG_INFO, "stop command: stopping");
		tp_loop_stop(appliance->loop);
		return json_true();
	}
	tp_error_set(error, EINVAL,
		"found command \"%.40s\"; accepted: show, apply, edit, rollback, save, move, "
		"flush, "
		"bill, stop",
		command);
	return NULL;
}
