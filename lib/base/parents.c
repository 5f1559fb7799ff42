/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/parents.h"

int tp_make_parents(const char *path, struct tp_error *error)
{
	char *parent = strdup(path);
	int result = 0;

	if (parent == NULL)
		return tp_error_set(error, ENOMEM, "%s: no memory", path);
	for (char *slash = strchr(parent, '/'); slash != NULL && result == 0;
		slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (parent[0] != '\0' && mkdir(parent, 0755) < 0 && errno != EEXIST)
			result = tp_error_set(
				error, errno, "directory %s: %s", parent, strerror(errno));
		*slash = '/';
	}
	free(parent);
	return result;
}
