/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "places.h"

/** One kind of objects, as places see it. */
struct kind {
	enum tp_object_kind kind;
	uint32_t most; /* places; TP_NOT_THERE: as many as there are objects, old and new */
	uint32_t *(*place)(struct tp_config *config, uint32_t index);
	const char *what;
};

static uint32_t *place_of_class(struct tp_config *config, uint32_t index)
{
	return &config->classes[index].place;
}

static uint32_t *place_of_tenant(struct tp_config *config, uint32_t index)
{
	return &config->tenants[index].place;
}

static uint32_t *place_of_interface(struct tp_config *config, uint32_t index)
{
	return &config->interfaces[index].place;
}

static const struct kind kinds[] = {
	{TP_OBJECT_CLASS, TP_CONFIG_CLASSES_MAX, place_of_class, "classes"},
	{TP_OBJECT_TENANT, TP_CONFIG_TENANTS_MAX, place_of_tenant, "tenants"},
	{TP_OBJECT_INTERFACE, TP_NOT_THERE, place_of_interface, "interfaces"},
};

/* @return flags of the places that the old configuration has, room for those of the new one; one
 * more than the highest of them is in *count. */
static bool *find_taken(const struct kind *kind, const struct tp_diff *diff, uint32_t *count)
{
	const struct tp_object_table *table = &tp_object_tables[kind->kind];
	struct tp_config *old = (struct tp_config *)diff->old;
	uint32_t objects = table->count(old);
	uint32_t highest = 0;
	bool *taken;

	for (uint32_t i = 0; i < objects; i++)
		if (*kind->place(old, i) >= highest)
			highest = *kind->place(old, i) + 1;
	*count = highest + table->count(diff->new);
	taken = calloc(*count + 1ul, sizeof(*taken));
	for (uint32_t i = 0; i < objects && taken != NULL; i++)
		taken[*kind->place(old, i)] = true;
	return taken;
}

static int assign(const struct kind *kind, const struct tp_diff *diff, struct tp_config *config,
	struct tp_error *error)
{
	const uint32_t *from = diff->from[kind->kind];
	uint32_t objects = tp_object_tables[kind->kind].count(config);
	uint32_t next = 0;
	uint32_t count;
	bool *taken = find_taken(kind, diff, &count);
	int result = 0;

	if (taken == NULL)
		return tp_error_set(error, ENOMEM, "no memory");
	for (uint32_t i = 0; i < objects && result == 0; i++) {
		uint32_t *place = kind->place(config, i);

		if (from[i] != TP_NOT_THERE) {
			*place = *kind->place((struct tp_config *)diff->old, from[i]);
			continue;
		}
		while (taken[next])
			next++;
		*place = next++;
		if (kind->most != TP_NOT_THERE && *place >= kind->most)
			result = tp_error_set(error, ENOSPC,
				"those %s that go and those that come are more than %u together: "
				"apply in two steps, first without those that go",
				kind->what, kind->most);
	}
	free(taken);
	return result;
}

int tp_places_assign(const struct tp_diff *diff, struct tp_config *config, struct tp_error *error)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		int result = assign(&kinds[i], diff, config, error);

		if (result < 0)
			return result;
	}
	return 0;
}
