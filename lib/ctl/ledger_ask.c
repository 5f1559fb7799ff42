/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/moment.h"
#include "ledger_private.h"
#include "ledger_scan.h"

#define QUESTIONS_MAX 32 /* that wait; as many as there are clients */

/* --- in the errand's thread ------------------------------------------------------------------ */

/* What the loop's thread had not settled when the bill began is in the running record, even if it
 * has reached the ledger meanwhile. */
static int take_record(void *owner, const struct tp_record *record)
{
	struct tp_asking *asking = owner;

	if (strcmp(record->run, asking->running.run) == 0 &&
		record->number >= asking->running.number)
		return 0;
	return tp_bill_add(asking->bill, record);
}

static void take_damaged(void *owner, const char *file, unsigned long line)
{
	struct tp_asking *asking = owner;

	tp_bill_note_damaged(asking->bill, file, line);
}

static void read_ledger(struct tp_errand *errand)
{
	struct tp_asking *asking = tp_container_of(errand, struct tp_asking, errand);
	const struct tp_ledger_scan scan = {
		.path = asking->ledger->files.path,
		.from = asking->first->from,
		.to = asking->first->to,
		.record = take_record,
		.damaged = take_damaged,
		.owner = asking,
		.stop = &asking->stop,
	};

	asking->result = tp_ledger_read(&scan, &asking->error);
}

/* --- in the loop's --------------------------------------------------------------------------- */

static void add_notes(struct tp_ledger *ledger, struct tp_bill *bill)
{
	uint32_t unfolded = atomic_load_explicit(&ledger->files.unfolded, memory_order_relaxed);

	if (!ledger->on_disk)
		tp_bill_note(bill, "kept in memory only: since the appliance started, as one "
				   "interval; \"billing\" in the configuration keeps bills");
	if (unfolded > 0)
		tp_bill_note(bill,
			"%u records of earlier runs wait for room on the disk and are not counted",
			unfolded);
	if (ledger->told_ms != 0)
		tp_bill_note(bill, "the ledger cannot be written at present: the interval that is "
				   "under way becomes longer");
}

static json_t *write_bill(struct tp_ledger *ledger, struct tp_bill *bill)
{
	const char *directory = ledger->settings.directory;
	json_t *json;

	add_notes(ledger, bill);
	json = tp_bill_to_json(bill);
	if (json != NULL) {
		json_object_set_new(
			json, "directory", ledger->on_disk ? json_string(directory) : json_null());
		json_object_set_new(json, "interval_seconds",
			ledger->on_disk ? json_real((double)ledger->settings.interval_ms / 1000)
					: json_null());
	}
	return json;
}

static void answer(struct tp_ledger *ledger, uint64_t ticket, struct tp_bill *bill, int result,
	struct tp_error *error)
{
	json_t *json = result == 0 ? write_bill(ledger, bill) : NULL;

	if (result == -ENOMEM || (result == 0 && json == NULL))
		tp_error_set(error, ENOMEM, "bill: no memory");
	ledger->settings.answer(ledger->settings.owner, ticket, json, error);
}

static void begin_first(struct tp_ledger *ledger);

static void drop_first(struct tp_asking *asking)
{
	struct tp_question *question = asking->first;

	asking->first = question->next;
	free(question);
	tp_bill_free(asking->bill);
	asking->bill = NULL;
	tp_record_clear(&asking->running);
}

static void finish_first(struct tp_ledger *ledger, int result)
{
	struct tp_asking *asking = &ledger->asking;

	/* An interval in which nothing was charged yet is none. */
	if (result == 0 && asking->running.count > 0)
		result = tp_bill_add(asking->bill, &asking->running);
	answer(ledger, asking->first->ticket, asking->bill, result, &asking->error);
	drop_first(asking);
}

static void ledger_read(struct tp_errand *errand)
{
	struct tp_ledger *ledger = tp_container_of(errand, struct tp_ledger, asking.errand);

	finish_first(ledger, ledger->asking.result);
	begin_first(ledger);
}

static int prepare_first(struct tp_ledger *ledger)
{
	struct tp_asking *asking = &ledger->asking;

	asking->error.text[0] = '\0';
	asking->bill = tp_bill_new(asking->first->from, asking->first->to);
	for (uint32_t i = 0; i < ledger->accounts; i++)
		tp_ledger_read_account(ledger, i);
	if (asking->bill == NULL ||
		tp_ledger_make_record(ledger, tp_moment_now(), &asking->running, NULL) < 0)
		return -ENOMEM;
	return 0;
}

/* Begin with the first that waits; those that need no file, or fail, are answered at once. */
static void begin_first(struct tp_ledger *ledger)
{
	struct tp_asking *asking = &ledger->asking;

	while (asking->first != NULL) {
		int result = prepare_first(ledger);

		if (result == 0 && ledger->on_disk) {
			result = tp_errand_start(&asking->errand);
			if (result == 0)
				return;
			tp_error_set(&asking->error, EAGAIN, "bill: no thread to spare; try again");
		}
		finish_first(ledger, result);
	}
}

int tp_ledger_ask(
	struct tp_ledger *ledger, int64_t from, int64_t to, uint64_t ticket, struct tp_error *error)
{
	struct tp_question **place = &ledger->asking.first;
	struct tp_question *question;
	unsigned waiting = 0;

	for (; *place != NULL; place = &(*place)->next)
		waiting++;
	if (waiting >= QUESTIONS_MAX)
		return tp_error_set(error, EBUSY,
			"bill: %u bills are being made already; try again later", waiting);
	question = calloc(1, sizeof(*question));
	if (question == NULL)
		return tp_error_set(error, ENOMEM, "bill: no memory");
	*question = (struct tp_question){.from = from, .to = to, .ticket = ticket};
	*place = question;
	if (waiting == 0)
		begin_first(ledger);
	return 0;
}

int tp_ledger_asking_open(struct tp_ledger *ledger, struct tp_error *error)
{
	ledger->asking.ledger = ledger;
	ledger->asking.errand.work = read_ledger;
	ledger->asking.errand.done = ledger_read;
	return tp_errand_open(&ledger->asking.errand, ledger->settings.loop, error);
}

void tp_ledger_asking_close(struct tp_ledger *ledger)
{
	struct tp_asking *asking = &ledger->asking;

	atomic_store_explicit(&asking->stop, true, memory_order_relaxed);
	tp_errand_close(&asking->errand);
	while (asking->first != NULL)
		drop_first(asking);
}
