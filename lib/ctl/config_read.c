/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/config.h"

/* 65,536 interfaces, each written out, take about 8 MiB. */
#define FILE_LIMIT ((size_t)16 << 20)

static int check_readable(int fd, const char *path, struct tp_error *error)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return tp_error_set(error, errno, "%s: %s", path, strerror(errno));
	if (S_ISDIR(status.st_mode))
		return tp_error_set(
			error, EISDIR, "%s: found a directory; accepted: a JSON file", path);
	if (S_ISREG(status.st_mode) && status.st_size > (off_t)FILE_LIMIT)
		return tp_error_set(error, EFBIG,
			"%s: found %lld bytes; accepted: a JSON file of at most 16 MiB", path,
			(long long)status.st_size);
	return 0;
}

/* Reads to the end whatever fstat said: a pipe has no size and a file may grow meanwhile. */
static ssize_t read_all(int fd, char *text, const char *path, struct tp_error *error)
{
	size_t length = 0;

	while (length <= FILE_LIMIT) {
		ssize_t got = read(fd, text + length, FILE_LIMIT + 1 - length);

		if (got == 0)
			return (ssize_t)length;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return tp_error_set(
				error, errno, "%s: cannot be read: %s", path, strerror(errno));
		length += (size_t)got;
	}
	return tp_error_set(error, EFBIG,
		"%s: found more than 16 MiB; accepted: a JSON file of at most 16 MiB", path);
}

static struct tp_config *read_open(int fd, const char *path, struct tp_error *error)
{
	struct tp_config *config = NULL;
	ssize_t length;
	char *text;

	if (check_readable(fd, path, error) < 0)
		return NULL;
	text = malloc(FILE_LIMIT + 1);
	if (text == NULL) {
		tp_error_set(error, ENOMEM, "%s: no memory to read it", path);
		return NULL;
	}
	length = read_all(fd, text, path, error);
	if (length >= 0)
		config = tp_config_parse(text, (size_t)length, path, error);
	free(text);
	return config;
}

struct tp_config *tp_config_read(const char *path, struct tp_error *error)
{
	struct tp_config *config;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0) {
		tp_error_set(error, errno, "%s: cannot be opened: %s", path, strerror(errno));
		return NULL;
	}
	config = read_open(fd, path, error);
	close(fd);
	return config;
}
