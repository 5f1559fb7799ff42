/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <rte_common.h>
#include <rte_malloc.h>

#include "state/node_memory.h"
#include "wheel.h"

#define NONE       UINT32_MAX
#define LEVEL_BITS 8 /* 2^8 slots */
#define TICK_NS    1000

static_assert(TP_WHEEL_SLOTS == 1 << LEVEL_BITS, "a level has 2^8 slots");

static unsigned tick_shift(uint64_t tsc_hz)
{
	unsigned shift = 0;

	while ((UINT64_C(1) << shift) < tsc_hz / (UINT64_C(1000000000) / TICK_NS))
		shift++;
	return shift;
}

int tp_wheel_open(struct tp_wheel *wheel, uint32_t rings, uint64_t tsc_hz, int node)
{
	*wheel = (struct tp_wheel){
		.free = rings > 0 ? 0 : NONE,
		.ready = NONE,
		.ready_last = NONE,
		.shift = tick_shift(tsc_hz),
	};
	memset(wheel->slot, 0xff, sizeof(wheel->slot)); /* NONE */
	wheel->node =
		tp_node_zalloc("timing wheel", RTE_MAX(rings, 1u) * sizeof(wheel->node[0]), node);
	if (wheel->node == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < rings; i++)
		wheel->node[i].next = i + 1 < rings ? i + 1 : NONE;
	return 0;
}

void tp_wheel_close(struct tp_wheel *wheel)
{
	rte_free(wheel->node);
	*wheel = (struct tp_wheel){0};
}

static uint64_t tick_of(const struct tp_wheel *wheel, uint64_t due)
{
	return (due >> wheel->shift) + 1;
}

static void mark(struct tp_wheel *wheel, unsigned level, unsigned slot, bool used)
{
	uint64_t bit = UINT64_C(1) << slot % 64;

	if (used)
		wheel->used[level][slot / 64] |= bit;
	else
		wheel->used[level][slot / 64] &= ~bit;
}

/* Put a node into the slot that is gone through at its tick, or on the way there. */
static void place(struct tp_wheel *wheel, uint32_t index)
{
	uint64_t tick = tick_of(wheel, wheel->node[index].due);
	uint64_t distance = tick > wheel->tick ? tick - wheel->tick : 0;
	unsigned level = 0;
	unsigned slot;

	if (distance >> LEVEL_BITS * TP_WHEEL_LEVELS != 0)
		distance = (UINT64_C(1) << LEVEL_BITS * TP_WHEEL_LEVELS) - 1;
	while (distance >> LEVEL_BITS * (level + 1) != 0)
		level++;
	slot = (wheel->tick + distance) >> LEVEL_BITS * level & (TP_WHEEL_SLOTS - 1);
	wheel->node[index].next = wheel->slot[level][slot];
	wheel->slot[level][slot] = index;
	mark(wheel, level, slot, true);
}

bool tp_wheel_add(struct tp_wheel *wheel, const struct tp_ring_id *id, uint64_t due, uint64_t now)
{
	uint32_t index = wheel->free;

	if (index == NONE)
		return false;
	if (wheel->count == 0)
		wheel->tick = now >> wheel->shift;
	wheel->free = wheel->node[index].next;
	/* What is due in a tick that was gone through already comes in the next one. */
	if (tick_of(wheel, due) <= wheel->tick)
		due = wheel->tick << wheel->shift;
	wheel->node[index].id = *id;
	wheel->node[index].due = due;
	place(wheel, index);
	wheel->count++;
	return true;
}

/* Empty a slot. @return what was in it. */
static uint32_t empty(struct tp_wheel *wheel, unsigned level, unsigned slot)
{
	uint32_t first = wheel->slot[level][slot];

	wheel->slot[level][slot] = NONE;
	mark(wheel, level, slot, false);
	return first;
}

static void append_ready(struct tp_wheel *wheel, uint32_t index)
{
	wheel->node[index].next = NONE;
	if (wheel->ready == NONE)
		wheel->ready = index;
	else
		wheel->node[wheel->ready_last].next = index;
	wheel->ready_last = index;
}

/* A tick at which the slots of upper levels begin: what they hold comes nearer. */
static void cascade(struct tp_wheel *wheel)
{
	for (unsigned level = 1; level < TP_WHEEL_LEVELS; level++) {
		unsigned slot = wheel->tick >> LEVEL_BITS * level & (TP_WHEEL_SLOTS - 1);
		uint32_t index = empty(wheel, level, slot);

		while (index != NONE) {
			uint32_t next = wheel->node[index].next;

			place(wheel, index);
			index = next;
		}
		if (slot != 0)
			return;
	}
}

