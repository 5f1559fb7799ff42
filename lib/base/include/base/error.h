/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * An error as a person will read it: what was found, where, and what is right.
 * The text travels beside a negative errno so that code can branch and people can act.
 */

struct tp_error {
	char text[512];
};

/**
 * Write a message into an error.
 *
 * @param error   where to write, or NULL to discard the text
 * @param code    positive errno value that the caller returns
 * @param format  printf format; a text too long is cut with "..."
 * @return -code, so that `return tp_error_set(error, EINVAL, ...)` reads well.
 * Threading: any thread; the error belongs to the caller.
 */
__attribute__((format(printf, 3, 4))) int tp_error_set(
	struct tp_error *error, int code, const char *format, ...);

/**
 * Put a place in front of a message that is already there: "place: text".
 *
 * @param error   an error with a text, or NULL
 * @param format  printf format of the place
 * Threading: any thread; the error belongs to the caller.
 */
__attribute__((format(printf, 2, 3))) void tp_error_prefix(
	struct tp_error *error, const char *format, ...);
