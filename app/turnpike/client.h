/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>

#include "base/error.h"

/** How long an appliance may take for an answer, in seconds. */
#define TP_ANSWER_LIMIT 5

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

/**
 * The same with a request of any kind.
 *
 * @param request  an object, whose reference is taken; NULL: some text of it is not UTF-8
 * @param limit    how long it may take for an answer, in seconds
 */
json_t *tp_ask_request(const char *path, json_t *request, unsigned limit, struct tp_error *error);
