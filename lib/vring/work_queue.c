/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "vring/work_queue.h"

#define ATTEMPTS 4 /* in a row, while other producers are faster */

int tp_work_queue_init(struct tp_work_queue *queue, uint32_t size, void **entry, uint16_t *baton)
{
	if (size < 2 || size > 32768 || (size & (size - 1)) != 0)
		return -EINVAL;
	*queue = (struct tp_work_queue){.size = size, .entry = entry, .baton = baton};
	memset(baton, 0, size * sizeof(*baton));
	baton[0] = TP_BATON;
	return 0;
}

/* What a bidder gets while so much is free. */
static enum tp_work judge(const struct tp_work_queue *queue, uint32_t free, uint32_t wanted,
	uint32_t threshold, struct tp_work_offer *offer)
{
	uint32_t floor = tp_price_floor(queue->size, threshold);

	offer->count = 0;
	offer->price = UINT32_MAX;
	if (free == 0)
		return TP_WORK_FULL;
	offer->price = tp_price(queue->size, free);
	if (free < floor)
		return TP_WORK_TOO_DEAR;
	offer->count = free - floor + 1 < wanted ? free - floor + 1 : wanted;
	return TP_WORK_ACCEPTED;
}

enum tp_work tp_work_queue_reserve(struct tp_work_queue *queue, uint32_t wanted, uint32_t threshold,
	struct tp_work_offer *offer)
{
	for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++) {
		uint64_t reserved = __atomic_load_n(&queue->reserved, __ATOMIC_RELAXED);
		/* acquire: partner is the release in tp_work_queue_take, whose entries are free */
		uint64_t taken = __atomic_load_n(&queue->taken, __ATOMIC_ACQUIRE);
		enum tp_work result;

		/* An old value of `reserved` beside a new one of `taken`. */
		if (TP_UNLIKELY(taken > reserved))
			continue;
		result = judge(queue, queue->size - (uint32_t)(reserved - taken), wanted, threshold,
			offer);
		if (result != TP_WORK_ACCEPTED)
			return result;
		offer->first = reserved;
		if (__atomic_compare_exchange_n(&queue->reserved, &reserved,
			    reserved + offer->count, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return TP_WORK_ACCEPTED;
	}
	offer->count = 0;
	return TP_WORK_OVERTAKEN;
}

void tp_work_queue_publish(struct tp_work_queue *queue, const struct tp_work_offer *offer)
{
	uint64_t mask = queue->size - 1;
	uint64_t published = offer->first;
	uint16_t next = (uint16_t)offer->count;

	if (!tp_baton_finish(&queue->baton[published & mask], next))
		return;
	do {
		tp_baton_clear(&queue->baton[published & mask]);
		published += next;
		/* release: partner is the acquire load in tp_work_queue_take */
		__atomic_store_n(&queue->published, published, __ATOMIC_RELEASE);
		next = tp_baton_pass(&queue->baton[published & mask]);
	} while (next != 0);
}

uint32_t tp_work_queue_take(struct tp_work_queue *queue, void **work, uint32_t most)
{
	uint64_t taken = queue->taken;
	/* acquire: partner is the release store in tp_work_queue_publish */
	uint64_t published = __atomic_load_n(&queue->published, __ATOMIC_ACQUIRE);
	uint32_t count = published - taken < most ? (uint32_t)(published - taken) : most;

	for (uint32_t i = 0; i < count; i++)
		work[i] = queue->entry[(taken + i) & (queue->size - 1)];
	/* release: partner is the acquire load of a producer that uses the entries anew */
	__atomic_store_n(&queue->taken, taken + count, __ATOMIC_RELEASE);
	return count;
}
