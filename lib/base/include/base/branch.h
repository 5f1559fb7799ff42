/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Hints for the path that every frame takes.
 */

#define TP_LIKELY(x)   __builtin_expect(!!(x), 1)
#define TP_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* What every frame goes through is laid out in one piece; what few frames need stays out of its
 * way. */
#define TP_FAST static inline __attribute__((always_inline))
#define TP_RARE static __attribute__((noinline, unused))
