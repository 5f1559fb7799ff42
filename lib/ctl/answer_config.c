/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "apply.h"
#include "base/log.h"
#include "edit.h"

/* Commands that change the configuration, or give it back. */

/* --- apply ----------------------------------------------------------------------------------- */

static bool is_dry_run(const json_t *request)
{
	return json_is_true(json_object_get(request, "dry_run"));
}

static json_t *apply_text(struct tp_appliance *appliance, const json_t *request, const char *text,
	size_t length, const char *name, struct tp_error *error)
{
	struct tp_config *config = tp_config_parse(text, length, name, error);

	if (config == NULL)
		return NULL;
	return tp_apply(appliance, config, name, is_dry_run(request), error);
}

static json_t *apply_object(struct tp_appliance *appliance, const json_t *request,
	const json_t *object, const char *name, struct tp_error *error)
{
	char *text = json_dumps(object, JSON_INDENT(2));
	json_t *result = NULL;

	if (text == NULL)
		tp_error_set(error, ENOMEM, "apply: no memory");
	else
		result = apply_text(appliance, request, text, strlen(text), name, error);
	free(text);
	return result;
}

json_t *tp_answer_apply(
	struct tp_appliance *appliance, const json_t *request, struct tp_error *error)
{
	const json_t *text = json_object_get(request, "text");
	const json_t *object = json_object_get(request, "config");
	const char *name = json_string_value(json_object_get(request, "name"));

	if (name == NULL)
		name = "request";
	if (json_is_string(text) && object == NULL)
		return apply_text(appliance, request, json_string_value(text),
			json_string_length(text), name, error);
	if (json_is_object(object) && text == NULL)
		return apply_object(appliance, request, object, name, error);
	tp_error_set(error, EINVAL,
		"apply: accepted: a configuration, as a string in \"text\" or as an object in "
		"\"config\"");
	return NULL;
}

/* --- edit ------------------------------------------------------------------------------------ */

json_t *tp_answer_edit(
	struct tp_appliance *appliance, const json_t *request, struct tp_error *error)
{
	const struct tp_config *config = appliance->config;
	json_t *result = NULL;
	char *text;

	if (tp_config_edit(config->text, config->text_length, json_object_get(request, "edits"),
		    &text, error) == 0)
		result = apply_text(appliance, request, text, strlen(text), "edited", error);
	free(text);
	return result;
}

/* --- rollback and save ----------------------------------------------------------------------- */

json_t *tp_answer_rollback(
	struct tp_appliance *appliance, const json_t *request, struct tp_error *error)
{
	if (appliance->previous == NULL) {
		tp_error_set(error, ENOENT,
			"rollback: there is no configuration to go back to: none has been applied "
			"since the appliance was started");
		return NULL;
	}
	return apply_text(appliance, request, appliance->previous, appliance->previous_length,
		"rollback", error);
}

json_t *tp_answer_save(
	struct tp_appliance *appliance, const json_t *request, struct tp_error *error)
{
	const struct tp_config *config = appliance->config;
	json_t *result = json_pack("{s:s%, s:s}", "text", config->text, config->text_length,
		"source", appliance->source);

	(void)request;
	if (result == NULL)
		tp_error_set(error, ENOMEM, "save: no memory");
	return result;
}

/* --- the file, again ------------------------------------------------------------------------- */

void tp_apply_file_again(struct tp_appliance *appliance)
{
	struct tp_error error = {""};
	struct stat status;
	struct tp_config *config = NULL;
	json_t *result = NULL;

	/* A pipe would have the whole control plane wait for who writes to it. */
	if (stat(appliance->file, &status) < 0)
		tp_error_set(&error, errno, "%s: %s", appliance->file, strerror(errno));
	else if (!S_ISREG(status.st_mode))
		tp_error_set(&error, EINVAL, "%s: found no regular file; accepted: a JSON file",
			appliance->file);
	else
		config = tp_config_read(appliance->file, &error);
	if (config != NULL)
		result = tp_apply(appliance, config, appliance->file, false, &error);
	if (result == NULL)
		tp_log(TP_LOG_ERROR, "SIGHUP: %s; nothing has changed", error.text);
	json_decref(result);
}
