/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>

#include "base/error.h"

/**
 * Edit the JSON of a configuration. What stays keeps its place and its order; whether the result is
 * a configuration is for tp_config_parse to say.
 *
 * @param text    JSON that is a configuration, `length` bytes
 * @param edits   a list of {"edit":"add"|"remove"|"set","kind":KIND,"name":NAME,"fields":{...}}.
 *                KIND and NAME: "interface" "TENANT/INTERFACE", "tenant" "TENANT", "class" "CLASS";
 *                "tariff", "billing" and "dataplane", which can only be set, without a name. A
 *                field that is set to null is removed. A counted entry of which one interface is
 *                edited becomes that many entries.
 * @param edited  set to the JSON, to be freed
 * @return 0, or negative errno with *error set. Threading: any.
 */
int tp_config_edit(const char *text, size_t length, const json_t *edits, char **edited,
	struct tp_error *error);
