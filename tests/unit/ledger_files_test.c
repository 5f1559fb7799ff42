/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "ledger_scan.h"
#include "ledger_support.h"

/* A ledger's files: what is written stays, what was torn is told and skipped, nothing counts twice.
 */

#define NOVEMBER "ledger-2026-11.jsonl"

static struct tp_charge charge = {"acme", "vm1", "gold", 160, 10, 640};

static struct tp_record record_of(
	const struct tp_ledger_files *files, uint64_t number, const char *begin, const char *end)
{
	struct tp_record record = {
		.number = number,
		.begin = moment(begin),
		.end = moment(end),
		.charges = &charge,
		.count = 1,
	};

	strcpy(record.run, files->run);
	return record;
}

static void open_files(struct tp_ledger_files *files)
{
	struct tp_error error = {""};

	capture_begin();
	if (tp_ledger_files_open(files, directory, &error) < 0) {
		capture_end();
		fail_msg("%s", error.text);
	}
	capture_end();
}

static void append(struct tp_ledger_files *files, uint64_t number, const char *begin)
{
	struct tp_record record = record_of(files, number, begin, begin);
	struct tp_error error = {""};

	if (tp_ledger_append(files, &record, &error) < 0)
		fail_msg("%s", error.text);
}

static void renew(struct tp_ledger_files *files, uint64_t number, const char *begin)
{
	struct tp_record record = record_of(files, number, begin, begin);
	struct tp_error error = {""};

	if (tp_ledger_renew_current(files, &record, &error) < 0)
		fail_msg("%s", error.text);
}

/* What is read of the whole ledger. */
static struct {
	unsigned records, damaged;
	uint64_t numbers[16];
	unsigned long line;
	char file[64];
} seen;

static int see_record(void *owner, const struct tp_record *record)
{
	(void)owner;
	assert_int_equal(record->charges[0].sixteenths, 160);
	seen.numbers[seen.records++ % 16] = record->number;
	return 0;
}

static void see_damaged(void *owner, const char *file, unsigned long line)
{
	(void)owner;
	seen.damaged++;
	seen.line = line;
	snprintf(seen.file, sizeof(seen.file), "%s", file);
}

static void read_between(const char *from, const char *to)
{
	atomic_bool stop = false;
	const struct tp_ledger_scan scan = {
		.path = directory,
		.from = from != NULL ? moment(from) : INT64_MIN,
		.to = to != NULL ? moment(to) : INT64_MAX,
		.record = see_record,
		.damaged = see_damaged,
		.stop = &stop,
	};
	struct tp_error error = {""};

	memset(&seen, 0, sizeof(seen));
	if (tp_ledger_read(&scan, &error) < 0)
		fail_msg("%s", error.text);
}

static void records_are_read_as_they_were_written(void **state)
{
	struct tp_ledger_files files;

	(void)state;
	open_files(&files);
	for (uint64_t i = 0; i < 5; i++)
		append(&files, i, "2026-11-03T14:30:00");
	tp_ledger_files_close(&files);
	assert_int_equal(count_lines(text_of(NOVEMBER)), 5);
	read_between(NULL, NULL);
	assert_int_equal(seen.records, 5);
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(seen.numbers[i], i);
	assert_string_equal(logged, "");
}

static void each_month_has_a_file(void **state)
{
	struct tp_ledger_files files;

	(void)state;
	open_files(&files);
	append(&files, 0, "2026-11-30T23:59:59.999");
	append(&files, 1, "2026-12-01");
	append(&files, 2, "2026-12-31T23:59");
	append(&files, 3, "2027-01-01");
	tp_ledger_files_close(&files);
	assert_int_equal(count_lines(text_of(NOVEMBER)), 1);
	assert_int_equal(count_lines(text_of("ledger-2026-12.jsonl")), 2);
	assert_int_equal(count_lines(text_of("ledger-2027-01.jsonl")), 1);
	read_between("2026-12-05", NULL);
	assert_int_equal(seen.records, 3);
	assert_int_equal(seen.numbers[0], 1);
	read_between(NULL, "2026-12-01");
	assert_int_equal(seen.records, 1);
	/* The last interval of a month may reach into the next. */
	read_between("2026-12-01T00:30", "2026-12-02");
	assert_int_equal(seen.records, 3);
}

static void months_are_read_in_their_order(void **state)
{
	struct tp_ledger_files files;

	(void)state;
	open_files(&files);
	for (unsigned i = 0; i < 12; i++) {
		char begin[16];

		snprintf(begin, sizeof(begin), "2026-%02u-01", 1 + 5 * i % 12);
		append(&files, 5 * i % 12, begin);
	}
	tp_ledger_files_close(&files);
	read_between(NULL, NULL);
	assert_int_equal(seen.records, 12);
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(seen.numbers[i], i);
}

