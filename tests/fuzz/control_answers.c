/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "control_answers.h"

json_t *control_handle(
	void *owner, const char *command, const json_t *request, struct tp_error *error)
{
	struct control_promises *promises = owner;

	if (strcmp(command, "echo") == 0)
		return json_deep_copy(request);
	if (strcmp(command, "promise") == 0 && promises->control == NULL)
		return json_deep_copy(request);
	if (strcmp(command, "promise") == 0) {
		promises->number = tp_control_promise(promises->control);
		json_decref(promises->result); /* of a client that has hung up */
		promises->result = json_deep_copy(request);
		return NULL;
	}
	tp_error_set(error, EINVAL, "command: found \"%s\"; accepted: echo, promise", command);
	return NULL;
}

bool control_keep(struct control_promises *promises)
{
	uint64_t number = promises->number;
	json_t *result = promises->result;

	promises->number = 0;
	promises->result = NULL;
	if (number != 0)
		tp_control_keep(promises->control, number, result, "no memory");
	return number != 0;
}
