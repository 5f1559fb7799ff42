/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "json_place.h"
#include "json_reader.h"

/* A name may have 32 characters; what is longer is wrong and need not be shown whole. */
#define KEY_SHOWN    40
#define STRING_SHOWN 48
#define FILE_SHOWN   160

/* What gets a backslash between quotes. */
#define QUOTED "\"\\"

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* C0, DEL, and C1 (U+0080 to U+009F, in UTF-8 0xc2 0x80 to 0xc2 0x9f). */
static bool is_control(const char *c)
{
	unsigned char first = (unsigned char)c[0];

	return first < 0x20 || first == 0x7f || (first == 0xc2 && (unsigned char)c[1] < 0xa0);
}

static size_t character_length(const char *c)
{
	size_t length = 1;

	while (is_continuation(c[length]))
		length++;
	return length;
}

const char *tp_json_quote(
	const char *text, const char *marked, size_t shown, char *buffer, size_t size)
{
	size_t used = 0;
	const char *c = text;

	while (*c != '\0') {
		size_t length = character_length(c);
		int written;

		if ((size_t)(c - text) + length > shown || used + 12 > size) {
			snprintf(buffer + used, size - used, "...");
			return buffer;
		}
		if (is_control(c))
			written = snprintf(buffer + used, size - used, "\\u%04x",
				(unsigned char)c[length - 1]);
		else
			written = snprintf(buffer + used, size - used, "%s%.*s",
				strchr(marked, *c) != NULL ? "\\" : "", (int)length, c);
		used += (size_t)written;
		c += length;
	}
	buffer[used] = '\0';
	return buffer;
}

const char *tp_json_describe(const json_t *json, char *buffer, size_t size)
{
	char text[STRING_SHOWN + 24];

	if (json == NULL)
		snprintf(buffer, size, "nothing");
	else if (json_is_string(json))
		snprintf(buffer, size, "\"%s\" (string)",
			tp_json_quote(
				json_string_value(json), QUOTED, STRING_SHOWN, text, sizeof(text)));
	else if (json_is_integer(json))
		snprintf(buffer, size, "%" JSON_INTEGER_FORMAT " (number)",
			json_integer_value(json));
	else if (json_is_real(json))
		snprintf(buffer, size, "%.15g (number)", json_real_value(json));
	else if (json_is_boolean(json))
		snprintf(buffer, size, "%s (boolean)", json_is_true(json) ? "true" : "false");
	else if (json_is_null(json))
		snprintf(buffer, size, "null");
	else
		snprintf(buffer, size, "%s", json_is_object(json) ? "an object" : "an array");
	return buffer;
}

static bool is_plain(const char *key)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

	return key[0] != '\0' && key[strspn(key, plain)] == '\0' && strlen(key) <= KEY_SHOWN;
}

/* The tables nest six deep; with keys cut to KEY_SHOWN the buffer of the caller holds the path. */
static size_t write_path(const struct tp_json_value *value, char *buffer, size_t size)
{
	char key[KEY_SHOWN + 24];
	size_t used;
	int written;

	if (value->parent == NULL)
		return (size_t)snprintf(buffer, size, "$");
	used = write_path(value->parent, buffer, size);
	if (used >= size)
		return used;
	if (value->key == NULL)
		written = snprintf(buffer + used, size - used, "[%zu]", value->index);
	else if (is_plain(value->key))
		written = snprintf(buffer + used, size - used, ".%s", value->key);
	else
		written = snprintf(buffer + used, size - used, "[\"%s\"]",
			tp_json_quote(value->key, QUOTED, KEY_SHOWN, key, sizeof(key)));
	return used + (size_t)written;
}

static void prefix_place(const struct tp_json_value *value)
{
	const char *file = value->reader->file;
	size_t length = strlen(file);
	char path[8 * (KEY_SHOWN + 8)];

	write_path(value, path, sizeof(path));
	if (length <= FILE_SHOWN)
		tp_error_prefix(value->reader->error, "%s: %s", file, path);
	else
		tp_error_prefix(
			value->reader->error, "...%s: %s", file + length - FILE_SHOWN, path);
}

int tp_json_fail(const struct tp_json_value *value, int code, const char *format, ...)
{
	char text[sizeof(value->reader->error->text)];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	tp_error_set(value->reader->error, code, "%s", text);
	prefix_place(value);
	return -code;
}

int tp_json_refuse(const struct tp_json_value *value, const char *accepted, ...)
{
	char text[sizeof(value->reader->error->text)];
	char found[TP_JSON_FOUND_SIZE];
	va_list arguments;

	va_start(arguments, accepted);
	vsnprintf(text, sizeof(text), accepted, arguments);
	va_end(arguments);
	return tp_json_fail(value, EINVAL, "found %s; accepted: %s",
		tp_json_describe(value->json, found, sizeof(found)), text);
}
