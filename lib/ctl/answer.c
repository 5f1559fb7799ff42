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

json_t *tp_answer(void *owner, const char *command, const json_t *request, struct tp_error *error)
{
	struct tp_appliance *appliance = owner;

	if (strcmp(command, "show") == 0)
		return tp_show(
			appliance, json_string_value(json_object_get(request, "what")), error);
	if (strcmp(command, "move") == 0)
		return tp_answer_move(appliance, request, error);
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
		"found command \"%.40s\"; accepted: show, apply, edit, rollback, save, move, bill, "
		"stop",
		command);
	return NULL;
}
