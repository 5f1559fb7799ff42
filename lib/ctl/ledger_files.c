/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/parents.h"
#include "ledger_files.h"
#include "ledger_fold.h"
#include "ledger_text.h"

#define DIRECTORY_MODE 0750
#define FILE_MODE      0640
#define NEW_SUFFIX     ".new"
#define NAME_SIZE      96

const char *tp_ledger_name(int64_t begin, char name[TP_LEDGER_NAME_SIZE])
{
	time_t seconds = (time_t)(begin / 1000);
	struct tm utc;

	gmtime_r(&seconds, &utc);
	strftime(name, TP_LEDGER_NAME_SIZE, TP_LEDGER_PREFIX "%Y-%m" TP_LEDGER_SUFFIX, &utc);
	return name;
}

static bool is_named(const char *name, const char *prefix, const char *suffix)
{
	size_t length = strlen(name);

	return strncmp(name, prefix, strlen(prefix)) == 0 && length >= strlen(suffix) &&
	       strcmp(name + length - strlen(suffix), suffix) == 0;
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static int add_name(char ***names, int count, const char *name)
{
	char **grown = realloc(*names, (size_t)(count + 1) * sizeof(**names));

	if (grown == NULL)
		return -ENOMEM;
	*names = grown;
	grown[count] = strdup(name);
	return grown[count] != NULL ? count + 1 : -ENOMEM;
}

int tp_ledger_list(const char *path, const char *prefix, const char *suffix, char ***names)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	int count = 0;

	*names = NULL;
	if (directory == NULL)
		return -errno;
	while ((entry = readdir(directory)) != NULL) {
		int result = is_named(entry->d_name, prefix, suffix)
				     ? add_name(names, count, entry->d_name)
				     : count;

		if (result < 0) {
			tp_ledger_list_free(*names, count);
			count = result;
			break;
		}
		count = result;
	}
	closedir(directory);
	if (count > 1)
		qsort(*names, (size_t)count, sizeof(**names), compare_names);
	return count;
}

