/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "control_request.h"

#define ACCEPTED "accepted: one JSON object a line, for example {\"command\":\"show\"}"

/* Takes the reference of answer. */
static char *to_line(json_t *answer)
{
	char *line = answer != NULL ? json_dumps(answer, JSON_COMPACT) : NULL;
	size_t length = line != NULL ? strlen(line) : 0;
	char *ended = line != NULL ? realloc(line, length + 2) : NULL;

	json_decref(answer);
	if (ended == NULL) {
		free(line);
		return NULL;
	}
	strcpy(ended + length, "\n");
	return ended;
}

/* A text that was cut inside a character, or that quotes a guest, may not be UTF-8. */
static json_t *to_json_string(const char *text)
{
	json_t *string = json_string(text);
	char plain[sizeof(((struct tp_error *)0)->text)];
	size_t length = strnlen(text, sizeof(plain) - 1);

	if (string != NULL)
		return string;
	for (size_t i = 0; i < length; i++)
		plain[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
	plain[length] = '\0';
	return json_string(plain);
}

char *tp_control_refusal(const char *reason)
{
	return to_line(json_pack("{s:b, s:o}", "ok", 0, "error", to_json_string(reason)));
}

char *tp_control_result(json_t *result)
{
	return to_line(json_pack("{s:b, s:o}", "ok", 1, "result", result));
}

static char *do_request(const struct tp_control_settings *settings, const json_t *request)
{
	const char *command = json_string_value(json_object_get(request, "command"));
	struct tp_error error = {""};
	json_t *result;

	if (command == NULL)
		return tp_control_refusal("request: $.command: found no string; " ACCEPTED);
	result = settings->handle(settings->owner, command, request, &error);
	if (result == NULL)
		return tp_control_refusal(error.text);
	return tp_control_result(result);
}

char *tp_control_answer(const struct tp_control_settings *settings, const char *line, size_t length)
{
	json_error_t syntax;
	json_t *request = json_loadb(line, length, JSON_REJECT_DUPLICATES, &syntax);
	struct tp_error error;
	char *answer;

	if (!json_is_object(request)) {
		tp_error_set(&error, 0, "request: column %d: %s; " ACCEPTED,
			request == NULL ? syntax.column : 1,
			request == NULL ? syntax.text : "found an array");
		json_decref(request);
		return tp_control_refusal(error.text);
	}
	answer = do_request(settings, request);
	json_decref(request);
	return answer;
}
