/* SPDX-License-Identifier: BSD-3-Clause */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lingering.h"

struct lingering lingering_new(void)
{
	static const char bytes[65536];
	const struct linger linger = {.l_onoff = 1, .l_linger = 60};
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct lingering lingering = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};

	assert_true(listener >= 0 && lingering.fd >= 0);
	assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int)), 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(connect(lingering.fd, (struct sockaddr *)&address, size), 0);
	lingering.peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(lingering.peer >= 0);
	close(listener);
	assert_int_equal(
		setsockopt(lingering.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	/* More than the other side's buffer ever takes. */
	for (unsigned full = 0; full < 5; full++) {
		while (send(lingering.fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
			full = 0;
		usleep(2000);
	}
	return lingering;
}

void lingering_release(struct lingering *lingering)
{
	close(lingering->peer);
	lingering->peer = -1;
}