static void files_of_others_are_let_alone(void **state)
{
	struct tp_ledger_files files;

	(void)state;
	write_text("ledger-2026-13.jsonl", "w", "{\n");
	write_text("ledger-2026-11.jsonl.bak", "w", "{\n");
	write_text("ledger-.jsonl", "w", "{\n");
	write_text("notes", "w", "{\n");
	open_files(&files);
	append(&files, 0, "2026-11-03");
	tp_ledger_files_close(&files);
	read_between(NULL, NULL);
	assert_int_equal(seen.records, 1);
	assert_int_equal(seen.damaged, 0);
	assert_string_equal(text_of("notes"), "{\n");
}

/* As a power cut leaves it, cut at any byte: the others are there, and it is told once. */
static void a_torn_last_line_is_told_once_and_skipped(void **state)
{
	struct tp_ledger_files files;
	char expected[160];
	char *line;

	(void)state;
	open_files(&files);
	append(&files, 7, "2026-11-03T14:30:00");
	tp_ledger_files_close(&files);
	line = strdup(text_of(NOVEMBER));
	for (size_t cut = 1; cut < strlen(line) - 1; cut += 13) {
		char torn[512];

		remove_files();
		write_text(NOVEMBER, "w", line);
		snprintf(torn, cut + 1, "%s", line);
		write_text(NOVEMBER, "a", torn);
		open_files(&files);
		snprintf(expected, sizeof(expected),
			"%s/" NOVEMBER ": line 2: found the first %zu bytes of a record", directory,
			cut);
		assert_non_null(strstr(logged, expected));
		tp_ledger_files_close(&files);
		open_files(&files);
		assert_string_equal(logged, "");
		append(&files, 8, "2026-11-03T14:31:00");
		tp_ledger_files_close(&files);
		read_between(NULL, NULL);
		assert_int_equal(seen.records, 2);
		assert_int_equal(seen.damaged, 1);
		assert_int_equal(seen.line, 2);
		assert_string_equal(seen.file, NOVEMBER);
	}
	free(line);
}

static void only_the_line_end_is_missing(void **state)
{
	struct tp_ledger_files files;

	(void)state;
	open_files(&files);
	append(&files, 0, "2026-11-03T14:30:00");
	tp_ledger_files_close(&files);
	assert_int_equal(truncate(path_of(NOVEMBER), (off_t)strlen(text_of(NOVEMBER)) - 1), 0);
	open_files(&files);
	assert_string_equal(logged, "");
	append(&files, 1, "2026-11-03T14:31:00");
	tp_ledger_files_close(&files);
	read_between(NULL, NULL);
	assert_int_equal(seen.records, 2);
	assert_int_equal(seen.damaged, 0);
}

/* While somebody writes, a reader sees half a line at times. */
static void a_line_that_is_being_written_is_passed_over(void **state)
{
	struct tp_ledger_files files;

	(void)state;
	open_files(&files);
	append(&files, 0, "2026-11-03T14:30:00");
	write_text(NOVEMBER, "a", "{\"run\":\"half");
	read_between(NULL, NULL);
	assert_int_equal(seen.records, 1);
	assert_int_equal(seen.damaged, 0);
	/* If it was not being written, but torn, the next one does not continue it. */
	append(&files, 1, "2026-11-03T14:31:00");
	read_between(NULL, NULL);
	assert_int_equal(seen.records, 2);
	assert_int_equal(seen.damaged, 1);
	tp_ledger_files_close(&files);
}

static void what_a_dead_run_left_is_folded(void **state)
{
	struct tp_ledger_files files;

	(void)state;
	open_files(&files);
	append(&files, 0, "2026-11-03T14:30:00");
	renew(&files, 1, "2026-11-03T14:31:00");
	renew(&files, 1, "2026-11-03T14:31:00");
	write_text("current-5-5.new", "w", "{\"run\"");
	tp_ledger_files_close(&files);
	assert_int_equal(count_lines(text_of(NOVEMBER)), 1);
	open_files(&files);
	assert_string_equal(logged, "");
	assert_null(current_file());
	assert_null(text_of("current-5-5.new"));
	read_between(NULL, NULL);
	assert_int_equal(seen.records, 2);
	assert_int_equal(seen.numbers[1], 1);
	tp_ledger_files_close(&files);
	open_files(&files);
	tp_ledger_files_close(&files);
	assert_int_equal(count_lines(text_of(NOVEMBER)), 2);
}

