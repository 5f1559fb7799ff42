/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unix_socket.h"
#include "control_request.h"

/* Where all places are taken, a new client gets that of one who has had no use for it so long: who
 * asks nothing, and who does not take its answer. */
#define IDLE_MS  50
#define STUCK_MS 500

/* Until there is one, new clients wait in the order in which they came, so long at most. */
#define FULL_MS       4000
#define FULL_AGAIN_MS 10

/* More would be a long queue of clients that may have left; fewer, a matter of luck to get in. */
#define BACKLOG 64

/* How long to leave new clients waiting when the process has no descriptor for them. */
#define PAUSE_MS 200

/*
 * A client is read until a line is whole; then its answer is written; then the next line is looked
 * at. While an answer waits nothing is read, so that a client that does not read cannot make more
 * answers. The same holds while an answer is promised. A further line that is already here waits
 * for the next step of the loop (the socket is writable then), so that a flood of requests takes
 * turns with everything else on the loop.
 */
struct client {
	struct tp_watch watch;
	struct tp_timer patience;
	struct tp_control_socket *control;
	char *request;
	size_t request_size; /* TP_CONTROL_SMALL, or more */
	size_t request_length;
	size_t looked_at; /* bytes of it in which there is no line's end */
	char *answer;     /* NULL: none waits */
	size_t answer_length;
	size_t answer_sent;
	uint64_t promise; /* of an answer; 0: none */
	uint32_t events;  /* watched now */
	bool last;        /* nothing is read any more: hang up after the answers */
};

struct tp_control_socket {
	struct tp_loop *loop;
	struct tp_control_settings settings;
	struct stat socket_file; /* that is ours */
	struct tp_watch watch;
	struct tp_timer pause;
	uint64_t full_ms; /* since when new clients have waited for a place; 0: they do not */
	struct client *clients[TP_CONTROL_CLIENTS_MAX]; /* NULL: free */
	struct client *handled; /* whose request is being handled, NULL: none */
	uint64_t promises;      /* given so far */
};

static void end_client(struct client *client)
{
	struct tp_control_socket *control = client->control;

	for (unsigned i = 0; i < TP_CONTROL_CLIENTS_MAX; i++) {
		if (control->clients[i] == client)
			control->clients[i] = NULL;
	}
	tp_loop_disarm(control->loop, &client->patience);
	tp_loop_unwatch(control->loop, &client->watch);
	close(client->watch.fd);
	free(client->request);
	free(client->answer);
	free(client);
}

static void patience_is_over(struct tp_timer *timer)
{
	end_client(tp_container_of(timer, struct client, patience));
}

static int be_patient(struct client *client)
{
	const struct tp_control_socket *control = client->control;

	return tp_loop_arm(control->loop, &client->patience, control->settings.patience_ms);
}

static size_t line_length(struct client *client)
{
	const char *end = memchr(client->request + client->looked_at, '\n',
		client->request_length - client->looked_at);

	if (end == NULL)
		client->looked_at = client->request_length;
	return end != NULL ? (size_t)(end - client->request) + 1 : 0;
}

/* Actions on a client return 0, or negative errno: the caller ends it then. */

