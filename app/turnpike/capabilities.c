/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "capabilities.h"

#define PATIENCE_MS 20000
#define ANSWER_MAX  65536

/* @return false if it is not there. */
static bool find_beside(const char *where, char *program, size_t size)
{
	char self[PATH_MAX] = "";

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return false;
	return snprintf(program, size, "%s/%s", dirname(self), where) < (int)size &&
	       access(program, X_OK) == 0;
}

static _Noreturn void become(const char *path, int answer)
{
	char program[2 * PATH_MAX];
	char *words[] = {
		program, (char[]){"--capabilities"}, (char[]){"--config"}, strdup(path), NULL};
	int nowhere = open("/dev/null", O_RDWR);

	dup2(nowhere, STDIN_FILENO);
	dup2(nowhere, STDERR_FILENO);
	dup2(answer, STDOUT_FILENO);
	if (!find_beside("turnpiked", program, sizeof(program)) &&
		!find_beside("../turnpiked/turnpiked", program, sizeof(program)))
		strcpy(program, "turnpiked");
	execvp(program, words);
	_exit(127);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Up to its end, or until patience ends. @return bytes. */
static size_t read_answer(int fd, char *answer)
{
	int64_t end = now_ms() + PATIENCE_MS;
	size_t length = 0;

	while (length < ANSWER_MAX) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		int64_t left = end - now_ms();
		ssize_t got;

		if (left <= 0 || poll(&wait, 1, (int)left) <= 0)
			break;
		got = read(fd, answer + length, ANSWER_MAX - length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		length += (size_t)got;
	}
	return length;
}

/* Drivers may print before it: the answer is the last line. */
static json_t *last_line(const char *answer, size_t length)
{
	size_t begin;

	while (length > 0 && answer[length - 1] == '\n')
		length--;
	for (begin = length; begin > 0 && answer[begin - 1] != '\n'; begin--)
		;
	return json_loadb(answer + begin, length - begin, 0, NULL);
}

json_t *tp_ask_capabilities(const char *path)
{
	char *answer = malloc(ANSWER_MAX);
	json_t *told = NULL;
	int ends[2];
	pid_t child;

	if (answer == NULL || pipe2(ends, O_CLOEXEC) < 0) {
		free(answer);
		return NULL;
	}
	child = fork();
	if (child == 0)
		become(path, ends[1]);
	close(ends[1]);
	if (child > 0) {
		size_t length = read_answer(ends[0], answer);

		kill(child, SIGKILL); /* it has told what it had to */
		waitpid(child, NULL, 0);
		told = last_line(answer, length);
	}
	close(ends[0]);
	free(answer);
	return told;
}
