/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fault_guard.h"
#include "base/guest_memory.h"
#include "base/guest_share.h"

#define SIZE (64u << 10)

static int memory_file(size_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static struct tp_guest_region_request region_at(uint64_t guest_address)
{
	return (struct tp_guest_region_request){
		.guest_address = guest_address,
		.size = SIZE,
		.user_address = guest_address + (UINT64_C(1) << 40),
	};
}

static struct tp_guest_memory *two_regions(int fd)
{
	struct tp_guest_region_request low = region_at(0x10000);
	struct tp_guest_region_request high = region_at(0x10000 + SIZE); /* right behind */
	struct tp_guest_memory *one = tp_guest_memory_add(NULL, &low, fd, NULL);
	struct tp_guest_memory *two = tp_guest_memory_add(one, &high, fd, NULL);

	assert_non_null(two);
	tp_guest_memory_free(one); /* its mapping lives on in the second table */
	return two;
}

static void test_translation_stays_inside_one_region(void **state)
{
	int fd = memory_file(SIZE);
	struct tp_guest_memory *memory = two_regions(fd);

	(void)state;
	assert_non_null(tp_guest_translate(memory, 0x10000, SIZE));
	assert_non_null(tp_guest_translate(memory, 0x10000 + SIZE - 1, 1));
	assert_non_null(tp_guest_translate(memory, 0x10000 + SIZE, SIZE));
	assert_ptr_equal(
		tp_guest_translate(memory, 0x10008, 1), tp_guest_translate(memory, 0x10000, 1) + 8);
	assert_null(tp_guest_translate(memory, 0x10000 - 1, 1));
	assert_null(tp_guest_translate(memory, 0x10000, SIZE + 1)); /* into the neighbour */
	assert_null(tp_guest_translate(memory, 0x10000 + SIZE - 1, 2));
	assert_null(tp_guest_translate(memory, 0x10000 + 2 * SIZE, 0));
	assert_null(tp_guest_translate(memory, UINT64_MAX, 2));
	assert_null(tp_guest_translate(memory, 0x10000, UINT64_MAX));
	assert_null(tp_guest_translate(memory, 0x10008, UINT64_MAX - 4)); /* the sum wraps */
	assert_null(tp_guest_translate(memory, UINT64_MAX - 5, UINT64_MAX));
	tp_guest_memory_free(memory);
	close(fd);
}

static void test_user_addresses_are_a_space_of_their_own(void **state)
{
	int fd = memory_file(SIZE);
	struct tp_guest_memory *memory = two_regions(fd);
	uint64_t user = 0x10000 + (UINT64_C(1) << 40);

	(void)state;
	assert_ptr_equal(tp_guest_translate_user(memory, user + 5, 1),
		tp_guest_translate(memory, 0x10005, 1));
	assert_null(tp_guest_translate_user(memory, 0x10000, 1));
	assert_null(tp_guest_translate(memory, user, 1));
	tp_guest_memory_free(memory);
	close(fd);
}

static void expect_refused(const struct tp_guest_memory *old,
	struct tp_guest_region_request request, int fd, const char *words)
{
	struct tp_error error = {""};

	assert_null(tp_guest_memory_add(old, &request, fd, &error));
	assert_non_null(strstr(error.text, words));
}

static void test_bad_regions_are_refused(void **state)
{
	int fd = memory_file(SIZE);
	struct tp_guest_memory *memory = two_regions(fd);
	struct tp_guest_region_request request;
	char path[64];
	int read_only;
	int ends[2];

	(void)state;
	request = region_at(0x10000000);
	request.size = 0;
	expect_refused(memory, request, fd, "size is 0");
	request = region_at(0x10000000);
	request.size = UINT64_MAX - 0x1000;
	expect_refused(memory, request, fd, "wraps");
	request = region_at(UINT64_MAX - 100);
	expect_refused(memory, request, fd, "wraps");
	request = region_at(0x10000000);
	request.mmap_offset = UINT64_MAX - 100;
	expect_refused(memory, request, fd, "wraps");
	request = region_at(0x10000000);
	request.mmap_offset = 1;
	expect_refused(memory, request, fd, "its file has");
	expect_refused(memory, region_at(0x10000 + SIZE / 2), fd, "overlaps");
	request = region_at(0x10000000);
	request.user_address = 0x10000 + (UINT64_C(1) << 40) + 5;
	expect_refused(memory, request, fd, "overlaps");
	assert_int_equal(pipe(ends), 0);
	expect_refused(memory, region_at(0x10000000), ends[1], "not a regular");
	close(ends[0]);
	close(ends[1]);
	read_only = open("/proc/self/exe", O_RDONLY | O_CLOEXEC); /* on a disk */
	expect_refused(memory, region_at(0x10000000), read_only, "not a regular file in memory");
	close(read_only);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_only = open(path, O_RDONLY | O_CLOEXEC);
	expect_refused(memory, region_at(0x10000000), read_only, "reading and writing");
	close(read_only);
	expect_refused(memory, region_at(0x10000000), -1, "descriptor");
	tp_guest_memory_free(memory);
	close(fd);
}

static void test_regions_come_and_go(void **state)
{
	int fd = memory_file(SIZE);
	struct tp_guest_memory *memory = two_regions(fd);
	struct tp_guest_region_request request = region_at(0x10000);
	struct tp_guest_memory *rest = tp_guest_memory_remove(memory, &request, NULL);
	struct tp_error error = {""};

	(void)state;
	assert_non_null(rest);
	tp_guest_memory_free(memory);
	assert_null(tp_guest_translate(rest, 0x10000, 1));
	assert_non_null(tp_guest_translate(rest, 0x10000 + SIZE, SIZE));
	assert_null(tp_guest_memory_remove(rest, &request, &error));
	assert_non_null(strstr(error.text, "none at guest address"));
	tp_guest_memory_free(rest);
	close(fd);
}

static void test_more_regions_than_allowed_are_refused(void **state)
{
	int fd = memory_file(SIZE);
	struct tp_guest_memory *memory = NULL;

	(void)state;
	for (uint64_t i = 0; i < TP_GUEST_REGIONS_MAX; i++) {
		struct tp_guest_region_request request = region_at(i * SIZE);
		struct tp_guest_memory *more = tp_guest_memory_add(memory, &request, fd, NULL);

		assert_non_null(more);
		tp_guest_memory_free(memory);
		memory = more;
	}
	expect_refused(memory, region_at(0x100000000), fd, "more than 32");
	tp_guest_memory_free(memory);
	close(fd);
}

#define TIB (UINT64_C(1) << 40)

static struct tp_guest_region_request sparse_region(uint64_t size, uint64_t offset)
{
	return (struct tp_guest_region_request){.size = size, .mmap_offset = offset};
}

/* Files of any length cost nothing, address space does. */
static void test_a_guest_has_a_tebibyte(void **state)
{
	struct tp_guest_region_request whole = sparse_region(TIB + 1, 0);
	struct tp_guest_region_request far = sparse_region(SIZE, 40 * TIB + 123 * 4096);
	struct tp_guest_region_request rest = sparse_region(TIB - SIZE + 1, 0);
	int fd = memory_file(64 * TIB);
	struct tp_guest_memory *memory;
	uint8_t byte = 0x5a;

	(void)state;
	expect_refused(NULL, whole, fd, "1 TiB");
	memory = tp_guest_memory_add(NULL, &far, fd, NULL);
	assert_non_null(memory);
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)far.mmap_offset + 7), 1);
	assert_int_equal(*tp_guest_translate(memory, 7, 1), byte);
	rest.guest_address = rest.user_address = SIZE;
	expect_refused(memory, rest, fd, "1 TiB");
	tp_guest_memory_free(memory);
	close(fd);
}

