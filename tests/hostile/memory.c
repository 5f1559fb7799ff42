/* SPDX-License-Identifier: BSD-3-Clause */
/* Guest memory that is not what the front-end says, or does not stay so. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hostile.h"

#define PAGE 4096u

static int memory_file(size_t size)
{
	int fd = memfd_create("hostile", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		hostile_fail("no memory file of %zu bytes", size);
	return fd;
}

/* A table of its first regions, all of one file, in place of the one that the rings lie in. */
static void say_table(struct hostile *hostile, uint32_t count, uint32_t regions,
	const struct vhost_user_region *region, size_t file_size)
{
	struct vhost_user_memory_table table = {.count = count};
	int fd = memory_file(file_size);
	int fds[VHOST_USER_MEMORY_REGIONS_MAX];

	for (uint32_t i = 0; i < regions; i++) {
		table.region[i] = region[i];
		fds[i] = fd;
	}
	hostile_come(hostile, NULL);
	hostile_say(hostile->bad->socket, VHOST_USER_SET_MEM_TABLE, &table,
		(uint32_t)offsetof(struct vhost_user_memory_table, region[regions]), fds, regions);
	hostile_expect_thrown_out(hostile);
	close(fd);
}

static const struct vhost_user_region plain[VHOST_USER_MEMORY_REGIONS_MAX] = {
	{0, PAGE, 0x100000, 0}, {PAGE, PAGE, 0x101000, PAGE}, {2 * PAGE, PAGE, 0x102000, 2 * PAGE},
	{3 * PAGE, PAGE, 0x103000, 3 * PAGE}, {4 * PAGE, PAGE, 0x104000, 4 * PAGE},
	{5 * PAGE, PAGE, 0x105000, 5 * PAGE}, {6 * PAGE, PAGE, 0x106000, 6 * PAGE},
	{7 * PAGE, PAGE, 0x107000, 7 * PAGE}};

static void table_of_too_many_regions(struct hostile *hostile)
{
	say_table(hostile, 0, 1, plain, 8 * PAGE);
	say_table(hostile, 9, 8, plain, 8 * PAGE);
	say_table(hostile, UINT32_MAX, 8, plain, 8 * PAGE);
}

static void regions_overlap(struct hostile *hostile)
{
	static const struct vhost_user_region same[] = {
		{0, 4 * PAGE, 0x100000, 0}, {2 * PAGE, 4 * PAGE, 0x200000, 0}};
	static const struct vhost_user_region user[] = {
		{0, 4 * PAGE, 0x100000, 0}, {16 * PAGE, 4 * PAGE, 0x102000, 0}};

	say_table(hostile, 2, 2, same, 8 * PAGE);
	say_table(hostile, 2, 2, user, 8 * PAGE);
}

static void region_wraps(struct hostile *hostile)
{
	static const struct vhost_user_region regions[] = {
		{~0xfffull, 2 * PAGE, 0x100000, 0},
		{0, 2 * PAGE, ~0xfffull, 0},
		{0, 2 * PAGE, 0x100000, ~0xfffull},
		{0, UINT64_MAX, 0x100000, PAGE},
		{PAGE, UINT64_MAX - PAGE + 1, PAGE, 0},
	};

	for (size_t i = 0; i < COUNT(regions); i++)
		say_table(hostile, 1, 1, &regions[i], 8 * PAGE);
}

/* The rings would lie behind the end of the file. */
static void file_smaller_than_claimed(struct hostile *hostile)
{
	struct tp_frontend *bad = hostile_come(hostile, NULL);
	struct vhost_user_memory_table table;
	uint32_t size = hostile_memory_table(bad, &table);
	int fd = memory_file(PAGE);

	hostile_say(bad->socket, VHOST_USER_SET_MEM_TABLE, &table, size, &fd, 1);
	for (unsigned i = 0; i < bad->ring_count; i++)
		hostile_start_ring(bad, i, 0);
	hostile_expect_thrown_out(hostile);
	close(fd);
}

/* From here on this process does not touch its own memory either. */
static void file_shrinks_under_the_switch(struct hostile *hostile)
{
	static const struct tp_frontend_settings layouts[] = {{0}, {.two_regions = true}};

	for (size_t i = 0; i < COUNT(layouts); i++) {
		struct tp_frontend *bad = hostile_come(hostile, &layouts[i]);

		hostile_talk(bad, PEER_MAC, BAD_MAC, 1);
		if (ftruncate(bad->memory_fd, 0) < 0)
			hostile_fail("the memory file does not shrink");
		hostile_talk(hostile_peer(hostile, NULL), BAD_MAC, PEER_MAC, 2);
		/* Whoever looks at nothing without a kick gets one. */
		for (unsigned ring = 0; ring < bad->ring_count; ring++)
			if (write(bad->ring[ring].kick_fd, &(uint64_t){1}, 8) != 8)
				hostile_fail("no kick");
		hostile_expect_thrown_out(hostile);
	}
}

