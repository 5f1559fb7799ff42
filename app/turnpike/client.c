/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

/* 65,536 interfaces take some 40 MB. */
#define ANSWER_MAX       ((size_t)512 << 20)
#define CONNECT_AGAIN_MS 5

struct conversation {
	const char *path;
	struct tp_error *error;
	int fd;
	unsigned limit; /* seconds */
	long long deadline_ms;
	char *text;
	size_t length;
	size_t size;
};

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int refuse_nobody(struct conversation *talk)
{
	int code = errno;

	return tp_error_set(
		talk->error, code, "no appliance answers on %s: %s", talk->path, strerror(code));
}

static int refuse_silence(struct conversation *talk)
{
	return tp_error_set(talk->error, ETIMEDOUT,
		"the appliance on %s did not answer within %u s", talk->path, talk->limit);
}

static int wait_for(struct conversation *talk, short events)
{
	struct pollfd descriptor = {.fd = talk->fd, .events = events};
	long long left = talk->deadline_ms - now_ms();
	int ready = left > 0 ? poll(&descriptor, 1, (int)left) : 0;

	if (ready < 0)
		return tp_error_set(talk->error, errno, "%s", strerror(errno));
	if (ready == 0)
		return refuse_silence(talk);
	return 0;
}

/* EAGAIN: more clients wait than the appliance has taken yet. A UNIX socket cannot be polled for
 * that. */
static int connect_patiently(struct conversation *talk, const struct sockaddr_un *address)
{
	while (connect(talk->fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return refuse_nobody(talk);
		if (now_ms() >= talk->deadline_ms)
			return refuse_silence(talk);
		poll(NULL, 0, CONNECT_AGAIN_MS);
	}
	return 0;
}

static int dial(struct conversation *talk)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(talk->path) >= sizeof(address.sun_path))
		return tp_error_set(talk->error, ENAMETOOLONG,
			"%s: found a path of %zu bytes; accepted: the path of a socket, at most "
			"107",
			talk->path, strlen(talk->path));
	strcpy(address.sun_path, talk->path);
	talk->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (talk->fd < 0)
		return refuse_nobody(talk);
	return connect_patiently(talk, &address);
}

static int say(struct conversation *talk, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(talk->fd, text, length, MSG_NOSIGNAL);

		if (sent < 0 && errno == EAGAIN) {
			if (wait_for(talk, POLLOUT) < 0)
				return -ETIMEDOUT;
			continue;
		}
		/* A server that turned us away has said why: it is read next. */
		if (sent < 0)
			return errno == EPIPE ? 0 : refuse_nobody(talk);
		text += sent;
		length -= (size_t)sent;
	}
	return 0;
}

static int make_room(struct conversation *talk)
{
	size_t size = talk->size > 0 ? 2 * talk->size : 65536;
	char *text;

	if (talk->length < talk->size)
		return 0;
	text = size <= ANSWER_MAX ? realloc(talk->text, size) : NULL;
	if (text == NULL)
		return tp_error_set(
			talk->error, ENOMEM, "the answer from %s is too long", talk->path);
	talk->text = text;
	talk->size = size;
	return 0;
}

static int hung_up(struct conversation *talk)
{
	return tp_error_set(talk->error, ECONNRESET, "the appliance on %s hung up %s", talk->path,
		talk->length > 0 ? "in the middle of its answer" : "without an answer");
}

/* Until the line's end. */
static int listen_to(struct conversation *talk)
{
	for (;;) {
		ssize_t got;

		if (make_room(talk) < 0)
			return -ENOMEM;
		got = recv(talk->fd, talk->text + talk->length, talk->size - talk->length, 0);
		if (got < 0 && errno == EAGAIN) {
			if (wait_for(talk, POLLIN) < 0)
				return -ETIMEDOUT;
			continue;
		}
		if (got <= 0)
			return hung_up(talk);
		talk->length += (size_t)got;
		if (memchr(talk->text + talk->length - got, '\n', (size_t)got) != NULL)
			return 0;
	}
}

static json_t *read_answer(struct conversation *talk)
{
	json_error_t syntax;
	json_t *answer = json_loadb(talk->text, talk->length, 0, &syntax);
	json_t *result = json_object_get(answer, "result");
	const char *refusal = json_string_value(json_object_get(answer, "error"));

	if (answer == NULL)
		tp_error_set(talk->error, EPROTO, "the answer from %s is not JSON: %s", talk->path,
			syntax.text);
	else if (!json_is_true(json_object_get(answer, "ok")) && refusal != NULL)
		tp_error_set(talk->error, EINVAL, "%s", refusal);
	else if (result == NULL)
		tp_error_set(talk->error, EPROTO,
			"the answer from %s has neither a result nor an error", talk->path);
	if (!json_is_true(json_object_get(answer, "ok")))
		result = NULL;
	json_incref(result);
	json_decref(answer);
	return result;
}

/* Takes the reference of request. */
static char *write_request(json_t *request)
{
	char *text = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;

	json_decref(request);
	return text;
}

static json_t *converse(struct conversation *talk, json_t *request)
{
	char *text = write_request(request);
	int result;

	if (text == NULL) {
		tp_error_set(talk->error, EINVAL, "the request is not UTF-8");
		return NULL;
	}
	result = dial(talk);
	if (result == 0)
		result = say(talk, text, strlen(text));
	if (result == 0)
		result = say(talk, "\n", 1);
	if (result == 0)
		result = listen_to(talk);
	free(text);
	return result == 0 ? read_answer(talk) : NULL;
}

json_t *tp_ask_request(const char *path, json_t *request, unsigned limit, struct tp_error *error)
{
	struct conversation talk = {
		.path = path,
		.error = error,
		.fd = -1,
		.limit = limit,
		.deadline_ms = now_ms() + limit * 1000LL,
	};
	json_t *result = converse(&talk, request);

	if (talk.fd >= 0)
		close(talk.fd);
	free(talk.text);
	return result;
}

json_t *tp_ask(const char *path, const char *command, const char *what, struct tp_error *error)
{
	return tp_ask_request(path, json_pack("{s:s, s:s*}", "command", command, "what", what),
		TP_ANSWER_LIMIT, error);
}
