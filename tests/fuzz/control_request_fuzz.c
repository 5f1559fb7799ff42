/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes as a request's line: the answer is one line, a JSON object, with a result or an error.
 */
#include "control_answers.h"
#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control_promises promises = {NULL, 0, NULL};
	const struct tp_control_settings settings = {.handle = control_handle, .owner = &promises};
	char *answer = tp_control_answer(&settings, (const char *)data, size);
	json_t *json, *ok;
	size_t length;

	EXPECT(answer != NULL);
	length = strlen(answer);
	EXPECT(length > 1 && strchr(answer, '\n') == answer + length - 1);
	json = json_loadb(answer, length, JSON_REJECT_DUPLICATES, NULL);
	ok = json_object_get(json, "ok");
	EXPECT(json_object_size(json) == 2 && json_is_boolean(ok));
	if (json_is_true(ok))
		EXPECT(json_is_object(json_object_get(json, "result")));
	else
		EXPECT(json_string_length(json_object_get(json, "error")) > 0);
	json_decref(json);
	free(answer);
	return 0;
}
