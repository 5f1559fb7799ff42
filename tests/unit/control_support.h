/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/control_socket.h"

/* Server and clients in one thread: a client acts, the loop runs, the client looks. */

#define BIG ((size_t)4 << 20) /* bytes of the answer to "big" */

static struct tp_loop *loop;
static struct tp_control_socket *control;
static char directory[] = "/tmp/control_test.XXXXXX";
static char path[64];
static unsigned handled;
static uint64_t promise; /* given last */

static inline json_t *big_string(void)
{
	char *text = malloc(BIG);
	json_t *string;

	memset(text, 'b', BIG);
	string = json_stringn(text, BIG);
	free(text);
	return string;
}

static inline json_t *handle(
	void *owner, const char *command, const json_t *request, struct tp_error *error)
{
	assert_ptr_equal(owner, &handled);
	handled++;
	if (strcmp(command, "echo") == 0)
		return json_incref(json_object_get(request, "what"));
	if (strcmp(command, "big") == 0)
		return big_string();
	if (strcmp(command, "promise") == 0) {
		promise = tp_control_promise(control);
		if (json_object_get(request, "at_once") != NULL)
			tp_control_keep(control, promise, big_string(), NULL);
		return json_object_get(request, "with_result") != NULL ? json_integer(8) : NULL;
	}
	tp_error_set(error, EINVAL, "found %s\xff; accepted: echo, big", command);
	return NULL;
}

static inline struct tp_control_settings settings_of(unsigned patience_ms)
{
	return (struct tp_control_settings){
		.path = path, .handle = handle, .owner = &handled, .patience_ms = patience_ms};
}

static inline void open_server(unsigned patience_ms)
{
	struct tp_control_settings settings = settings_of(patience_ms);
	struct tp_error error = {""};

	handled = 0;
	loop = tp_loop_new(&error);
	assert_non_null(loop);
	control = tp_control_open(loop, &settings, &error);
	if (control == NULL)
		fail_msg("%s", error.text);
}

static inline int open_default(void **state)
{
	(void)state;
	open_server(0);
	return 0;
}

static inline int close_server(void **state)
{
	(void)state;
	tp_control_close(control);
	tp_loop_free(loop);
	assert_int_equal(access(path, F_OK), -1);
	return 0;
}

static inline void run(void)
{
	for (unsigned i = 0; i < 1000 && tp_loop_step(loop, 0) > 0; i++)
		continue;
}

static inline int dial(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static inline void say_bytes(int fd, const char *text, size_t length)
{
	assert_int_equal(send(fd, text, length, MSG_NOSIGNAL), length);
	run();
}

static inline void say(int fd, const char *text)
{
	say_bytes(fd, text, strlen(text));
}

static inline void hears(int fd, const char *expected)
{
	char answer[4096] = "";
	ssize_t got = recv(fd, answer, sizeof(answer) - 1, 0);

	if (got <= 0)
		fail_msg("no answer; expected %s", expected);
	if (strstr(answer, expected) == NULL)
		fail_msg("answer: %s\nexpected: %s", answer, expected);
}

static inline int make_directory(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/run/control.sock", directory);
	return 0;
}

static inline int remove_directory(void **state)
{
	(void)state;
	*strrchr(path, '/') = '\0';
	return rmdir(path) | rmdir(directory);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, open_default, close_server)
