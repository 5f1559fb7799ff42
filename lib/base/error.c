/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

static void mark_cut(char *text, size_t size)
{
	memcpy(text + size - 4, "...", 4);
}

int tp_error_set(struct tp_error *error, int code, const char *format, ...)
{
	va_list arguments;
	int length;

	if (error == NULL)
		return -code;
	va_start(arguments, format);
	length = vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	if (length >= (int)sizeof(error->text))
		mark_cut(error->text, sizeof(error->text));
	return -code;
}

void tp_error_prefix(struct tp_error *error, const char *format, ...)
{
	struct tp_error with_place;
	va_list arguments;
	int length;
	size_t place;

	if (error == NULL)
		return;
	va_start(arguments, format);
	length = vsnprintf(with_place.text, sizeof(with_place.text), format, arguments);
	va_end(arguments);
	place = length < (int)sizeof(with_place.text) ? (size_t)length
						      : sizeof(with_place.text) - 1;
	if (snprintf(with_place.text + place, sizeof(with_place.text) - place, ": %s",
		    error->text) >= (int)(sizeof(with_place.text) - place))
		mark_cut(with_place.text, sizeof(with_place.text));
	*error = with_place;
}