/* JSON all the same; but a record of the ledger is a line. */
static void what_is_left_over_several_lines_is_folded_into_one(void **state)
{
	struct tp_ledger_files files;

	(void)state;
	write_text("current-5-77.json", "w",
		"{\"run\": \"5-77\",\n \"number\": 3,\n \"begin\": \"2026-11-03T14:30:00Z\",\n"
		" \"end\": \"2026-11-03T14:31:00Z\",\n"
		" \"charges\": [[\"acme\", \"vm1\", \"gold\", 160, 10, 640]]\n}");
	open_files(&files);
	assert_string_equal(logged, "");
	assert_null(current_file());
	assert_int_equal(count_lines(text_of(NOVEMBER)), 1);
	read_between(NULL, NULL);
	assert_int_equal(seen.records, 1);
	assert_int_equal(seen.numbers[0], 3);
	assert_int_equal(seen.damaged, 0);
	tp_ledger_files_close(&files);
}

/* It died after it had appended the record, and before its current file went. */
static void what_is_in_the_ledger_is_not_folded_again(void **state)
{
	struct tp_ledger_files files;
	char name[128];
	char *current;

	(void)state;
	open_files(&files);
	renew(&files, 4, "2026-11-03T14:31:00");
	snprintf(name, sizeof(name), "%s", current_file());
	current = strdup(text_of(name));
	append(&files, 4, "2026-11-03T14:31:00");
	assert_null(current_file());
	write_text(name, "w", current);
	free(current);
	tp_ledger_files_close(&files);
	open_files(&files);
	assert_null(current_file());
	assert_int_equal(count_lines(text_of(NOVEMBER)), 1);
	tp_ledger_files_close(&files);
}

/* The same, but the line was not written to its end. */
static void what_is_torn_in_the_ledger_is_folded(void **state)
{
	struct tp_ledger_files files;

	(void)state;
	open_files(&files);
	append(&files, 3, "2026-11-03T14:30:00");
	renew(&files, 4, "2026-11-03T14:31:00");
	tp_ledger_files_close(&files);
	write_text(NOVEMBER, "a", "{\"run\":\"");
	open_files(&files);
	assert_non_null(strstr(logged, "line 2: found the first 8 bytes"));
	read_between(NULL, NULL);
	assert_int_equal(seen.records, 2);
	assert_int_equal(seen.numbers[1], 4);
	tp_ledger_files_close(&files);
}

static void a_damaged_current_file_is_told_and_removed(void **state)
{
	static const char *const texts[] = {"", "{\"run\":", "{}\n", "\n\n\n"};
	struct tp_ledger_files files;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_text("current-17-5.json", "w", texts[i]);
		open_files(&files);
		assert_non_null(strstr(logged, "/current-17-5.json: found no whole record"));
		assert_int_equal(files.unfolded, 0);
		assert_null(current_file());
		tp_ledger_files_close(&files);
	}
	assert_null(text_of(NOVEMBER));
}

static void refused(const char *path, const char *words)
{
	struct tp_ledger_files files;
	struct tp_error error = {""};

	assert_true(tp_ledger_files_open(&files, path, &error) < 0);
	if (strstr(error.text, words) == NULL || strncmp(error.text, path, strlen(path)) != 0)
		fail_msg("says: %s\n  expect: %s", error.text, words);
}

static void one_at_a_time(void **state)
{
	struct tp_ledger_files files;

	(void)state;
	open_files(&files);
	refused(directory, "another appliance keeps its ledger here");
	tp_ledger_files_close(&files);
	open_files(&files);
	tp_ledger_files_close(&files);
}

static void it_is_made_with_its_parents(void **state)
{
	struct tp_ledger_files files;
	struct tp_error error = {""};
	struct stat status;
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/a/b", directory);
	assert_int_equal(tp_ledger_files_open(&files, path, &error), 0);
	tp_ledger_files_close(&files);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07, 0);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(path_of("a")), 0);
	write_text("file", "w", "");
	refused(path_of("file"), ": cannot be opened: Not a directory");
	refused("/proc/nowhere", "No such file");
}

