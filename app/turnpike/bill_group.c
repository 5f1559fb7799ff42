/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bill_group.h"

static const char *const amounts[] = {"frames", "bytes", "sixteenths"};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static void add_amounts(json_t *sum, const json_t *charge)
{
	for (size_t i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++) {
		const char *key = amounts[i];

		json_object_set_new(sum, key,
			json_integer(json_integer_value(json_object_get(sum, key)) +
				     json_integer_value(json_object_get(charge, key))));
	}
}

/* Names that are the group's, then what is summed up. `seen` becomes the number of interfaces. */
static json_t *new_group(const json_t *charge, const char *by)
{
	json_t *group = json_object();
	bool interface = strcmp(by, "interface") == 0;

	if (interface || strcmp(by, "tenant") == 0)
		json_object_set(group, "tenant", json_object_get(charge, "tenant"));
	if (interface)
		json_object_set(group, "interface", json_object_get(charge, "interface"));
	if (interface || strcmp(by, "class") == 0)
		json_object_set(group, "class", json_object_get(charge, "class"));
	if (!interface)
		json_object_set_new(group, "interfaces", json_object());
	return group;
}

/* "/" is in no name. */
static void key_of(const json_t *group, char *key, size_t size)
{
	snprintf(key, size, "%s/%s/%s", text_of(group, "tenant"), text_of(group, "interface"),
		text_of(group, "class"));
}

/* An interface that changed its class is one all the same. */
static void add_interface(json_t *group, const json_t *charge)
{
	char name[256];

	snprintf(name, sizeof(name), "%s/%s", text_of(charge, "tenant"),
		text_of(charge, "interface"));
	json_object_set_new(json_object_get(group, "interfaces"), name, json_true());
}

static void count_interfaces(json_t *group)
{
	const json_t *names = json_object_get(group, "interfaces");

	if (names != NULL)
		json_object_set_new(
			group, "interfaces", json_integer((json_int_t)json_object_size(names)));
}

static void add_charge(json_t *groups, const json_t *charge, const char *by)
{
	json_t *fresh = new_group(charge, by);
	json_t *group;
	char key[256];

	key_of(fresh, key, sizeof(key));
	group = json_object_get(groups, key);
	if (group == NULL) {
		json_object_set(groups, key, fresh);
		group = fresh;
	}
	add_amounts(group, charge);
	add_interface(group, charge);
	json_decref(fresh);
}

/* pod2 stands before pod10. */
static int compare_rows(const void *left, const void *right)
{
	const json_t *a = *(json_t *const *)left, *b = *(json_t *const *)right;
	int order = strverscmp(text_of(a, "tenant"), text_of(b, "tenant"));

	if (order == 0)
		order = strverscmp(text_of(a, "interface"), text_of(b, "interface"));
	return order != 0 ? order : strverscmp(text_of(a, "class"), text_of(b, "class"));
}

static json_t *sort_groups(json_t *groups)
{
	size_t count = json_object_size(groups);
	json_t **order = calloc(count + 1, sizeof(json_t *));
	json_t *rows = order != NULL ? json_array() : NULL;
	const char *key;
	json_t *group;
	size_t n = 0;

	if (rows != NULL) {
		json_object_foreach(groups, key, group) order[n++] = group;
		qsort(order, count, sizeof(json_t *), compare_rows);
	}
	for (size_t i = 0; rows != NULL && i < count; i++) {
		count_interfaces(order[i]);
		json_array_append(rows, order[i]);
	}
	free(order);
	return rows;
}

json_t *tp_bill_group(const json_t *charges, const char *by)
{
	json_t *groups = json_object();
	json_t *rows;

	for (size_t i = 0; i < json_array_size(charges); i++)
		if (json_is_object(json_array_get(charges, i)))
			add_charge(groups, json_array_get(charges, i), by);
	rows = sort_groups(groups);
	json_decref(groups);
	return rows;
}

json_t *tp_bill_total(const json_t *charges)
{
	json_t *rows = tp_bill_group(charges, "nothing");
	json_t *total = json_array_size(rows) > 0
				? json_incref(json_array_get(rows, 0))
				: json_pack("{s:i, s:i, s:i, s:i}", "interfaces", 0, "frames", 0,
					  "bytes", 0, "sixteenths", 0);

	json_decref(rows);
	return total;
}
