/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_tables.h"
#include "edit.h"

/** One edit, and where in the document it belongs. */
struct edit {
	const char *way;
	const char *kind;
	const char *name; /* as the request has it */
	const json_t *fields;
	json_t *parent; /* borrowed; the object that has the entry */
	const char *key;
	struct tp_error *error;
};

/* --- counted entries ------------------------------------------------------------------------- */

/* Is this the name of one of those that a counted entry makes? */
static bool counts(const char *name, const json_t *entry, const char *wanted)
{
	json_int_t count = json_integer_value(json_object_get(entry, "count"));
	size_t length = strlen(name);
	char made[TP_CONFIG_NAME_MAX + 24];
	json_int_t number;
	char *end;

	if (count <= 0 || strncmp(wanted, name, length) != 0 || wanted[length] < '0' ||
		wanted[length] > '9')
		return false;
	number = strtoll(wanted + length, &end, 10);
	snprintf(made, sizeof(made), "%.*s%" JSON_INTEGER_FORMAT, TP_CONFIG_NAME_MAX, name, number);
	return number < count && strcmp(made, wanted) == 0;
}

static void set_mac(json_t *entry, uint64_t mac)
{
	uint8_t bytes[6];
	char text[TP_CONFIG_MAC_TEXT];

	tp_config_write_mac(mac, bytes);
	json_object_set_new(entry, "mac", json_string(tp_config_format_mac(bytes, text)));
}

static void set_socket(json_t *entry, const char *pattern, json_int_t number)
{
	const char *place = strstr(pattern, "%d");
	char text[256];

	if (place == NULL)
		return;
	snprintf(text, sizeof(text), "%.*s%" JSON_INTEGER_FORMAT "%s", (int)(place - pattern),
		pattern, number, place + 2);
	json_object_set_new(entry, "socket", json_string(text));
}

