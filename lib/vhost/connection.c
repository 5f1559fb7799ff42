/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/receive.h"
#include "connection.h"

#define DEADLINE_MS 1000

/* Descriptors of a front-end that may be waiting to be closed while it goes on. */
#define CLOSING_MAX 16

/* A front-end that floods gets this many messages handled before others have their turn. */
#define MESSAGES_A_TURN 16

static_assert(sizeof(struct vhost_ring_value) == sizeof(uint64_t), "every reply has 8 bytes");

void vhost_connection_enter(struct vhost_connection *connection)
{
	connection->busy = true;
}

/* `ending` stays set until the connection is closed, so that `ended` is not entered again. */
void vhost_connection_leave(struct vhost_connection *connection)
{
	connection->busy = false;
	if (connection->ending)
		connection->ended(connection, connection->reason);
}

void vhost_connection_end(struct vhost_connection *connection, const char *reason)
{
	/* The first reason is the cause; what follows from it is not. */
	if (!vhost_connection_is_open(connection) || connection->ending)
		return;
	connection->ending = true;
	snprintf(connection->reason, sizeof(connection->reason), "%s", reason);
	if (!connection->busy)
		vhost_connection_leave(connection);
}

static void end_of_message(struct vhost_connection *connection)
{
	vhost_message_close_fds(&connection->message, connection->closer);
	connection->received = 0;
	tp_loop_disarm(connection->loop, &connection->deadline);
}

/* A front-end that hears a refusal often leaves: the cause is then what it was refused. */
void vhost_connection_hung_up(struct vhost_connection *connection)
{
	char reason[VHOST_REASON_SIZE];

	snprintf(reason, sizeof(reason), "front-end closed the connection%s%s%s",
		connection->received > 0 ? " within a message" : "",
		connection->refusal[0] == '\0' ? "" : ", refused: ", connection->refusal);
	vhost_connection_end(connection, reason);
}

/* @return true if nothing is left to send. */
static bool flush(struct vhost_connection *connection)
{
	while (connection->reply_sent < connection->reply_size) {
		ssize_t sent =
			send(connection->watch.fd, connection->reply + connection->reply_sent,
				connection->reply_size - connection->reply_sent,
				MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent >= 0) {
			connection->reply_sent += (uint32_t)sent;
		} else if (errno == EAGAIN) {
			return false;
		} else if (errno != EINTR) {
			vhost_connection_hung_up(connection);
			return false;
		}
	}
	connection->reply_size = connection->reply_sent = 0;
	return true;
}

static void start_deadline(struct vhost_connection *connection)
{
	if (connection->deadline.heap_index == 0 &&
		tp_loop_arm(connection->loop, &connection->deadline, DEADLINE_MS) < 0)
		vhost_connection_end(connection, "no memory for a timer");
}

static void send_reply(struct vhost_connection *connection, const struct vhost_reply *reply)
{
	if (reply->header.size == 0)
		return;
	memcpy(connection->reply, &reply->header, sizeof(reply->header));
	memcpy(connection->reply + sizeof(reply->header), &reply->payload, reply->header.size);
	connection->reply_size = (uint32_t)sizeof(reply->header) + reply->header.size;
	if (flush(connection) || connection->ending)
		return;
	/* Until the front-end has read it, nothing more is read from the front-end. */
	tp_loop_rewatch(connection->loop, &connection->watch, EPOLLOUT);
	start_deadline(connection);
}

/* Descriptors that are refused must not pile up. */
static void end_if_closing(struct vhost_connection *connection)
{
	unsigned pending = tp_closer_pending(connection->closer);
	char reason[VHOST_REASON_SIZE];

	if (pending <= CLOSING_MAX)
		return;
	snprintf(reason, sizeof(reason),
		"%u descriptors that it passed are not closed yet: closing them waits for somebody",
		pending);
	vhost_connection_end(connection, reason);
}

/* The first one counts, until rings run in spite of it. */
static void remember_refusal(struct vhost_connection *connection, const char *text)
{
	if (text != NULL && connection->refusal[0] == '\0')
		snprintf(connection->refusal, sizeof(connection->refusal), "%s", text);
	else if (text == NULL && vhost_device_started(connection->device) > 0)
		connection->refusal[0] = '\0';
}

static void handle_message(struct vhost_connection *connection)
{
	struct vhost_reply reply;
	struct tp_error error = {.text = ""};
	unsigned passed = connection->message.fd_count;
	enum vhost_verdict verdict;

	tp_log(TP_LOG_DEBUG, "%s: %s", connection->name,
		vhost_request_name(connection->message.header.request));
	verdict = vhost_request_handle(connection->device, &connection->message, &reply, &error);
	remember_refusal(connection, verdict == VHOST_REFUSED ? error.text : NULL);
	connection->messages++;
	end_of_message(connection);
	if (verdict == VHOST_END) {
		vhost_connection_end(connection, error.text);
		return;
	}
	if (passed > 0)
		end_if_closing(connection);
	if (verdict == VHOST_REFUSED)
		tp_log_limited(connection->refused, TP_LOG_WARNING, "%s: refused: %s",
			connection->name, error.text);
	if (!connection->ending)
		send_reply(connection, &reply);
}

static int refuse_many_fds(const struct vhost_connection *connection, struct tp_error *error)
{
	return tp_error_set(error, EMFILE, "%s: more than %d descriptors came with it",
		connection->received < sizeof(struct vhost_header)
			? "a message"
			: vhost_request_name(connection->message.header.request),
		VHOST_FDS_MAX);
}

