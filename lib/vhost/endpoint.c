/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attach.h"
#include "base/descriptors.h"
#include "base/guest_share.h"
#include "base/unix_socket.h"
#include "connection.h"

/* The life of an endpoint: listening or connecting, one front-end at a time, and again. */

#define BACKLOG          8
#define ACCEPTS_A_TURN   8
#define ACCEPT_PAUSE_MS  100
#define CLOSING_PAUSE_MS 1 /* at first, then twice as long each time */
#define RECONNECT_MIN_MS 100
#define RECONNECT_MAX_MS 1000

struct tp_vhost_endpoint {
	struct tp_loop *loop;
	char *name;
	char *path;
	char *beside; /* where it listens until it takes its path; NULL: it has it */
	bool client;
	struct tp_unix_access access;
	bool succeeds;
	struct tp_watch listen; /* fd -1 in client mode */
	struct stat socket_file;
	struct tp_timer retry; /* server: accept again; client: connect again */
	uint64_t reconnect_ms;
	bool connect_failed; /* said once until a connection succeeds */
	struct vhost_device device;
	struct tp_closer *closer;
	uint64_t closing_pause_ms;
	struct vhost_connection connection;
	uint64_t connections;
	uint64_t messages_before; /* of connection.messages when this front-end came */
	char last_reason[VHOST_REASON_SIZE];
	struct tp_log_limit come_and_go;
	struct tp_log_limit refused;
};

static void connect_later(struct tp_vhost_endpoint *endpoint, uint64_t delay_ms)
{
	if (tp_loop_arm(endpoint->loop, &endpoint->retry, delay_ms) < 0)
		tp_log(TP_LOG_ERROR, "%s: no memory for a timer; it stays unconnected",
			endpoint->name);
}

static void reconnect(struct tp_vhost_endpoint *endpoint)
{
	connect_later(endpoint, endpoint->reconnect_ms);
	endpoint->reconnect_ms = 2 * endpoint->reconnect_ms < RECONNECT_MAX_MS
					 ? 2 * endpoint->reconnect_ms
					 : RECONNECT_MAX_MS;
}

static void connection_ended(struct vhost_connection *connection, const char *reason)
{
	struct tp_vhost_endpoint *endpoint =
		tp_container_of(connection, struct tp_vhost_endpoint, connection);

	vhost_device_clear(&endpoint->device);
	vhost_connection_close(connection);
	snprintf(endpoint->last_reason, sizeof(endpoint->last_reason), "%s", reason);
	tp_log_limited(&endpoint->come_and_go, TP_LOG_INFO, "%s: disconnected: %s", endpoint->name,
		reason);
	if (endpoint->client) {
		if (connection->messages > endpoint->messages_before)
			endpoint->reconnect_ms = RECONNECT_MIN_MS;
		reconnect(endpoint);
	}
	endpoint->device.ops->disconnected(endpoint->device.owner, endpoint->last_reason);
}

int vhost_endpoint_attach(struct tp_vhost_endpoint *endpoint, int fd)
{
	struct vhost_connection *connection = &endpoint->connection;
	struct tp_unix_peer peer;
	int result = vhost_connection_open(connection, fd);

	if (result < 0)
		return result;
	tp_unix_peer(fd, &peer);
	endpoint->connections++;
	endpoint->messages_before = connection->messages;
	endpoint->connect_failed = false;
	tp_log_limited(&endpoint->come_and_go, TP_LOG_INFO,
		"%s: connected, process %d (%s) of user %d, group %d", endpoint->name,
		(int)peer.pid, peer.program, (int)peer.uid, (int)peer.gid);
	vhost_connection_enter(connection);
	endpoint->device.ops->connected(endpoint->device.owner, &peer);
	vhost_connection_leave(connection);
	return 0;
}

/* Its end may not have been read yet when the next front-end comes. */
static bool has_hung_up(const struct vhost_connection *connection)
{
	struct pollfd socket = {.fd = connection->watch.fd, .events = POLLRDHUP};

	return poll(&socket, 1, 0) == 1 && socket.revents != 0;
}

static void refuse_front_end(struct tp_vhost_endpoint *endpoint, int fd, const char *reason)
{
	struct tp_unix_peer peer;

	tp_unix_peer(fd, &peer);
	snprintf(endpoint->last_reason, sizeof(endpoint->last_reason), "refused: %.200s", reason);
	tp_log_limited(&endpoint->refused, TP_LOG_ERROR,
		"%s: process %d (%s) of user %d refused: %s", endpoint->name, (int)peer.pid,
		peer.program, (int)peer.uid, reason);
	tp_closer_hang_up(endpoint->closer, fd);
}

