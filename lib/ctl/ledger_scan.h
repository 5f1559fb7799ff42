/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "ledger_record.h"

/** How to read through a ledger. */
struct tp_ledger_scan {
	const char *path; /* the directory */
	int64_t from;     /* months that end before it */
	int64_t to;       /* and those that begin at it or after are left out */
	/** Take a record; it is cleared afterwards. @return 0, or negative errno: no further. */
	int (*record)(void *owner, const struct tp_record *record);
	/** A line (from 1) is no whole record. */
	void (*damaged)(void *owner, const char *file, unsigned long line);
	void *owner;
	const atomic_bool *stop; /* any thread: w; reader: r. True: no further, -ECANCELED */
};

/**
 * Read the records of a ledger in the order of its files. Others may append meanwhile: a last line
 * that has no end yet is passed over.
 * @return 0, or negative errno with *error set. Threading: any.
 */
int tp_ledger_read(const struct tp_ledger_scan *scan, struct tp_error *error);
