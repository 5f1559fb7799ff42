/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "frontend/channel.h"
#include "frontend_internal.h"

static bool acks_on(const struct tp_frontend *frontend)
{
	return !frontend->settings.no_acks &&
	       tp_frontend_protocol_has(frontend, VHOST_USER_PROTOCOL_F_REPLY_ACK);
}

static int send_message(struct tp_frontend *frontend, struct vhost_user_message *message,
	const int *fds, unsigned fd_count, struct tp_error *error)
{
	int status = tp_channel_send(frontend->socket, message, fds, fd_count);

	if (status < 0)
		return tp_error_set(error, -status, "%s: request %u: cannot send: %s",
			frontend->settings.path, message->header.request, strerror(-status));
	return 0;
}

/* Send a request; its acknowledgement, if there will be one, is read by collect_acks. */
int tp_frontend_send_request(struct tp_frontend *frontend, struct vhost_user_message *message,
	const int *fds, unsigned fd_count, struct tp_error *error)
{
	message->header.flags = VHOST_USER_VERSION;
	if (acks_on(frontend)) {
		if (frontend->pending_count == ARRAY_LENGTH(frontend->pending))
			return tp_error_set(error, ENOBUFS, "too many requests not acknowledged");
		message->header.flags |= VHOST_USER_NEED_REPLY;
		frontend->pending[frontend->pending_count++] = message->header.request;
	}
	return send_message(frontend, message, fds, fd_count, error);
}

int tp_frontend_read_reply(struct tp_frontend *frontend, uint32_t request,
	struct vhost_user_message *reply, struct tp_error *error)
{
	const char *path = frontend->settings.path;
	int status = tp_channel_receive(frontend->socket, reply, frontend->settings.timeout_ms);

	if (status < 0)
		return tp_error_set(error, -status, "%s: request %u: no reply: %s", path, request,
			status == -ECONNRESET ? "the back-end hung up" : strerror(-status));
	if (reply->header.request != request || !(reply->header.flags & VHOST_USER_REPLY))
		return tp_error_set(error, EPROTO,
			"%s: request %u: the reply is for %u, flags 0x%x", path, request,
			reply->header.request, reply->header.flags);
	return 0;
}

int tp_frontend_collect_acks(struct tp_frontend *frontend, struct tp_error *error)
{
	struct vhost_user_message reply;

	for (unsigned i = 0; i < frontend->pending_count; i++) {
		uint32_t request = frontend->pending[i];
		int status = tp_frontend_read_reply(frontend, request, &reply, error);

		if (status < 0)
			return status;
		if (reply.header.size != sizeof(uint64_t) || reply.payload.u64 != 0)
			return tp_error_set(error, EPROTO, "%s: request %u was refused",
				frontend->settings.path, request);
	}
	frontend->pending_count = 0;
	return 0;
}

int tp_frontend_request(struct tp_frontend *frontend, struct vhost_user_message *message,
	const int *fds, unsigned fd_count, struct tp_error *error)
{
	int status = tp_frontend_send_request(frontend, message, fds, fd_count, error);

	return status < 0 ? status : tp_frontend_collect_acks(frontend, error);
}

/* A request with an answer of its own takes no acknowledgement. */
int tp_frontend_send_question(struct tp_frontend *frontend, struct vhost_user_message *message,
	const int *fds, unsigned fd_count, struct tp_error *error)
{
	message->header.flags = VHOST_USER_VERSION;
	return send_message(frontend, message, fds, fd_count, error);
}

int tp_frontend_ask(struct tp_frontend *frontend, struct vhost_user_message *message,
	const int *fds, unsigned fd_count, struct tp_error *error)
{
	uint32_t request = message->header.request;
	int status = tp_frontend_send_question(frontend, message, fds, fd_count, error);

	return status < 0 ? status : tp_frontend_read_reply(frontend, request, message, error);
}

bool tp_frontend_hung_up(const struct tp_frontend *frontend)
{
	char byte;
	ssize_t count = recv(frontend->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR);
}
