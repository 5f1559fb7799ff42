/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>

#include "ctl/control_socket.h"

/**
 * Do the request of one line and write its answer.
 *
 * @param line    what the client sent, without the line's end; any bytes
 * @param length  bytes of it
 * @return the answer as a line with its end, to be freed; NULL: no memory. Threading: the loop's.
 */
char *tp_control_answer(
	const struct tp_control_settings *settings, const char *line, size_t length);

/** The answer that gives a result, whose reference is taken; as a line, to be freed; NULL: no
 * memory.
 */
char *tp_control_result(json_t *result);

/** The answer that refuses, as a line, to be freed; NULL: no memory. */
char *tp_control_refusal(const char *reason);
