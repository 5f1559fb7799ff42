/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger_text.h"

#define BLOCK     65536
#define FILE_MOST ((off_t)1 << 30)

int tp_text_write(int fd, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, text, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		text += written;
		length -= (size_t)written;
	}
	return 0;
}

bool tp_text_ends_line(int fd, off_t size)
{
	char last;

	return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last == '\n';
}

static int read_at(int fd, char *text, size_t length, off_t place)
{
	while (length > 0) {
		ssize_t got = pread(fd, text, length, place);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		text += got;
		place += got;
		length -= (size_t)got;
	}
	return 0;
}

/* @return where the line begins that ends at `end`, or negative errno. */
static off_t find_line(int fd, off_t end)
{
	char block[BLOCK];

	while (end > 0) {
		size_t length = end < BLOCK ? (size_t)end : BLOCK;
		int result = read_at(fd, block, length, end - (off_t)length);
		const char *before;

		if (result < 0)
			return result;
		before = memrchr(block, '\n', length);
		end -= (off_t)length;
		if (before != NULL)
			return end + (before - block) + 1;
	}
	return 0;
}

int tp_text_last_line(int fd, char **line, size_t *length)
{
	off_t end = lseek(fd, 0, SEEK_END);
	off_t begin;
	int result;

	if (end <= 0)
		return end < 0 ? -errno : -ENODATA;
	end -= tp_text_ends_line(fd, end);
	begin = find_line(fd, end);
	if (begin < 0)
		return (int)begin;
	*length = (size_t)(end - begin);
	*line = malloc(*length + 1);
	if (*line == NULL)
		return -ENOMEM;
	result = read_at(fd, *line, *length, begin);
	if (result < 0) {
		free(*line);
		*line = NULL;
	}
	return result;
}

unsigned long tp_text_count_lines(int fd)
{
	unsigned long lines = 0;
	char block[BLOCK];
	off_t place = 0;
	ssize_t got;

	while ((got = pread(fd, block, sizeof(block), place)) > 0) {
		const char *end = block + got;

		for (const char *c = block; (c = memchr(c, '\n', (size_t)(end - c))) != NULL; c++)
			lines++;
		place += got;
	}
	return lines;
}

static int read_open(int fd, char **text, size_t *length)
{
	struct stat status;
	int result;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode) || status.st_size > FILE_MOST)
		return -EFBIG;
	*length = (size_t)status.st_size;
	*text = malloc(*length + 1);
	if (*text == NULL)
		return -ENOMEM;
	result = read_at(fd, *text, *length, 0);
	(*text)[result == 0 ? *length : 0] = '\0';
	return result;
}

int tp_text_read(int directory, const char *name, char **text, size_t *length)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int result;

	*text = NULL;
	if (fd < 0)
		return -errno;
	result = read_open(fd, text, length);
	close(fd);
	if (result < 0) {
		free(*text);
		*text = NULL;
	}
	return result;
}
