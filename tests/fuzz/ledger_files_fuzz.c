/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A ledger's directory with any files: it opens, every record that stood whole in a ledger or in a
 * current file is in the ledger afterwards, and what is appended is read back.
 *
 *   input: files, one after the other: a byte for its name (table below), two for its length, its
 *   bytes
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "input.h"
#include "ledger_files.h"
#include "ledger_scan.h"

static const char *const names[] = {"ledger-2026-11.jsonl", "ledger-2026-12.jsonl",
	"current-5-77.json", "current-1762180205250123456-4711.json", "ledger-1970-01.jsonl",
	"current-.json", "ledger-.jsonl", "current-5-77.new"};

#define NAMES (sizeof(names) / sizeof(names[0]))

static char directory[96];

static void remove_all(void)
{
	char **list;
	int count = tp_ledger_list(directory, "", "", &list), fd = open(directory, O_RDONLY);

	for (int i = 0; i < count; i++)
		unlinkat(fd, list[i], 0);
	tp_ledger_list_free(list, count > 0 ? count : 0);
	close(fd);
}

static void remove_directory(void)
{
	remove_all();
	rmdir(directory);
}

static void set_up(void)
{
	tp_log_set_level(TP_LOG_ERROR);
	snprintf(directory, sizeof(directory), "/dev/shm/ledger-fuzz-XXXXXX");
	if (mkdtemp(directory) == NULL) {
		snprintf(directory, sizeof(directory), "/tmp/ledger-fuzz-XXXXXX");
		EXPECT(mkdtemp(directory) != NULL);
	}
	atexit(remove_directory);
}

/* --- records --------------------------------------------------------------------------------- */

/* A record that a current file held. */
struct left {
	char run[TP_RUN_SIZE];
	uint64_t number;
	bool found; /* in the ledger */
};

struct seen {
	uint64_t records; /* that are not empty */
	struct left left[NAMES];
};

static int see_record(void *owner, const struct tp_record *record)
{
	struct seen *seen = owner;

	seen->records += record->count > 0;
	for (unsigned i = 0; i < NAMES; i++)
		seen->left[i].found |= strcmp(seen->left[i].run, record->run) == 0 &&
				       seen->left[i].number == record->number;
	return 0;
}

static void see_damaged(void *owner, const char *file, unsigned long line)
{
	(void)owner;
	EXPECT(file[0] != '\0' && line > 0);
}

/* @return how many records there are. */
static uint64_t read_all(struct seen *seen)
{
	static const atomic_bool stop;
	const struct tp_ledger_scan scan = {.path = directory,
		.from = INT64_MIN,
		.to = INT64_MAX,
		.record = see_record,
		.damaged = see_damaged,
		.owner = seen,
		.stop = &stop};

	seen->records = 0;
	EXPECT(tp_ledger_read(&scan, NULL) == 0);
	return seen->records;
}

/* --- files ----------------------------------------------------------------------------------- */

static void write_file(const char *name, const uint8_t *bytes, size_t size)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	EXPECT(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	close(fd);
}

/* A record that charges something has to be in the ledger after the next start. */
static void note_left(struct left *left, const uint8_t *bytes, size_t size)
{
	struct tp_record record;

	*left = (struct left){.found = true};
	if (tp_record_read((const char *)bytes, size, &record) < 0)
		return;
	memcpy(left->run, record.run, sizeof(left->run));
	left->number = record.number;
	left->found = record.count == 0;
	tp_record_clear(&record);
}

static void write_files(struct input *input, struct seen *seen)
{
	for (unsigned i = 0; i < NAMES; i++)
		seen->left[i] = (struct left){.found = true};
	for (unsigned i = 0; i < NAMES && input->size > 0; i++) {
		unsigned which = input_u8(input) % NAMES;
		const uint8_t *bytes;
		size_t size = input_take(input, input_u16(input), &bytes);

		write_file(names[which], bytes, size);
		if (strncmp(names[which], "current-", 8) == 0 &&
			strstr(names[which], ".new") == NULL)
			note_left(&seen->left[which], bytes, size);
	}
}

static void append_one(struct tp_ledger_files *files)
{
	struct tp_charge charge = {"acme", "vm1", "gold", 1, 1, 1};
	struct tp_record record = {.number = 7, .charges = &charge, .count = 1};

	record.begin = record.end = INT64_C(1793716200000); /* 2026-11-03 */
	memcpy(record.run, files->run, sizeof(record.run));
	EXPECT(tp_ledger_renew_current(files, &record, NULL) == 0);
	EXPECT(tp_ledger_append(files, &record, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	struct tp_ledger_files files;
	struct seen seen;
	uint64_t before, after;

	if (directory[0] == '\0')
		set_up();
	write_files(&input, &seen);
	before = read_all(&seen);
	EXPECT(tp_ledger_files_open(&files, directory, NULL) == 0 && files.unfolded == 0);
	after = read_all(&seen);
	EXPECT(after >= before && after <= before + NAMES);
	for (unsigned i = 0; i < NAMES; i++)
		EXPECT(seen.left[i].found);
	append_one(&files);
	EXPECT(read_all(&seen) == after + 1);
	tp_ledger_files_close(&files);
	remove_all();
	return 0;
}
