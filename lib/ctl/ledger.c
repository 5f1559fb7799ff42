/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ctl/moment.h"
#include "ledger_private.h"

#define RENEW_MS      500   /* a death costs this, and the time that reading and writing take */
#define SLICE         4096  /* accounts read at a time */
#define SLICE_MS      10    /* between two slices */
#define TELL_AGAIN_MS 60000 /* trouble that lasts is told again after this */
#define CALM_MS       2000  /* without trouble for that long, trouble is over */
#define LATE_MS       1000  /* an interval that ends no later than this ends on time */

/* --- reading accounts ------------------------------------------------------------------------ */

static bool is_charged(const struct tp_ledger_account *account)
{
	return !tp_amounts_equal(&account->now, &account->base);
}

static uint32_t count_charged(const struct tp_ledger *ledger)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < ledger->accounts; i++)
		count += is_charged(ledger->account[i]);
	return count;
}

static void set_charge(const struct tp_ledger_account *account, struct tp_charge *charge)
{
	*charge = (struct tp_charge){
		.tenant = account->tenant,
		.interface = account->interface,
		.class = account->class,
		.sixteenths = account->now.sixteenths - account->base.sixteenths,
		.frames = account->now.frames - account->base.frames,
		.bytes = account->now.bytes - account->base.bytes,
	};
}

int tp_ledger_make_record(const struct tp_ledger *ledger, int64_t end, struct tp_record *record,
	struct tp_ledger_account ***accounts)
{
	uint32_t count = count_charged(ledger);
	struct tp_charge *charges = calloc(count + 1u, sizeof(*charges));
	struct tp_ledger_account **places = calloc(count + 1u, sizeof(*places));

	if (charges == NULL || places == NULL) {
		free(charges);
		free(places);
		return -ENOMEM;
	}
	*record = (struct tp_record){
		.number = ledger->number,
		.begin = ledger->begin,
		.end = end > ledger->begin ? end : ledger->begin,
		.charges = charges,
	};
	memcpy(record->run, ledger->files.run, sizeof(record->run));
	for (uint32_t i = 0; i < ledger->accounts && record->count < count; i++) {
		if (!is_charged(ledger->account[i]))
			continue;
		places[record->count] = ledger->account[i];
		set_charge(ledger->account[i], &charges[record->count++]);
	}
	if (accounts != NULL)
		*accounts = places;
	else
		free(places);
	return 0;
}

/* --- writing --------------------------------------------------------------------------------- */

/* In the errand's thread. A record that the ledger has no room for is kept at least as far as a
 * death of this process goes. */
static void write_record(struct tp_errand *errand)
{
	struct tp_writing *writing = tp_container_of(errand, struct tp_writing, errand);

	if (!writing->whole) {
		writing->result =
			tp_ledger_renew_current(writing->files, &writing->record, &writing->error);
		writing->kept = writing->result == 0;
		return;
	}
	writing->result = tp_ledger_append(writing->files, &writing->record, &writing->error);
	writing->kept = writing->result < 0 &&
			tp_ledger_renew_current(writing->files, &writing->record, NULL) == 0;
}

static void tell_of_trouble(struct tp_ledger *ledger, const struct tp_error *error)
{
	uint64_t now = tp_loop_now_ms();

	ledger->failed_ms = now;
	if (ledger->told_ms != 0 && now - ledger->told_ms < TELL_AGAIN_MS)
		return;
	tp_log(TP_LOG_WARNING,
		"billing: %s; nothing is lost while the appliance runs, it is tried again",
		error->text);
	ledger->told_ms = now;
}

/* One file may have room where another has none: what succeeds now may fail the next moment. */
static void tell_of_success(struct tp_ledger *ledger)
{
	if (ledger->told_ms == 0 || tp_loop_now_ms() - ledger->failed_ms < CALM_MS)
		return;
	tp_log(TP_LOG_INFO, "billing: %s: written again", ledger->files.path);
	ledger->told_ms = 0;
}

/* What the ledger now holds is not owed to it any more. */
static void settle(struct tp_ledger *ledger)
{
	const struct tp_writing *writing = &ledger->writing;

	for (size_t i = 0; i < writing->record.count; i++) {
		const struct tp_charge *charge = &writing->record.charges[i];
		struct tp_amounts *base = &writing->accounts[i]->base;

		base->sixteenths += charge->sixteenths;
		base->frames += charge->frames;
		base->bytes += charge->bytes;
	}
	ledger->begin = writing->next_begin;
	ledger->number++;
	ledger->kept = (struct tp_amounts){0};
	ledger->kept_end = 0;
}

