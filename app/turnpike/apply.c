/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "commands.h"
#include "ctl/config.h"

/* Commands that change the configuration of the appliance, or give it back. */

/* 65,536 interfaces, and others who change something at the same time. */
#define ANSWER_LIMIT 60

static int fail(const struct tp_error *error)
{
	fprintf(stderr, "turnpike: %s\n", error->text);
	return TP_EXIT_FAILED;
}

/* --- what changes, for people ---------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? "" : text;
}

/* ~ class gold: weight 8 -> 16, pinned false -> true */
static void print_change(const json_t *change)
{
	const char *way = text_of(change, "change");
	const char *name = text_of(change, "name");
	const json_t *field;
	size_t i;

	printf("%c %s%s%s",
		strcmp(way, "add") == 0      ? '+'
		: strcmp(way, "remove") == 0 ? '-'
					     : '~',
		text_of(change, "kind"), name[0] == '\0' ? "" : " ", name);
	json_array_foreach(json_object_get(change, "fields"), i, field)
	{
		const char *from = text_of(field, "from");

		printf("%s %s %s%s%s", i == 0 ? ":" : ",", text_of(field, "field"), from,
			from[0] == '\0' ? "" : " -> ", text_of(field, "to"));
	}
	printf("%s\n", json_is_true(json_object_get(change, "replaces"))
			       ? " (its guest is disconnected)"
			       : "");
}

static void print_result(const json_t *result)
{
	const json_t *changes = json_object_get(result, "changes");
	size_t count = json_array_size(changes);
	const char *plural = count == 1 ? "" : "s";
	const json_t *change;
	size_t i;

	json_array_foreach(changes, i, change) print_change(change);
	if (json_is_true(json_object_get(result, "applied")))
		printf("applied, %zu change%s, in %.1f ms\n", count, plural,
			json_number_value(json_object_get(result, "milliseconds")));
	else
		printf("dry run, %zu change%s, nothing applied\n", count, plural);
}

/* Takes the reference of request. */
static int ask_for_change(const struct tp_options *options, json_t *request)
{
	struct tp_error error;
	json_t *result;

	if (options->dry_run)
		json_object_set_new(request, "dry_run", json_true());
	result = tp_ask_request(options->socket, request, ANSWER_LIMIT, &error);
	if (result == NULL)
		return fail(&error);
	if (options->json)
		json_dumpf(result, stdout, JSON_INDENT(2));
	else
		print_result(result);
	if (options->json)
		putchar('\n');
	json_decref(result);
	return TP_EXIT_OK;
}

/* --- commands -------------------------------------------------------------------------------- */

/* What is read here once is what the appliance checks and applies. It is checked here first, so
 * that a bad file troubles nobody. */
int tp_command_apply(const struct tp_options *options, const char *path)
{
	struct tp_error error;
	struct tp_config *config = tp_config_read(path, &error);
	json_t *request;

	if (config == NULL)
		return fail(&error);
	request = json_pack("{s:s, s:s, s:s%}", "command", "apply", "name", path, "text",
		config->text, config->text_length);
	tp_config_free(config);
	return ask_for_change(options, request);
}

int tp_command_rollback(const struct tp_options *options)
{
	return ask_for_change(options, json_pack("{s:s}", "command", "rollback"));
}

static int write_file(const char *path, const char *text, size_t length, struct tp_error *error)
{
	FILE *file = fopen(path, "we");
	bool written;

	if (file == NULL)
		return tp_error_set(
			error, errno, "%s: cannot be written: %s", path, strerror(errno));
	written = fwrite(text, 1, length, file) == length;
	if (fclose(file) != 0 || !written)
		return tp_error_set(error, EIO, "%s: cannot be written: %s", path, strerror(errno));
	return 0;
}

int tp_command_save(const struct tp_options *options, const char *path)
{
	struct tp_error error;
	json_t *result = tp_ask(options->socket, "save", NULL, &error);
	const json_t *text = json_object_get(result, "text");
	int written = 0;

	if (result == NULL)
		return fail(&error);
	if (path != NULL)
		written =
			write_file(path, json_string_value(text), json_string_length(text), &error);
	else
		fwrite(json_string_value(text), 1, json_string_length(text), stdout);
	json_decref(result);
	return written < 0 ? fail(&error) : TP_EXIT_OK;
}

/* --- edits ----------------------------------------------------------------------------------- */

/* Names, addresses and values with units are strings whatever they look like. */
static json_t *value_of(const char *key, const char *text)
{
	static const char *const strings[] = {
		"class", "mac", "socket", "mode", "rate", "burst", "rate_layer", NULL};
	json_t *value;

	for (unsigned i = 0; strings[i] != NULL; i++)
		if (strcmp(key, strings[i]) == 0 && strcmp(text, "null") != 0)
			return json_string(text);
	value = json_loads(text, JSON_DECODE_ANY, NULL);
	return value != NULL ? value : json_string(text);
}

/* @return false: it is no KEY=VALUE. */
static bool set_field(json_t *fields, const char *word, const char *next, bool *took_next)
{
	bool dashes = strncmp(word, "--", 2) == 0;
	const char *equals = strchr(word, '=');
	char key[64];
	size_t length;

	word += dashes ? 2 : 0;
	*took_next = dashes && equals == NULL;
	length = equals == NULL ? strlen(word) : (size_t)(equals - word);
	if ((equals == NULL && (!dashes || next == NULL)) || length == 0 || length >= sizeof(key))
		return false;
	snprintf(key, sizeof(key), "%.*s", (int)length, word);
	for (char *c = key; *c != '\0'; c++)
		if (*c == '-')
			*c = '_';
	json_object_set_new(fields, key, value_of(key, equals == NULL ? next : equals + 1));
	return true;
}

/* @return the fields, or NULL: *bad is what cannot be understood. */
static json_t *read_fields(char *const *words, unsigned count, const char **bad)
{
	json_t *fields = json_object();

	for (unsigned i = 0; i < count; i++) {
		bool took_next;

		if (!set_field(fields, words[i], i + 1 < count ? words[i + 1] : NULL, &took_next)) {
			*bad = words[i];
			json_decref(fields);
			return NULL;
		}
		i += took_next;
	}
	return fields;
}

static int refuse_edit(const char *kind, const char *found)
{
	fprintf(stderr,
		"turnpike: %s: found \"%s\"; accepted: add, remove or set, a name, and fields as "
		"KEY=VALUE or --key VALUE, for example: turnpike interface set acme/vm1 "
		"class=gold\n",
		kind, found);
	return TP_EXIT_USAGE;
}

int tp_command_edit(
	const struct tp_options *options, const char *kind, char *const *words, unsigned count)
{
	bool named = strcmp(kind, "tariff") != 0;
	const char *bad = "";
	unsigned before = named ? 2 : 1;
	json_t *fields;

	if (count < before)
		return refuse_edit(kind, count > 0 ? words[0] : "");
	if (strcmp(words[0], "add") != 0 && strcmp(words[0], "remove") != 0 &&
		strcmp(words[0], "set") != 0)
		return refuse_edit(kind, words[0]);
	fields = read_fields(words + before, count - before, &bad);
	if (fields == NULL)
		return refuse_edit(kind, bad);
	return ask_for_change(options,
		json_pack("{s:s, s:[{s:s, s:s, s:s, s:o}]}", "command", "edit", "edits", "edit",
			words[0], "kind", kind, "name", named ? words[1] : "", "fields", fields));
}
