/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

#include "ledger_record.h"

/*
 * A bill: records summed up for each (tenant, interface, class). A record is counted whole, by
 * where it begins, so that the bills of two periods that follow each other count each record once.
 */

struct tp_bill;

/**
 * Begin an empty bill.
 * @param from  records that begin at it or after are counted; INT64_MIN: from the first on
 * @param to    and before this one; INT64_MAX: up to the last
 * @return the bill, or NULL: no memory. Threading: one thread at a time, as all functions here.
 */
struct tp_bill *tp_bill_new(int64_t from, int64_t to);

/** Free it. NULL is allowed. */
void tp_bill_free(struct tp_bill *bill);

/** Count a record, if it begins in the bill's time; one that is cut by its ends is noted.
 * @return 0, or -ENOMEM. */
int tp_bill_add(struct tp_bill *bill, const struct tp_record *record);

/** Note that a line of the ledger was skipped. */
void tp_bill_note_damaged(struct tp_bill *bill, const char *file, unsigned long line);

/** Note something for people. */
__attribute__((format(printf, 2, 3))) void tp_bill_note(
	struct tp_bill *bill, const char *format, ...);

/**
 * Write the bill: "from" and "to" as asked for, "begin" and "end" of what was counted (null where
 * there is nothing), "intervals", "notes" for people, and "charges": objects of tenant, interface,
 * class, frames, bytes, sixteenths.
 * @return a new reference, or NULL: no memory.
 */
json_t *tp_bill_to_json(const struct tp_bill *bill);
