/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

/*
 * Log-linear histogram of times: 2^TP_HISTOGRAM_LINEAR equal steps in each power of two, so that a
 * value is known to 1/32 of itself, from 1 to 2^40 (nanoseconds: 18 minutes). One writer; a reader
 * that copies it while it is written sees counts that may be a few values apart.
 */

#define TP_HISTOGRAM_LINEAR 5
#define TP_HISTOGRAM_POWERS 40
#define TP_HISTOGRAM_BUCKETS                                                                       \
	((TP_HISTOGRAM_POWERS - TP_HISTOGRAM_LINEAR + 1) << TP_HISTOGRAM_LINEAR)

struct tp_histogram {
	uint64_t count;
	uint64_t sum;
	uint64_t least; /* 0 if empty */
	uint64_t most;
	uint32_t bucket[TP_HISTOGRAM_BUCKETS];
};

/** Bucket of a value; what is too large is in the last. */
static inline unsigned tp_histogram_bucket(uint64_t value)
{
	unsigned power;

	if (value < 1u << TP_HISTOGRAM_LINEAR)
		return (unsigned)value;
	power = 63 - (unsigned)__builtin_clzll(value);
	if (power >= TP_HISTOGRAM_POWERS)
		return TP_HISTOGRAM_BUCKETS - 1;
	return ((power - TP_HISTOGRAM_LINEAR + 1) << TP_HISTOGRAM_LINEAR) +
	       (unsigned)(value >> (power - TP_HISTOGRAM_LINEAR) &
			  ((1u << TP_HISTOGRAM_LINEAR) - 1));
}

/** Count a value `times` times. Threading: one writer. */
static inline void tp_histogram_add(struct tp_histogram *histogram, uint64_t value, uint32_t times)
{
	histogram->bucket[tp_histogram_bucket(value)] += times;
	histogram->sum += value * times;
	if (histogram->count == 0 || value < histogram->least)
		histogram->least = value;
	if (value > histogram->most)
		histogram->most = value;
	histogram->count += times;
}

/** Add all of `from` to `to`. */
void tp_histogram_merge(struct tp_histogram *to, const struct tp_histogram *from);

/**
 * A value that `share` (0..1) of all are not above: the middle of the bucket it is in, and never
 * outside [least, most]; share 1 is `most`. @return 0 if empty.
 */
uint64_t tp_histogram_quantile(const struct tp_histogram *histogram, double share);

/** Mean. @return 0 if empty. */
double tp_histogram_mean(const struct tp_histogram *histogram);

/** Lowest value of a bucket, and (by bucket + 1) the end of the one before it. */
uint64_t tp_histogram_bucket_start(unsigned bucket);
