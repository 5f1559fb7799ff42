/* SPDX-License-Identifier: BSD-3-Clause */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

static char text[1 << 20];

/* Lines that nobody can write. */
static void log_lines(unsigned count)
{
	while (count-- > 0)
		tp_log(TP_LOG_INFO, "nobody will see this");
}

/* Standard error goes to a file while a scenario runs. */
static void capture(void (*scenario)(void))
{
	int saved = dup(STDERR_FILENO);
	int file = memfd_create("log", MFD_CLOEXEC);
	ssize_t length;

	dup2(file, STDERR_FILENO);
	scenario();
	dup2(saved, STDERR_FILENO);
	length = pread(file, text, sizeof(text) - 1, 0);
	text[length < 0 ? 0 : length] = '\0';
	close(saved);
	close(file);
}

static unsigned lines(void)
{
	unsigned count = 0;

	for (const char *end = text; (end = strchr(end, '\n')) != NULL; end++)
		count++;
	return count;
}

static void one_of_each_level(void)
{
	tp_log(TP_LOG_INFO, "seen %d", 1);
	tp_log(TP_LOG_DEBUG, "not seen");
	tp_log_set_level(TP_LOG_DEBUG);
	tp_log(TP_LOG_DEBUG, "seen now");
	tp_log_set_level(TP_LOG_INFO);
}

static void line_has_time_level_text(void **state)
{
	(void)state;
	capture(one_of_each_level);
	assert_int_equal(lines(), 2);
	assert_int_equal(text[4], '-');
	assert_int_equal(text[10], 'T');
	assert_non_null(strstr(text, "Z info: seen 1\n"));
	assert_non_null(strstr(text, "Z debug: seen now\n"));
}

static void a_hundred_and_one_later(void)
{
	struct tp_log_limit limit = {0};

	for (int i = 0; i < 100; i++)
		tp_log_limited(&limit, TP_LOG_INFO, "flood");
	limit.second -= 2; /* as if two seconds passed */
	for (int i = 0; i < 5; i++)
		tp_log_limited(&limit, TP_LOG_INFO, "later");
}

static void flood_is_limited_and_counted(void **state)
{
	const char *later;

	(void)state;
	capture(a_hundred_and_one_later);
	later = strstr(text, "info: later (90 similar lines suppressed)\n");
	assert_non_null(later);
	/* A burst of 10; then one for each second; a second may pass between two lines. */
	assert_in_range(lines(), 12, 14);
}

static void a_long_line(void)
{
	char many[3000];

	memset(many, 'x', sizeof(many) - 1);
	many[sizeof(many) - 1] = '\0';
	tp_log(TP_LOG_ERROR, "%s", many);
}

static void long_line_is_cut(void **state)
{
	(void)state;
	capture(a_long_line);
	assert_int_equal(lines(), 1);
	assert_in_range(strlen(text), 900, 1024);
}

/* A line each, of more sources than all of them together may write. */
static void many_sources(void)
{
	static struct tp_log_limit limit[6000];

	for (unsigned i = 0; i < 6000; i++)
		tp_log_limited(&limit[i], TP_LOG_INFO, "%u", i);
}

static void all_sources_together_are_limited(void **state)
{
	(void)state;
	capture(many_sources);
	assert_in_range(lines(), 4900, 5200);
}

static void say_one_more(void)
{
	tp_log(TP_LOG_INFO, "back");
}

static void a_full_disk_loses_lines_and_says_how_many(void **state)
{
	int saved = dup(STDERR_FILENO);
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	dup2(full, STDERR_FILENO);
	log_lines(5);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(full);
	capture(say_one_more);
	assert_int_equal(lines(), 2);
	assert_non_null(strstr(text, "log: lines missing here: 5: No space left on device\n"));
	assert_non_null(strstr(text, "info: back\n"));
	capture(say_one_more);
	assert_int_equal(lines(), 1);
}

/* A blocking pipe with no room: whoever logs does not wait. */
static void a_pipe_that_nobody_reads_does_not_stop_us(void **state)
{
	static char block[4096];
	int saved = dup(STDERR_FILENO);
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	while (write(ends[1], block, sizeof(block)) > 0)
		;
	assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
	dup2(ends[1], STDERR_FILENO);
	alarm(10);
	log_lines(3);
	alarm(0);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[0]);
	close(ends[1]);
	capture(say_one_more);
	assert_non_null(strstr(text, "log: lines missing here: 3: nobody read what was"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_disk_loses_lines_and_says_how_many),
		cmocka_unit_test(a_pipe_that_nobody_reads_does_not_stop_us),
		cmocka_unit_test(line_has_time_level_text),
		cmocka_unit_test(flood_is_limited_and_counted), cmocka_unit_test(long_line_is_cut),
		cmocka_unit_test(all_sources_together_are_limited), /* the last: nothing is left */
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
