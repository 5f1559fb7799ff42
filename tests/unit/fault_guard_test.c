/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fault_guard.h"

/* Files that shrink under threads that read, write and copy: only their own mapping is lost. */

#define PAGE    4096u
#define PAGES   16u
#define SIZE    (PAGES * PAGE)
#define THREADS 3

/** A guest's file as the switch has it mapped. */
struct mapping {
	int fd;
	uint8_t *base;
	size_t length;
	atomic_bool condemned;
	int slot;
};

static void map_file(struct mapping *mapping, unsigned flags, size_t length)
{
	mapping->fd = memfd_create("guest", MFD_CLOEXEC | flags);
	mapping->length = length;
	mapping->condemned = false;
	assert_true(mapping->fd >= 0);
	assert_int_equal(ftruncate(mapping->fd, (off_t)length), 0);
	mapping->base = mmap(
		NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, mapping->fd, 0);
	assert_true(mapping->base != MAP_FAILED);
	mapping->slot = tp_fault_guard_add(mapping->base, length, &mapping->condemned);
	assert_true(mapping->slot >= 0);
}

static void unmap(struct mapping *mapping)
{
	tp_fault_guard_remove(mapping->slot);
	munmap(mapping->base, mapping->length);
	close(mapping->fd);
}

static int watch(void)
{
	int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	assert_true(wake >= 0);
	assert_int_equal(tp_fault_guard_install(wake), 0);
	return wake;
}

static void stop_watching(int wake)
{
	tp_fault_guard_install(-1);
	close(wake);
}

static bool all_are(const uint8_t *bytes, size_t length, uint8_t value)
{
	for (size_t i = 0; i < length; i++)
		if (bytes[i] != value)
			return false;
	return true;
}

/* The thread that takes it out itself, as control does when it starts or stops a ring. */
static void a_copy_goes_on_with_zeros(void **state)
{
	struct mapping gone, there;
	static uint8_t copy[SIZE];
	int wake = watch();
	eventfd_t count;

	(void)state;
	map_file(&gone, 0, SIZE);
	map_file(&there, 0, SIZE);
	memset(gone.base, 0x11, SIZE);
	memset(there.base, 0x22, SIZE);
	assert_int_equal(ftruncate(gone.fd, (PAGES / 2) * PAGE), 0);
	memcpy(copy, gone.base, SIZE); /* faults half-way */
	assert_true(all_are(copy, SIZE / 2, 0x11));
	assert_true(all_are(copy + SIZE / 2, SIZE / 2, 0));
	assert_true(all_are(gone.base, SIZE, 0));
	memcpy(gone.base, there.base, SIZE); /* into what stands in its place */
	assert_true(all_are(gone.base, SIZE, 0x22));
	assert_true(gone.condemned);
	assert_false(there.condemned);
	assert_int_equal(eventfd_read(wake, &count), 0);
	assert_int_equal(count, 1);
	unmap(&gone);
	unmap(&there);
	stop_watching(wake);
}

/* Written to first: an access of another kind, for which the kernel needs a page at once. */
static void a_copy_from_one_that_is_gone_to_another(void **state)
{
	struct mapping from, to;
	int wake = watch();

	(void)state;
	map_file(&from, 0, SIZE);
	map_file(&to, 0, SIZE);
	assert_int_equal(ftruncate(from.fd, 0), 0);
	assert_int_equal(ftruncate(to.fd, 0), 0);
	memcpy(to.base + 8, from.base + 3, SIZE - 8);
	assert_true(from.condemned && to.condemned);
	unmap(&from);
	unmap(&to);
	stop_watching(wake);
}

static void huge_pages_are_guarded_too(void **state)
{
	size_t length = 2u << 20;
	int probe = memfd_create("probe", MFD_CLOEXEC | MFD_HUGETLB);
	void *mapped = MAP_FAILED;
	struct mapping gone;
	int wake;

	(void)state;
	if (probe >= 0 && ftruncate(probe, (off_t)length) == 0)
		mapped = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, probe, 0);
	if (mapped != MAP_FAILED)
		munmap(mapped, length);
	close(probe);
	if (mapped == MAP_FAILED)
		skip(); /* the machine has none to spare */
	wake = watch();
	map_file(&gone, MFD_HUGETLB, length);
	gone.base[length - 1] = 7;
	assert_int_equal(ftruncate(gone.fd, 0), 0);
	gone.base[12345] = 8;
	assert_int_equal(gone.base[12345], 8);
	assert_int_equal(gone.base[length - 1], 0);
	assert_true(gone.condemned);
	unmap(&gone);
	stop_watching(wake);
}

