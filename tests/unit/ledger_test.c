/* SPDX-License-Identifier: BSD-3-Clause */
#include <jansson.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "ledger_private.h"
#include "ledger_support.h"

/*
 * The ledger of a running appliance whose counters are played here: what was charged is in it once,
 * whatever happens to process, disk and clock. Linked with -Wl,--wrap=tp_moment_now.
 */

#define ACCOUNTS_MAX 10000
#define HOUR_MS      INT64_C(3600000)

static struct tp_loop *loop;
static struct tp_ledger *ledger;
static struct tp_amounts *amounts; /* of each account, since the appliance started */
static char names[ACCOUNTS_MAX][8];
static int64_t clock_offset;  /* of the wall clock */
static int64_t clock_stopped; /* where it stands still; 0: it goes */

static struct {
	unsigned count;
	uint64_t ticket;
	json_t *bill;
} answered;

int64_t __wrap_tp_moment_now(void);
int64_t __real_tp_moment_now(void);

int64_t __wrap_tp_moment_now(void)
{
	return clock_stopped != 0 ? clock_stopped : __real_tp_moment_now() + clock_offset;
}

static void read_account(void *owner, uint32_t account, struct tp_amounts *now)
{
	(void)owner;
	*now = amounts[account];
}

static void name_account(void *owner, uint32_t account, struct tp_charge *charge)
{
	(void)owner;
	charge->tenant = account % 2 == 0 ? "acme" : "umbra";
	charge->interface = names[account];
	charge->class = "gold";
}

static void take_answer(void *owner, uint64_t ticket, json_t *bill, const struct tp_error *error)
{
	(void)owner;
	if (bill == NULL)
		fail_msg("%s", error->text);
	json_decref(answered.bill);
	answered.bill = bill;
	answered.ticket = ticket;
	answered.count++;
}

static void open_ledger(const char *place, uint64_t interval_ms, uint32_t accounts)
{
	const struct tp_ledger_settings settings = {
		.loop = loop,
		.directory = place,
		.interval_ms = interval_ms,
		.accounts = accounts,
		.read = read_account,
		.name = name_account,
		.answer = take_answer,
	};
	struct tp_error error = {""};

	memset(amounts, 0, ACCOUNTS_MAX * sizeof(*amounts));
	ledger = tp_ledger_open(&settings, &error);
	if (ledger == NULL)
		fail_msg("%s", error.text);
}

static void close_ledger(void)
{
	tp_ledger_close(ledger);
	ledger = NULL;
}

