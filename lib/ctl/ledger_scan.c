/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/moment.h"
#include "ledger_files.h"
#include "ledger_scan.h"

/* The last interval of a month may reach into the next one. */
#define INTERVAL_MOST_MS INT64_C(3600000)

/* When the month of a file begins, or the one after it; -1: it is not named after one. */
static int64_t month_of(const char *name, bool next)
{
	char date[TP_MOMENT_SIZE];
	int64_t moment;
	unsigned year, month;
	int end = 0;

	if (sscanf(name, TP_LEDGER_PREFIX "%4u-%2u" TP_LEDGER_SUFFIX "%n", &year, &month, &end) !=
			2 ||
		name[end] != '\0' || end == 0)
		return -1;
	if (next && ++month == 13) {
		month = 1;
		year++;
	}
	snprintf(date, sizeof(date), "%04u-%02u-01", year, month);
	return tp_moment_parse(date, 0, &moment, NULL) == 0 ? moment : -1;
}

static bool is_wanted(const struct tp_ledger_scan *scan, const char *name)
{
	int64_t begin = month_of(name, false);
	int64_t end = month_of(name, true);

	return begin >= 0 && begin < scan->to && end + INTERVAL_MOST_MS > scan->from;
}

/* What was torn and never closed looks like what is being written: it was told when it was found.
 */
static int read_line(const struct tp_ledger_scan *scan, const char *name, unsigned long number,
	const char *line, size_t length)
{
	struct tp_record record;
	int result = tp_record_read(line, length, &record);

	if (result == -EINVAL) {
		if (length > 0 && line[length - 1] == '\n')
			scan->damaged(scan->owner, name, number);
		return 0;
	}
	if (result == 0)
		result = scan->record(scan->owner, &record);
	tp_record_clear(&record);
	return result;
}

static int read_lines(const struct tp_ledger_scan *scan, const char *name, FILE *file)
{
	unsigned long number = 0;
	char *line = NULL;
	size_t size = 0;
	int result = 0;
	ssize_t length;

	while (result == 0 && (length = getline(&line, &size, file)) >= 0) {
		result = read_line(scan, name, ++number, line, (size_t)length);
		if (atomic_load_explicit(scan->stop, memory_order_relaxed))
			result = -ECANCELED;
	}
	if (result == 0 && ferror(file))
		result = -EIO;
	free(line);
	return result;
}

static int read_file(const struct tp_ledger_scan *scan, const char *name, struct tp_error *error)
{
	char *path = NULL;
	FILE *file = NULL;
	int result = -ENOMEM;

	if (asprintf(&path, "%s/%s", scan->path, name) >= 0) {
		file = fopen(path, "re");
		result = file != NULL ? read_lines(scan, name, file) : -errno;
		free(path);
	}
	if (file != NULL)
		fclose(file);
	if (result < 0)
		tp_error_set(error, -result, "%s/%s: cannot be read: %s", scan->path, name,
			strerror(-result));
	return result;
}

int tp_ledger_read(const struct tp_ledger_scan *scan, struct tp_error *error)
{
	char **names;
	int count = tp_ledger_list(scan->path, TP_LEDGER_PREFIX, TP_LEDGER_SUFFIX, &names);
	int result = 0;

	if (count < 0)
		return tp_error_set(
			error, -count, "%s: cannot be read: %s", scan->path, strerror(-count));
	for (int i = 0; i < count && result == 0; i++)
		if (is_wanted(scan, names[i]))
			result = read_file(scan, names[i], error);
	tp_ledger_list_free(names, count);
	return result;
}
