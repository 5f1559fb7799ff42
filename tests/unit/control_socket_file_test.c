/* SPDX-License-Identifier: BSD-3-Clause */
#include "control_support.h"

/* The socket's file: whose it is, what it may replace, what is left of it. */

static void is_served(void)
{
	int fd = dial();

	say(fd, "{\"command\":\"echo\",\"what\":1}\n");
	hears(fd, "{\"ok\":true,\"result\":1}\n");
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
	char expected[64];
	int fd;

	(void)state;
	assert_null(tp_control_open(loop, &settings, &error));
	assert_non_null(strstr(error.text, path));
	snprintf(expected, sizeof(expected), "is served by process %d (", getpid());
	assert_non_null(strstr(error.text, expected));
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
	is_served();
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(the_socket_is_its_owners_only),
		WITH_SERVER(a_live_socket_is_refused),
		cmocka_unit_test(a_stale_socket_is_replaced),
		cmocka_unit_test(a_file_of_another_kind_is_left_alone),
		cmocka_unit_test(only_the_own_file_is_removed),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
