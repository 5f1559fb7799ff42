/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>

#include "ledger_record.h"

/*
 * The files of a ledger, in a directory of their own:
 *
 *   ledger-2026-11.jsonl   the records that begin in this month (UTC), a line each, appended
 *   current-RUN.json       the record that a running appliance has not finished, written anew again
 *                          and again; what a dead one left is appended to the ledger at the next
 *                          start ("folded"), or as soon as there is room
 *
 * A record is in the ledger before its current file goes, so a crash between the two leaves it
 * twice; run and number tell. Appended lines are synced to the disk. The current file is not: it is
 * whole whenever the process dies, but a power cut may cost the interval that was under way.
 *
 * One appliance at a time: the directory is locked.
 */

struct tp_ledger_files {
	char *path;
	int directory; /* descriptor, locked */
	char run[TP_RUN_SIZE];
	/* Current files of earlier runs that could not be folded yet; who appends: w, others: r
	 * (relaxed) */
	_Atomic uint32_t unfolded;
};

/**
 * Make, lock and mend a ledger's directory: a torn last line is told with file and line, and
 * closed; what earlier runs left is folded. A full disk does not stand in the way of that.
 *
 * @param path   made if it is not there, with its parents
 * @param error  where, and what is wrong: not a directory, in use, not writable
 * @return 0, or negative errno with *error set. Threading: control thread, since it logs.
 */
int tp_ledger_files_open(struct tp_ledger_files *files, const char *path, struct tp_error *error);

/** Unlock and free. The files stay. */
void tp_ledger_files_close(struct tp_ledger_files *files);

/**
 * Append a record to the ledger of its month, on the disk when this returns; then its current file
 * goes. Before that, what earlier runs left is tried again; a record without charges does only
 * that.
 * @return 0, or negative errno with *error set: then the ledger is as it was before.
 * Threading: one thread at a time, as tp_ledger_renew_current.
 */
int tp_ledger_append(
	struct tp_ledger_files *files, const struct tp_record *record, struct tp_error *error);

/** Write the current file anew. @return 0, or negative errno with *error set: it is as before. */
int tp_ledger_renew_current(
	struct tp_ledger_files *files, const struct tp_record *record, struct tp_error *error);

/* Names. Threading: any. */

#define TP_LEDGER_PREFIX    "ledger-"
#define TP_LEDGER_SUFFIX    ".jsonl"
#define TP_CURRENT_PREFIX   "current-"
#define TP_CURRENT_SUFFIX   ".json"
#define TP_LEDGER_NAME_SIZE 32

/** Name of the file for records that begin at a moment. @return name. */
const char *tp_ledger_name(int64_t begin, char name[TP_LEDGER_NAME_SIZE]);

/**
 * Names in a directory that begin and end so, in their order.
 * @param names  set to a list to be given back to tp_ledger_list_free
 * @return how many, or negative errno.
 */
int tp_ledger_list(const char *path, const char *prefix, const char *suffix, char ***names);
void tp_ledger_list_free(char **names, int count);

/* For ledger_fold.c. */

/** Append a record's line to the ledger of its month. As tp_ledger_append. */
int tp_ledger_append_line(
	struct tp_ledger_files *files, int64_t begin, const char *line, struct tp_error *error);

/** Write "PATH/NAME: what: errno's text". @return -code. */
int tp_ledger_fail(const struct tp_ledger_files *files, const char *name, const char *what,
	int code, struct tp_error *error);
