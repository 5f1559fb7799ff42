/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "passed_files.h"

static const uint64_t sizes[PASSED_FILES] = {
	1 << 20, 64 << 10, 8 << 10, 4096, 0, UINT64_C(1) << 32, 1 << 20, 4097};

#define SEALED 6 /* cannot shrink */

static int fds[PASSED_KINDS];
static unsigned count;

static void keep(int fd)
{
	EXPECT(fd >= 0 && count < PASSED_KINDS);
	fds[count++] = fd;
}

static void keep_memory(void)
{
	for (unsigned i = 0; i < PASSED_FILES; i++) {
		keep(memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING));
		EXPECT(ftruncate(fds[i], (off_t)sizes[i]) == 0);
	}
	EXPECT(fcntl(fds[SEALED], F_ADD_SEALS, F_SEAL_SHRINK) == 0);
}

/* The same memory, opened in ways that are not enough for the switch. */
static void keep_memory_reopened(void)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	keep(open(path, O_RDONLY | O_CLOEXEC));
	keep(open(path, O_WRONLY | O_CLOEXEC));
	keep(open(path, O_PATH | O_CLOEXEC));
}

static void keep_eventfds(void)
{
	uint64_t full = UINT64_MAX - 1;

	keep(eventfd(0, EFD_CLOEXEC));
	keep(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	keep(eventfd(7, EFD_CLOEXEC | EFD_SEMAPHORE));
	keep(eventfd(0, EFD_CLOEXEC)); /* full, and it would block */
	EXPECT(write(fds[count - 1], &full, sizeof(full)) == sizeof(full));
}

static void keep_others(void)
{
	int pair[2];

	EXPECT(pipe2(pair, O_CLOEXEC) == 0);
	keep(pair[0]);
	keep(pair[1]);
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	keep(pair[0]);
	keep(pair[1]);
	keep(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	keep(open("/dev/zero", O_RDWR | O_CLOEXEC));
	keep(open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
	keep(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
	keep(epoll_create1(EPOLL_CLOEXEC));
}

void passed_open(void)
{
	keep_memory();
	keep_memory_reopened();
	keep_eventfds();
	keep_others();
	EXPECT(count == PASSED_KINDS);
}

int passed_fd(uint8_t kind)
{
	return fds[kind % PASSED_KINDS];
}

void passed_resize(uint8_t kind, uint64_t size)
{
	EXPECT(ftruncate(fds[kind % PASSED_FILES], (off_t)size) == 0 || errno == EPERM);
}

void passed_write(uint8_t kind, uint64_t offset, const uint8_t *bytes, size_t size)
{
	EXPECT(pwrite(fds[kind % PASSED_FILES], bytes, size, (off_t)offset) == (ssize_t)size);
}

void passed_reset(void)
{
	for (unsigned i = 0; i < PASSED_FILES; i++) {
		int holes = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

		/* Where the size cannot be changed the bytes can. */
		EXPECT(ftruncate(fds[i], 0) == 0 || i == SEALED);
		EXPECT(ftruncate(fds[i], (off_t)sizes[i]) == 0 || i == SEALED);
		if (i == SEALED)
			EXPECT(fallocate(fds[i], holes, 0, 16 << 20) == 0);
	}
}