static int set_up(void **state)
{
	struct tp_error error;

	loop = tp_loop_new(&error);
	amounts = mmap(NULL, ACCOUNTS_MAX * sizeof(*amounts), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	clock_offset = clock_stopped = 0;
	for (unsigned i = 0; i < ACCOUNTS_MAX; i++)
		snprintf(names[i], sizeof(names[0]), "vm%u", i);
	return loop == NULL || amounts == MAP_FAILED || make_directory(state);
}

static int tear_down(void **state)
{
	close_ledger(); /* of a test that failed */
	json_decref(answered.bill);
	answered.bill = NULL;
	tp_loop_free(loop);
	munmap(amounts, ACCOUNTS_MAX * sizeof(*amounts));
	return remove_directory(state);
}

static void run_for(uint64_t ms)
{
	for (uint64_t end = tp_loop_now_ms() + ms; tp_loop_now_ms() < end;)
		tp_loop_step(loop, 5);
}

static void charge(uint32_t account, uint64_t frames)
{
	amounts[account].frames += frames;
	amounts[account].bytes += 64 * frames;
	amounts[account].sixteenths += 272 * frames;
}

static json_t *ask_between(int64_t from, int64_t to)
{
	unsigned before = answered.count;
	struct tp_error error = {""};

	if (tp_ledger_ask(ledger, from, to, 5, &error) < 0)
		fail_msg("%s", error.text);
	for (unsigned i = 0; i < 1000 && answered.count == before; i++)
		tp_loop_step(loop, 20);
	assert_int_equal(answered.count, before + 1);
	assert_int_equal(answered.ticket, 5);
	return answered.bill;
}

static json_t *ask(void)
{
	return ask_between(INT64_MIN, INT64_MAX);
}

static uint64_t sum_of(const json_t *bill, const char *key)
{
	const json_t *charges = json_object_get(bill, "charges");
	uint64_t sum = 0;

	for (size_t i = 0; i < json_array_size(charges); i++)
		sum += (uint64_t)json_integer_value(
			json_object_get(json_array_get(charges, i), key));
	return sum;
}

static void expect_frames(uint64_t frames)
{
	const json_t *bill = ask();

	assert_int_equal(sum_of(bill, "frames"), frames);
	assert_int_equal(sum_of(bill, "bytes"), 64 * frames);
	assert_int_equal(sum_of(bill, "sixteenths"), 272 * frames);
}

static const char *first_note(void)
{
	const char *note =
		json_string_value(json_array_get(json_object_get(answered.bill, "notes"), 0));

	return note != NULL ? note : "";
}

static int64_t number_in_bill(const char *key)
{
	return json_integer_value(json_object_get(answered.bill, key));
}

static int64_t moment_in_bill(const char *key)
{
	return moment(json_string_value(json_object_get(answered.bill, key)));
}

static const char *ledger_file(void)
{
	return file_named(TP_LEDGER_PREFIX, TP_LEDGER_SUFFIX);
}

/* Until the ledger has so many records, 10 s at most. */
static void wait_for_records(unsigned records)
{
	for (unsigned i = 0; i < 1000; i++) {
		const char *name = ledger_file();

		if (name != NULL && count_lines(text_of(name)) >= records)
			break;
		tp_loop_step(loop, 10);
	}
	assert_non_null(ledger_file());
	assert_int_equal(count_lines(text_of(ledger_file())), records);
}

/* First the current file, at the end of the interval the ledger. */
static void what_moves_is_written(void **state)
{
	(void)state;
	clock_stopped = moment("2026-11-03T14:30:00");
	open_ledger(directory, 2000, 3);
	charge(1, 10);
	for (unsigned i = 0; i < 1000 && current_file() == NULL; i++)
		tp_loop_step(loop, 10);
	assert_non_null(current_file());
	assert_null(ledger_file());
	clock_stopped += 2000;
	wait_for_records(1);
	for (unsigned i = 0; i < 1000 && current_file() != NULL; i++)
		tp_loop_step(loop, 10);
	assert_null(current_file());
	assert_non_null(
		strstr(text_of(ledger_file()), "[[\"umbra\",\"vm1\",\"gold\",2720,10,640]]"));
	expect_frames(10);
	close_ledger();
}

static void where_nothing_moves_nothing_is_written(void **state)
{
	(void)state;
	open_ledger(directory, 100, 3);
	run_for(700);
	expect_frames(0);
	close_ledger();
	assert_null(current_file());
	assert_null(ledger_file());
}

/* An interval that is looked at up to a second late ends when it should have; later is told. */
static void intervals_are_aligned_and_meet(void **state)
{
	static const struct {
		int64_t looked, ends;
	} looks[] = {{4001, 4000}, {8500, 8000}, {12999, 12000}, {17500, 17500}, {20000, 20000}};
	const int64_t start = moment("2026-11-03T14:30:00");
	char begin[TP_MOMENT_SIZE], end[TP_MOMENT_SIZE], expected[96];

	(void)state;
	tp_moment_format(start + 1234, end);
	clock_stopped = start + 1234;
	open_ledger(directory, 4000, 1);
	for (unsigned i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		charge(0, 1);
		clock_stopped = start + looks[i].looked;
		wait_for_records(i + 1);
		run_for(20); /* the loop hears of it */
		strcpy(begin, end);
		tp_moment_format(start + looks[i].ends, end);
		snprintf(expected, sizeof(expected), "\"begin\":\"%s\",\"end\":\"%s\"", begin, end);
		if (strstr(text_of(ledger_file()), expected) == NULL)
			fail_msg("expected %s in\n%s", expected, text_of(ledger_file()));
	}
	close_ledger();
}

static void a_restart_keeps_sums(void **state)
{
	uint64_t frames = 0;

	(void)state;
	for (unsigned round = 1; round <= 5; round++) {
		open_ledger(directory, 300, 4);
		expect_frames(frames);
		for (unsigned i = 0; i < 4; i++) {
			charge(i, round);
			frames += round;
			run_for(round * 30);
		}
		expect_frames(frames);
		close_ledger();
		assert_null(current_file());
	}
	open_ledger(directory, 300, 4);
	expect_frames(frames);
	close_ledger();
}

/* Asked at any moment, while records go from memory to the current file and the ledger. */
static void each_frame_is_in_a_bill_once(void **state)
{
	uint64_t frames = 0;

	(void)state;
	open_ledger(directory, 40, 2);
	for (unsigned i = 0; i < 400 || (number_in_bill("intervals") < 20 && i < 10000); i++) {
		charge(i % 2, i);
		frames += i;
		tp_loop_step(loop, 0);
		expect_frames(frames);
		if (i % 20 == 0)
			run_for(i % 7 * 10);
	}
	assert_true(number_in_bill("intervals") >= 20);
	close_ledger();
}

/*
 * What a child of its own charged, by the milliseconds for which it ran: those for which the
 * machine had something else to do are not the ledger's.
 */
#define LIFE_MS 60000

struct life {
	_Atomic uint64_t ms;
	uint64_t frames[LIFE_MS + 1];
};

/* Charges all the time and never stops by itself, but for a test that forgot it. */
static void charge_for_ever(struct life *life, uint64_t interval_ms)
{
	uint64_t before = tp_loop_now_ms();
	uint64_t ran = 0;

	open_ledger(directory, interval_ms, 2);
	while (ran < LIFE_MS) {
		uint64_t now;

		charge(0, 1);
		tp_loop_step(loop, 1);
		now = tp_loop_now_ms();
		for (uint64_t i = 0; i < now - before && i < 20 && ran < LIFE_MS; i++)
			life->frames[++ran] = amounts[0].frames;
		before = now;
		atomic_store(&life->ms, ran);
	}
	_exit(0);
}

/* What was charged a second before the death is on the bill; nothing is there twice. */
static void a_killed_process_loses_a_second_at_most(void **state)
{
	static const uint64_t intervals[] = {3600000, 200};
	struct life *life = mmap(
		NULL, sizeof(*life), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t counted = 0; /* what was lost is lost: a round begins with what is there */

	(void)state;
	assert_ptr_not_equal(life, MAP_FAILED);
	for (size_t i = 0; i < sizeof(intervals) / sizeof(intervals[0]); i++) {
		uint64_t least, most;
		pid_t child;

		atomic_store(&life->ms, 0);
		child = fork();
		if (child == 0)
			charge_for_ever(life, intervals[i]);
		for (unsigned n = 0; n < 6000 && atomic_load(&life->ms) < 2300; n++)
			usleep(10000);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		least = life->frames[atomic_load(&life->ms) - 1000];
		most = amounts[0].frames;
		assert_true(least > 0 && most > least);
		open_ledger(directory, 1000, 2);
		assert_in_range(sum_of(ask(), "frames"), counted + least, counted + most);
		counted = sum_of(answered.bill, "frames");
		close_ledger();
	}
	munmap(life, sizeof(*life));
}

static void limit_room(off_t room)
{
	struct rlimit limit = {.rlim_cur = (rlim_t)room, .rlim_max = RLIM_INFINITY};

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void without_room_nothing_is_lost(void **state)
{
	struct stat before, after;

	(void)state;
	open_ledger(directory, 200, 2);
	charge(0, 100);
	wait_for_records(1);
	run_for(20);
	assert_int_equal(stat(path_of(ledger_file()), &before), 0);
	limit_room(before.st_size + 30);
	capture_begin();
	for (unsigned i = 0; i < 20; i++) {
		charge(i % 2, 10);
		run_for(100);
	}
	expect_frames(300);
	capture_end();
	stat(path_of(ledger_file()), &after);
	limit_room(-1);
	assert_int_equal(after.st_size, before.st_size);
	assert_int_equal(count_lines(logged), 1);
	assert_non_null(strstr(logged, "warning: billing: "));
	assert_non_null(strstr(logged, directory));
	assert_non_null(strstr(logged, "cannot be written: File too large; nothing is lost"));
	assert_non_null(strstr(first_note(), "the ledger cannot be written at present"));
	capture_begin();
	wait_for_records(2);
	run_for(3000);
	capture_end();
	assert_int_equal(count_lines(logged), 1);
	assert_non_null(strstr(logged, ": written again"));
	expect_frames(300);
	assert_string_equal(first_note(), "");
	close_ledger();
	open_ledger(directory, 200, 2);
	expect_frames(300);
	close_ledger();
}

/* The ledger has no room, its current file has, for seconds: that is trouble once. */
static void trouble_that_comes_and_goes_is_told_once(void **state)
{
	(void)state;
	open_ledger(directory, 200, 2);
	charge(0, 100);
	wait_for_records(1);
	limit_room((off_t)strlen(text_of(ledger_file())) + 30);
	capture_begin();
	for (unsigned i = 0; i < 30; i++) {
		charge(0, 10);
		/* Room for half of each second. */
		limit_room(i % 10 >= 5 ? -1 : (off_t)strlen(text_of(ledger_file())) + 30);
		run_for(100);
	}
	capture_end();
	limit_room(-1);
	assert_int_equal(count_lines(logged), 1);
	assert_non_null(strstr(logged, "warning: billing: "));
	assert_true(count_lines(text_of(ledger_file())) > 1);
	expect_frames(400);
	assert_non_null(strstr(first_note(), "the ledger cannot be written at present"));
	close_ledger();
}

/* The ledger has no room, but its current file has: what is left at the end is in the next start's
 * ledger. */
static void an_end_without_room_is_made_up_for(void **state)
{
	(void)state;
	open_ledger(directory, 200, 2);
	for (unsigned i = 0; i < 10; i++) {
		charge(0, 10);
		run_for(100);
	}
	charge(1, 7);
	/* A current file is shorter than that, the ledger with one more record is longer. */
	limit_room((off_t)strlen(text_of(ledger_file())) + 100);
	capture_begin();
	close_ledger();
	capture_end();
	limit_room(-1);
	assert_non_null(strstr(logged, "error: billing: "));
	assert_non_null(strstr(logged, "is in the current file: the next start bills it"));
	assert_non_null(current_file());
	open_ledger(directory, 200, 2);
	assert_null(current_file());
	expect_frames(107);
	close_ledger();
}

/* Neither has room: what is lost is said, and no more is lost than that. */
static void an_end_without_any_room_says_what_is_lost(void **state)
{
	(void)state;
	open_ledger(directory, HOUR_MS, 2);
	charge(0, 10);
	run_for(1200);
	assert_non_null(current_file());
	limit_room(0);
	charge(0, 5);
	charge(1, 7);
	run_for(600);
	capture_begin();
	close_ledger();
	capture_end();
	limit_room(-1);
	assert_non_null(strstr(logged, "error: billing: "));
	assert_non_null(strstr(logged, "lost is what was charged since 20"));
	assert_non_null(strstr(logged, " credits, 12 frames, "));
	open_ledger(directory, 200, 2);
	expect_frames(10);
	close_ledger();
}

/* A clock that is set changes where intervals end, not what they hold. */
static void the_clock_may_be_set(void **state)
{
	static const int64_t offsets[] = {0, -HOUR_MS, 40 * 24 * HOUR_MS, 0, 5 * HOUR_MS};
	uint64_t frames = 0;

	(void)state;
	open_ledger(directory, 300, 1);
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		clock_offset = offsets[i];
		for (unsigned n = 0; n < 6; n++) {
			charge(0, 1);
			frames++;
			run_for(120);
			expect_frames(frames);
		}
	}
	close_ledger();
	open_ledger(directory, 300, 1);
	expect_frames(frames);
	close_ledger();
}

/* From and to reach the ledger and the interval that is under way. */
static void bills_of_a_time(void **state)
{
	const int64_t minute = moment("2026-11-03T14:30:00");

	(void)state;
	clock_stopped = minute + 200;
	open_ledger(directory, 1000, 1);
	charge(0, 100);
	clock_stopped = minute + 1001;
	wait_for_records(1);
	run_for(20);
	charge(0, 11);
	clock_stopped = minute + 1500;
	expect_frames(111);
	assert_int_equal(number_in_bill("intervals"), 2);
	assert_int_equal(moment_in_bill("begin"), minute + 200);
	assert_int_equal(moment_in_bill("end"), minute + 1500);
	assert_int_equal(sum_of(ask_between(INT64_MIN, minute + 1000), "frames"), 100);
	assert_int_equal(moment_in_bill("to"), minute + 1000);
	assert_int_equal(sum_of(ask_between(minute + 1000, INT64_MAX), "frames"), 11);
	assert_string_equal(first_note(), "");
	assert_int_equal(sum_of(ask_between(minute + 1200, INT64_MAX), "frames"), 0);
	assert_non_null(strstr(first_note(), "which is not counted"));
	close_ledger();
}

static void without_a_directory_it_says_so(void **state)
{
	(void)state;
	open_ledger(NULL, 1000, 2);
	charge(0, 3);
	charge(1, 4);
	expect_frames(7);
	assert_non_null(strstr(first_note(), "kept in memory only"));
	assert_int_equal(number_in_bill("intervals"), 1);
	assert_true(json_is_null(json_object_get(answered.bill, "directory")));
	charge(1, 4);
	expect_frames(11);
	close_ledger();
}

static void the_answer_tells_of_its_ledger(void **state)
{
	(void)state;
	open_ledger(directory, 60000, 1);
	ask();
	assert_string_equal(
		json_string_value(json_object_get(answered.bill, "directory")), directory);
	assert_true(json_real_value(json_object_get(answered.bill, "interval_seconds")) == 60);
	close_ledger();
}

static void questions_wait_in_line(void **state)
{
	struct tp_error error = {""};

	(void)state;
	open_ledger(directory, 1000, 1);
	answered.count = 0;
	for (uint64_t i = 0; i < 32; i++)
		assert_int_equal(tp_ledger_ask(ledger, INT64_MIN, INT64_MAX, i, &error), 0);
	assert_true(tp_ledger_ask(ledger, INT64_MIN, INT64_MAX, 32, &error) < 0);
	assert_non_null(strstr(error.text, "32 bills are being made already"));
	for (unsigned i = 0; i < 1000 && answered.count < 32; i++) {
		tp_loop_step(loop, 20);
		if (answered.count > 0)
			assert_int_equal(answered.ticket, answered.count - 1);
	}
	assert_int_equal(answered.count, 32);
	for (uint64_t i = 0; i < 10; i++)
		assert_int_equal(tp_ledger_ask(ledger, INT64_MIN, INT64_MAX, i, &error), 0);
	close_ledger();
	assert_int_equal(answered.count, 32);
}

static double cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* The loop's own time for a step; what threads do beside it is not the loop's. */
static double longest_step(uint32_t accounts, unsigned ms)
{
	double longest = 0;

	for (uint64_t end = tp_loop_now_ms() + ms; tp_loop_now_ms() < end;) {
		double before = cpu_ms();

		tp_loop_step(loop, 5);
		if (cpu_ms() - before > longest)
			longest = cpu_ms() - before;
		for (uint32_t i = 0; i < accounts; i += 7)
			charge(i, 1);
	}
	return longest;
}

static void thousands_of_accounts_do_not_stop_the_loop(void **state)
{
	uint64_t frames = 0;
	double longest;

	(void)state;
	open_ledger(directory, 300, 4000);
	for (uint32_t i = 0; i < 4000; i++)
		charge(i, 1);
	longest = longest_step(4000, 2000);
	printf("4000 accounts: longest step %.2f ms of CPU\n", longest);
	/* Measured: below 1 ms. Sanitizers take several times as long. */
	assert_true(longest < 20);
	for (uint32_t i = 0; i < 4000; i++)
		frames += amounts[i].frames;
	expect_frames(frames);
	close_ledger();
}

/* More than are read at a time. */
static void all_slices_are_read(void **state)
{
	(void)state;
	open_ledger(directory, 500, ACCOUNTS_MAX);
	for (uint32_t i = 0; i < ACCOUNTS_MAX; i++)
		charge(i, 2);
	for (unsigned i = 0; i < 1000 && ledger_file() == NULL; i++)
		tp_loop_step(loop, 10);
	assert_non_null(ledger_file());
	close_ledger();
	open_ledger(directory, 500, ACCOUNTS_MAX);
	expect_frames(2 * ACCOUNTS_MAX);
	assert_int_equal(json_array_size(json_object_get(answered.bill, "charges")), ACCOUNTS_MAX);
	close_ledger();
}

/* --- who comes and goes ---------------------------------------------------------------------- */

static void come(uint32_t source, const char *interface, const char *class)
{
	const struct tp_charge of = {.tenant = "acme", .interface = interface, .class = class};

	assert_int_equal(tp_ledger_reserve(ledger, 1, source + 1), 0);
	tp_ledger_come(ledger, tp_ledger_account_new(&of), source);
}

static int compare_lines(const void *left, const void *right)
{
	return strcmp(left, right);
}

/* "vm0 gold 3;" for each charge, sorted. */
static const char *charged(void)
{
	static char text[1024];
	const json_t *charges = json_object_get(ask(), "charges");
	size_t count = json_array_size(charges);
	char line[16][48];

	text[0] = '\0';
	assert_true(count < 16);
	for (size_t i = 0; i < count; i++) {
		const json_t *one = json_array_get(charges, i);

		snprintf(line[i], sizeof(line[0]), "%s %s %" JSON_INTEGER_FORMAT ";",
			json_string_value(json_object_get(one, "interface")),
			json_string_value(json_object_get(one, "class")),
			json_integer_value(json_object_get(one, "frames")));
	}
	qsort(line, count, sizeof(line[0]), compare_lines);
	for (size_t i = 0; i < count; i++)
		strcat(text, line[i]);
	return text;
}

/* What was sent as gold is charged as gold, what came after as bronze. */
static void a_change_of_class_divides_what_is_charged(const char *place)
{
	open_ledger(place, 400, 1);
	charge(0, 3);
	tp_ledger_go(ledger, 0);
	come(0, "vm0", "bronze");
	charge(0, 4);
	assert_string_equal(charged(), "vm0 bronze 4;vm0 gold 3;");
	tp_ledger_go(ledger, 0);
	charge(0, 100); /* nobody's */
	come(0, "vm0", "gold");
	charge(0, 5);
	assert_string_equal(charged(), "vm0 bronze 4;vm0 gold 8;");
	run_for(1200); /* some intervals, in which accounts that are settled are forgotten */
	charge(0, 1);
	assert_string_equal(charged(), "vm0 bronze 4;vm0 gold 9;");
	close_ledger();
}

static void classes_divide_what_is_charged(void **state)
{
	(void)state;
	a_change_of_class_divides_what_is_charged(NULL);
	a_change_of_class_divides_what_is_charged(directory);
	open_ledger(directory, 400, 1);
	assert_string_equal(charged(), "vm0 bronze 4;vm0 gold 9;");
	close_ledger();
}

/* A source, which is a place, is another interface's later. */
static void places_may_be_another_ones(void **state)
{
	(void)state;
	open_ledger(directory, 3600000, 2);
	charge(1, 7);
	tp_ledger_go(ledger, 1);
	amounts[1] = (struct tp_amounts){0};
	come(1, "vm9", "gold");
	charge(1, 2);
	come(5, "vm5", "gold");
	charge(5, 1);
	assert_string_equal(charged(), "vm1 gold 7;vm5 gold 1;vm9 gold 2;");
	close_ledger();
	open_ledger(directory, 3600000, 2);
	assert_string_equal(charged(), "vm1 gold 7;vm5 gold 1;vm9 gold 2;");
	close_ledger();
}

/* Who has gone is forgotten once the ledger has it. */
static void what_is_settled_is_forgotten(void **state)
{
	unsigned i;

	(void)state;
	open_ledger(directory, 300, 1);
	for (i = 0; i < 50; i++) {
		char name[8];

		snprintf(name, sizeof(name), "x%u", i);
		amounts[1] = (struct tp_amounts){0};
		come(1, name, "gold");
		charge(1, 1);
		tp_ledger_go(ledger, 1);
	}
	assert_int_equal(ledger->accounts, 51);
	for (i = 0; i < 500 && ledger->accounts > 1; i++)
		tp_loop_step(loop, 10);
	assert_int_equal(ledger->accounts, 1);
	expect_frames(50);
	close_ledger();
}

static void a_directory_that_cannot_be_had_is_an_error(void **state)
{
	const struct tp_ledger_settings settings = {
		.loop = loop, .directory = "/proc/nowhere", .interval_ms = 1000};
	struct tp_error error = {""};

	(void)state;
	assert_null(tp_ledger_open(&settings, &error));
	assert_int_equal(strncmp(error.text, "billing: /proc/nowhere: ", 24), 0);
}

#define SCENARIO(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENARIO(what_moves_is_written),
		SCENARIO(where_nothing_moves_nothing_is_written),
		SCENARIO(intervals_are_aligned_and_meet),
		SCENARIO(a_restart_keeps_sums),
		SCENARIO(each_frame_is_in_a_bill_once),
		SCENARIO(a_killed_process_loses_a_second_at_most),
		SCENARIO(without_room_nothing_is_lost),
		SCENARIO(an_end_without_room_is_made_up_for),
		SCENARIO(trouble_that_comes_and_goes_is_told_once),
		SCENARIO(an_end_without_any_room_says_what_is_lost),
		SCENARIO(the_clock_may_be_set),
		SCENARIO(bills_of_a_time),
		SCENARIO(without_a_directory_it_says_so),
		SCENARIO(the_answer_tells_of_its_ledger),
		SCENARIO(questions_wait_in_line),
		SCENARIO(thousands_of_accounts_do_not_stop_the_loop),
		SCENARIO(all_slices_are_read),
		SCENARIO(classes_divide_what_is_charged),
		SCENARIO(places_may_be_another_ones),
		SCENARIO(what_is_settled_is_forgotten),
		SCENARIO(a_directory_that_cannot_be_had_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
