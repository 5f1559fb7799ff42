/* SPDX-License-Identifier: BSD-3-Clause */
#include "control_support.h"

/* What clients say and hear, and how little the bad ones can cost. */

static int open_hasty(void **state)
{
	(void)state;
	open_server(2000);
	return 0;
}

static void hears_nothing(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static bool hung_up(int fd)
{
	char bytes[4096];
	ssize_t got;

	do {
		got = recv(fd, bytes, sizeof(bytes), 0);
	} while (got > 0);
	return got == 0 || errno != EAGAIN;
}

static void a_request_is_answered(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, "{\"command\":\"echo\",\"what\":[1,\"two\"]}\n");
	hears(fd, "{\"ok\":true,\"result\":[1,\"two\"]}\n");
	say(fd, "{\"command\":\"fly\"}\r\n");
	hears(fd, "{\"ok\":false,\"error\":\"found fly?; accepted: echo, big\"}\n");
	close(fd);
	run();
	assert_int_equal(tp_control_clients(control), 0);
}

static void requests_are_answered_in_order(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, "{\"command\":\"echo\",\"what\":1}\n{\"command\":\"echo\",\"what\":2}\n{\"comm");
	hears(fd, "{\"ok\":true,\"result\":1}\n{\"ok\":true,\"result\":2}\n");
	hears_nothing(fd);
	say(fd, "and\":\"echo\",\"what\":3}");
	hears_nothing(fd);
	say(fd, "\n");
	hears(fd, "{\"ok\":true,\"result\":3}\n");
	close(fd);
}

static void garbage_is_refused_and_the_next_request_served(void **state)
{
	static const struct {
		const char *text;
		size_t length;
	} garbage[] = {
		{"\n", 1},
		{"hello\n", 6},
		{"\0\0\0\n", 4},
		{"\xff\xfe\n", 3},
		{"[1]\n", 4},
		{"{}\n", 3},
		{"{\"command\":7}\n", 14},
		{"{\"command\":\"echo\"} {}\n", 22},
		{"{\"command\":\"a\",\"command\":\"b\"}\n", 30},
	};
	int fd = dial();

	(void)state;
	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		say_bytes(fd, garbage[i].text, garbage[i].length);
		hears(fd, "{\"ok\":false,\"error\":\"request: ");
	}
	assert_int_equal(handled, 0);
	say(fd, "{\"command\":\"echo\",\"what\":1}\n");
	hears(fd, "{\"ok\":true,\"result\":1}");
	close(fd);
}

/* More than a socket holds. */
static void say_long(int fd, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(fd, text, length < 65536 ? length : 65536, MSG_NOSIGNAL);

		run();
		if (sent < 0)
			return;
		text += sent;
		length -= (size_t)sent;
	}
}

static void two_at_a_time_may_have_much_to_say(void **state)
{
	char *line = malloc(2 * TP_CONTROL_SMALL);
	int fd[4];

	(void)state;
	memset(line, ' ', 2 * TP_CONTROL_SMALL);
	for (unsigned i = 0; i < 4; i++)
		fd[i] = dial();
	for (unsigned i = 0; i < 3; i++)
		say_long(fd[i], line, 2 * TP_CONTROL_SMALL - 100);
	hears(fd[2], "as two clients are sending already; accepted: two at a time, try again");
	assert_true(hung_up(fd[2]));
	/* others are served as ever, and when one is done it is another's turn */
	say(fd[3], "{\"command\":\"echo\",\"what\":1}\n");
	hears(fd[3], "{\"ok\":true,\"result\":1}\n");
	say(fd[0], "{\"command\":\"echo\",\"what\":2}\n");
	hears(fd[0], "{\"ok\":true,\"result\":2}\n");
	say_long(fd[3], line, 2 * TP_CONTROL_SMALL - 100);
	say(fd[3], "{\"command\":\"echo\",\"what\":3}\n");
	hears(fd[3], "{\"ok\":true,\"result\":3}\n");
	for (unsigned i = 0; i < 4; i++)
		close(fd[i]);
	free(line);
}

static void a_line_too_long_is_refused_and_ends_the_client(void **state)
{
	char *line = malloc(TP_CONTROL_REQUEST_MAX);
	int fd = dial();

	(void)state;
	memset(line, ' ', TP_CONTROL_REQUEST_MAX);
	say_long(fd, line, TP_CONTROL_REQUEST_MAX - 1);
	hears_nothing(fd);
	say_long(fd, line, 1);
	hears(fd, "{\"ok\":false,\"error\":\"request: found a line of more than 32 MiB");
	assert_true(hung_up(fd));
	assert_int_equal(tp_control_clients(control), 0);
	close(fd);
	free(line);
}

