/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "base/branch.h"
#include "vring/chain.h"
#include "vring/view.h"
#include "vring/vring.h"

/*
 * What both sides of a split virtqueue (virtio 1.2, 2.7) share. The four verbs:
 *
 *   source (split_source.h):       peek -> ... -> complete
 *   destination (split_destination.h):  reserve -> ... -> publish
 *
 * peek and reserve read each available entry and each descriptor once, into private memory, and
 * write nothing. Only complete and publish write to the ring, and the index that makes the writes
 * visible goes last.
 */

/** Look for available entries beyond those known, in a ring that the caller alone uses. @return how
 * many are known now from `from` on. */
static inline uint16_t tp_split_available(struct tp_vring *ring, uint16_t from)
{
	/* acquire: partner is the guest's store of idx after it filled entries and descriptors */
	uint16_t index = __atomic_load_n(&ring->avail->idx, __ATOMIC_ACQUIRE);

	/* Neither further than the ring is long, nor back behind what was already seen. */
	if (TP_UNLIKELY((uint16_t)(index - ring->next_avail) > ring->size ||
			(uint16_t)(index - ring->next_avail) <
				(uint16_t)(ring->avail_seen - ring->next_avail))) {
		tp_vring_break(ring, TP_VRING_AVAIL_INDEX);
		return 0;
	}
	ring->avail_seen = index;
	return (uint16_t)(index - from);
}

static inline uint16_t tp_split_avail_entry(const struct tp_vring *ring, uint16_t index)
{
	return __atomic_load_n(&ring->avail->ring[index & (ring->size - 1)], __ATOMIC_RELAXED);
}

static inline void tp_split_write_used(
	struct tp_vring *ring, uint16_t index, uint16_t head, uint32_t length)
{
	struct vring_used_elem *element = &ring->used->ring[index & (ring->size - 1)];

	/* One store; the guest does not look before the index moves. */
	__atomic_store_n((uint64_t *)element, head | (uint64_t)length << 32, __ATOMIC_RELAXED);
}

static inline void tp_split_show_used(struct tp_vring *ring, uint16_t index)
{
	/* release: partner is the guest's load of idx before it reads entries and buffers */
	__atomic_store_n(&ring->used->idx, index, __ATOMIC_RELEASE);
}

/**
 * Does the guest want to be notified of what became used? The caller has put a full fence between
 * the last publish or complete and this (virtio 1.2, 2.7.7.2).
 * @param before  used index before
 * @param now     used index after
 */
static inline bool tp_split_call_wanted(const struct tp_vring *ring, uint16_t before, uint16_t now)
{
	if (ring->call_fd < 0)
		return false;
	if (ring->event_idx) {
		uint16_t event = __atomic_load_n(&ring->avail->ring[ring->size], __ATOMIC_RELAXED);

		return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
	}
	return !(__atomic_load_n(&ring->avail->flags, __ATOMIC_RELAXED) &
		 VRING_AVAIL_F_NO_INTERRUPT);
}
