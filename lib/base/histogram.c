/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/histogram.h"

void tp_histogram_merge(struct tp_histogram *to, const struct tp_histogram *from)
{
	if (from->count == 0)
		return;
	if (to->count == 0 || from->least < to->least)
		to->least = from->least;
	if (from->most > to->most)
		to->most = from->most;
	to->count += from->count;
	to->sum += from->sum;
	for (unsigned i = 0; i < TP_HISTOGRAM_BUCKETS; i++)
		to->bucket[i] += from->bucket[i];
}

uint64_t tp_histogram_bucket_start(unsigned bucket)
{
	unsigned row = bucket >> TP_HISTOGRAM_LINEAR;
	uint64_t step = bucket & ((1u << TP_HISTOGRAM_LINEAR) - 1);

	if (row == 0)
		return step;
	return (step + (1u << TP_HISTOGRAM_LINEAR)) << (row - 1);
}

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
	return value < least ? least : value > most ? most : value;
}

uint64_t tp_histogram_quantile(const struct tp_histogram *histogram, double share)
{
	uint64_t rank, seen = 0;

	if (histogram->count == 0)
		return 0;
	if (share >= 1)
		return histogram->most;
	/* The least number of values that are at least the share, and one at least. */
	rank = (uint64_t)(share * (double)histogram->count);
	if ((double)rank < share * (double)histogram->count || rank == 0)
		rank++;
	for (unsigned i = 0; i < TP_HISTOGRAM_BUCKETS; i++) {
		seen += histogram->bucket[i];
		if (seen >= rank) {
			uint64_t middle = (tp_histogram_bucket_start(i) +
						  tp_histogram_bucket_start(i + 1) - 1) /
					  2;

			return clamp(middle, histogram->least, histogram->most);
		}
	}
	return histogram->most;
}

double tp_histogram_mean(const struct tp_histogram *histogram)
{
	return histogram->count == 0 ? 0 : (double)histogram->sum / (double)histogram->count;
}
