/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>

#include "base/error.h"

/** How long an appliance may take for an answer. */
#define TP_ANSWER_MS 5000

/**
 * Ask the appliance once: connect, send the request, take the answer.
 *
 * @param path     the control socket
 * @param command  "show", "stop"
 * @param what     what to show, or NULL
 * @param error    for people: nobody answers, hung up, too late, or what the appliance refused
 * @return the result, a new reference, or NULL with *error set. Threading: any one thread.
 */
json_t *tp_ask(const char *path, const char *command, const char *what, struct tp_error *error);