static void memory_is_no_memory_file(struct hostile *hostile)
{
	char path[64];
	int ends[2];
	int wrong[5];

	if (pipe(ends) < 0)
		hostile_fail("no pipe");
	hostile_come(hostile, NULL);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", hostile->bad->memory_fd);
	wrong[0] = ends[0];
	wrong[1] = open("/", O_RDONLY | O_DIRECTORY);
	wrong[2] = socket(AF_UNIX, SOCK_STREAM, 0);
	wrong[3] = open("/dev/zero", O_RDWR);
	wrong[4] = open(path, O_RDONLY);
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct vhost_user_memory_table table;
		uint32_t size;

		if (i > 0)
			hostile_come(hostile, NULL);
		size = hostile_memory_table(hostile->bad, &table);
		hostile_say(
			hostile->bad->socket, VHOST_USER_SET_MEM_TABLE, &table, size, &wrong[i], 1);
		hostile_expect_thrown_out(hostile);
		close(wrong[i]);
	}
	close(ends[1]);
}

static void region_added_twice_removed_unknown(struct hostile *hostile)
{
	struct vhost_user_memory_region_message slot = {0};

	hostile_come(hostile, NULL);
	slot.region = hostile->bad->region[0];
	hostile_say(hostile->bad->socket, VHOST_USER_ADD_MEM_REG, &slot, sizeof(slot),
		&hostile->bad->memory_fd, 1);
	hostile_expect_thrown_out(hostile);
	/* The one that the rings lie in goes; they wait. */
	hostile_come(hostile, NULL);
	slot.region = hostile->bad->region[0];
	hostile_say(hostile->bad->socket, VHOST_USER_REM_MEM_REG, &slot, sizeof(slot), NULL, 0);
	hostile_talk(hostile_peer(hostile, NULL), BAD_MAC, PEER_MAC, 1);
	slot.region.guest_address++;
	hostile_say(hostile->bad->socket, VHOST_USER_REM_MEM_REG, &slot, sizeof(slot), NULL, 0);
	hostile_expect_thrown_out(hostile);
}

static void table_replaced_while_rings_run(struct hostile *hostile)
{
	static const struct tp_frontend_settings two = {.two_regions = true};
	struct tp_frontend *bad = hostile_come(hostile, &two);

	for (unsigned i = 0; i < hostile_times(hostile, 300); i++) {
		struct vhost_user_memory_table table;
		uint32_t size = hostile_memory_table(bad, &table);
		const int fds[] = {bad->memory_fd, bad->memory_fd};

		for (uint32_t n = 0; n < 10; n++)
			hostile_talk(bad, PEER_MAC, BAD_MAC, n);
		hostile_say(bad->socket, VHOST_USER_SET_MEM_TABLE, &table, size, fds, table.count);
		if (i % 16 == 0) /* it answers when it is done with those before */
			hostile_stop_ring(bad, 0), hostile_start_ring(bad, 0, 0);
		hostile_drain(hostile_peer(hostile, NULL));
	}
	usleep(100000);
	hostile_judge_served(hostile);
}

static const struct hostile_case cases[] = {
	{10, "table_of_too_many_regions", table_of_too_many_regions,
		.ends = "4294967295 regions; 1 to 8 are right"},
	{11, "regions_overlap", regions_overlap, .ends = "overlaps the region"},
	{12, "region_wraps", region_wraps, .ends = "wraps"},
	{13, "file_smaller_than_claimed", file_smaller_than_claimed,
		.ends = "its file has 4096 bytes"},
	{14, "file_shrinks_under_the_switch", file_shrinks_under_the_switch,
		.ends = "guest memory file shrank"},
	{15, "memory_is_no_memory_file", memory_is_no_memory_file,
		.ends = "not open for reading and writing"},
	{16, "region_added_twice_removed_unknown", region_added_twice_removed_unknown,
		.ends = "REM_MEM_REG: memory region: none at"},
	{17, "table_replaced_while_rings_run", table_replaced_while_rings_run},
};

const struct hostile_group hostile_memory = {"memory", cases, COUNT(cases)};
