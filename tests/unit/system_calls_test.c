/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/system_calls.h"

/* What a confined process can do no more, and what it still can; each try is a child's. */

enum { ALLOWED = 0, REFUSED = 1, OTHERWISE = 2, UNCONFINED = 3 };

/* What a call came to: its error is told by the filter, or by the system itself. */
static int outcome(long result)
{
	if (result >= 0)
		return ALLOWED;
	return errno == EPERM ? REFUSED : OTHERWISE;
}

static int execute(void)
{
	char *const arguments[] = {"true", NULL};

	return outcome(execv("/bin/true", arguments));
}

static int trace(void)
{
	return outcome(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int read_another_process(void)
{
	return outcome(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
}

static int become_root(void)
{
	return outcome(syscall(SYS_setuid, 0));
}

static int leave_namespace(void)
{
	return outcome(syscall(SYS_unshare, CLONE_NEWUSER));
}

static int load_program(void)
{
	return outcome(syscall(SYS_bpf, 0, NULL, 0));
}

static int set_up_io_uring(void)
{
	return outcome(syscall(SYS_io_uring_setup, 1, NULL));
}

static int mount_something(void)
{
	return outcome(syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL));
}

static int fork_off(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	return outcome(child);
}

static int signal_another_process(void)
{
	return outcome(kill(getppid(), 0));
}

static int map_code(void)
{
	void *mapped = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return outcome(mapped == MAP_FAILED ? -1 : 0);
}

static int make_code(void)
{
	void *mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mapped == MAP_FAILED)
		return OTHERWISE;
	return outcome(mprotect(mapped, 4096, PROT_READ | PROT_EXEC));
}

static int open_bluetooth(void)
{
	return outcome(socket(AF_BLUETOOTH, SOCK_STREAM, 0));
}

static int type_into_terminal(void)
{
	return outcome(ioctl(STDIN_FILENO, TIOCSTI, "x"));
}

static int change_mode(void)
{
	return outcome(syscall(SYS_chmod, "/nonexistent", 0777));
}

static int call_an_unknown_one(void)
{
	return outcome(syscall(100000));
}

/* The numbers of the 32-bit ABI mean other calls: 20 is getpid there. */
static int call_as_32_bit(void)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory");
	return outcome(result);
}

static void *nothing(void *argument)
{
	return argument;
}

static int make_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, nothing, NULL) != 0)
		return OTHERWISE;
	return pthread_join(thread, NULL) == 0 ? ALLOWED : OTHERWISE;
}

static void *wait_for_ever(void *argument)
{
	for (;;)
		sleep(1);
	return argument; /* never */
}

/* Its unwinder is a library that is loaded when it is first needed. */
static int cancel_thread(void)
{
	pthread_t thread;
	void *result;

	if (pthread_create(&thread, NULL, wait_for_ever, NULL) != 0)
		return OTHERWISE;
	if (pthread_cancel(thread) != 0 || pthread_join(thread, &result) != 0)
		return OTHERWISE;
	return result == PTHREAD_CANCELED ? ALLOWED : OTHERWISE;
}

static int open_socket_and_file(void)
{
	int local = socket(AF_UNIX, SOCK_STREAM, 0);
	int file = open("/dev/null", O_RDONLY);
	int memory = memfd_create("test", 0);

	return local >= 0 && file >= 0 && memory >= 0 ? ALLOWED : OTHERWISE;
}

/* Abort is how the C library ends a process that has gone wrong: the core must tell of that. */
static int abort_itself(void)
{
	abort();
	return ALLOWED;
}

/* --- Trying ----------------------------------------------------------------------------------- */

static int confine_and_try(int (*attempt)(void))
{
	struct tp_error error;

	return tp_system_calls_confine(&error) == 0 ? attempt() : UNCONFINED;
}

static int status_of(int (*attempt)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(confine_and_try(attempt));
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void expect_killed(int (*attempt)(void), int signal_number)
{
	int status = status_of(attempt);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), signal_number);
}

static void expect(int (*attempt)(void), int wanted)
{
	int status = status_of(attempt);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), wanted);
}

static void what_has_no_innocent_use_ends_the_process(void **state)
{
	(void)state;
	expect_killed(execute, SIGSYS);
	expect_killed(trace, SIGSYS);
	expect_killed(read_another_process, SIGSYS);
	expect_killed(become_root, SIGSYS);
	expect_killed(leave_namespace, SIGSYS);
	expect_killed(load_program, SIGSYS);
	expect_killed(set_up_io_uring, SIGSYS);
	expect_killed(mount_something, SIGSYS);
}

static void what_is_not_listed_is_refused(void **state)
{
	(void)state;
	expect(fork_off, REFUSED);
	expect(signal_another_process, REFUSED);
	expect(map_code, REFUSED);
	expect(make_code, REFUSED);
	expect(open_bluetooth, REFUSED);
	expect(type_into_terminal, REFUSED);
	expect(change_mode, REFUSED);
	expect(call_an_unknown_one, REFUSED);
}

static void calls_of_another_abi_end_the_process(void **state)
{
	int status = status_of(call_as_32_bit);

	(void)state;
	assert_true(WIFSIGNALED(status)); /* SIGSEGV, if the kernel has no 32-bit calls */
}

static void what_the_appliance_does_goes_on(void **state)
{
	(void)state;
	expect(make_thread, ALLOWED);
	expect(cancel_thread, ALLOWED);
	expect(open_socket_and_file, ALLOWED);
	expect_killed(abort_itself, SIGABRT);
}

static int go[2];

static void *try_when_told(void *argument)
{
	char byte;

	if (read(go[0], &byte, 1) == 1)
		*(int *)argument = open_bluetooth();
	return NULL;
}

static int thread_from_before(void)
{
	struct tp_error error;
	int found = OTHERWISE;
	pthread_t thread;

	if (pipe(go) < 0 || pthread_create(&thread, NULL, try_when_told, &found) != 0 ||
		tp_system_calls_confine(&error) < 0 || write(go[1], "", 1) != 1)
		return UNCONFINED;
	pthread_join(thread, NULL);
	return found;
}

static void threads_that_were_there_before_are_confined_too(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0)
		_exit(thread_from_before());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_has_no_innocent_use_ends_the_process),
		cmocka_unit_test(what_is_not_listed_is_refused),
		cmocka_unit_test(calls_of_another_abi_end_the_process),
		cmocka_unit_test(what_the_appliance_does_goes_on),
		cmocka_unit_test(threads_that_were_there_before_are_confined_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
