/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define LINE_MAX_BYTES 1024
#define LIMIT_BURST    10

/* Of all sources of limited lines together, however many there are. */
#define SHARED_BURST    5000
#define SHARED_A_SECOND 20

static enum tp_log_level highest_level = TP_LOG_INFO;

/* Lines that could not be written since the last one that was. */
static struct {
	unsigned count;
	int because; /* errno of the first */
	bool torn;   /* a part of the last one was */
} lost;

static struct tp_log_limit shared;

void tp_log_set_level(enum tp_log_level level)
{
	highest_level = level;
}

static size_t put_prefix(char *line, size_t size, enum tp_log_level level)
{
	static const char *const names[] = {
		[TP_LOG_ERROR] = "error",
		[TP_LOG_WARNING] = "warning",
		[TP_LOG_INFO] = "info",
		[TP_LOG_DEBUG] = "debug",
	};
	struct timespec now;
	struct tm utc;
	size_t length;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	length = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &utc);
	return length + (size_t)snprintf(line + length, size - length,
				".%03ldZ %s: ", now.tv_nsec / 1000000, names[level]);
}

/* A pipe that nobody reads must not stop the control plane: what finds no room is lost. */
static bool put(const char *line, size_t length)
{
	struct pollfd output = {.fd = STDERR_FILENO, .events = POLLOUT};
	int ready = poll(&output, 1, 0);
	ssize_t written = ready == 0 ? 0 : write(STDERR_FILENO, line, length);

	if (written == (ssize_t)length)
		return true;
	if (lost.count++ == 0)
		lost.because = written < 0 ? errno : ready == 0 ? EAGAIN : ENOSPC;
	lost.torn |= written > 0;
	return false;
}

/* @return false if there is no room even for that. */
static bool tell_of_lost_lines(void)
{
	char line[LINE_MAX_BYTES];
	size_t length = 0;

	if (lost.count == 0)
		return true;
	if (lost.torn)
		line[length++] = '\n';
	length += put_prefix(line + length, sizeof(line) - length, TP_LOG_WARNING);
	length += (size_t)snprintf(line + length, sizeof(line) - length,
		"log: lines missing here: %u: %s\n", lost.count,
		lost.because == EAGAIN ? "nobody read what was written" : strerror(lost.because));
	if (!put(line, length)) {
		lost.count--; /* it was none of them */
		return false;
	}
	lost.count = 0;
	lost.torn = false;
	return true;
}

/* One write a line, so that lines of several processes on one stream do not mix. */
__attribute__((format(printf, 3, 0))) static void write_line(
	enum tp_log_level level, uint32_t suppressed, const char *format, va_list arguments)
{
	char line[LINE_MAX_BYTES];
	char note[64] = "";
	size_t room = sizeof(line) - sizeof(note);
	size_t length = put_prefix(line, room, level);
	int added = vsnprintf(line + length, room - length, format, arguments);

	if (added > 0)
		length += (size_t)added < room - length ? (size_t)added : room - length - 1;
	if (suppressed > 0)
		snprintf(note, sizeof(note), " (%u similar lines suppressed)", suppressed);
	length += (size_t)snprintf(line + length, sizeof(line) - length, "%s\n", note);
	if (tell_of_lost_lines())
		put(line, length);
	else
		lost.count++;
}

void tp_log(enum tp_log_level level, const char *format, ...)
{
	va_list arguments;

	if (level > highest_level)
		return;
	va_start(arguments, format);
	write_line(level, 0, format, arguments);
	va_end(arguments);
}

/* Fill a budget by the seconds that have passed, then take a line from it. */
static bool take_token(struct tp_log_limit *limit, uint32_t burst, uint32_t a_second)
{
	struct timespec now;
	uint64_t more;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!limit->started) {
		limit->started = true;
		limit->tokens = burst;
		limit->second = (uint64_t)now.tv_sec;
	}
	more = ((uint64_t)now.tv_sec - limit->second) * a_second;
	limit->second = (uint64_t)now.tv_sec;
	limit->tokens = more < burst - limit->tokens ? limit->tokens + (uint32_t)more : burst;
	if (limit->tokens == 0)
		return false;
	limit->tokens--;
	return true;
}

void tp_log_limited(struct tp_log_limit *limit, enum tp_log_level level, const char *format, ...)
{
	va_list arguments;

	if (level > highest_level)
		return;
	if (!take_token(limit, LIMIT_BURST, 1) ||
		!take_token(&shared, SHARED_BURST, SHARED_A_SECOND)) {
		limit->suppressed++;
		return;
	}
	va_start(arguments, format);
	write_line(level, limit->suppressed, format, arguments);
	va_end(arguments);
	limit->suppressed = 0;
}
