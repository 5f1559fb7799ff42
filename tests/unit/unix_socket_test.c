/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/parents.h"
#include "base/unix_socket.h"

/* Whose a socket is, who may connect, and who did. */

static char directory[] = "/tmp/unix_socket.XXXXXX";
static char path[sizeof(directory) + 16];

static int make_directory(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/a/socket", directory);
	return 0;
}

static int remove_directory(void **state)
{
	char parent[sizeof(path)];

	(void)state;
	unlink(path);
	snprintf(parent, sizeof(parent), "%s/a", directory);
	rmdir(parent);
	return rmdir(directory);
}

static int listen_with(
	const struct tp_unix_access *rights, struct stat *file, struct tp_error *error)
{
	const struct tp_unix_listen how = {.backlog = 1, .access = *rights};

	return tp_unix_listen(path, &how, file, error);
}

static mode_t mode_with(mode_t mode, mode_t mask)
{
	const struct tp_unix_access rights = {.mode = mode};
	mode_t before = umask(mask);
	struct tp_error error;
	struct stat file;
	int fd = listen_with(&rights, &file, &error);

	assert_int_equal(umask(before), mask); /* as it was */
	assert_true(fd >= 0);
	close(fd);
	tp_unix_remove(path, &file);
	assert_int_equal(access(path, F_OK), -1);
	return file.st_mode & 07777;
}

static void the_mode_is_what_is_asked_for(void **state)
{
	(void)state;
	assert_int_equal(mode_with(0660, 0022), 0660);
	assert_int_equal(mode_with(0666, 0077), 0666);
	assert_int_equal(mode_with(0600, 0), 0600);
	assert_int_equal(mode_with(0, 0027), 0750); /* as the umask says */
}

static void it_goes_to_owner_and_group(void **state)
{
	const struct tp_unix_access rights = {
		.mode = 0640, .set_owner = true, .set_group = true, .owner = 4321, .group = 1234};
	struct tp_error error;
	struct stat file;
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	fd = listen_with(&rights, &file, &error);
	assert_true(fd >= 0);
	assert_int_equal(file.st_uid, 4321);
	assert_int_equal(file.st_gid, 1234);
	assert_int_equal(file.st_mode & 07777, 0640);
	close(fd);
	tp_unix_remove(path, &file);
}

/* As a user who may not give it away: nothing is left, and the message says what to do. */
static int give_away_as_user(void)
{
	const struct tp_unix_access rights = {.set_owner = true, .owner = 4321};
	struct tp_error error;
	struct stat file;

	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 1;
	if (listen_with(&rights, &file, &error) != -EPERM)
		return 2;
	if (strstr(error.text, "cannot be given to user 4321") == NULL)
		return 3;
	return access(path, F_OK) == 0 ? 4 : 0;
}

static void one_that_cannot_be_given_away_is_not_left(void **state)
{
	char parent[sizeof(path)];
	struct tp_error error;
	int status;
	pid_t child;

	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(parent, sizeof(parent), "%s/a", directory);
	assert_int_equal(chmod(directory, 0755), 0);
	assert_int_equal(tp_make_parents(path, &error), 0);
	assert_int_equal(chown(parent, 65534, 65534), 0);
	child = fork();
	if (child == 0)
		_exit(give_away_as_user());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Directories: the ones made are given away, those that were there are left. */
static void directories_that_are_made_are_given_away(void **state)
{
	char inner[sizeof(path) + 16];
	struct tp_error error;
	struct stat file;

	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(inner, sizeof(inner), "%s/b/c/socket", directory);
	assert_int_equal(tp_make_parents_for(inner, 4321, 1234, &error), 0);
	*strrchr(inner, '/') = '\0';
	assert_int_equal(stat(inner, &file), 0);
	assert_int_equal(file.st_uid, 4321);
	assert_int_equal(file.st_gid, 1234);
	assert_int_equal(rmdir(inner), 0);
	*strrchr(inner, '/') = '\0';
	assert_int_equal(stat(inner, &file), 0);
	assert_int_equal(file.st_uid, 4321);
	assert_int_equal(rmdir(inner), 0);
	assert_int_equal(stat(directory, &file), 0);
	assert_int_equal(file.st_uid, 0);
}

static void expect_program(const char *name, const char *shown)
{
	struct tp_unix_peer peer;
	int pair[2];

	assert_int_equal(prctl(PR_SET_NAME, name), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	tp_unix_peer(pair[0], &peer);
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.uid, getuid());
	assert_int_equal(peer.gid, getgid());
	assert_string_equal(peer.program, shown);
	close(pair[0]);
	close(pair[1]);
}

static void a_name_that_is_not_printable(void **state)
{
	(void)state;
	expect_program("qemu-system-x86", "qemu-system-x86");
	expect_program("a\033[31mred\xff", "a?[31mred?");
	expect_program("two\nlines", "two");
	expect_program("", "");
}

static void nobody_is_at_the_end_of_a_file(void **state)
{
	struct tp_unix_peer peer;
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	tp_unix_peer(fd, &peer);
	assert_int_equal(peer.pid, 0);
	assert_string_equal(peer.program, "");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_mode_is_what_is_asked_for),
		cmocka_unit_test(it_goes_to_owner_and_group),
		cmocka_unit_test(one_that_cannot_be_given_away_is_not_left),
		cmocka_unit_test(directories_that_are_made_are_given_away),
		cmocka_unit_test(a_name_that_is_not_printable),
		cmocka_unit_test(nobody_is_at_the_end_of_a_file),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
