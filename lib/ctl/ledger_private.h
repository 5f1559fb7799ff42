/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "bill.h"
#include "errand.h"
#include "ledger.h"
#include "ledger_files.h"

/* What the files of the running ledger share: ledger.c keeps and writes, ledger_ask.c makes bills.
 */

struct tp_question {
	struct tp_question *next;
	int64_t from, to;
	uint64_t ticket;
};

/** A bill being made; from its start to its end the errand's thread has all but the last two. */
struct tp_asking {
	struct tp_errand errand;
	struct tp_bill *bill;
	struct tp_record running; /* the interval that is under way */
	int result;
	struct tp_error error;
	struct tp_ledger *ledger;  /* of which only path and run are looked at */
	atomic_bool stop;          /* loop: w, errand: r (relaxed) */
	struct tp_question *first; /* the one that is being answered, and those that wait */
};

/** Something being written; from its start to its end the errand's thread has it. */
struct tp_writing {
	struct tp_errand errand;
	struct tp_ledger_files *files;
	struct tp_record record;
	struct tp_ledger_account **accounts; /* of the record's charges */
	bool whole;                          /* append to the ledger; else renew the current file */
	int64_t next_begin;                  /* of the record after this one */
	int result;
	bool kept; /* the current file holds the record */
	struct tp_error error;
};

/** What is charged under one set of names. One that has gone stays until the ledger has it all. */
struct tp_ledger_account {
	char *tenant;
	char *interface;
	char *class;
	uint64_t hash; /* of the names */
	bool open;
	uint32_t source;         /* while it is open */
	struct tp_amounts start; /* what the source had when this account had nothing */
	struct tp_amounts base;  /* up to the record before */
	struct tp_amounts now;   /* as read last */
};

struct tp_ledger {
	struct tp_ledger_settings settings;
	bool on_disk;
	struct tp_ledger_files files;
	struct tp_ledger_account **account; /* `accounts` of them, room for more */
	uint32_t accounts;
	uint32_t room;
	uint32_t gone;                        /* of these, not open any more */
	struct tp_ledger_account **of_source; /* the open ones; NULL: none */
	uint32_t sources;
	uint64_t number; /* of the record under way */
	int64_t begin;
	struct tp_amounts kept; /* of the record under way: what the current file holds, */
	int64_t kept_end;       /* and until when; 0: it holds nothing of it */
	bool moved;             /* something did since the current file was renewed */
	uint32_t next;          /* account that is read next */
	struct tp_timer timer;
	uint64_t told_ms;   /* when trouble was told last; 0: there is none */
	uint64_t failed_ms; /* when there was trouble last */
	struct tp_writing writing;
	struct tp_asking asking;
};

/* ledger_accounts.c */
int tp_ledger_open_accounts(struct tp_ledger *ledger);
void tp_ledger_close_accounts(struct tp_ledger *ledger);
bool tp_amounts_equal(const struct tp_amounts *a, const struct tp_amounts *b);

/** Read an account, by its index; notes whether it moved. */
void tp_ledger_read_account(struct tp_ledger *ledger, uint32_t index);

/** Free accounts that have gone and that the ledger owes nothing, if nobody looks at them. */
void tp_ledger_forget_settled(struct tp_ledger *ledger);

/**
 * Make the record of what was charged since the one before.
 * @param accounts  set to the accounts of the charges, the list to be freed; NULL: not wanted
 * @return 0, or -ENOMEM.
 */
int tp_ledger_make_record(const struct tp_ledger *ledger, int64_t end, struct tp_record *record,
	struct tp_ledger_account ***accounts);

/* ledger_ask.c */
int tp_ledger_asking_open(struct tp_ledger *ledger, struct tp_error *error);
void tp_ledger_asking_close(struct tp_ledger *ledger);