static void test_all_guests_have_64_tebibytes(void **state)
{
	struct tp_guest_region_request region = sparse_region(TIB, 0);
	struct tp_guest_memory *guest[64];
	int fd = memory_file(TIB);

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 64; i++) {
			guest[i] = tp_guest_memory_add(NULL, &region, fd, NULL);
			assert_non_null(guest[i]);
		}
		expect_refused(NULL, region, fd, "the 64 TiB beyond are used up by other guests");
		for (unsigned i = 0; i < 64; i++)
			tp_guest_memory_free(guest[i]);
	}
	close(fd);
}

/* A thousand guests: 32 of them take all that is for all, the others have 32 GiB and more each. */
static void test_greedy_guests_leave_others_their_share(void **state)
{
	struct tp_guest_region_request large = sparse_region(TIB, 0);
	struct tp_guest_region_request fair = sparse_region(UINT64_C(32) << 30, 0);
	struct tp_guest_memory *greedy[32], *others[1000 - 32], *again;
	int fd = memory_file(TIB);

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		tp_guest_share_join();
	for (unsigned i = 0; i < 32; i++)
		assert_non_null(greedy[i] = tp_guest_memory_add(NULL, &large, fd, NULL));
	expect_refused(NULL, large, fd, "the 32 TiB beyond are used up by other guests");
	for (unsigned i = 0; i < 1000 - 32; i++)
		assert_non_null(others[i] = tp_guest_memory_add(NULL, &fair, fd, NULL));
	/* One that replaces its table has two for a moment. */
	assert_non_null(again = tp_guest_memory_add(NULL, &fair, fd, NULL));
	tp_guest_memory_free(again);
	fair.guest_address = fair.user_address = fair.size;
	expect_refused(others[0], fair, fd, "that each guest has for sure");
	for (unsigned i = 0; i < 1000 - 32; i++)
		tp_guest_memory_free(others[i]);
	for (unsigned i = 0; i < 32; i++)
		tp_guest_memory_free(greedy[i]);
	for (unsigned i = 0; i < 1000; i++)
		tp_guest_share_leave();
	close(fd);
}

