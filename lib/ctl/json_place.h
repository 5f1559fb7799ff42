/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>

/*
 * How places and values of a JSON file look in messages. What comes from the file is cut to a
 * readable length and its control characters are made visible, so that a file cannot play tricks
 * on the terminal that shows the message.
 */

/* Enough for what tp_json_describe writes. */
#define TP_JSON_FOUND_SIZE 96

/**
 * Copy text for a message: control characters as JSON writes them, cut with "..." after `shown`
 * bytes (never inside a character).
 *
 * @param marked  characters that get a backslash as well: "\"\\" where quotes stand around the text
 * @return buffer. Threading: any.
 */
const char *tp_json_quote(
	const char *text, const char *marked, size_t shown, char *buffer, size_t size);
