/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/closer.h"
#include "base/loop.h"
#include "lingering.h"

#define MOST_MS 1000 /* a wait would be a minute */

static void wait_until_closed(struct tp_closer *closer)
{
	uint64_t end = tp_loop_now_ms() + 5000;

	while (tp_closer_pending(closer) > 0 && tp_loop_now_ms() < end)
		usleep(1000);
	assert_int_equal(tp_closer_pending(closer), 0);
}

static void expect_pending(struct tp_closer *closer, unsigned count)
{
	usleep(50000);
	assert_int_equal(tp_closer_pending(closer), count);
}

static void harmless_descriptors_are_closed_at_once(void **state)
{
	struct tp_closer *closer = tp_closer_new();
	int fds[] = {eventfd(0, 0), memfd_create("test", 0)};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		tp_closer_close(closer, fds[i]);
		assert_int_equal(write(fds[i], &(uint64_t){1}, 8), -1);
		assert_int_equal(tp_closer_pending(closer), 0);
	}
	tp_closer_free(closer);
}

static void others_are_closed_without_waiting(void **state)
{
	struct tp_closer *closer = tp_closer_new();
	struct lingering lingering = lingering_new();
	uint64_t began = tp_loop_now_ms();
	int ends[2];

	(void)state;
	tp_closer_close(closer, lingering.fd);
	expect_pending(closer, 1);
	assert_int_equal(pipe(ends), 0);
	tp_closer_close(closer, ends[0]); /* stands in the queue behind it */
	expect_pending(closer, 2);
	assert_in_range(tp_loop_now_ms() - began, 0, MOST_MS);
	lingering_release(&lingering);
	wait_until_closed(closer);
	assert_int_equal(write(ends[1], "", 1), -1); /* nobody reads any more */
	close(ends[1]);
	tp_closer_free(closer);
}

static void pass(int socket, int fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec part = {"x", 1};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *header = (struct cmsghdr *)control;

	*header = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	assert_int_equal(sendmsg(socket, &message, MSG_NOSIGNAL), 1);
}

/* A message that nobody has read holds the last reference. */
static void unread_messages_are_closed_without_waiting(void **state)
{
	struct tp_closer *closer = tp_closer_new();
	struct lingering lingering = lingering_new();
	uint64_t began = tp_loop_now_ms();
	char byte;
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	pass(ends[0], lingering.fd);
	close(lingering.fd);
	tp_closer_hang_up(closer, ends[1]);
	assert_int_equal(recv(ends[0], &byte, 1, 0), 0);
	expect_pending(closer, 1);
	assert_in_range(tp_loop_now_ms() - began, 0, MOST_MS);
	lingering_release(&lingering);
	wait_until_closed(closer);
	close(ends[0]);
	tp_closer_free(closer);
}

static void what_waits_outlives_its_closer(void **state)
{
	struct tp_closer *closer = tp_closer_new();
	struct lingering lingering = lingering_new();
	uint64_t began = tp_loop_now_ms();
	uint64_t end;

	(void)state;
	tp_closer_close(closer, lingering.fd);
	usleep(10000);
	tp_closer_free(closer);
	assert_in_range(tp_loop_now_ms() - began, 0, MOST_MS);
	lingering_release(&lingering);
	for (end = tp_loop_now_ms() + 5000; tp_loop_now_ms() < end; usleep(1000))
		if (write(lingering.fd, "", 0) < 0)
			break;
	assert_true(tp_loop_now_ms() < end);
	tp_closer_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(harmless_descriptors_are_closed_at_once),
		cmocka_unit_test(others_are_closed_without_waiting),
		cmocka_unit_test(unread_messages_are_closed_without_waiting),
		cmocka_unit_test(what_waits_outlives_its_closer),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
