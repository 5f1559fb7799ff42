/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "frontend/channel.h"

#define LISTEN_BACKLOG 4
#define RETRY_US       2000

uint64_t tp_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int socket_address(struct sockaddr_un *address, const char *path, struct tp_error *error)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address->sun_path))
		return tp_error_set(error, ENAMETOOLONG,
			"%s: a UNIX socket path has at most %zu characters", path,
			sizeof(address->sun_path) - 1);
	strcpy(address->sun_path, path);
	return 0;
}

int tp_channel_connect(const char *path, unsigned timeout_ms, struct tp_error *error)
{
	uint64_t deadline = tp_now_ns() + timeout_ms * 1000000ull;
	struct sockaddr_un address;
	int status = socket_address(&address, path, error);
	int fd;

	if (status < 0)
		return status;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return tp_error_set(error, errno, "socket: %s", strerror(errno));
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		bool later = errno == ENOENT || errno == ECONNREFUSED || errno == EINTR;

		status = errno;
		if (!later || tp_now_ns() >= deadline) {
			close(fd);
			return tp_error_set(
				error, status, "%s: cannot connect: %s", path, strerror(status));
		}
		usleep(RETRY_US);
	}
	return fd;
}

int tp_channel_listen(const char *path, struct tp_error *error)
{
	struct sockaddr_un address;
	int status = socket_address(&address, path, error);
	int fd;

	if (status < 0)
		return status;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return tp_error_set(error, errno, "socket: %s", strerror(errno));
	unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, LISTEN_BACKLOG) < 0) {
		status = errno;
		close(fd);
		return tp_error_set(error, status, "%s: cannot serve: %s", path, strerror(status));
	}
	return fd;
}

/* @return 0 when readable (or hung up), -ETIMEDOUT, or negative errno. */
static int wait_readable(int fd, unsigned timeout_ms)
{
	struct pollfd entry = {.fd = fd, .events = POLLIN};
	int count;

	do
		count = poll(&entry, 1, (int)timeout_ms);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return -errno;
	return count == 0 ? -ETIMEDOUT : 0;
}

int tp_channel_accept(int listener, unsigned timeout_ms, struct tp_error *error)
{
	int status = wait_readable(listener, timeout_ms);
	int fd;

	if (status == -ETIMEDOUT)
		return tp_error_set(
			error, ETIMEDOUT, "no back-end connected within %u ms", timeout_ms);
	if (status < 0)
		return tp_error_set(error, -status, "poll: %s", strerror(-status));
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return tp_error_set(error, errno, "accept: %s", strerror(errno));
	return fd;
}

static void attach_descriptors(struct msghdr *header, const int *fds, unsigned fd_count)
{
	struct cmsghdr *control = header->msg_control;

	header->msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
	memset(control, 0, header->msg_controllen);
	control->cmsg_level = SOL_SOCKET;
	control->cmsg_type = SCM_RIGHTS;
	control->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
	memcpy(CMSG_DATA(control), fds, sizeof(int) * fd_count);
}

int tp_channel_send_bytes(
	int socket, const void *bytes, size_t length, const int *fds, unsigned fd_count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * VHOST_USER_FDS_MAX)];
	const char *next = bytes;

	if (fd_count > VHOST_USER_FDS_MAX)
		return -E2BIG;
	while (length > 0) {
		struct iovec part = {.iov_base = (void *)(uintptr_t)next, .iov_len = length};
		struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
		ssize_t sent;

		if (fd_count > 0) {
			header.msg_control = control;
			attach_descriptors(&header, fds, fd_count);
		}
		sent = sendmsg(socket, &header, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -errno;
		fd_count = 0;
		next += sent;
		length -= (size_t)sent;
	}
	return 0;
}

int tp_channel_send(
	int socket, const struct vhost_user_message *message, const int *fds, unsigned fd_count)
{
	if (message->header.size > VHOST_USER_PAYLOAD_MAX)
		return -EMSGSIZE;
	return tp_channel_send_bytes(
		socket, message, sizeof(message->header) + message->header.size, fds, fd_count);
}

static void close_descriptors(struct msghdr *header)
{
	for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control != NULL;
		control = CMSG_NXTHDR(header, control)) {
		unsigned count = (unsigned)((control->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		int fds[VHOST_USER_FDS_MAX];

		if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS ||
			count > VHOST_USER_FDS_MAX)
			continue;
		memcpy(fds, CMSG_DATA(control), sizeof(int) * count);
		for (unsigned i = 0; i < count; i++)
			close(fds[i]);
	}
}

static int receive_bytes(int socket, void *bytes, size_t length, unsigned timeout_ms)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * VHOST_USER_FDS_MAX)];
	char *next = bytes;

	while (length > 0) {
		struct iovec part = {.iov_base = next, .iov_len = length};
		struct msghdr header = {.msg_iov = &part,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control)};
		int status = wait_readable(socket, timeout_ms);
		ssize_t received;

		if (status < 0)
			return status;
		received = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
		if (received < 0 && errno == EINTR)
			continue;
		if (received < 0)
			return -errno;
		if (received == 0)
			return -ECONNRESET;
		close_descriptors(&header);
		next += received;
		length -= (size_t)received;
	}
	return 0;
}

int tp_channel_receive(int socket, struct vhost_user_message *message, unsigned timeout_ms)
{
	int status = receive_bytes(socket, &message->header, sizeof(message->header), timeout_ms);

	if (status < 0)
		return status;
	if (message->header.size > VHOST_USER_PAYLOAD_MAX)
		return -EMSGSIZE;
	return receive_bytes(socket, &message->payload, message->header.size, timeout_ms);
}

int tp_channel_wait_closed(int socket, unsigned timeout_ms)
{
	uint64_t deadline = tp_now_ns() + timeout_ms * 1000000ull;
	char waste[512];

	for (;;) {
		uint64_t now = tp_now_ns();
		ssize_t received;

		if (now >= deadline)
			return -ETIMEDOUT;
		if (wait_readable(socket, (unsigned)((deadline - now) / 1000000u) + 1) ==
			-ETIMEDOUT)
			return -ETIMEDOUT;
		received = recv(socket, waste, sizeof(waste), 0);
		if (received == 0 || (received < 0 && errno != EINTR))
			return 0;
	}
}
