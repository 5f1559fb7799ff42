/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ledger_fold.h"
#include "ledger_text.h"

void tp_ledger_tell(const struct tp_error *error)
{
	tp_log(TP_LOG_WARNING, "billing: %s", error->text);
}

/* --- a torn line ----------------------------------------------------------------------------- */

/* A line without its end may be whole but for that. */
static void tell_of_torn(const struct tp_ledger_files *files, const char *name, int fd)
{
	struct tp_record record;
	struct tp_error error;
	char *line = NULL;
	size_t length = 0;

	if (tp_text_last_line(fd, &line, &length) < 0)
		return;
	if (tp_record_read(line, length, &record) == 0) {
		tp_record_clear(&record);
	} else {
		tp_error_set(&error, EINVAL,
			"%s/%s: line %lu: found the first %zu bytes of a record that was not "
			"written to its end: skipped",
			files->path, name, tp_text_count_lines(fd) + 1, length);
		tp_ledger_tell(&error);
	}
	free(line);
}

static void mend_file(const struct tp_ledger_files *files, const char *name)
{
	int fd = openat(files->directory, name, O_RDWR | O_APPEND | O_CLOEXEC);
	off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;

	if (size > 0 && !tp_text_ends_line(fd, size)) {
		tell_of_torn(files, name, fd);
		(void)!write(fd, "\n", 1); /* on a full disk later: who appends looks again */
	}
	if (fd >= 0)
		close(fd);
}

void tp_ledger_mend(const struct tp_ledger_files *files)
{
	char **names;
	int count = tp_ledger_list(files->path, TP_LEDGER_PREFIX, TP_LEDGER_SUFFIX, &names);

	if (count > 0)
		mend_file(files, names[count - 1]);
	if (count >= 0)
		tp_ledger_list_free(names, count);
}

/* --- a record that was not finished ---------------------------------------------------------- */

/* Did its run write it to the ledger, and die before the current file went? Then it is the last one
 * there. */
static bool is_in_ledger(const struct tp_ledger_files *files, const struct tp_record *record)
{
	char name[TP_LEDGER_NAME_SIZE];
	int fd =
		openat(files->directory, tp_ledger_name(record->begin, name), O_RDONLY | O_CLOEXEC);
	struct tp_record last;
	char *line = NULL;
	size_t length = 0;
	bool found = false;

	if (fd < 0)
		return false;
	if (tp_text_last_line(fd, &line, &length) == 0 &&
		tp_record_read(line, length, &last) == 0) {
		found = strcmp(last.run, record->run) == 0 && last.number == record->number;
		tp_record_clear(&last);
	}
	free(line);
	close(fd);
	return found;
}

/* Written anew: the file may hold it over several lines, which the ledger's reader would not take.
 */
static int append_record(
	struct tp_ledger_files *files, const struct tp_record *record, struct tp_error *error)
{
	char *line = tp_record_write(record);
	int result;

	if (line == NULL)
		return tp_error_set(error, ENOMEM, "ledger: no memory");
	result = tp_ledger_append_line(files, record->begin, line, error);
	free(line);
	return result;
}

/* @return 0: it is in the ledger or of no use, the file can go. */
static int fold_text(struct tp_ledger_files *files, const char *name, const char *text,
	size_t length, struct tp_error *error)
{
	struct tp_record record;
	int result = tp_record_read(text, length, &record);

	if (result == -EINVAL)
		tp_error_set(
			error, EINVAL, "%s/%s: found no whole record: skipped", files->path, name);
	if (result < 0)
		return result == -EINVAL ? 0 : result;
	if (record.count > 0 && !is_in_ledger(files, &record))
		result = append_record(files, &record, error);
	tp_record_clear(&record);
	return result;
}

static int fold_file(struct tp_ledger_files *files, const char *name, struct tp_error *error)
{
	size_t length = 0;
	char *text = NULL;
	int result = tp_text_read(files->directory, name, &text, &length);

	if (result < 0)
		return tp_ledger_fail(files, name, "cannot be read", -result, error);
	result = fold_text(files, name, text, length, error);
	free(text);
	if (result == 0)
		unlinkat(files->directory, name, 0);
	return result;
}

static bool is_own(const struct tp_ledger_files *files, const char *name)
{
	size_t length = strlen(files->run);

	name += strlen(TP_CURRENT_PREFIX);
	return strncmp(name, files->run, length) == 0 &&
	       strcmp(name + length, TP_CURRENT_SUFFIX) == 0;
}

void tp_ledger_fold(struct tp_ledger_files *files, void (*tell)(const struct tp_error *error))
{
	uint32_t left = 0;
	char **names;
	int count = tp_ledger_list(files->path, TP_CURRENT_PREFIX, TP_CURRENT_SUFFIX, &names);

	for (int i = 0; i < count; i++) {
		struct tp_error error = {""};

		if (is_own(files, names[i]))
			continue;
		left += fold_file(files, names[i], &error) < 0;
		if (error.text[0] != '\0' && tell != NULL)
			tell(&error);
	}
	if (count >= 0)
		tp_ledger_list_free(names, count);
	atomic_store_explicit(&files->unfolded, left, memory_order_relaxed);
}
