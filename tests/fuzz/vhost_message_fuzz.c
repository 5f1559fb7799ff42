/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any bytes, with any descriptors, from a front-end. Input: chunks of one byte of descriptor kinds
 * (two bits a kind, four at most: none, eventfd, memory, eventfd), one byte of length, the bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attach.h"
#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void connected(void *owner, const struct tp_unix_peer *peer)
{
	(void)owner;
	(void)peer;
}

static int ring_start(void *owner, unsigned ring_number, const struct tp_vhost_ring *ring,
	const struct tp_guest_memory *memory, uint64_t features, struct tp_error *error)
{
	(void)owner;
	(void)features;
	(void)error;
	if (ring_number >= TP_VHOST_RINGS_MAX || ring->size < 2 ||
		tp_guest_translate_user(memory, ring->desc_address, 16ull * ring->size) == NULL)
		abort();
	return 0;
}

static uint16_t ring_stop(void *owner, unsigned ring_number)
{
	(void)owner;
	return (uint16_t)ring_number;
}

static void mtu_set(void *owner, uint16_t mtu)
{
	(void)owner;
	(void)mtu;
}

static void announce(void *owner, const uint8_t mac[6])
{
	(void)owner;
	(void)mac;
}

static void disconnected(void *owner, const char *reason)
{
	(void)owner;
	(void)reason;
}

static const struct tp_vhost_ops ops = {
	connected, ring_start, ring_stop, mtu_set, announce, disconnected};

static struct tp_loop *loop;
static struct tp_vhost_endpoint *endpoint;
static int kinds[4]; /* -1, an eventfd, 1 MiB of memory, an eventfd again */

static void set_up(void)
{
	char path[64];
	struct tp_vhost_settings settings = {.name = "fuzz",
		.path = path,
		.queue_pairs = 2,
		.device_features = 1ull << 32 | 1ull << 15,
		.ops = &ops};

	tp_log_set_level(TP_LOG_ERROR);
	snprintf(path, sizeof(path), "/tmp/vhost-fuzz-%d.sock", getpid());
	loop = tp_loop_new(NULL);
	endpoint = tp_vhost_open(loop, &settings, NULL);
	kinds[0] = -1;
	kinds[1] = eventfd(0, 0);
	kinds[2] = memfd_create("fuzz", 0);
	kinds[3] = dup(kinds[1]);
	if (endpoint == NULL || ftruncate(kinds[2], 1 << 20) < 0)
		abort();
	unlink(path);
}

static void settle(void)
{
	for (int i = 0; i < 1000 && tp_loop_step(loop, 0) > 0; i++)
		;
}

static void send_chunk(int fd, const uint8_t *bytes, size_t size, uint8_t fd_kinds)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))] = {0};
	struct cmsghdr *header = (struct cmsghdr *)control;
	struct iovec part = {(void *)(uintptr_t)bytes, size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	size_t count = 0;

	for (; fd_kinds != 0; fd_kinds >>= 2)
		if (kinds[fd_kinds & 3] >= 0)
			memcpy(CMSG_DATA(header) + sizeof(int) * count++, &kinds[fd_kinds & 3],
				sizeof(int));
	if (count > 0) {
		*header = (struct cmsghdr){
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(sizeof(int) * count),
		};
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
	}
	if (sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
		settle();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tp_vhost_status status;
	int pair[2];

	if (loop == NULL)
		set_up();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
		vhost_endpoint_attach(endpoint, pair[0]) < 0)
		abort();
	while (size > 2) {
		size_t length = data[1] < size - 2 ? data[1] : size - 2;

		if (length > 0)
			send_chunk(pair[1], data + 2, length, data[0]);
		data += 2 + length;
		size -= 2 + length;
	}
	close(pair[1]);
	settle();
	tp_vhost_get_status(endpoint, &status);
	if (status.state != TP_VHOST_LISTENING || status.descriptors != 1)
		abort();
	return 0;
}