static struct tp_amounts total(const struct tp_record *record)
{
	struct tp_amounts sum = {0};

	for (size_t i = 0; i < record->count; i++) {
		sum.sixteenths += record->charges[i].sixteenths;
		sum.frames += record->charges[i].frames;
		sum.bytes += record->charges[i].bytes;
	}
	return sum;
}

static void finish_writing(struct tp_ledger *ledger)
{
	struct tp_writing *writing = &ledger->writing;

	if (writing->kept) {
		ledger->kept = total(&writing->record);
		ledger->kept_end = writing->record.end;
	}
	if (writing->result < 0) {
		ledger->moved = true;
		tell_of_trouble(ledger, &writing->error);
	} else {
		if (writing->whole)
			settle(ledger);
		tell_of_success(ledger);
	}
	tp_record_clear(&writing->record);
	free(writing->accounts);
	writing->accounts = NULL;
}

static int prepare_writing(struct tp_ledger *ledger, bool whole, int64_t end)
{
	struct tp_writing *writing = &ledger->writing;

	writing->whole = whole;
	writing->files = &ledger->files;
	return tp_ledger_make_record(ledger, end, &writing->record, &writing->accounts);
}

static void start_writing(struct tp_ledger *ledger, bool whole, int64_t end, int64_t next_begin)
{
	struct tp_writing *writing = &ledger->writing;

	if (prepare_writing(ledger, whole, end) < 0)
		return; /* with the next look */
	writing->next_begin = next_begin;
	if (tp_errand_start(&writing->errand) < 0) {
		tp_record_clear(&writing->record);
		free(writing->accounts);
		writing->accounts = NULL;
		return;
	}
	ledger->moved = false;
}

/* --- intervals ------------------------------------------------------------------------------- */

/* When the interval under way is to end. */
static int64_t due(const struct tp_ledger *ledger)
{
	int64_t interval = (int64_t)ledger->settings.interval_ms;

	return ledger->begin / interval * interval + interval;
}

/* When it ends, a little late as one always is. A clock that was set changes intervals, not sums.
 */
static int64_t end_of(const struct tp_ledger *ledger, int64_t now)
{
	int64_t interval = (int64_t)ledger->settings.interval_ms;
	int64_t late = interval / 2 < LATE_MS ? interval / 2 : LATE_MS;

	return now >= due(ledger) && now < due(ledger) + late ? due(ledger) : now;
}

/* All accounts are read. */
static void look(struct tp_ledger *ledger)
{
	int64_t now = tp_moment_now();
	bool over = now >= due(ledger) || now < ledger->begin;
	int64_t end = over ? end_of(ledger, now) : now;

	if (ledger->writing.errand.running)
		return;
	if (!ledger->moved) /* nothing waits for room */
		tell_of_success(ledger);
	tp_ledger_forget_settled(ledger);
	if (over && count_charged(ledger) == 0 && ledger->files.unfolded == 0)
		ledger->begin = end;
	else if (over)
		start_writing(ledger, true, end, end);
	else if (ledger->moved)
		start_writing(ledger, false, end, 0);
}

static uint64_t until_next_look(const struct tp_ledger *ledger)
{
	int64_t left = due(ledger) - tp_moment_now();

	if (ledger->next > 0)
		return SLICE_MS;
	/* What is over and not yet written is looked at again, too. */
	return left > 0 && left < RENEW_MS ? (uint64_t)left : RENEW_MS;
}

static void read_slice(struct tp_timer *timer)
{
	struct tp_ledger *ledger = tp_container_of(timer, struct tp_ledger, timer);

	for (unsigned i = 0; i < SLICE && ledger->next < ledger->accounts; i++)
		tp_ledger_read_account(ledger, ledger->next++);
	if (ledger->next >= ledger->accounts) {
		ledger->next = 0;
		look(ledger);
	}
	tp_loop_arm(ledger->settings.loop, timer, until_next_look(ledger));
}

/* The next interval may end sooner than the next look would be. */
static void written(struct tp_errand *errand)
{
	struct tp_ledger *ledger = tp_container_of(errand, struct tp_ledger, writing.errand);
	bool whole = ledger->writing.whole;

	finish_writing(ledger);
	if (whole)
		tp_loop_arm(ledger->settings.loop, &ledger->timer, until_next_look(ledger));
}