/** What threads copy from and to while it shrinks, beside one that does not. */
struct contest {
	struct mapping gone;
	struct mapping there;
	atomic_bool stop;
	atomic_uint ready;
};

static void *copy_on(void *argument)
{
	struct contest *contest = argument;
	uint8_t private[PAGE];

	atomic_fetch_add(&contest->ready, 1);
	while (!atomic_load(&contest->stop))
		for (unsigned page = 0; page < PAGES; page++) {
			for (unsigned i = 0; i < PAGE; i += 64)
			private[i] = __atomic_load_n(
				&contest->gone.base[page * PAGE + i], __ATOMIC_RELAXED);
			for (unsigned i = 0; i < PAGE; i += 64)
				__atomic_store_n(&contest->gone.base[page * PAGE + i],
					private[i] | 1, __ATOMIC_RELAXED);
		}
	return NULL;
}

/* Slots that are reused meanwhile, above and below the one that is looked for. */
static void map_others(struct mapping *others, unsigned round)
{
	for (unsigned i = 0; i < 4; i++)
		map_file(&others[i], 0, (1 + (round + i) % 4) * PAGE);
	for (unsigned i = 0; i < 4; i++) {
		assert_false(others[i].condemned);
		unmap(&others[i]);
	}
}

static void shrink_under_threads(unsigned round)
{
	struct contest contest = {.stop = false};
	pthread_t thread[THREADS];
	struct mapping others[4];

	map_file(&contest.there, 0, SIZE);
	memset(contest.there.base, 0x33, SIZE);
	map_file(&contest.gone, 0, SIZE);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, copy_on, &contest), 0);
	while (atomic_load(&contest.ready) < THREADS)
		sched_yield();
	assert_int_equal(ftruncate(contest.gone.fd, (round % PAGES) * PAGE), 0);
	while (!atomic_load(&contest.gone.condemned))
		map_others(others, round);
	atomic_store(&contest.stop, true);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_false(contest.there.condemned);
	assert_true(all_are(contest.there.base, SIZE, 0x33));
	unmap(&contest.gone);
	unmap(&contest.there);
}

static void threads_fault_at_once(void **state)
{
	int wake = watch();

	(void)state;
	for (unsigned round = 0; round < 60; round++)
		shrink_under_threads(round);
	stop_watching(wake);
}

/* --- What ends the process, and what must not: in a child ------------------------------------- */

static int status_of(void (*act)(struct mapping *gone))
{
	struct mapping gone;
	int status;
	pid_t child;

	map_file(&gone, 0, SIZE);
	child = fork();
	if (child == 0) {
		tp_fault_guard_install(-1);
		act(&gone);
		_exit(gone.condemned ? 7 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	unmap(&gone);
	return status;
}

/* Where the kernel gives no more anonymous memory the process may write to. */
static void without_anonymous_memory(struct mapping *gone)
{
	const struct rlimit none = {0};

	if (setrlimit(RLIMIT_DATA, &none) < 0 || ftruncate(gone->fd, 0) < 0)
		_exit(1);
	*(volatile uint8_t *)gone->base = 9;
	if (*(volatile uint8_t *)gone->base != 9)
		_exit(2);
}

static void a_file_stands_in_where_memory_is_short(void **state)
{
	int status = status_of(without_anonymous_memory);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
}

static void sent(struct mapping *gone)
{
	(void)gone;
	kill(getpid(), SIGBUS);
	_exit(1);
}

static void one_that_is_sent_ends_the_process(void **state)
{
	int status = status_of(sent);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}

static void taken_out_before(struct mapping *gone)
{
	tp_fault_guard_remove(gone->slot);
	if (ftruncate(gone->fd, 0) == 0)
		*(volatile uint8_t *)gone->base = 9;
	_exit(1);
}

static void one_outside_all_guards_ends_the_process(void **state)
{
	int status = status_of(taken_out_before);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_goes_on_with_zeros),
		cmocka_unit_test(a_copy_from_one_that_is_gone_to_another),
		cmocka_unit_test(huge_pages_are_guarded_too),
		cmocka_unit_test(threads_fault_at_once),
		cmocka_unit_test(a_file_stands_in_where_memory_is_short),
		cmocka_unit_test(one_that_is_sent_ends_the_process),
		cmocka_unit_test(one_outside_all_guards_ends_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
