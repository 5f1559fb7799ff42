/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff.h"
#include "json_place.h"

/* --- by name --------------------------------------------------------------------------------- */

/** An object and its name. */
struct named {
	const char *tenant; /* "" if the kind has none */
	const char *name;
	uint32_t index;
};

static int compare(const void *left, const void *right)
{
	const struct named *a = left;
	const struct named *b = right;
	int tenants = strcmp(a->tenant, b->tenant);

	return tenants != 0 ? tenants : strcmp(a->name, b->name);
}

static struct named *sort(const struct tp_object_table *table, const struct tp_config *config)
{
	uint32_t count = table->count(config);
	struct named *list = calloc(count + 1ul, sizeof(*list));

	if (list == NULL)
		return NULL;
	for (uint32_t i = 0; i < count; i++)
		list[i] = (struct named){
			.tenant = table->tenant_of == NULL ? "" : table->tenant_of(config, i),
			.name = table->name_of(config, i),
			.index = i,
		};
	qsort(list, count, sizeof(*list), compare);
	return list;
}

/* @param from  of each new object, to be filled in; @param gone  of each old one, likewise */
static int match(const struct tp_object_table *table, const struct tp_config *old,
	const struct tp_config *new, uint32_t *from, bool *gone)
{
	struct named *old_list = sort(table, old);
	struct named *new_list = sort(table, new);
	uint32_t old_count = table->count(old);
	uint32_t new_count = table->count(new);
	uint32_t o = 0;

	for (uint32_t i = 0; i < old_count; i++)
		gone[i] = true;
	for (uint32_t n = 0; old_list != NULL && new_list != NULL && n < new_count; n++) {
		from[new_list[n].index] = TP_NOT_THERE;
		while (o < old_count && compare(&old_list[o], &new_list[n]) < 0)
			o++;
		if (o == old_count || compare(&old_list[o], &new_list[n]) != 0)
			continue;
		from[new_list[n].index] = old_list[o].index;
		gone[old_list[o].index] = false;
	}
	free(old_list);
	free(new_list);
	return old_list == NULL || new_list == NULL ? -ENOMEM : 0;
}

/* --- changes --------------------------------------------------------------------------------- */

static struct tp_change *add_change(struct tp_diff *diff, enum tp_object_kind kind,
	enum tp_change_way way, uint32_t from, uint32_t to)
{
	struct tp_change *change;

	if (diff->count == diff->room) {
		uint32_t room = diff->room == 0 ? 16 : 2 * diff->room;
		struct tp_change *grown = realloc(diff->change, room * sizeof(*grown));

		if (grown == NULL)
			return NULL;
		diff->change = grown;
		diff->room = room;
	}
	change = &diff->change[diff->count++];
	*change = (struct tp_change){.kind = kind, .way = way, .from = from, .to = to};
	return change;
}

/* A copy for people: a path may have any character, and their terminals act on some. */
static char *to_be_shown(const char *text)
{
	char shown[6 * TP_FIELD_TEXT + 12];

	return strdup(tp_json_quote(text, "", TP_FIELD_TEXT, shown, sizeof(shown)));
}

/* @param from  NULL: there was none */
static int add_field(struct tp_change *change, const struct tp_object_field *field,
	const char *from, const char *to)
{
	struct tp_field_change *grown =
		realloc(change->field, (change->fields + 1) * sizeof(*grown));
	struct tp_field_change *one;

	if (grown == NULL)
		return -ENOMEM;
	change->field = grown;
	one = &grown[change->fields++];
	*one = (struct tp_field_change){
		.name = field->name,
		.from = from == NULL ? NULL : to_be_shown(from),
		.to = to_be_shown(to),
		.effect = field->effect,
	};
	change->replaces |= from != NULL && field->effect == TP_EFFECT_REPLACE;
	return one->to == NULL || (from != NULL && one->from == NULL) ? -ENOMEM : 0;
}

static int list_removed(struct tp_diff *diff, enum tp_object_kind kind, const bool *gone)
{
	uint32_t count = tp_object_tables[kind].count(diff->old);

	for (uint32_t i = 0; i < count; i++)
		if (gone[i] && add_change(diff, kind, TP_CHANGE_REMOVE, i, TP_NOT_THERE) == NULL)
			return -ENOMEM;
	return 0;
}

