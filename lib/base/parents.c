/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/parents.h"

/* Only the one just made: what was there before stays whose it is. */
static int give(const char *path, uid_t uid, gid_t gid)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int result;

	if (fd < 0)
		return -errno;
	result = fchown(fd, uid, gid) == 0 ? 0 : -errno;
	close(fd);
	return result;
}

int tp_make_directory(const char *path, mode_t mode, uid_t uid, gid_t gid, struct tp_error *error)
{
	int result = 0;

	if (mkdir(path, mode) < 0)
		return errno == EEXIST ? 0
				       : tp_error_set(error, errno, "directory %s: %s", path,
						 strerror(errno));
	if (uid != (uid_t)-1 || gid != (gid_t)-1)
		result = give(path, uid, gid);
	if (result < 0)
		return tp_error_set(error, -result, "directory %s cannot be given to user %d: %s",
			path, (int)uid, strerror(-result));
	return 0;
}

int tp_make_parents(const char *path, struct tp_error *error)
{
	return tp_make_parents_for(path, (uid_t)-1, (gid_t)-1, error);
}

int tp_make_parents_for(const char *path, uid_t uid, gid_t gid, struct tp_error *error)
{
	char *parent = strdup(path);
	int result = 0;

	if (parent == NULL)
		return tp_error_set(error, ENOMEM, "%s: no memory", path);
	for (char *slash = strchr(parent, '/'); slash != NULL && result == 0;
		slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (parent[0] != '\0')
			result = tp_make_directory(parent, 0755, uid, gid, error);
		*slash = '/';
	}
	free(parent);
	return result;
}
