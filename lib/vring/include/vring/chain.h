/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <string.h>

#include "base/branch.h"
#include "vring/view.h"
#include "vring/vring.h"

/*
 * Descriptor chains of a split virtqueue, read once, within bounds, every address translated
 * (virtio 1.2, 2.7.5). Threading: the ring's worker.
 */

/** A private copy of a descriptor in a ring's own table. Two loads, and the guest's copy is not
 * read again. */
static inline struct vring_desc tp_desc_read(const struct vring_desc *shared)
{
	union {
		uint64_t word[2];
		struct vring_desc desc;
	} copy;

	copy.word[0] = __atomic_load_n(&((const uint64_t *)shared)[0], __ATOMIC_RELAXED);
	copy.word[1] = __atomic_load_n(&((const uint64_t *)shared)[1], __ATOMIC_RELAXED);
	return copy.desc;
}

/** Where a walk along a descriptor chain is. */
struct tp_chain {
	const struct tp_vring *ring;
	const uint8_t *table; /* the ring's table, or an indirect one (of any alignment) */
	uint32_t entries;     /* in `table` */
	uint32_t steps;       /* descriptors that may still be read */
	uint32_t next;        /* index of the descriptor to read */
	bool in_indirect;
	bool ended;
};

static inline struct tp_chain tp_chain_begin(const struct tp_vring *ring, uint16_t head)
{
	return (struct tp_chain){
		.ring = ring,
		.table = (const uint8_t *)ring->desc,
		.entries = ring->size,
		.steps = ring->size,
		.next = head,
	};
}

/* An indirect table: virtio 1.2, 2.7.5.3. It takes the place of the rest of the chain. */
static inline enum tp_drop tp_chain_enter_indirect(
	struct tp_chain *chain, const struct vring_desc *desc)
{
	if (!chain->ring->indirect || chain->in_indirect || (desc->flags & VRING_DESC_F_NEXT) ||
		desc->len == 0 || desc->len % sizeof(struct vring_desc) != 0 ||
		desc->len / sizeof(struct vring_desc) > chain->ring->size)
		return TP_DROP_BAD_DESCRIPTOR;
	chain->table = tp_guest_translate(chain->ring->memory, desc->addr, desc->len);
	if (chain->table == NULL)
		return TP_DROP_BAD_ADDRESS;
	chain->entries = desc->len / sizeof(struct vring_desc);
	chain->steps = chain->entries;
	chain->next = 0;
	chain->in_indirect = true;
	return TP_DROP_NONE;
}

/**
 * Read the next buffer of a chain, following `next` and indirect tables within bounds.
 * @param piece  the buffer, translated
 * @param write  VRING_DESC_F_WRITE if the device may write it, else 0: what the direction asks for
 * @return TP_DROP_NONE, or what is wrong. After the last buffer chain->ended is set.
 */
static inline enum tp_drop tp_chain_step(
	struct tp_chain *chain, struct tp_piece *piece, uint16_t write)
{
	struct vring_desc desc;

	for (;;) {
		enum tp_drop wrong;

		if (chain->next >= chain->entries || chain->steps-- == 0)
			return TP_DROP_BAD_CHAIN;
		memcpy(&desc, chain->table + chain->next * sizeof(desc), sizeof(desc));
		__asm__ volatile(
			"" ::
				: "memory"); /* what follows uses this copy, not the guest's */
		if (!(desc.flags & VRING_DESC_F_INDIRECT))
			break;
		wrong = tp_chain_enter_indirect(chain, &desc);
		if (wrong != TP_DROP_NONE)
			return wrong;
	}
	if ((desc.flags & VRING_DESC_F_WRITE) != write || desc.len == 0)
		return TP_DROP_BAD_DESCRIPTOR;
	piece->data = tp_guest_translate(chain->ring->memory, desc.addr, desc.len);
	piece->length = desc.len;
	if (piece->data == NULL)
		return TP_DROP_BAD_ADDRESS;
	chain->next = desc.next;
	chain->ended = !(desc.flags & VRING_DESC_F_NEXT);
	return TP_DROP_NONE;
}
