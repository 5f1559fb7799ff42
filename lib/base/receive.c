/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>

#include "base/receive.h"

static void take_fds(struct msghdr *message, struct tp_received *received)
{
	for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL;
		control = CMSG_NXTHDR(message, control)) {
		size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
			continue;
		/* All of them fit: the buffer has no room for more. */
		memcpy(received->fds + received->fd_count, CMSG_DATA(control), count * sizeof(int));
		received->fd_count += (unsigned)count;
	}
}

ssize_t tp_receive(int socket, void *bytes, size_t size, struct tp_received *received)
{
	alignas(struct cmsghdr) char control[CMSG_SPACE(TP_RECEIVE_FDS_MAX * sizeof(int))];
	struct iovec part = {bytes, size};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t result = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	received->fd_count = 0;
	received->cut = false;
	if (result < 0)
		return -errno;
	received->cut = message.msg_flags & MSG_CTRUNC;
	take_fds(&message, received);
	return result;
}