static void the_longest_line_is_accepted(void **state)
{
	char *line = malloc(TP_CONTROL_REQUEST_MAX);
	int fd = dial();

	(void)state;
	memset(line, ' ', TP_CONTROL_REQUEST_MAX);
	memcpy(line, "{\"command\":\"echo\",\"what\":1}", 27);
	line[TP_CONTROL_REQUEST_MAX - 1] = '\n';
	say_long(fd, line, TP_CONTROL_REQUEST_MAX);
	hears(fd, "{\"ok\":true,\"result\":1}\n");
	/* and the next one, which is short */
	say(fd, "{\"command\":\"echo\",\"what\":2}\n");
	hears(fd, "{\"ok\":true,\"result\":2}\n");
	close(fd);
	free(line);
}

static void who_does_not_read_gets_no_more_answers_made(void **state)
{
	static const char request[] = "{\"command\":\"big\"}\n";
	int fd = dial();

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
			break;
		tp_loop_step(loop, 0);
	}
	run();
	assert_int_equal(handled, 1);
	close(fd);
	run();
	assert_int_equal(tp_control_clients(control), 0);
}

static void a_slow_reader_gets_all_while_others_are_served(void **state)
{
	int slow = dial(), other = dial();
	char *part = malloc(65536);
	size_t total = 0;

	(void)state;
	say(slow, "{\"command\":\"big\"}\n{\"command\":\"echo\",\"what\":1}\n");
	while (total < BIG + 24) {
		ssize_t got =
			recv(slow, part, BIG + 24 - total < 65536 ? BIG + 24 - total : 65536, 0);

		assert_true(got > 0);
		total += (size_t)got;
		say(other, "{\"command\":\"echo\",\"what\":2}\n");
		hears(other, "{\"ok\":true,\"result\":2}\n");
	}
	hears(slow, "{\"ok\":true,\"result\":1}\n");
	free(part);
	close(slow);
	close(other);
}

static void a_flood_takes_turns_with_others(void **state)
{
	int flood = dial(), other = dial();
	char lines[27 * 28 + 1] = "";

	(void)state;
	for (unsigned i = 0; i < 27; i++)
		strcat(lines, "{\"command\":\"echo\",\"what\":7}\n");
	run();
	assert_int_equal(send(flood, lines, strlen(lines), 0), strlen(lines));
	assert_true(send(other, "{\"command\":\"echo\",\"what\":8}\n", 28, 0) == 28);
	tp_loop_step(loop, 0);
	tp_loop_step(loop, 0);
	hears(other, "{\"ok\":true,\"result\":8}\n");
	assert_true(handled <= 3);
	run();
	assert_int_equal(handled, 28);
	close(flood);
	close(other);
}

static void run_for(uint64_t ms)
{
	uint64_t end = tp_loop_now_ms() + ms;

	while (tp_loop_now_ms() < end)
		tp_loop_step(loop, 5);
}

/* All places are taken, by clients that have said this. */
static void take_all_places(int clients[TP_CONTROL_CLIENTS_MAX], const char *said)
{
	for (unsigned i = 0; i < TP_CONTROL_CLIENTS_MAX; i++) {
		clients[i] = dial();
		run();
	}
	/* Before they say it: where the machine is slow, patience with the first may end before
	 * the last one has been answered. */
	assert_int_equal(tp_control_clients(control), TP_CONTROL_CLIENTS_MAX);
	for (unsigned i = 0; i < TP_CONTROL_CLIENTS_MAX; i++)
		say(clients[i], said);
}

static void is_served(void)
{
	int fd = dial();

	say(fd, "{\"command\":\"echo\",\"what\":1}\n");
	hears(fd, "{\"ok\":true,\"result\":1}\n");
	close(fd);
	run();
}

/* Half a request is none. */
static void who_asks_nothing_makes_place(void **state)
{
	int clients[TP_CONTROL_CLIENTS_MAX];
	unsigned gone = 0;

	(void)state;
	take_all_places(clients, "{\"command\":");
	run_for(150);
	say(clients[0], "\"echo\",\"what\":1}\n");
	is_served();
	is_served();
	for (unsigned i = 0; i < TP_CONTROL_CLIENTS_MAX; i++)
		gone += hung_up(clients[i]);
	assert_int_equal(gone, 1); /* the second found the place that the first had left */
	assert_false(hung_up(clients[0]));
	for (unsigned i = 0; i < TP_CONTROL_CLIENTS_MAX; i++)
		close(clients[i]);
	run();
}

static void who_takes_no_answer_makes_place_later(void **state)
{
	int clients[TP_CONTROL_CLIENTS_MAX];
	int waiting;

	(void)state;
	take_all_places(clients, "{\"command\":\"big\"}\n");
	waiting = dial();
	say(waiting, "{\"command\":\"echo\",\"what\":1}\n");
	run_for(700);
	hears(waiting, "{\"ok\":true,\"result\":1}\n");
	close(waiting);
	for (unsigned i = 0; i < TP_CONTROL_CLIENTS_MAX; i++)
		close(clients[i]);
	run();
}

