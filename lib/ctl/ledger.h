/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>

#include "base/loop.h"
#include "ledger_record.h"

/*
 * The ledger of a running appliance: what each interface was charged, written down so that it
 * survives. Twice a second the interfaces are read, a slice at a time; what moved goes to the
 * current file, and at the end of an interval (aligned to its multiples since 1970) to the ledger
 * (ledger_files.h). Files are written and read by threads of their own: the loop never waits for a
 * disk. What could not be written stays in memory and is tried again.
 */

/** What an interface was charged since the appliance started. Only grows. */
struct tp_amounts {
	uint64_t sixteenths; /* of a credit */
	uint64_t frames;
	uint64_t bytes;
};

struct tp_ledger_settings {
	struct tp_loop *loop;
	const char *directory; /* copied; NULL: in memory only */
	uint64_t interval_ms;
	uint32_t accounts; /* open from the beginning, of sources 0, 1, ... */
	/** Read the amounts of a source: an interface. */
	void (*read)(void *owner, uint32_t source, struct tp_amounts *amounts);
	/** Fill in the names of the first accounts; they are copied. */
	void (*name)(void *owner, uint32_t source, struct tp_charge *charge);
	/** Take an answer to tp_ledger_ask: a reference that is yours, or NULL with *error. */
	void (*answer)(void *owner, uint64_t ticket, json_t *bill, const struct tp_error *error);
	void *owner;
};

struct tp_ledger;

/** An account that may come: what a source counts while it has these names. */
struct tp_ledger_account;

/**
 * Open a ledger and keep it from now on.
 * @return the ledger, or NULL with *error set. Threading: the loop's, as all functions here.
 */
struct tp_ledger *tp_ledger_open(const struct tp_ledger_settings *settings, struct tp_error *error);

/**
 * Write down what is left and close; waits for the disk. Bills that were asked for are not answered
 * any more. NULL is allowed.
 */
void tp_ledger_close(struct tp_ledger *ledger);

/**
 * Make an account under names, which are copied; not open yet.
 * @return the account, or NULL: no memory.
 */
struct tp_ledger_account *tp_ledger_account_new(const struct tp_charge *names);

/** Free one that was not opened. NULL is allowed. */
void tp_ledger_account_free(struct tp_ledger_account *account);

/**
 * Make room, so that what follows cannot fail.
 * @param accounts  more that are to come
 * @param sources   one more than the highest source of any
 * @return 0, or -ENOMEM.
 */
int tp_ledger_reserve(struct tp_ledger *ledger, uint32_t accounts, uint32_t sources);

/** What a source counts from now on is charged to this account, which is taken. The source has none
 * at present. */
void tp_ledger_come(struct tp_ledger *ledger, struct tp_ledger_account *account, uint32_t source);

/** The account of a source is read for the last time: what it counts from now on is not charged to
 * it. Nothing happens if it has none. */
void tp_ledger_go(struct tp_ledger *ledger, uint32_t source);

/** Write a record this often from now on. */
void tp_ledger_set_interval(struct tp_ledger *ledger, uint64_t interval_ms);

/**
 * Ask for a bill (tp_bill_to_json, and the members "directory", null if there is none, and
 * "interval_seconds"): the records of the ledger and the interval that is under way.
 * settings.answer takes it, perhaps before this returns; bills are made one after the other.
 *
 * @param from, to  as tp_bill_new
 * @param ticket    for the answer
 * @return 0, or negative errno with *error set: it will not be answered.
 */
int tp_ledger_ask(struct tp_ledger *ledger, int64_t from, int64_t to, uint64_t ticket,
	struct tp_error *error);