/* Take the descriptors over that came; all of them are in the message or closed after. */
static int take_fds(struct vhost_connection *connection, const struct tp_received *received,
	struct tp_error *error)
{
	struct vhost_message *message = &connection->message;
	bool too_many = false;
	int result = 0;

	for (unsigned i = 0; i < received->fd_count; i++) {
		if (result == 0)
			result = tp_descriptor_check(received->fds[i], error);
		if (message->fd_count < VHOST_FDS_MAX) {
			message->fds[message->fd_count++] = received->fds[i];
		} else {
			tp_closer_close(connection->closer, received->fds[i]);
			too_many = true;
		}
	}
	if (too_many)
		return refuse_many_fds(connection, error);
	if (result == 0 && received->cut)
		return tp_error_set(error, EMFILE,
			"descriptors came that this process may not open; LimitNOFILE= or prlimit "
			"raises their number");
	return result;
}

/* Where the next bytes of the message go, and how many are still missing there. */
static struct iovec missing_part(struct vhost_connection *connection)
{
	struct vhost_message *message = &connection->message;
	uint32_t header_size = sizeof(message->header);
	uint32_t done = connection->received;

	if (done < header_size)
		return (struct iovec){(uint8_t *)&message->header + done, header_size - done};
	done -= header_size;
	return (struct iovec){(uint8_t *)&message->payload + done, message->header.size - done};
}

static void end_no_data(struct vhost_connection *connection, ssize_t result)
{
	char reason[VHOST_REASON_SIZE];

	if (result == 0 || result == -ECONNRESET) {
		vhost_connection_hung_up(connection);
		return;
	}
	snprintf(reason, sizeof(reason), "receive: %s", strerror((int)-result));
	vhost_connection_end(connection, reason);
}

/* Receive once. @return true if it brought bytes. */
static bool receive_bytes(struct vhost_connection *connection)
{
	struct iovec part = missing_part(connection);
	struct tp_received received;
	ssize_t result = tp_receive(connection->watch.fd, part.iov_base, part.iov_len, &received);
	struct tp_error error;

	if (result == -EAGAIN || result == -EINTR)
		return false;
	if (result <= 0) {
		end_no_data(connection, result);
		return false;
	}
	connection->received += (uint32_t)result;
	if (take_fds(connection, &received, &error) < 0) {
		vhost_connection_end(connection, error.text);
		return false;
	}
	return true;
}

/* @return true if a whole message is there. */
static bool receive_message(struct vhost_connection *connection)
{
	const struct vhost_header *header = &connection->message.header;

	for (;;) {
		struct tp_error error;

		if (!receive_bytes(connection))
			return false;
		if (connection->received == sizeof(*header) &&
			vhost_header_check(header, &error) < 0) {
			vhost_connection_end(connection, error.text);
			return false;
		}
		if (connection->received >= sizeof(*header) &&
			connection->received == sizeof(*header) + header->size)
			return true;
	}
}

static void ready(struct tp_watch *watch, uint32_t events)
{
	struct vhost_connection *connection =
		tp_container_of(watch, struct vhost_connection, watch);

	(void)events;
	vhost_connection_enter(connection);
	if (connection->reply_size > 0 && flush(connection)) {
		tp_loop_disarm(connection->loop, &connection->deadline);
		tp_loop_rewatch(connection->loop, &connection->watch, EPOLLIN);
	}
	for (int i = 0; i < MESSAGES_A_TURN; i++) {
		if (connection->ending || connection->reply_size > 0 ||
			!receive_message(connection))
			break;
		handle_message(connection);
	}
	if (connection->received > 0 && !connection->ending)
		start_deadline(connection);
	vhost_connection_leave(connection);
}

static void deadline_expired(struct tp_timer *timer)
{
	struct vhost_connection *connection =
		tp_container_of(timer, struct vhost_connection, deadline);
	char reason[VHOST_REASON_SIZE];

	if (connection->reply_size > 0)
		snprintf(reason, sizeof(reason), "front-end did not read a reply within %d ms",
			DEADLINE_MS);
	else if (connection->received < sizeof(struct vhost_header))
		snprintf(reason, sizeof(reason),
			"message incomplete after %d ms: %u of %zu header bytes came", DEADLINE_MS,
			connection->received, sizeof(struct vhost_header));
	else
		snprintf(reason, sizeof(reason),
			"%s: message incomplete after %d ms: %zu of %u payload bytes came",
			vhost_request_name(connection->message.header.request), DEADLINE_MS,
			connection->received - sizeof(struct vhost_header),
			connection->message.header.size);
	vhost_connection_end(connection, reason);
}

void vhost_connection_init(struct vhost_connection *connection)
{
	connection->watch = (struct tp_watch){.fd = -1, .ready = ready};
	connection->deadline = (struct tp_timer){.expired = deadline_expired};
}

int vhost_connection_open(struct vhost_connection *connection, int fd)
{
	int result;

	connection->watch.fd = fd;
	connection->refusal[0] = '\0';
	result = tp_loop_watch(connection->loop, &connection->watch, EPOLLIN);
	if (result < 0)
		connection->watch.fd = -1;
	return result;
}

void vhost_connection_close(struct vhost_connection *connection)
{
	if (!vhost_connection_is_open(connection))
		return;
	end_of_message(connection);
	connection->reply_size = connection->reply_sent = 0;
	connection->ending = false;
	tp_loop_unwatch(connection->loop, &connection->watch);
	tp_closer_hang_up(connection->closer, connection->watch.fd);
	connection->watch.fd = -1;
}
