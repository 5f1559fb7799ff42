/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Log lines of the control plane, to standard error: time, level, text. The dataplane never logs.
 * What a guest can provoke goes through a limit, so that a guest cannot fill the disk.
 *
 * Nothing waits for the log: a line that finds no room (a full disk, a pipe that nobody reads) is
 * lost, and the next one that can be written is preceded by how many were and why.
 */

enum tp_log_level { TP_LOG_ERROR, TP_LOG_WARNING, TP_LOG_INFO, TP_LOG_DEBUG };

/** A budget of lines for one source of messages: at most `burst` at once, one more each second. */
struct tp_log_limit {
	uint64_t second;     /* of the last line, CLOCK_MONOTONIC */
	uint32_t tokens;     /* lines that may still be written now */
	uint32_t suppressed; /* lines not written since the last one that was */
	bool started;
};

/**
 * Set the level above which nothing is written (default TP_LOG_INFO).
 * Threading: control thread.
 */
void tp_log_set_level(enum tp_log_level level);

/**
 * Write one line. A newline is added.
 * Threading: control thread only.
 */
__attribute__((format(printf, 2, 3))) void tp_log(enum tp_log_level level, const char *format, ...);

/**
 * Write one line if the limit allows (burst 10, then one a second), and that of all sources
 * together (burst 5,000, then 20 a second); otherwise count it. The next line that is written says
 * how many were suppressed.
 *
 * @param limit  zero-initialised once, owned by the source of the messages
 * Threading: control thread only.
 */
__attribute__((format(printf, 3, 4))) void tp_log_limited(
	struct tp_log_limit *limit, enum tp_log_level level, const char *format, ...);
