/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "base/error.h"

/*
 * Moments as people write them: ISO 8601 in UTC, "2026-11-03", "2026-11-03T14:30",
 * "2026-11-03T14:30:05.250Z" (a blank may stand for the T, the Z may be missing), or a time before
 * now: "-90s", "-30m", "-1h", "-7d". As a number they are milliseconds since 1970-01-01T00:00:00Z.
 */

/** For messages. */
#define TP_MOMENT_ACCEPTED                                                                         \
	"a date or a date and time in UTC, \"2026-11-03\" or \"2026-11-03T14:30:00\", or a time "  \
	"before now, \"-30m\", \"-1h\" or \"-7d\""

/**
 * Read a moment.
 *
 * @param text    what somebody wrote
 * @param now_ms  the present, for times before it
 * @param moment  set on success: milliseconds since 1970
 * @param error   what was found and what is accepted
 * @return 0, or -EINVAL with *error set. Threading: any.
 */
int tp_moment_parse(const char *text, int64_t now_ms, int64_t *moment, struct tp_error *error);

/** The present, CLOCK_REALTIME. Threading: any. */
int64_t tp_moment_now(void);

#define TP_MOMENT_SIZE 32

/** Write a moment as "2026-11-03T14:30:05.250Z", without the fraction if it is 0.
 * @return buffer. Threading: any. */
const char *tp_moment_format(int64_t moment, char buffer[TP_MOMENT_SIZE]);