static int write_out(json_t *into, const char *name, json_t *entry)
{
	json_int_t count = json_integer_value(json_object_get(entry, "count"));
	const char *pattern = json_string_value(json_object_get(entry, "socket"));
	const char *mac = json_string_value(json_object_get(entry, "mac"));
	uint64_t first;

	if (pattern == NULL || mac == NULL || !tp_config_parse_mac(mac, &first))
		return -EINVAL; /* not of a configuration */
	for (json_int_t number = 0; number < count; number++) {
		char one[TP_CONFIG_NAME_MAX + 24];
		json_t *copy = json_copy(entry);

		snprintf(one, sizeof(one), "%s%" JSON_INTEGER_FORMAT, name, number);
		json_object_del(copy, "count");
		set_mac(copy, first + (uint64_t)number);
		set_socket(copy, pattern, number);
		if (json_object_set_new(into, one, copy) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Write a counted entry out where it stands. */
static int expand(json_t *interfaces, const char *counted)
{
	json_t *rebuilt = json_object();
	int result = rebuilt == NULL ? -ENOMEM : 0;
	const char *name;
	json_t *entry;

	json_object_foreach(interfaces, name, entry)
	{
		if (result < 0)
			break;
		if (strcmp(name, counted) == 0)
			result = write_out(rebuilt, name, entry);
		else if (json_object_set(rebuilt, name, entry) < 0)
			result = -ENOMEM;
	}
	if (result == 0) {
		json_object_clear(interfaces);
		result = json_object_update(interfaces, rebuilt) < 0 ? -ENOMEM : 0;
	}
	json_decref(rebuilt);
	return result;
}

static int expand_for(json_t *interfaces, const char *wanted)
{
	const char *name;
	json_t *entry;

	if (json_object_get(interfaces, wanted) != NULL)
		return 0;
	json_object_foreach(interfaces, name, entry)
	{
		if (counts(name, entry, wanted))
			return expand(interfaces, name);
	}
	return 0;
}

/* --- where it belongs ------------------------------------------------------------------------ */

/* The member of an object, made if it is not there. */
static json_t *member(json_t *object, const char *key)
{
	json_t *found = json_object_get(object, key);

	if (found == NULL && json_object_set_new(object, key, json_object()) == 0)
		found = json_object_get(object, key);
	return found;
}

static int find_interface(struct edit *edit, json_t *document)
{
	const char *slash = strchr(edit->name, '/');
	char tenant[TP_CONFIG_NAME_MAX + 1];
	json_t *found;

	if (slash == NULL || (size_t)(slash - edit->name) >= sizeof(tenant))
		return tp_error_set(edit->error, EINVAL,
			"interface: found \"%.70s\"; accepted: TENANT/INTERFACE", edit->name);
	snprintf(tenant, sizeof(tenant), "%.*s", (int)(slash - edit->name), edit->name);
	found = json_object_get(json_object_get(document, "tenants"), tenant);
	if (!json_is_object(found))
		return tp_error_set(edit->error, ENOENT,
			"interface: found tenant \"%s\"; accepted: one of the configuration's",
			tenant);
	edit->parent = member(found, "interfaces");
	edit->key = slash + 1;
	return edit->parent == NULL ? -ENOMEM : expand_for(edit->parent, edit->key);
}

static int find_place(struct edit *edit, json_t *document)
{
	static const struct {
		const char *kind;
		const char *list; /* NULL: the kind is there once */
	} kinds[] = {
		{"tenant", "tenants"},
		{"class", "classes"},
		{"tariff", NULL},
		{"billing", NULL},
		{"dataplane", NULL},
	};

	if (strcmp(edit->kind, "interface") == 0)
		return find_interface(edit, document);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(edit->kind, kinds[i].kind) != 0)
			continue;
		edit->parent = kinds[i].list == NULL ? document : member(document, kinds[i].list);
		edit->key = kinds[i].list == NULL ? edit->kind : edit->name;
		if (kinds[i].list == NULL && strcmp(edit->way, "set") != 0)
			return tp_error_set(edit->error, EINVAL,
				"%s: found \"%.20s\"; accepted: set", edit->kind, edit->way);
		if (kinds[i].list == NULL && member(document, edit->kind) == NULL)
			return -ENOMEM;
		return edit->parent == NULL ? -ENOMEM : 0;
	}
	return tp_error_set(edit->error, EINVAL,
		"edit: found kind \"%.40s\"; accepted: interface, tenant, class, tariff, billing, "
		"dataplane",
		edit->kind);
}

/* --- what is done there ---------------------------------------------------------------------- */

static int set_fields(const struct edit *edit, json_t *entry)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)edit->fields, name, value)
	{
		if (json_is_null(value))
			json_object_del(entry, name);
		else if (json_object_set(entry, name, value) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int add(const struct edit *edit, json_t *entry)
{
	if (entry != NULL)
		return tp_error_set(edit->error, EEXIST,
			"%s %.70s is there already: set changes it", edit->kind, edit->name);
	entry = member(edit->parent, edit->key);
	return entry == NULL ? -ENOMEM : set_fields(edit, entry);
}

static int do_edit(const struct edit *edit)
{
	json_t *entry = json_object_get(edit->parent, edit->key);

	if (strcmp(edit->way, "add") == 0)
		return add(edit, entry);
	if (strcmp(edit->way, "set") != 0 && strcmp(edit->way, "remove") != 0)
		return tp_error_set(edit->error, EINVAL,
			"edit: found \"%.20s\"; accepted: add, remove, set", edit->way);
	if (entry == NULL)
		return tp_error_set(edit->error, ENOENT,
			"%s %.70s is not there; accepted: one of the configuration's", edit->kind,
			edit->name);
	if (strcmp(edit->way, "set") == 0)
		return set_fields(edit, entry);
	return json_object_del(edit->parent, edit->key) < 0 ? -ENOMEM : 0;
}

static int edit_one(json_t *document, const json_t *request, struct tp_error *error)
{
	struct edit edit = {
		.way = json_string_value(json_object_get(request, "edit")),
		.kind = json_string_value(json_object_get(request, "kind")),
		.name = json_string_value(json_object_get(request, "name")),
		.fields = json_object_get(request, "fields"),
		.error = error,
	};
	int result;

	if (edit.name == NULL)
		edit.name = "";
	if (edit.way == NULL || edit.kind == NULL ||
		(edit.fields != NULL && !json_is_object(edit.fields)))
		return tp_error_set(error, EINVAL,
			"edit: accepted: {\"edit\":\"add\"|\"remove\"|\"set\",\"kind\":KIND,"
			"\"name\":NAME,\"fields\":OBJECT}");
	result = find_place(&edit, document);
	return result < 0 ? result : do_edit(&edit);
}

static int edit_all(json_t *document, const json_t *edits, struct tp_error *error)
{
	int result = 0;
	size_t i;
	json_t *one;

	if (!json_is_array(edits))
		return tp_error_set(error, EINVAL, "edit: edits: accepted: a list of edits");
	json_array_foreach((json_t *)edits, i, one)
	{
		result = edit_one(document, one, error);
		if (result < 0)
			return result;
	}
	return result;
}

int tp_config_edit(
	const char *text, size_t length, const json_t *edits, char **edited, struct tp_error *error)
{
	json_t *document = json_loadb(text, length, 0, NULL);
	int result;

	error->text[0] = '\0';
	*edited = NULL;
	result = document == NULL ? -ENOMEM : edit_all(document, edits, error);
	if (result == 0)
		*edited = json_dumps(document, JSON_INDENT(2));
	json_decref(document);
	if (result == 0 && *edited == NULL)
		result = -ENOMEM;
	if (result < 0 && error->text[0] == '\0')
		tp_error_set(error, -result, "edit: no memory");
	return result;
}