/* A file can grow by `room` bytes only: a write in the middle of a line fails. */
static void limit_room(off_t room)
{
	struct rlimit limit = {.rlim_cur = (rlim_t)room, .rlim_max = RLIM_INFINITY};

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void half_a_line_is_taken_back(void **state)
{
	struct tp_ledger_files files;
	struct tp_record record;
	struct tp_error error = {""};
	char *before;
	int result;

	(void)state;
	open_files(&files);
	append(&files, 0, "2026-11-03T14:30:00");
	before = strdup(text_of(NOVEMBER));
	record = record_of(&files, 1, "2026-11-03T14:31:00", "2026-11-03T14:32:00");
	limit_room((off_t)strlen(before) + 20);
	result = tp_ledger_append(&files, &record, &error);
	limit_room(-1);
	assert_int_equal(result, -EFBIG);
	assert_non_null(strstr(error.text, "/" NOVEMBER ": cannot be written: File too large"));
	assert_string_equal(text_of(NOVEMBER), before);
	append(&files, 1, "2026-11-03T14:31:00");
	tp_ledger_files_close(&files);
	read_between(NULL, NULL);
	assert_int_equal(seen.records, 2);
	assert_int_equal(seen.damaged, 0);
	free(before);
}

static void a_current_file_that_cannot_be_written_stays_as_it_was(void **state)
{
	struct tp_ledger_files files;
	struct tp_record record;
	struct tp_error error = {""};
	char *before;

	(void)state;
	open_files(&files);
	renew(&files, 0, "2026-11-03T14:30:00");
	before = strdup(text_of(current_file()));
	record = record_of(&files, 1, "2026-11-03T14:31:00", "2026-11-03T14:32:00");
	limit_room(20);
	assert_int_equal(tp_ledger_renew_current(&files, &record, &error), -EFBIG);
	limit_room(-1);
	assert_string_equal(text_of(current_file()), before);
	assert_null(file_named("current-", ".new"));
	tp_ledger_files_close(&files);
	free(before);
}

/* What an earlier run left has no room at the start, and later it has. */
static void what_cannot_be_folded_is_tried_again(void **state)
{
	struct tp_ledger_files files;
	struct tp_record nothing;
	struct tp_error error = {""};

	(void)state;
	open_files(&files);
	append(&files, 0, "2026-11-03T14:30:00");
	renew(&files, 1, "2026-11-03T14:31:00");
	tp_ledger_files_close(&files);
	limit_room((off_t)strlen(text_of(NOVEMBER)) + 20);
	open_files(&files);
	assert_non_null(strstr(logged, NOVEMBER ": cannot be written"));
	assert_int_equal(files.unfolded, 1);
	limit_room(-1);
	renew(&files, 2, "2026-11-03T14:40:00");
	nothing = record_of(&files, 0, "2026-11-03T14:40:00", "2026-11-03T14:41:00");
	nothing.count = 0;
	assert_int_equal(tp_ledger_append(&files, &nothing, &error), 0);
	assert_int_equal(files.unfolded, 0);
	read_between(NULL, NULL);
	assert_int_equal(seen.records, 2);
	assert_non_null(strstr(current_file(), files.run));
	tp_ledger_files_close(&files);
}

/* In a child with a small file system of its own. */
static int fill_a_disk(void)
{
	struct tp_ledger_files files;
	struct tp_error error = {""};
	struct tp_record record;
	unsigned written = 0;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("none", directory, "tmpfs", 0, "size=64k") < 0)
		return 77;
	open_files(&files);
	do {
		record = record_of(&files, written, "2026-11-03T14:30:00", "2026-11-03T14:31:00");
	} while (tp_ledger_append(&files, &record, &error) == 0 && ++written < 10000);
	read_between(NULL, NULL);
	printf("%u records on 64 KiB: %s\n", written, error.text);
	if (strstr(error.text, "No space left on device") == NULL || seen.records != written ||
		seen.damaged != 0 || text_of(NOVEMBER)[0] != '{')
		return 1;
	return 0;
}

static void a_full_disk_holds_whole_records_only(void **state)
{
	int status;
	pid_t child;

	(void)state;
	fflush(stdout);
	child = fork();
	if (child == 0) {
		int result = fill_a_disk();

		fflush(stdout);
		_exit(result);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip(); /* no right to mount */
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(records_are_read_as_they_were_written),
		IN_DIRECTORY(each_month_has_a_file),
		IN_DIRECTORY(months_are_read_in_their_order),
		IN_DIRECTORY(files_of_others_are_let_alone),
		IN_DIRECTORY(a_torn_last_line_is_told_once_and_skipped),
		IN_DIRECTORY(only_the_line_end_is_missing),
		IN_DIRECTORY(a_line_that_is_being_written_is_passed_over),
		IN_DIRECTORY(what_a_dead_run_left_is_folded),
		IN_DIRECTORY(what_is_left_over_several_lines_is_folded_into_one),
		IN_DIRECTORY(what_is_in_the_ledger_is_not_folded_again),
		IN_DIRECTORY(what_is_torn_in_the_ledger_is_folded),
		IN_DIRECTORY(a_damaged_current_file_is_told_and_removed),
		IN_DIRECTORY(one_at_a_time),
		IN_DIRECTORY(it_is_made_with_its_parents),
		IN_DIRECTORY(half_a_line_is_taken_back),
		IN_DIRECTORY(a_current_file_that_cannot_be_written_stays_as_it_was),
		IN_DIRECTORY(what_cannot_be_folded_is_tried_again),
		IN_DIRECTORY(a_full_disk_holds_whole_records_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