/* An answer that the socket itself holds, and a request that waits behind it. */
static void who_takes_no_answer_that_fits_makes_place_too(void **state)
{
	static char said[61000] = "{\"command\":\"echo\",\"what\":\"";
	int clients[TP_CONTROL_CLIENTS_MAX];
	size_t length = strlen(said);

	(void)state;
	memset(said + length, 'x', 60000);
	strcpy(said + length + 60000, "\"}\n{\"command\":\"echo\",\"what\":2}\n");
	take_all_places(clients, said);
	assert_int_equal(handled, TP_CONTROL_CLIENTS_MAX);
	run_for(600);
	is_served();
	for (unsigned i = 0; i < TP_CONTROL_CLIENTS_MAX; i++)
		close(clients[i]);
	run();
}

static void the_33rd_client_is_turned_away(void **state)
{
	int clients[TP_CONTROL_CLIENTS_MAX + 1];

	(void)state;
	take_all_places(clients, "{\"command\":\"promise\"}\n");
	clients[TP_CONTROL_CLIENTS_MAX] = dial();
	run_for(4100);
	hears(clients[TP_CONTROL_CLIENTS_MAX], "{\"ok\":false,\"error\":\"32 clients are");
	assert_true(hung_up(clients[TP_CONTROL_CLIENTS_MAX]));
	close(clients[TP_CONTROL_CLIENTS_MAX]);
	close(clients[5]);
	run();
	clients[5] = dial();
	say(clients[5], "{\"command\":\"echo\",\"what\":1}\n");
	hears(clients[5], "{\"ok\":true,\"result\":1}\n");
	for (unsigned i = 0; i < TP_CONTROL_CLIENTS_MAX; i++)
		close(clients[i]);
	run();
	assert_int_equal(tp_control_clients(control), 0);
}

static void patience_ends(void **state)
{
	int silent = dial(), half = dial(), dripping = dial(), deaf = dial(), good = dial();

	(void)state;
	say(half, "{\"command\":");
	say(deaf, "{\"command\":\"big\"}\n");
	for (unsigned i = 0; i < 10; i++) {
		(void)!send(dripping, " ", 1, MSG_NOSIGNAL);
		say(good, "{\"command\":\"echo\",\"what\":1}\n");
		run_for(300);
	}
	assert_true(hung_up(silent));
	assert_true(hung_up(half));
	assert_true(hung_up(dripping));
	assert_true(hung_up(deaf));
	assert_false(hung_up(good));
	assert_int_equal(tp_control_clients(control), 1);
	close(silent);
	close(half);
	close(dripping);
	close(deaf);
	close(good);
}

static void who_speaks_and_leaves_is_heard(void **state)
{
	int fd = dial();

	(void)state;
	assert_true(send(fd, "{\"command\":\"big\"}\n", 18, 0) == 18);
	close(fd);
	run();
	assert_int_equal(handled, 1);
	assert_int_equal(tp_control_clients(control), 0);
	fd = dial();
	assert_true(send(fd, "{\"command\":\"echo\",\"what\":1}\n", 28, 0) == 28);
	shutdown(fd, SHUT_WR);
	run();
	hears(fd, "{\"ok\":true,\"result\":1}\n");
	assert_true(hung_up(fd));
	close(fd);
}

static void without_descriptors_the_server_waits(void **state)
{
	struct rlimit old, none;
	int fd = dial();
	int steps = 0;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &old);
	none = (struct rlimit){.rlim_cur = (rlim_t)fd + 1, .rlim_max = old.rlim_max};
	setrlimit(RLIMIT_NOFILE, &none);
	for (uint64_t end = tp_loop_now_ms() + 100; tp_loop_now_ms() < end; steps++)
		tp_loop_step(loop, 20);
	setrlimit(RLIMIT_NOFILE, &old);
	assert_true(steps < 20);
	assert_int_equal(tp_control_clients(control), 0);
	run_for(250);
	assert_int_equal(tp_control_clients(control), 1);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(a_request_is_answered),
		WITH_SERVER(requests_are_answered_in_order),
		WITH_SERVER(garbage_is_refused_and_the_next_request_served),
		WITH_SERVER(a_line_too_long_is_refused_and_ends_the_client),
		WITH_SERVER(the_longest_line_is_accepted),
		WITH_SERVER(two_at_a_time_may_have_much_to_say),
		WITH_SERVER(who_does_not_read_gets_no_more_answers_made),
		WITH_SERVER(a_slow_reader_gets_all_while_others_are_served),
		WITH_SERVER(a_flood_takes_turns_with_others),
		WITH_SERVER(who_asks_nothing_makes_place),
		WITH_SERVER(who_takes_no_answer_makes_place_later),
		WITH_SERVER(who_takes_no_answer_that_fits_makes_place_too),
		WITH_SERVER(the_33rd_client_is_turned_away),
		cmocka_unit_test_setup_teardown(patience_ends, open_hasty, close_server),
		WITH_SERVER(who_speaks_and_leaves_is_heard),
		WITH_SERVER(without_descriptors_the_server_waits),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