/* --- opening and closing --------------------------------------------------------------------- */

static int start(struct tp_ledger *ledger, struct tp_error *error)
{
	struct tp_loop *loop = ledger->settings.loop;
	int result = tp_ledger_asking_open(ledger, error);

	if (result < 0)
		return result;
	ledger->writing.errand.work = write_record;
	ledger->writing.errand.done = written;
	result = tp_errand_open(&ledger->writing.errand, loop, error);
	if (result == 0) {
		ledger->timer.expired = read_slice;
		result = tp_loop_arm(loop, &ledger->timer, until_next_look(ledger));
		if (result == 0)
			return 0;
		tp_errand_close(&ledger->writing.errand);
		tp_error_set(error, ENOMEM, "no memory");
	}
	tp_ledger_asking_close(ledger);
	return result;
}

static int begin(struct tp_ledger *ledger, struct tp_error *error)
{
	const char *directory = ledger->settings.directory;

	if (tp_ledger_open_accounts(ledger) < 0)
		return tp_error_set(error, ENOMEM, "no memory");
	if (!ledger->on_disk)
		return 0;
	if (tp_ledger_files_open(&ledger->files, directory, error) < 0)
		return -EINVAL;
	ledger->settings.directory = ledger->files.path;
	if (start(ledger, error) == 0)
		return 0;
	tp_ledger_files_close(&ledger->files);
	return -EINVAL;
}

struct tp_ledger *tp_ledger_open(const struct tp_ledger_settings *settings, struct tp_error *error)
{
	struct tp_ledger *ledger = calloc(1, sizeof(*ledger));

	if (ledger == NULL) {
		tp_error_set(error, ENOMEM, "billing: no memory");
		return NULL;
	}
	ledger->settings = *settings;
	ledger->on_disk = settings->directory != NULL;
	ledger->begin = tp_moment_now();
	if (begin(ledger, error) == 0)
		return ledger;
	tp_error_prefix(error, "billing");
	tp_ledger_close_accounts(ledger);
	free(ledger);
	return NULL;
}

/* The end of the last interval found no room. */
static void tell_of_the_end(const struct tp_ledger *ledger)
{
	const struct tp_writing *writing = &ledger->writing;
	struct tp_amounts sum = total(&writing->record);
	char since[TP_MOMENT_SIZE];

	if (writing->kept) {
		tp_log(TP_LOG_ERROR,
			"billing: %s; what the last interval charged is in the current file: the "
			"next start bills it",
			writing->error.text);
		return;
	}
	tp_moment_format(ledger->kept_end != 0 ? ledger->kept_end : ledger->begin, since);
	tp_log(TP_LOG_ERROR,
		"billing: %s; lost is what was charged since %s: %.2f credits, %" PRIu64
		" frames, %" PRIu64 " bytes",
		writing->error.text, since, (double)(sum.sixteenths - ledger->kept.sixteenths) / 16,
		sum.frames - ledger->kept.frames, sum.bytes - ledger->kept.bytes);
}

/* In this thread, for there is nobody left to wait for it. */
static void write_the_rest(struct tp_ledger *ledger)
{
	struct tp_writing *writing = &ledger->writing;

	for (uint32_t i = 0; i < ledger->accounts; i++)
		tp_ledger_read_account(ledger, i);
	if (prepare_writing(ledger, true, tp_moment_now()) < 0)
		return;
	write_record(&writing->errand);
	if (writing->result < 0)
		tell_of_the_end(ledger);
	tp_record_clear(&writing->record);
	free(writing->accounts);
}

void tp_ledger_close(struct tp_ledger *ledger)
{
	if (ledger == NULL)
		return;
	if (ledger->on_disk) {
		tp_loop_disarm(ledger->settings.loop, &ledger->timer);
		tp_ledger_asking_close(ledger);
		if (tp_errand_wait(&ledger->writing.errand))
			finish_writing(ledger);
		tp_errand_close(&ledger->writing.errand);
		write_the_rest(ledger);
		tp_ledger_files_close(&ledger->files);
	}
	tp_ledger_close_accounts(ledger);
	free(ledger);
}

void tp_ledger_set_interval(struct tp_ledger *ledger, uint64_t interval_ms)
{
	if (ledger->settings.interval_ms == interval_ms)
		return;
	ledger->settings.interval_ms = interval_ms;
	if (ledger->on_disk)
		tp_loop_arm(ledger->settings.loop, &ledger->timer, until_next_look(ledger));
}