static int list_added(struct tp_diff *diff, enum tp_object_kind kind, uint32_t index)
{
	const struct tp_object_table *table = &tp_object_tables[kind];
	struct tp_change *change = add_change(diff, kind, TP_CHANGE_ADD, TP_NOT_THERE, index);
	char text[TP_FIELD_TEXT];

	if (change == NULL)
		return -ENOMEM;
	for (unsigned f = 0; f < table->fields; f++) {
		if (!table->field[f].brief)
			continue;
		table->field[f].write(diff->new, index, text);
		if (add_field(change, &table->field[f], NULL, text) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int list_set(struct tp_diff *diff, enum tp_object_kind kind, uint32_t *from, uint32_t index)
{
	const struct tp_object_table *table = &tp_object_tables[kind];
	struct tp_change *change = NULL;
	char before[TP_FIELD_TEXT], after[TP_FIELD_TEXT];

	for (unsigned f = 0; f < table->fields; f++) {
		table->field[f].write(diff->old, *from, before);
		table->field[f].write(diff->new, index, after);
		if (strcmp(before, after) == 0)
			continue;
		if (change == NULL)
			change = add_change(diff, kind, TP_CHANGE_SET, *from, index);
		if (change == NULL || add_field(change, &table->field[f], before, after) < 0)
			return -ENOMEM;
	}
	if (change != NULL && change->replaces)
		*from = TP_NOT_THERE;
	return 0;
}

static int list_kind(struct tp_diff *diff, enum tp_object_kind kind, bool *gone)
{
	const struct tp_object_table *table = &tp_object_tables[kind];
	uint32_t count = table->count(diff->new);
	uint32_t *from = diff->from[kind];

	if (match(table, diff->old, diff->new, from, gone) < 0 ||
		list_removed(diff, kind, gone) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		int result = from[i] == TP_NOT_THERE ? list_added(diff, kind, i)
						     : list_set(diff, kind, &from[i], i);

		if (result < 0)
			return result;
	}
	return 0;
}

static int compare_kind(struct tp_diff *diff, enum tp_object_kind kind)
{
	const struct tp_object_table *table = &tp_object_tables[kind];
	bool *gone = calloc(table->count(diff->old) + 1ul, sizeof(*gone));
	int result = -ENOMEM;

	diff->from[kind] = calloc(table->count(diff->new) + 1ul, sizeof(uint32_t));
	if (gone != NULL && diff->from[kind] != NULL)
		result = list_kind(diff, kind, gone);
	free(gone);
	return result;
}

struct tp_diff *tp_diff_new(const struct tp_config *old, const struct tp_config *new)
{
	struct tp_diff *diff = calloc(1, sizeof(*diff));

	if (diff == NULL)
		return NULL;
	diff->old = old;
	diff->new = new;
	for (unsigned kind = 0; kind < TP_OBJECT_KINDS; kind++)
		if (compare_kind(diff, kind) < 0) {
			tp_diff_free(diff);
			return NULL;
		}
	return diff;
}

void tp_diff_free(struct tp_diff *diff)
{
	if (diff == NULL)
		return;
	for (uint32_t i = 0; i < diff->count; i++) {
		for (unsigned f = 0; f < diff->change[i].fields; f++) {
			free(diff->change[i].field[f].from);
			free(diff->change[i].field[f].to);
		}
		free(diff->change[i].field);
	}
	for (unsigned kind = 0; kind < TP_OBJECT_KINDS; kind++)
		free(diff->from[kind]);
	free(diff->change);
	free(diff);
}

static int refuse_coming(
	const struct tp_diff *diff, const struct tp_change *change, struct tp_error *error)
{
	const struct tp_object_table *table = &tp_object_tables[change->kind];
	bool comes = change->way == TP_CHANGE_ADD;

	return tp_error_set(error, EBUSY,
		"%s %s cannot %s while the appliance runs: stop it and start it with this file",
		table->name,
		comes ? table->name_of(diff->new, change->to)
		      : table->name_of(diff->old, change->from),
		comes ? "come" : "go");
}

int tp_diff_check(const struct tp_diff *diff, struct tp_error *error)
{
	for (uint32_t i = 0; i < diff->count; i++) {
		const struct tp_change *change = &diff->change[i];

		if (change->way != TP_CHANGE_SET &&
			tp_object_tables[change->kind].coming == TP_EFFECT_RESTART)
			return refuse_coming(diff, change, error);
		for (unsigned f = 0; f < change->fields; f++) {
			const struct tp_field_change *field = &change->field[f];

			if (field->from == NULL || field->effect != TP_EFFECT_RESTART)
				continue;
			return tp_error_set(error, EBUSY,
				"%s.%s: found %.80s, %.80s is in force; it cannot change while the "
				"appliance runs: stop it and start it with this file, or leave "
				"this key as it is",
				tp_object_tables[change->kind].name, field->name, field->to,
				field->from);
		}
	}
	return 0;
}

/* --- for people ------------------------------------------------------------------------------ */

static json_t *fields_to_json(const struct tp_change *change)
{
	json_t *list = json_array();

	for (unsigned f = 0; f < change->fields; f++)
		json_array_append_new(
			list, json_pack("{s:s, s:s*, s:s}", "field", change->field[f].name, "from",
				      change->field[f].from, "to", change->field[f].to));
	return list;
}

static json_t *change_to_json(const struct tp_diff *diff, const struct tp_change *change)
{
	static const char *const ways[] = {
		[TP_CHANGE_REMOVE] = "remove",
		[TP_CHANGE_ADD] = "add",
		[TP_CHANGE_SET] = "set",
	};
	const struct tp_object_table *table = &tp_object_tables[change->kind];
	bool gone = change->way == TP_CHANGE_REMOVE;
	const struct tp_config *config = gone ? diff->old : diff->new;
	uint32_t index = gone ? change->from : change->to;
	char name[2 * TP_CONFIG_NAME_MAX + 2];

	if (table->tenant_of != NULL)
		snprintf(name, sizeof(name), "%s/%s", table->tenant_of(config, index),
			table->name_of(config, index));
	else
		snprintf(name, sizeof(name), "%s", table->name_of(config, index));
	return json_pack("{s:s, s:s, s:s, s:b, s:o}", "change", ways[change->way], "kind",
		table->name, "name", name, "replaces", change->replaces, "fields",
		fields_to_json(change));
}

json_t *tp_diff_to_json(const struct tp_diff *diff)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < diff->count; i++) {
		json_t *change = change_to_json(diff, &diff->change[i]);

		if (change == NULL || json_array_append_new(list, change) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}