static void take_front_end(struct tp_vhost_endpoint *endpoint, int fd)
{
	struct tp_unix_peer peer;
	struct tp_error error;
	int result;

	if (vhost_connection_is_open(&endpoint->connection) && has_hung_up(&endpoint->connection))
		vhost_connection_hung_up(&endpoint->connection);
	if (vhost_connection_is_open(&endpoint->connection)) {
		tp_unix_peer(fd, &peer);
		tp_log_limited(&endpoint->refused, TP_LOG_WARNING,
			"%s: process %d (%s) of user %d connected to %s, which has a front-end "
			"already: hung up",
			endpoint->name, (int)peer.pid, peer.program, (int)peer.uid, endpoint->path);
		tp_closer_hang_up(endpoint->closer, fd);
		return;
	}
	if (tp_descriptor_check(fd, &error) < 0) {
		refuse_front_end(endpoint, fd, error.text);
		return;
	}
	result = vhost_endpoint_attach(endpoint, fd);
	if (result < 0)
		refuse_front_end(endpoint, fd, strerror(-result));
}

/* The socket stays readable: look away for a while. */
static void pause_accepting(struct tp_vhost_endpoint *endpoint, const char *reason, uint64_t ms)
{
	if (ms == ACCEPT_PAUSE_MS)
		tp_log_limited(&endpoint->refused, TP_LOG_ERROR,
			"%s: a front-end cannot be accepted on %s: %s", endpoint->name,
			endpoint->path, reason);
	if (tp_loop_arm(endpoint->loop, &endpoint->retry, ms) == 0)
		tp_loop_rewatch(endpoint->loop, &endpoint->listen, 0);
}

/* Does the closing of what the last front-end passed wait? Then the next one does, too. Most is
 * closed before anybody asks. */
static bool waits_for_closing(struct tp_vhost_endpoint *endpoint)
{
	unsigned pending = tp_closer_pending(endpoint->closer);

	if (pending == 0) {
		endpoint->closing_pause_ms = CLOSING_PAUSE_MS;
		return false;
	}
	endpoint->closing_pause_ms *= 2;
	if (endpoint->closing_pause_ms < ACCEPT_PAUSE_MS)
		return true;
	endpoint->closing_pause_ms = ACCEPT_PAUSE_MS;
	snprintf(endpoint->last_reason, sizeof(endpoint->last_reason),
		"%u descriptors that a front-end passed are not closed yet: closing them waits for "
		"somebody",
		pending);
	return true;
}

static void accept_ready(struct tp_watch *watch, uint32_t events)
{
	struct tp_vhost_endpoint *endpoint =
		tp_container_of(watch, struct tp_vhost_endpoint, listen);

	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd;

		if (waits_for_closing(endpoint)) {
			pause_accepting(
				endpoint, endpoint->last_reason, endpoint->closing_pause_ms);
			return;
		}
		fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			take_front_end(endpoint, fd);
		} else if (errno == EAGAIN) {
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			pause_accepting(endpoint, strerror(errno), ACCEPT_PAUSE_MS);
			return;
		}
	}
}

static void try_connect(struct tp_vhost_endpoint *endpoint)
{
	struct tp_error error;
	int fd;

	if (waits_for_closing(endpoint)) {
		reconnect(endpoint);
		return;
	}
	fd = tp_unix_connect(endpoint->path, &error);

	if (fd >= 0) {
		if (tp_descriptor_check(fd, &error) == 0) {
			if (vhost_endpoint_attach(endpoint, fd) == 0)
				return;
			tp_error_set(&error, EIO, "it cannot be watched");
		}
		tp_closer_hang_up(endpoint->closer, fd);
	}
	if (!endpoint->connect_failed)
		tp_log_limited(&endpoint->come_and_go, TP_LOG_INFO,
			"%s: waiting for its front-end: %s", endpoint->name, error.text);
	endpoint->connect_failed = true;
	reconnect(endpoint);
}

static void retry_expired(struct tp_timer *timer)
{
	struct tp_vhost_endpoint *endpoint =
		tp_container_of(timer, struct tp_vhost_endpoint, retry);

	if (endpoint->client)
		try_connect(endpoint);
	else
		tp_loop_rewatch(endpoint->loop, &endpoint->listen, EPOLLIN);
}

static int start_listening(struct tp_vhost_endpoint *endpoint, struct tp_error *error)
{
	const struct tp_unix_listen how = {.backlog = BACKLOG, .access = endpoint->access};
	int fd = endpoint->succeeds
			 ? tp_unix_listen_beside(endpoint->path, &how, &endpoint->beside,
				   &endpoint->socket_file, error)
			 : tp_unix_listen(endpoint->path, &how, &endpoint->socket_file, error);
	int result;

	if (fd < 0)
		return fd;
	endpoint->listen.fd = fd;
	result = tp_loop_watch(endpoint->loop, &endpoint->listen, EPOLLIN);
	if (result < 0)
		return tp_error_set(error, -result, "socket %s cannot be watched: %s",
			endpoint->path, strerror(-result));
	return 0;
}

/* The first try is left to the loop, so that no callback comes before tp_vhost_open returns. */
static int start(struct tp_vhost_endpoint *endpoint, struct tp_error *error)
{
	if (!endpoint->client)
		return start_listening(endpoint, error);
	if (tp_loop_arm(endpoint->loop, &endpoint->retry, 0) < 0)
		return tp_error_set(error, ENOMEM, "no memory for a timer");
	return 0;
}

