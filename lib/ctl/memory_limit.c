/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "memory_limit.h"

#define PATH_BYTES 4096
#define UNLIMITED  (UINT64_C(1) << 60) /* version 1 says so by the largest number of pages */

struct hierarchy {
	const char *mount;
	const char *file;
};

static const struct hierarchy version_1 = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes"};
static const struct hierarchy version_2 = {"/sys/fs/cgroup", "memory.max"};

/* A file that is not there, or says "max", is no limit. */
static uint64_t limit_of(const struct hierarchy *hierarchy, const char *group)
{
	char path[2 * PATH_BYTES];
	uint64_t limit = UINT64_MAX;
	FILE *file;

	snprintf(path, sizeof(path), "%s%s/%s", hierarchy->mount, group, hierarchy->file);
	file = fopen(path, "re");
	if (file == NULL)
		return UINT64_MAX;
	if (fscanf(file, "%" SCNu64, &limit) != 1 || limit >= UNLIMITED)
		limit = UINT64_MAX;
	fclose(file);
	return limit;
}

/* @return the least of a group and those above it; cuts the name up. */
static uint64_t least_limit(const struct hierarchy *hierarchy, char *group)
{
	uint64_t least = UINT64_MAX;

	group[strcspn(group, "\n")] = '\0';
	for (char *end = group + strlen(group); end != NULL; end = strrchr(group, '/')) {
		uint64_t limit;

		*end = '\0';
		limit = limit_of(hierarchy, group);
		if (limit < least)
			least = limit;
	}
	return least;
}

/* A line is NUMBER:CONTROLLERS:GROUP (cgroups(7)). */
static uint64_t limit_of_line(char *line)
{
	char *controllers = strchr(line, ':');
	char *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');

	if (group == NULL)
		return UINT64_MAX;
	*group++ = '\0';
	if (strcmp(controllers, ":memory") == 0)
		return least_limit(&version_1, group);
	return controllers[1] == '\0' ? least_limit(&version_2, group) : UINT64_MAX;
}

uint64_t tp_memory_limit(void)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	uint64_t least = UINT64_MAX;
	char line[PATH_BYTES];

	if (file == NULL)
		return UINT64_MAX;
	while (fgets(line, sizeof(line), file) != NULL) {
		uint64_t limit = limit_of_line(line);

		if (limit < least)
			least = limit;
	}
	fclose(file);
	return least;
}
