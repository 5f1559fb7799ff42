/* SPDX-License-Identifier: BSD-3-Clause */
#include "hot_ring.h"

/* Rings that wait until the rate of their interface pays for a frame. */

bool tp_hot_wait(struct tp_worker *worker, uint32_t index, uint64_t due)
{
	struct tp_hot *hot = &worker->hot;
	const struct tp_hot_entry *entry = &hot->table.entry[index];
	const struct tp_ring_id id = {
		.interface = entry->poll.interface,
		.pair = (uint8_t)entry->poll.pair,
		.generation = entry->generation,
	};

	if (!tp_wheel_add(&hot->wheel, &id, due, hot->now))
		return false;
	tp_counter_add(&tp_hot_counters(worker, &entry->poll)->waits, 1);
	tp_hot_move(entry->ring, TP_RESIDENCE_WAITING);
	tp_hot_remove(&hot->table, index);
	return true;
}

/* What it is marked as is control's if it has stopped, which may have started it anew. */
static struct tp_ring_pair *find_waiting(
	const struct tp_worker *worker, const struct tp_ring_id *id, struct tp_poll *poll)
{
	struct tp_ring_pair *ring = tp_hot_find(worker, id, poll);

	if (ring == NULL || !atomic_load_explicit(&ring->tx.running, memory_order_acquire) ||
		tp_hot_generation(ring) != id->generation)
		return NULL;
	return ring;
}

void tp_hot_come_back(struct tp_worker *worker)
{
	struct tp_hot *hot = &worker->hot;
	struct tp_ring_id id;

	while (tp_wheel_take(&hot->wheel, hot->now, &id)) {
		struct tp_poll poll;
		struct tp_ring_pair *ring = find_waiting(worker, &id, &poll);

		if (ring != NULL)
			tp_hot_enqueue(hot, &poll, ring);
	}
}

static bool gone(const void *owner, const struct tp_ring_id *id)
{
	struct tp_poll poll;

	return find_waiting(owner, id, &poll) == NULL;
}

void tp_hot_purge_waiting(struct tp_worker *worker)
{
	tp_wheel_purge(&worker->hot.wheel, gone, worker);
}
