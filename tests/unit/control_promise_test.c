/* SPDX-License-Identifier: BSD-3-Clause */
#include "control_support.h"

/* Answers that are promised and kept later. */

#define PROMISE  "{\"command\":\"promise\"}\n"
#define HASTY_MS 700
#define ECHO     "{\"command\":\"echo\",\"what\":1}\n"

static int open_hasty(void **state)
{
	(void)state;
	open_server(HASTY_MS);
	return 0;
}

static void hears_nothing(int fd)
{
	char byte;

	run();
	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static void keep(uint64_t which, json_t *result, const char *reason)
{
	tp_control_keep(control, which, result, reason);
	run();
}

static void it_is_kept_with_a_result_or_a_refusal(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, PROMISE);
	hears_nothing(fd);
	keep(promise, json_string("here"), NULL);
	hears(fd, "{\"ok\":true,\"result\":\"here\"}\n");
	say(fd, PROMISE);
	keep(promise, NULL, "could not be had");
	hears(fd, "{\"ok\":false,\"error\":\"could not be had\"}\n");
	say(fd, ECHO);
	hears(fd, "{\"ok\":true,\"result\":1}\n");
	close(fd);
}

static void it_may_be_kept_at_once_and_what_the_handler_returns_is_nothing(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, "{\"command\":\"promise\",\"at_once\":1,\"with_result\":1}\n");
	hears(fd, "{\"ok\":true,\"result\":\"bbb");
	close(fd);
	fd = dial();
	say(fd, "{\"command\":\"promise\",\"with_result\":1}\n");
	hears_nothing(fd);
	keep(promise, json_integer(9), NULL);
	hears(fd, "{\"ok\":true,\"result\":9}\n");
	close(fd);
}

static void what_comes_behind_it_waits_but_others_do_not(void **state)
{
	int fd = dial();
	int other = dial();
	unsigned before;

	(void)state;
	say(fd, PROMISE ECHO ECHO);
	before = handled;
	for (unsigned i = 0; i < 40; i++)
		say(fd, ECHO);
	assert_int_equal(handled, before);
	say(other, ECHO);
	hears(other, "{\"ok\":true,\"result\":1}\n");
	keep(promise, json_integer(5), NULL);
	hears(fd, "{\"ok\":true,\"result\":5}\n{\"ok\":true,\"result\":1}\n");
	assert_int_equal(handled, before + 43);
	close(fd);
	close(other);
}

static void each_client_has_its_own(void **state)
{
	int first = dial();
	int second = dial();
	uint64_t of_first;

	(void)state;
	say(first, PROMISE);
	of_first = promise;
	say(second, PROMISE);
	keep(promise, json_integer(2), NULL);
	hears_nothing(first);
	hears(second, "\"result\":2}\n");
	keep(of_first, json_integer(1), NULL);
	hears(first, "\"result\":1}\n");
	close(first);
	close(second);
}

static void waiting_for_it_needs_no_patience(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, PROMISE);
	for (uint64_t end = tp_loop_now_ms() + 2 * HASTY_MS; tp_loop_now_ms() < end;)
		tp_loop_step(loop, 20);
	assert_int_equal(tp_control_clients(control), 1);
	keep(promise, json_integer(1), NULL);
	hears(fd, "\"result\":1}\n");
	for (uint64_t end = tp_loop_now_ms() + 2 * HASTY_MS; tp_loop_now_ms() < end;)
		tp_loop_step(loop, 20);
	assert_int_equal(tp_control_clients(control), 0);
	close(fd);
}

static void who_does_not_take_it_is_ended(void **state)
{
	uint64_t start = tp_loop_now_ms();
	int at_once = dial();
	int later = dial();

	(void)state;
	say(at_once, "{\"command\":\"promise\",\"at_once\":1}\n");
	say(later, PROMISE);
	keep(promise, big_string(), NULL);
	/* unless this machine took as long as that */
	if (tp_loop_now_ms() - start < HASTY_MS)
		assert_int_equal(tp_control_clients(control), 2);
	for (uint64_t end = tp_loop_now_ms() + 2 * HASTY_MS; tp_loop_now_ms() < end;)
		tp_loop_step(loop, 20);
	assert_int_equal(tp_control_clients(control), 0);
	close(at_once);
	close(later);
}

static void who_hangs_up_is_forgotten(void **state)
{
	uint64_t of_gone;
	int fd = dial();

	(void)state;
	say(fd, PROMISE);
	of_gone = promise;
	close(fd);
	run();
	assert_int_equal(tp_control_clients(control), 0);
	fd = dial();
	say(fd, ECHO);
	keep(of_gone, json_integer(1), NULL);
	hears(fd, "{\"ok\":true,\"result\":1}\n");
	hears_nothing(fd);
	close(fd);
}

/* As programs do that say all that they have to say and then only listen. */
static void who_only_listens_hears(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, PROMISE);
	shutdown(fd, SHUT_WR);
	hears_nothing(fd);
	keep(promise, json_integer(1), NULL);
	hears(fd, "\"result\":1}\n");
	assert_int_equal(tp_control_clients(control), 0);
	close(fd);
}

static void a_server_may_close_before(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, PROMISE);
	close_server(state);
	close(fd);
	open_server(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(it_is_kept_with_a_result_or_a_refusal),
		WITH_SERVER(it_may_be_kept_at_once_and_what_the_handler_returns_is_nothing),
		WITH_SERVER(what_comes_behind_it_waits_but_others_do_not),
		WITH_SERVER(each_client_has_its_own),
		cmocka_unit_test_setup_teardown(
			waiting_for_it_needs_no_patience, open_hasty, close_server),
		cmocka_unit_test_setup_teardown(
			who_does_not_take_it_is_ended, open_hasty, close_server),
		WITH_SERVER(who_hangs_up_is_forgotten),
		WITH_SERVER(who_only_listens_hears),
		WITH_SERVER(a_server_may_close_before),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