static int check_settings(const struct tp_vhost_settings *settings, struct tp_error *error)
{
	if (settings->queue_pairs < 1 || settings->queue_pairs > TP_VHOST_QUEUE_PAIRS_MAX)
		return tp_error_set(error, EINVAL, "%u queue pairs; 1 to %d are possible",
			settings->queue_pairs, TP_VHOST_QUEUE_PAIRS_MAX);
	return tp_unix_check_path(settings->path, error);
}

static struct tp_vhost_endpoint *new_endpoint(
	struct tp_loop *loop, const struct tp_vhost_settings *settings)
{
	struct tp_vhost_endpoint *endpoint = calloc(1, sizeof(*endpoint));

	if (endpoint == NULL)
		return NULL;
	endpoint->loop = loop;
	endpoint->name = strdup(settings->name);
	endpoint->path = strdup(settings->path);
	endpoint->client = settings->client;
	endpoint->access = settings->access;
	endpoint->succeeds = settings->succeeds;
	endpoint->listen = (struct tp_watch){.fd = -1, .ready = accept_ready};
	endpoint->retry.expired = retry_expired;
	endpoint->reconnect_ms = RECONNECT_MIN_MS;
	vhost_device_init(&endpoint->device, settings);
	tp_guest_share_join();
	endpoint->closer = tp_closer_new();
	endpoint->closing_pause_ms = CLOSING_PAUSE_MS;
	endpoint->connection.closer = endpoint->closer;
	endpoint->connection.loop = loop;
	endpoint->connection.device = &endpoint->device;
	endpoint->connection.name = endpoint->name;
	endpoint->connection.refused = &endpoint->refused;
	endpoint->connection.ended = connection_ended;
	vhost_connection_init(&endpoint->connection);
	return endpoint;
}

struct tp_vhost_endpoint *tp_vhost_open(
	struct tp_loop *loop, const struct tp_vhost_settings *settings, struct tp_error *error)
{
	struct tp_vhost_endpoint *endpoint;

	if (check_settings(settings, error) < 0)
		return NULL;
	endpoint = new_endpoint(loop, settings);
	if (endpoint == NULL || endpoint->name == NULL || endpoint->path == NULL ||
		endpoint->closer == NULL)
		tp_error_set(error, ENOMEM, "no memory for an endpoint");
	else if (start(endpoint, error) == 0)
		return endpoint;
	tp_vhost_close(endpoint);
	return NULL;
}

int tp_vhost_take_over(struct tp_vhost_endpoint *endpoint)
{
	int result = endpoint->beside == NULL ? 0 : tp_unix_take(endpoint->beside, endpoint->path);

	if (result < 0)
		return result;
	free(endpoint->beside);
	endpoint->beside = NULL;
	return 0;
}

void tp_vhost_close(struct tp_vhost_endpoint *endpoint)
{
	if (endpoint == NULL)
		return;
	endpoint->client = false; /* do not connect again */
	vhost_connection_end(&endpoint->connection, "the endpoint was closed");
	tp_loop_disarm(endpoint->loop, &endpoint->retry);
	if (endpoint->listen.fd >= 0) {
		tp_loop_unwatch(endpoint->loop, &endpoint->listen);
		tp_closer_stop_listening(endpoint->closer, endpoint->listen.fd);
		tp_unix_remove(endpoint->beside != NULL ? endpoint->beside : endpoint->path,
			&endpoint->socket_file);
	}
	tp_guest_share_leave();
	tp_closer_free(endpoint->closer);
	free(endpoint->beside);
	free(endpoint->name);
	free(endpoint->path);
	free(endpoint);
}

void tp_vhost_condemn(struct tp_vhost_endpoint *endpoint, const char *reason)
{
	vhost_connection_end(&endpoint->connection, reason);
}

const struct tp_guest_memory *tp_vhost_memory(const struct tp_vhost_endpoint *endpoint)
{
	return endpoint->device.memory;
}

void tp_vhost_get_status(const struct tp_vhost_endpoint *endpoint, struct tp_vhost_status *status)
{
	const struct vhost_device *device = &endpoint->device;
	bool connected = vhost_connection_is_open(&endpoint->connection);

	*status = (struct tp_vhost_status){
		.state = connected          ? TP_VHOST_CONNECTED
			 : endpoint->client ? TP_VHOST_CONNECTING
					    : TP_VHOST_LISTENING,
		.features = device->features,
		.protocol_features = device->protocol_features,
		.device_status = device->status,
		.rings_started = vhost_device_started(device),
		.descriptors = (endpoint->listen.fd >= 0) + connected +
			       vhost_device_descriptors(device) +
			       endpoint->connection.message.fd_count,
		.connections = endpoint->connections,
		.messages = endpoint->connection.messages,
	};
	static_assert(sizeof(status->last_reason) == sizeof(endpoint->last_reason), "reason");
	memcpy(status->last_reason, endpoint->last_reason, sizeof(status->last_reason));
}