/* Four thousand guests cannot have 32 regions each: some can, all have their share. */
static void test_greedy_guests_leave_others_their_mappings(void **state)
{
	struct tp_guest_charge charge[TP_GUEST_REGIONS_MAX];
	struct tp_guest_charge *greedy = calloc(70000, sizeof(*greedy));
	struct tp_error error = {""};
	uint32_t share, taken = 0;

	(void)state;
	for (unsigned i = 0; i < 4000; i++)
		tp_guest_share_join();
	share = tp_guest_share_regions();
	assert_in_range(share, 1, TP_GUEST_REGIONS_MAX - 1);
	while (taken < 70000 && tp_guest_share_take(0, share + taken % (32 - share), 1,
					&greedy[taken], &error) == 0)
		taken++;
	assert_in_range(taken, 20000, 65530 / 2);
	assert_non_null(strstr(error.text, "vm.max_map_count"));
	for (uint32_t i = 0; i < share; i++)
		assert_int_equal(tp_guest_share_take(0, i, 1, &charge[i], NULL), 0);
	assert_int_equal(tp_guest_share_take(0, share, 1, &charge[share], NULL), -ENOMEM);
	for (uint32_t i = 0; i < share; i++)
		tp_guest_share_give(&charge[i]);
	for (uint32_t i = 0; i < taken; i++)
		tp_guest_share_give(&greedy[i]);
	assert_int_equal(tp_guest_share_take(0, share, 1, &charge[0], NULL), 0);
	tp_guest_share_give(&charge[0]);
	for (unsigned i = 0; i < 4000; i++)
		tp_guest_share_leave();
	free(greedy);
}

static void test_shrunk_file_reads_as_zeros_and_condemns(void **state)
{
	int wake = eventfd(0, EFD_NONBLOCK);
	int fd = memory_file(SIZE);
	int other_fd = memory_file(SIZE);
	struct tp_guest_region_request request = region_at(0);
	struct tp_guest_memory *memory = tp_guest_memory_add(NULL, &request, fd, NULL);
	struct tp_guest_memory *other = tp_guest_memory_add(NULL, &request, other_fd, NULL);
	volatile uint8_t *byte = tp_guest_translate(memory, SIZE - 1, 1);
	eventfd_t count = 0;

	(void)state;
	assert_int_equal(tp_fault_guard_install(wake), 0);
	*byte = 7;
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(*byte, 0); /* would end the process without the guard */
	*byte = 9;                  /* and may be written */
	assert_true(tp_guest_memory_condemned(memory));
	assert_false(tp_guest_memory_condemned(other));
	assert_int_equal(eventfd_read(wake, &count), 0);
	tp_guest_memory_free(memory);
	tp_guest_memory_free(other);
	tp_fault_guard_install(-1);
	close(fd);
	close(other_fd);
	close(wake);
}

static void test_fault_outside_guest_memory_ends_the_process(void **state)
{
	int fd = memory_file(SIZE);
	int status;
	pid_t child;

	(void)state;
	child = fork();
	if (child == 0) {
		volatile uint8_t *mapped =
			mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		tp_fault_guard_install(-1);
		if (ftruncate(fd, 0) == 0)
			mapped[0] = 1;
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_translation_stays_inside_one_region),
		cmocka_unit_test(test_user_addresses_are_a_space_of_their_own),
		cmocka_unit_test(test_bad_regions_are_refused),
		cmocka_unit_test(test_regions_come_and_go),
		cmocka_unit_test(test_more_regions_than_allowed_are_refused),
		cmocka_unit_test(test_a_guest_has_a_tebibyte),
		cmocka_unit_test(test_all_guests_have_64_tebibytes),
		cmocka_unit_test(test_greedy_guests_leave_others_their_share),
		cmocka_unit_test(test_greedy_guests_leave_others_their_mappings),
		cmocka_unit_test(test_shrunk_file_reads_as_zeros_and_condemns),
		cmocka_unit_test(test_fault_outside_guest_memory_ends_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