void tp_ledger_list_free(char **names, int count)
{
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

int tp_ledger_fail(const struct tp_ledger_files *files, const char *name, const char *what,
	int code, struct tp_error *error)
{
	return tp_error_set(error, code, "%s/%s: %s: %s", files->path, name, what, strerror(code));
}

/* Behind a line that has no end, ours begins on a line of its own. If it cannot be written whole,
 * what was written of it goes again. */
static int append_to(int fd, const char *line)
{
	off_t size = lseek(fd, 0, SEEK_END);
	int result = 0;

	if (size < 0)
		return -errno;
	if (size > 0 && !tp_text_ends_line(fd, size))
		result = tp_text_write(fd, "\n", 1);
	if (result == 0)
		result = tp_text_write(fd, line, strlen(line));
	if (result == 0 && fdatasync(fd) < 0)
		result = -errno;
	if (result < 0)
		(void)!ftruncate(fd, size);
	return result;
}

int tp_ledger_append_line(
	struct tp_ledger_files *files, int64_t begin, const char *line, struct tp_error *error)
{
	char name[TP_LEDGER_NAME_SIZE];
	int fd, result;

	tp_ledger_name(begin, name);
	fd = openat(files->directory, name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return tp_ledger_fail(files, name, "cannot be opened", errno, error);
	result = append_to(fd, line);
	close(fd);
	if (result < 0)
		return tp_ledger_fail(files, name, "cannot be written", -result, error);
	fsync(files->directory); /* the file may be new */
	return 0;
}

static void current_name(const struct tp_ledger_files *files, const char *suffix, char *name)
{
	snprintf(name, NAME_SIZE, TP_CURRENT_PREFIX "%s%s", files->run, suffix);
}

int tp_ledger_append(
	struct tp_ledger_files *files, const struct tp_record *record, struct tp_error *error)
{
	char name[NAME_SIZE];
	char *line;
	int result;

	if (files->unfolded > 0)
		tp_ledger_fold(files, NULL);
	if (record->count == 0)
		return 0;
	line = tp_record_write(record);
	if (line == NULL)
		return tp_error_set(error, ENOMEM, "ledger: no memory");
	result = tp_ledger_append_line(files, record->begin, line, error);
	free(line);
	if (result < 0)
		return result;
	current_name(files, TP_CURRENT_SUFFIX, name);
	unlinkat(files->directory, name, 0);
	return 0;
}

static int write_new(int directory, const char *name, const char *text)
{
	int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
	int result;

	if (fd < 0)
		return -errno;
	result = tp_text_write(fd, text, strlen(text));
	if (close(fd) < 0 && result == 0)
		result = -errno;
	return result;
}

int tp_ledger_renew_current(
	struct tp_ledger_files *files, const struct tp_record *record, struct tp_error *error)
{
	char name[NAME_SIZE], new_name[NAME_SIZE];
	char *line = tp_record_write(record);
	int result;

	if (line == NULL)
		return tp_error_set(error, ENOMEM, "ledger: no memory");
	current_name(files, TP_CURRENT_SUFFIX, name);
	current_name(files, NEW_SUFFIX, new_name);
	result = write_new(files->directory, new_name, line);
	free(line);
	if (result == 0 && renameat(files->directory, new_name, files->directory, name) < 0)
		result = -errno;
	if (result == 0)
		return 0;
	unlinkat(files->directory, new_name, 0);
	return tp_ledger_fail(files, name, "cannot be written", -result, error);
}

/* The lock goes with the descriptor, however the process ends. */
static int open_directory(struct tp_ledger_files *files, struct tp_error *error)
{
	int result = tp_make_parents(files->path, error);

	if (result < 0)
		return result;
	if (mkdir(files->path, DIRECTORY_MODE) < 0 && errno != EEXIST)
		return tp_error_set(error, errno, "%s: %s", files->path, strerror(errno));
	files->directory = open(files->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (files->directory < 0)
		return tp_error_set(
			error, errno, "%s: cannot be opened: %s", files->path, strerror(errno));
	if (flock(files->directory, LOCK_EX | LOCK_NB) < 0)
		return tp_error_set(error, errno, "%s: %s", files->path,
			errno == EWOULDBLOCK ? "another appliance keeps its ledger here; stop it "
					       "or choose another directory"
					     : strerror(errno));
	if (faccessat(files->directory, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return tp_error_set(
			error, errno, "%s: cannot be written: %s", files->path, strerror(errno));
	return 0;
}

/* A current file is renamed from its new one, which is left by a death in between. */
static void remove_new_files(const struct tp_ledger_files *files)
{
	char **names;
	int count = tp_ledger_list(files->path, TP_CURRENT_PREFIX, NEW_SUFFIX, &names);

	for (int i = 0; i < count; i++)
		unlinkat(files->directory, names[i], 0);
	if (count >= 0)
		tp_ledger_list_free(names, count);
}

/* After the moment, to the nanosecond, and the process: no two are alike. */
static void name_run(struct tp_ledger_files *files)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(files->run, sizeof(files->run), "%lld%09ld-%d", (long long)now.tv_sec, now.tv_nsec,
		(int)getpid());
}

int tp_ledger_files_open(struct tp_ledger_files *files, const char *path, struct tp_error *error)
{
	int result = -ENOMEM;

	*files = (struct tp_ledger_files){.directory = -1};
	name_run(files);
	files->path = strdup(path);
	if (files->path == NULL)
		tp_error_set(error, ENOMEM, "%s: no memory", path);
	else
		result = open_directory(files, error);
	if (result < 0) {
		tp_ledger_files_close(files);
		return result;
	}
	remove_new_files(files);
	tp_ledger_mend(files);
	tp_ledger_fold(files, tp_ledger_tell);
	return 0;
}

void tp_ledger_files_close(struct tp_ledger_files *files)
{
	if (files->directory >= 0)
		close(files->directory);
	free(files->path);
	*files = (struct tp_ledger_files){.directory = -1};
}