static int send_answer(struct client *client)
{
	while (client->answer_sent < client->answer_length) {
		ssize_t sent = send(client->watch.fd, client->answer + client->answer_sent,
			client->answer_length - client->answer_sent, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EAGAIN ? 0 : -errno;
		client->answer_sent += (size_t)sent;
	}
	free(client->answer);
	client->answer = NULL;
	return be_patient(client);
}

static void set_answer(struct client *client, char *answer)
{
	client->answer = answer;
	client->answer_length = strlen(answer);
	client->answer_sent = 0;
}

/* Takes the answer. */
static int give_answer(struct client *client, char *answer)
{
	if (answer == NULL)
		return -ENOMEM;
	set_answer(client, answer);
	if (be_patient(client) < 0)
		return -ENOMEM;
	return send_answer(client);
}

static int refuse_length(struct client *client, const char *reason)
{
	client->last = true;
	client->request_length = client->looked_at = 0;
	return give_answer(client, tp_control_refusal(reason));
}

static unsigned count_large(const struct tp_control_socket *control)
{
	unsigned count = 0;

	for (unsigned i = 0; i < TP_CONTROL_CLIENTS_MAX; i++)
		count += control->clients[i] != NULL &&
			 control->clients[i]->request_size > TP_CONTROL_SMALL;
	return count;
}

/* The request is longer than there is room. */
static int grow(struct client *client)
{
	char *request;

	if (client->request_size >= TP_CONTROL_REQUEST_MAX)
		return refuse_length(client,
			"request: found a line of more than 32 MiB; accepted: shorter ones");
	if (client->request_size == TP_CONTROL_SMALL &&
		count_large(client->control) >= TP_CONTROL_LARGE_MAX)
		return refuse_length(client,
			"request: found a line of more than 65536 bytes, as two clients are "
			"sending already; accepted: two at a time, try again");
	request = realloc(client->request, 2 * client->request_size);
	if (request == NULL)
		return refuse_length(client, "request: no memory for a line of this length");
	client->request = request;
	client->request_size *= 2;
	return 0;
}

/* A line is done: what follows it stands first, and nothing is kept that it needed. */
static void shrink(struct client *client, size_t length)
{
	char *request;

	client->request_length -= length;
	client->looked_at = 0;
	memmove(client->request, client->request + length, client->request_length);
	if (client->request_length > TP_CONTROL_SMALL || client->request_size == TP_CONTROL_SMALL)
		return;
	request = realloc(client->request, TP_CONTROL_SMALL);
	if (request == NULL)
		return;
	client->request = request;
	client->request_size = TP_CONTROL_SMALL;
}

/* What a handler returned beside its promise is no answer. The promise may be kept already. */
static int wait_for_promise(struct client *client, char *answer)
{
	free(answer);
	if (client->promise == 0)
		return client->answer != NULL ? send_answer(client) : -ENOMEM;
	tp_loop_disarm(client->control->loop, &client->patience);
	return 0;
}

static int do_line(struct client *client)
{
	size_t length = line_length(client);
	uint64_t promises = client->control->promises;
	char *answer;

	if (length == 0)
		return client->request_length == client->request_size ? grow(client) : 0;
	client->control->handled = client;
	answer = tp_control_answer(&client->control->settings, client->request, length - 1);
	client->control->handled = NULL;
	shrink(client, length);
	if (client->control->promises != promises)
		return wait_for_promise(client, answer);
	return give_answer(client, answer);
}

static int read_more(struct client *client)
{
	ssize_t got = read(client->watch.fd, client->request + client->request_length,
		client->request_size - client->request_length);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	client->request_length += (size_t)got;
	client->last = got == 0;
	return 0;
}

static int serve(struct client *client)
{
	int result = 0;

	/* It asked for nothing to be told: it has hung up. */
	if (client->promise != 0)
		return -ESHUTDOWN;
	if (client->answer != NULL)
		return send_answer(client);
	if (!client->last && line_length(client) == 0)
		result = read_more(client);
	return result == 0 ? do_line(client) : result;
}

static int choose_events(struct client *client)
{
	bool to_do = client->answer != NULL || line_length(client) > 0;
	uint32_t events = to_do ? EPOLLOUT : EPOLLIN;

	if (client->promise != 0)
		events = 0;
	else if (client->last && !to_do)
		return -ESHUTDOWN;
	if (events == client->events)
		return 0;
	client->events = events;
	return tp_loop_rewatch(client->control->loop, &client->watch, events);
}

/* Hang-up and error are found by the read or write that is tried. */
static void client_ready(struct tp_watch *watch, uint32_t events)
{
	struct client *client = tp_container_of(watch, struct client, watch);

	(void)events;
	if (serve(client) < 0 || choose_events(client) < 0)
		end_client(client);
}

uint64_t tp_control_promise(struct tp_control_socket *control)
{
	control->handled->promise = ++control->promises;
	return control->promises;
}

static struct client *find_promised(const struct tp_control_socket *control, uint64_t promise)
{
	for (unsigned i = 0; i < TP_CONTROL_CLIENTS_MAX; i++)
		if (control->clients[i] != NULL && control->clients[i]->promise == promise)
			return control->clients[i];
	return NULL;
}

void tp_control_keep(
	struct tp_control_socket *control, uint64_t promise, json_t *result, const char *reason)
{
	struct client *client = find_promised(control, promise);
	char *answer;

	if (client == NULL) {
		json_decref(result);
		return;
	}
	answer = result != NULL ? tp_control_result(result) : tp_control_refusal(reason);
	client->promise = 0;
	if (answer != NULL)
		set_answer(client, answer);
	/* While its request is handled the rest follows by itself. */
	if (client != control->handled &&
		(answer == NULL || be_patient(client) < 0 || choose_events(client) < 0))
		end_client(client);
}

static struct client **free_place(struct tp_control_socket *control)
{
	for (unsigned i = 0; i < TP_CONTROL_CLIENTS_MAX; i++) {
		if (control->clients[i] == NULL)
			return &control->clients[i];
	}
	return NULL;
}

/* It may have spoken in this very step of the loop. */
static bool is_silent(const struct client *client)
{
	char byte;

	return recv(client->watch.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

/* Its patience began when it came, or when its last answer was made or taken. A further request
 * waits until the answers before it are taken. */
static bool has_no_use(struct client *client, uint64_t now)
{
	uint64_t patience = client->control->settings.patience_ms;
	uint64_t idle = now + patience - client->patience.deadline_ms;

	if (client->promise != 0)
		return false;
	if (client->answer != NULL || line_length(client) > 0)
		return idle >= STUCK_MS;
	return idle >= IDLE_MS && is_silent(client);
}

/* @return the place of the one that has waited longest, free now; NULL: all have a use for theirs.
 */
static struct client **make_place(struct tp_control_socket *control)
{
	struct client **found = NULL;
	uint64_t now = tp_loop_now_ms();

	for (unsigned i = 0; i < TP_CONTROL_CLIENTS_MAX; i++) {
		struct client **place = &control->clients[i];

		if (has_no_use(*place, now) &&
			(found == NULL ||
				(*place)->patience.deadline_ms < (*found)->patience.deadline_ms))
			found = place;
	}
	if (found != NULL)
		end_client(*found);
	return found;
}

static int start_client(struct tp_control_socket *control, struct client **place, int fd)
{
	struct client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		return -ENOMEM;
	client->control = control;
	client->watch = (struct tp_watch){.fd = fd, .ready = client_ready};
	client->patience.expired = patience_is_over;
	client->events = EPOLLIN;
	client->request_size = TP_CONTROL_SMALL;
	client->request = malloc(TP_CONTROL_SMALL);
	if (client->request == NULL || be_patient(client) < 0 ||
		tp_loop_watch(control->loop, &client->watch, EPOLLIN) < 0) {
		tp_loop_disarm(control->loop, &client->patience);
		free(client->request);
		free(client);
		return -ENOMEM;
	}
	*place = client;
	return 0;
}

/* Whether or not the words arrive, the client is gone. */
static void turn_away(int fd, const char *reason)
{
	char *answer = tp_control_refusal(reason);

	if (answer != NULL)
		(void)!send(fd, answer, strlen(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
	free(answer);
	close(fd);
}

static void pause_listening(struct tp_control_socket *control, uint64_t ms)
{
	if (tp_loop_arm(control->loop, &control->pause, ms) == 0)
		tp_loop_unwatch(control->loop, &control->watch);
}

static void pause_is_over(struct tp_timer *timer)
{
	struct tp_control_socket *control = tp_container_of(timer, struct tp_control_socket, pause);

	if (tp_loop_watch(control->loop, &control->watch, EPOLLIN) < 0)
		tp_loop_arm(control->loop, &control->pause, PAUSE_MS);
}

/* @return false: they have waited long enough. */
static bool wait_for_place(struct tp_control_socket *control)
{
	uint64_t now = tp_loop_now_ms();

	if (control->full_ms == 0)
		control->full_ms = now;
	if (now - control->full_ms >= FULL_MS)
		return false;
	pause_listening(control, FULL_AGAIN_MS);
	return true;
}

/* One a step: the loop comes again while more wait. */
static void listener_ready(struct tp_watch *watch, uint32_t events)
{
	struct tp_control_socket *control = tp_container_of(watch, struct tp_control_socket, watch);
	struct client **place = free_place(control);
	int fd;

	(void)events;
	if (place == NULL)
		place = make_place(control);
	if (place == NULL && wait_for_place(control))
		return;
	if (place != NULL)
		control->full_ms = 0;
	fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS))
		pause_listening(control, PAUSE_MS);
	if (fd < 0)
		return;
	if (place == NULL)
		turn_away(fd, "32 clients are connected already; try again later");
	else if (start_client(control, place, fd) < 0)
		turn_away(fd, "no memory for another client");
}

static void stop_listening(struct tp_control_socket *control)
{
	close(control->watch.fd);
	tp_unix_remove(control->settings.path, &control->socket_file);
}

static int start(struct tp_control_socket *control, struct tp_error *error)
{
	const char *path = control->settings.path;
	struct tp_unix_listen how = {.backlog = BACKLOG, .access = control->settings.access};
	int fd, result;

	if (how.access.mode == 0)
		how.access.mode = 0600;
	fd = tp_unix_listen(path, &how, &control->socket_file, error);

	if (fd < 0) {
		tp_error_prefix(error, "control socket");
		return fd;
	}
	control->watch = (struct tp_watch){.fd = fd, .ready = listener_ready};
	control->pause.expired = pause_is_over;
	result = tp_loop_watch(control->loop, &control->watch, EPOLLIN);
	if (result == 0)
		return 0;
	stop_listening(control);
	return tp_error_set(error, -result, "control socket %s: %s", path, strerror(-result));
}

struct tp_control_socket *tp_control_open(
	struct tp_loop *loop, const struct tp_control_settings *settings, struct tp_error *error)
{
	struct tp_control_socket *control = calloc(1, sizeof(*control));
	char *path = strdup(settings->path);

	if (control == NULL || path == NULL) {
		tp_error_set(error, ENOMEM, "control socket %s: no memory", settings->path);
		goto fail;
	}
	control->loop = loop;
	control->settings = *settings;
	control->settings.path = path;
	if (settings->patience_ms == 0)
		control->settings.patience_ms = TP_CONTROL_PATIENCE_MS;
	if (start(control, error) == 0)
		return control;
fail:
	free(path);
	free(control);
	return NULL;
}

void tp_control_close(struct tp_control_socket *control)
{
	if (control == NULL)
		return;
	for (unsigned i = 0; i < TP_CONTROL_CLIENTS_MAX; i++) {
		if (control->clients[i] != NULL)
			end_client(control->clients[i]);
	}
	tp_loop_disarm(control->loop, &control->pause);
	tp_loop_unwatch(control->loop, &control->watch);
	stop_listening(control);
	free((char *)control->settings.path);
	free(control);
}

unsigned tp_control_clients(const struct tp_control_socket *control)
{
	unsigned count = 0;

	for (unsigned i = 0; i < TP_CONTROL_CLIENTS_MAX; i++)
		count += control->clients[i] != NULL;
	return count;
}
