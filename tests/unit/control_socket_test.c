/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/control_socket.h"

/* Server and clients in one thread: a client acts, the loop runs, the client looks. */

#define BIG ((size_t)4 << 20) /* bytes of the answer to "big" */

static struct tp_loop *loop;
static struct tp_control_socket *control;
static char directory[] = "/tmp/control_test.XXXXXX";
static char path[64];
static unsigned handled;

static json_t *handle(
	void *owner, const char *command, const json_t *request, struct tp_error *error)
{
	assert_ptr_equal(owner, &handled);
	handled++;
	if (strcmp(command, "echo") == 0)
		return json_incref(json_object_get(request, "what"));
	if (strcmp(command, "big") == 0) {
		char *text = malloc(BIG);
		json_t *string;

		memset(text, 'b', BIG);
		string = json_stringn(text, BIG);
		free(text);
		return string;
	}
	tp_error_set(error, EINVAL, "found %s\xff; accepted: echo, big", command);
	return NULL;
}

static struct tp_control_settings settings_of(unsigned patience_ms)
{
	return (struct tp_control_settings){
		.path = path, .handle = handle, .owner = &handled, .patience_ms = patience_ms};
}

static void open_server(unsigned patience_ms)
{
	struct tp_control_settings settings = settings_of(patience_ms);
	struct tp_error error = {""};

	handled = 0;
	loop = tp_loop_new(&error);
	assert_non_null(loop);
	control = tp_control_open(loop, &settings, &error);
	if (control == NULL)
		fail_msg("%s", error.text);
}

static int open_default(void **state)
{
	(void)state;
	open_server(0);
	return 0;
}

static int open_hasty(void **state)
{
	(void)state;
	open_server(500);
	return 0;
}

static int close_server(void **state)
{
	(void)state;
	tp_control_close(control);
	tp_loop_free(loop);
	assert_int_equal(access(path, F_OK), -1);
	return 0;
}

static void run(void)
{
	for (unsigned i = 0; i < 1000 && tp_loop_step(loop, 0) > 0; i++)
		continue;
}

static int dial(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void say_bytes(int fd, const char *text, size_t length)
{
	assert_int_equal(send(fd, text, length, MSG_NOSIGNAL), length);
	run();
}

static void say(int fd, const char *text)
{
	say_bytes(fd, text, strlen(text));
}

static void hears(int fd, const char *expected)
{
	char answer[4096] = "";
	ssize_t got = recv(fd, answer, sizeof(answer) - 1, 0);

	if (got <= 0)
		fail_msg("no answer; expected %s", expected);
	if (strstr(answer, expected) == NULL)
		fail_msg("answer: %s\nexpected: %s", answer, expected);
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

static void a_line_too_long_is_refused_and_ends_the_client(void **state)
{
	char *line = malloc(TP_CONTROL_REQUEST_MAX);
	int fd = dial();

	(void)state;
	memset(line, ' ', TP_CONTROL_REQUEST_MAX);
	say_bytes(fd, line, TP_CONTROL_REQUEST_MAX - 1);
	hears_nothing(fd);
	say_bytes(fd, line, TP_CONTROL_REQUEST_MAX);
	hears(fd, "{\"ok\":false,\"error\":\"request: found a line of more than 65536 bytes");
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
	say_bytes(fd, line, TP_CONTROL_REQUEST_MAX);
	hears(fd, "{\"ok\":true,\"result\":1}\n");
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

static void the_33rd_client_is_turned_away(void **state)
{
	int clients[TP_CONTROL_CLIENTS_MAX + 1];

	(void)state;
	for (unsigned i = 0; i <= TP_CONTROL_CLIENTS_MAX; i++) {
		clients[i] = dial();
		run();
	}
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

static void run_for(uint64_t ms)
{
	uint64_t end = tp_loop_now_ms() + ms;

	while (tp_loop_now_ms() < end)
		tp_loop_step(loop, 5);
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
		run_for(100);
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

static void the_socket_is_its_owners_only(void **state)
{
	struct stat status;

	(void)state;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode, S_IFSOCK | 0600);
}

static void a_live_socket_is_refused(void **state)
{
	struct tp_control_settings settings = settings_of(0);
	struct tp_error error = {""};
	int fd;

	(void)state;
	assert_null(tp_control_open(loop, &settings, &error));
	assert_non_null(strstr(error.text, path));
	assert_non_null(strstr(error.text, "another process serves it"));
	run();
	fd = dial();
	say(fd, "{\"command\":\"echo\",\"what\":1}\n");
	hears(fd, "{\"ok\":true,\"result\":1}\n");
	close(fd);
}

static void a_stale_socket_is_replaced(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	open_server(0);
	a_request_is_answered(state);
	close_server(state);
}

static void a_file_of_another_kind_is_left_alone(void **state)
{
	struct tp_control_settings settings = settings_of(0);
	struct tp_error error = {""};

	(void)state;
	close(open(path, O_CREAT | O_CLOEXEC, 0600));
	loop = tp_loop_new(&error);
	assert_null(tp_control_open(loop, &settings, &error));
	assert_non_null(strstr(error.text, "not a socket"));
	assert_int_equal(unlink(path), 0);
	tp_loop_free(loop);
}

static void only_the_own_file_is_removed(void **state)
{
	open_default(state);
	assert_int_equal(unlink(path), 0);
	close(open(path, O_CREAT | O_CLOEXEC, 0600));
	tp_control_close(control);
	tp_loop_free(loop);
	assert_int_equal(unlink(path), 0);
}

static int make_directory(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/run/control.sock", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	*strrchr(path, '/') = '\0';
	return rmdir(path) | rmdir(directory);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, open_default, close_server)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(a_request_is_answered),
		WITH_SERVER(requests_are_answered_in_order),
		WITH_SERVER(garbage_is_refused_and_the_next_request_served),
		WITH_SERVER(a_line_too_long_is_refused_and_ends_the_client),
		WITH_SERVER(the_longest_line_is_accepted),
		WITH_SERVER(who_does_not_read_gets_no_more_answers_made),
		WITH_SERVER(a_slow_reader_gets_all_while_others_are_served),
		WITH_SERVER(a_flood_takes_turns_with_others),
		WITH_SERVER(the_33rd_client_is_turned_away),
		cmocka_unit_test_setup_teardown(patience_ends, open_hasty, close_server),
		WITH_SERVER(who_speaks_and_leaves_is_heard),
		WITH_SERVER(without_descriptors_the_server_waits),
		WITH_SERVER(the_socket_is_its_owners_only),
		WITH_SERVER(a_live_socket_is_refused),
		cmocka_unit_test(a_stale_socket_is_replaced),
		cmocka_unit_test(a_file_of_another_kind_is_left_alone),
		cmocka_unit_test(only_the_own_file_is_removed),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
