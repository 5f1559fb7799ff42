/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/moment.h"
#include "ledger_files.h"

/* A directory of the test's own, its files as text, and what the log says. */

static char directory[64];
static char logged[16384]; /* by what ran between capture_begin and capture_end */
static int capture_saved, capture_pipe[2];

/* A pipe, since the size of files is what some tests limit. */
static inline void capture_begin(void)
{
	fflush(stderr);
	capture_saved = dup(STDERR_FILENO);
	assert_int_equal(pipe2(capture_pipe, O_CLOEXEC | O_NONBLOCK), 0);
	dup2(capture_pipe[1], STDERR_FILENO);
}

static inline void capture_end(void)
{
	ssize_t length;

	dup2(capture_saved, STDERR_FILENO);
	length = read(capture_pipe[0], logged, sizeof(logged) - 1);
	logged[length < 0 ? 0 : length] = '\0';
	close(capture_saved);
	close(capture_pipe[0]);
	close(capture_pipe[1]);
}

static inline void remove_files(void)
{
	DIR *stream = opendir(directory);
	const struct dirent *entry;

	while (stream != NULL && (entry = readdir(stream)) != NULL)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(stream), entry->d_name, 0);
	if (stream != NULL)
		closedir(stream);
}

/* cmocka: before and after a test. In memory if that can be had: other processes keep disks busy.
 */
static inline int make_directory(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "%s/ledger_test.XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	return mkdtemp(directory) == NULL;
}

static inline int remove_directory(void **state)
{
	(void)state;
	remove_files();
	return rmdir(directory);
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

static inline const char *path_of(const char *name)
{
	static char path[384];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

/* Its bytes, valid until the next call; NULL: there is no such file. */
static inline char *text_of(const char *name)
{
	static char text[65536];
	FILE *file = fopen(path_of(name), "re");

	if (file == NULL)
		return NULL;
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static inline void write_text(const char *name, const char *mode, const char *text)
{
	FILE *file = fopen(path_of(name), mode);

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
}

/* The first file whose name begins so, or NULL. */
static inline const char *file_named(const char *prefix, const char *suffix)
{
	static char name[256];
	char **names;
	int count = tp_ledger_list(directory, prefix, suffix, &names);

	name[0] = '\0';
	if (count > 0)
		snprintf(name, sizeof(name), "%s", names[0]);
	tp_ledger_list_free(names, count > 0 ? count : 0);
	return name[0] != '\0' ? name : NULL;
}

static inline const char *current_file(void)
{
	return file_named(TP_CURRENT_PREFIX, TP_CURRENT_SUFFIX);
}

static inline unsigned count_lines(const char *text)
{
	unsigned lines = 0;

	for (; text != NULL && (text = strchr(text, '\n')) != NULL; text++)
		lines++;
	return lines;
}

static inline int64_t moment(const char *text)
{
	int64_t value = 0;

	assert_int_equal(tp_moment_parse(text, 0, &value, NULL), 0);
	return value;
}
