/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "control_request.h"

/*
 * The commands of an appliance that has nothing to show: "echo" gives the request back, "promise"
 * the same, but later; any other is refused by a message that quotes what was asked for.
 */

json_t *control_handle(
	void *owner, const char *command, const json_t *request, struct tp_error *error);

/** What "promise" has promised and not yet kept; control: where, NULL: nowhere, it answers at once.
 */
struct control_promises {
	struct tp_control_socket *control;
	uint64_t number; /* 0: none */
	json_t *result;
};

/** Keep it, if there is one. @return whether there was. */
bool control_keep(struct control_promises *promises);
