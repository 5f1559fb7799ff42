/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_cycles.h>

#include "hot_ring.h"

/*
 * Guests that never kick: those known as such are looked at once in a while, and so are all cold
 * rings, more rarely, to find them.
 */

#define ROUND_NS        UINT64_C(1000000000) /* of the search through all rings */
#define UNKICKED_ENOUGH 3                    /* finds without a kick in between: it never kicks */

static bool waiting(const struct tp_ring_pair *ring)
{
	return __atomic_load_n(&ring->tx.avail->idx, __ATOMIC_RELAXED) != ring->tx.next_avail;
}

void tp_hot_list_silent(struct tp_hot *hot, const struct tp_poll *poll, struct tp_ring_pair *ring)
{
	/* A place for each ring; one that stopped while the worker slept may stand there twice. */
	if (ring->listed || hot->silent_count > hot->queue.mask)
		return;
	ring->listed = true;
	hot->silent[hot->silent_count++] =
		(struct tp_ring_id){.interface = poll->interface, .pair = (uint8_t)poll->pair};
}

static void look_at_silent(struct tp_worker *worker)
{
	struct tp_hot *hot = &worker->hot;

	for (uint32_t i = 0; i < hot->silent_count;) {
		struct tp_poll poll;
		struct tp_ring_pair *ring = tp_hot_find(worker, &hot->silent[i], &poll);
		bool ours = ring != NULL && tp_vring_running(&ring->tx);
		bool cold =
			ours && tp_hot_silent(ring) && tp_hot_residence(ring) == TP_RESIDENCE_COLD;

		if (cold && !waiting(ring)) {
			i++;
			continue;
		}
		if (cold)
			tp_hot_enqueue(hot, &poll, ring);
		if (ours)
			ring->listed = false;
		hot->silent[i] = hot->silent[--hot->silent_count];
	}
}

/* A cold ring with frames whose guest did not kick. Once may be a kick on its way. */
static void look_at_cold(
	struct tp_worker *worker, const struct tp_poll *poll, struct tp_ring_pair *ring)
{
	if (!tp_vring_running(&ring->tx) || tp_hot_residence(ring) != TP_RESIDENCE_COLD ||
		ring->queued || ring->listed || !waiting(ring))
		return;
	if (++ring->unkicked >= UNKICKED_ENOUGH)
		atomic_store_explicit(&ring->silent, true, memory_order_relaxed);
	tp_hot_enqueue(&worker->hot, poll, ring);
}

void tp_hot_look_around(struct tp_worker *worker)
{
	struct tp_hot *hot = &worker->hot;
	uint32_t interfaces = worker->snapshot->interface_count;
	uint64_t elapsed = hot->now - hot->looked_at;
	uint64_t share;

	if (!hot->caching || elapsed < hot->look_every || interfaces == 0)
		return;
	hot->looked_at = hot->now;
	look_at_silent(worker);
	share = 1 + (uint64_t)((double)elapsed / (double)(ROUND_NS / 1e9 * rte_get_tsc_hz()) *
			       interfaces);
	for (uint64_t n = 0; n < share && n < interfaces; n++) {
		uint32_t interface = hot->cursor++ % interfaces;
		struct tp_context *context = worker->snapshot->interfaces[interface].context;

		for (uint32_t pair = 0; context != NULL && pair < context->pair_count; pair++) {
			const struct tp_poll poll = {context, interface, pair};
			struct tp_ring_pair *ring = &context->pair[pair];

			if (atomic_load_explicit(&ring->worker, memory_order_acquire) ==
				worker->index)
				look_at_cold(worker, &poll, ring);
		}
	}
}