/* Slots from `from` on, round the level. @return how far the first used one is, or TP_WHEEL_SLOTS.
 */
static unsigned find_used(const struct tp_wheel *wheel, unsigned level, unsigned from)
{
	const uint64_t *used = wheel->used[level];
	unsigned distance = 0;

	while (distance < TP_WHEEL_SLOTS) {
		unsigned slot = (from + distance) % TP_WHEEL_SLOTS;
		uint64_t bits = used[slot / 64] >> slot % 64;

		if (bits != 0) {
			distance += (unsigned)__builtin_ctzll(bits);
			return distance < TP_WHEEL_SLOTS ? distance : TP_WHEEL_SLOTS;
		}
		distance += 64 - slot % 64;
	}
	return TP_WHEEL_SLOTS;
}

/* The next tick at which a slot begins that has any nodes. */
static uint64_t next_used_tick(const struct tp_wheel *wheel)
{
	uint64_t next = UINT64_MAX;

	for (unsigned level = 0; level < TP_WHEEL_LEVELS; level++) {
		uint64_t now = (wheel->tick >> LEVEL_BITS * level) + 1;
		unsigned distance = find_used(wheel, level, (unsigned)(now % TP_WHEEL_SLOTS));
		uint64_t tick = (now + distance) << LEVEL_BITS * level;

		if (distance < TP_WHEEL_SLOTS && tick < next)
			next = tick;
	}
	return next;
}

static void go_through_tick(struct tp_wheel *wheel)
{
	uint32_t index;

	if (wheel->tick % TP_WHEEL_SLOTS == 0)
		cascade(wheel);
	index = empty(wheel, 0, wheel->tick % TP_WHEEL_SLOTS);
	while (index != NONE) {
		uint32_t next = wheel->node[index].next;

		append_ready(wheel, index);
		index = next;
	}
}

bool tp_wheel_take(struct tp_wheel *wheel, uint64_t now, struct tp_ring_id *id)
{
	uint64_t last = now >> wheel->shift;
	uint32_t index;

	if (wheel->count == 0)
		return false;
	while (wheel->ready == NONE && wheel->tick < last) {
		uint64_t next = next_used_tick(wheel);

		wheel->tick = next < last ? next : last;
		go_through_tick(wheel);
	}
	index = wheel->ready;
	if (index == NONE)
		return false;
	*id = wheel->node[index].id;
	wheel->ready = wheel->node[index].next;
	wheel->node[index].next = wheel->free;
	wheel->free = index;
	wheel->count--;
	return true;
}

uint64_t tp_wheel_next(const struct tp_wheel *wheel)
{
	if (wheel->count == 0)
		return UINT64_MAX;
	return wheel->ready == NONE ? next_used_tick(wheel) << wheel->shift : 0;
}

/* The nodes of a list that are not gone. @return its new head. */
static uint32_t sift(struct tp_wheel *wheel, uint32_t index, uint32_t *last,
	bool (*gone)(const void *owner, const struct tp_ring_id *id), const void *owner)
{
	uint32_t first = NONE;

	*last = NONE;
	while (index != NONE) {
		struct tp_wheel_node *node = &wheel->node[index];
		uint32_t next = node->next;

		if (gone(owner, &node->id)) {
			node->next = wheel->free;
			wheel->free = index;
			wheel->count--;
		} else {
			node->next = NONE;
			if (*last == NONE)
				first = index;
			else
				wheel->node[*last].next = index;
			*last = index;
		}
		index = next;
	}
	return first;
}

void tp_wheel_purge(struct tp_wheel *wheel,
	bool (*gone)(const void *owner, const struct tp_ring_id *id), const void *owner)
{
	uint32_t last;

	if (wheel->count == 0)
		return;
	wheel->ready = sift(wheel, wheel->ready, &wheel->ready_last, gone, owner);
	for (unsigned level = 0; level < TP_WHEEL_LEVELS; level++)
		for (unsigned slot = 0; slot < TP_WHEEL_SLOTS; slot++) {
			wheel->slot[level][slot] =
				sift(wheel, wheel->slot[level][slot], &last, gone, owner);
			mark(wheel, level, slot, wheel->slot[level][slot] != NONE);
		}
}
