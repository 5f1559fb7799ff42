/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "vring/baton.h"
#include "vring/vring.h"

struct area {
	const char *name;
	uint64_t address; /* front-end user address */
	uint64_t size;    /* bytes */
	uint64_t alignment;
	uint8_t *host;
};

static int find_area(
	struct area *area, const struct tp_guest_memory *memory, struct tp_error *error)
{
	if (area->address % area->alignment != 0)
		return tp_error_set(error, EINVAL,
			"%s at 0x%" PRIx64 " is not aligned to %" PRIu64 " bytes", area->name,
			area->address, area->alignment);
	area->host = tp_guest_translate_user(memory, area->address, area->size);
	if (area->host == NULL)
		return tp_error_set(error, EINVAL,
			"%s at 0x%" PRIx64 " with %" PRIu64
			" bytes is not wholly inside one memory region",
			area->name, area->address, area->size);
	if ((uintptr_t)area->host % area->alignment != 0)
		return tp_error_set(error, EINVAL,
			"%s at 0x%" PRIx64 " lies at an unaligned offset of its memory file",
			area->name, area->address);
	return 0;
}

static bool areas_overlap(const struct area *a, const struct area *b)
{
	return a->address < b->address + b->size && b->address < a->address + a->size;
}

static int find_areas(
	struct area area[3], const struct tp_guest_memory *memory, struct tp_error *error)
{
	for (unsigned i = 0; i < 3; i++) {
		int result = find_area(&area[i], memory, error);

		if (result < 0)
			return result;
	}
	for (unsigned i = 0; i < 3; i++)
		if (areas_overlap(&area[i], &area[(i + 1) % 3]))
			return tp_error_set(error, EINVAL, "%s overlaps the %s", area[i].name,
				area[(i + 1) % 3].name);
	return 0;
}

/* virtio 1.2, 2.7.10: flags without the event index; with it, an event just passed comes again only
 * after 65,536 buffers. */
void tp_vring_suppress_kicks(struct tp_vring *ring)
{
	uint16_t *avail_event = (uint16_t *)&ring->used->ring[ring->size];

	__atomic_store_n(&ring->used->flags, VRING_USED_F_NO_NOTIFY, __ATOMIC_RELAXED);
	if (ring->event_idx)
		__atomic_store_n(avail_event, (uint16_t)(ring->next_avail - 1), __ATOMIC_RELAXED);
}

void tp_vring_ask_for_kicks(struct tp_vring *ring)
{
	uint16_t *avail_event = (uint16_t *)&ring->used->ring[ring->size];

	__atomic_store_n(&ring->used->flags, 0, __ATOMIC_RELAXED);
	if (ring->event_idx)
		__atomic_store_n(avail_event, ring->next_avail, __ATOMIC_RELAXED);
}

static void start_indices(struct tp_vring *ring)
{
	uint16_t used = __atomic_load_n(&ring->used->idx, __ATOMIC_RELAXED);

	ring->next_avail = used;
	ring->reserved = used;
	ring->avail_seen = used;
}

void tp_vring_share(struct tp_vring *ring, uint16_t *baton)
{
	memset(baton, 0, ring->size * sizeof(*baton));
	baton[ring->next_avail & (ring->size - 1)] = TP_BATON;
	ring->writers.reserved = ring->next_avail;
	ring->writers.published = ring->next_avail;
	ring->baton = baton;
}

int tp_vring_start(struct tp_vring *ring, const struct tp_vring_setup *setup,
	const struct tp_guest_memory *memory, struct tp_error *error)
{
	/* Sizes with the event words at the end: virtio 1.2, 2.7. */
	struct area area[3] = {
		{"descriptor table", setup->desc_address, 16 * (uint64_t)setup->size, 16, NULL},
		{"available ring", setup->avail_address, 6 + 2 * (uint64_t)setup->size, 2, NULL},
		{"used ring", setup->used_address, 6 + 8 * (uint64_t)setup->size, 4, NULL},
	};
	int result;

	if (setup->size < 2 || setup->size > 32768 || (setup->size & (setup->size - 1)) != 0)
		return tp_error_set(error, EINVAL,
			"ring size %u is not a power of two from 2 to 32768", setup->size);
	result = find_areas(area, memory, error);
	if (result < 0)
		return result;
	ring->desc = (const struct vring_desc *)area[0].host;
	ring->avail = (struct vring_avail *)area[1].host;
	ring->used = (struct vring_used *)area[2].host;
	ring->memory = memory;
	ring->size = setup->size;
	ring->event_idx = (setup->features & TP_FEATURE(VIRTIO_RING_F_EVENT_IDX)) != 0;
	ring->indirect = (setup->features & TP_FEATURE(VIRTIO_RING_F_INDIRECT_DESC)) != 0;
	ring->mergeable = (setup->features & TP_FEATURE(VIRTIO_NET_F_MRG_RXBUF)) != 0;
	ring->capacity = 0;
	ring->deaf_below = 0;
	ring->call_pending = false;
	ring->call_fd = setup->call_fd;
	tp_vring_break(ring, TP_VRING_SOUND);
	start_indices(ring);
	ring->baton = NULL;
	if (setup->baton != NULL)
		tp_vring_share(ring, setup->baton);
	tp_vring_suppress_kicks(ring);
	/* release: partner is the acquire load in tp_vring_running */
	atomic_store_explicit(&ring->running, true, memory_order_release);
	return 0;
}

uint16_t *tp_vring_unshare(struct tp_vring *ring)
{
	uint16_t *baton = ring->baton;

	ring->next_avail = (uint16_t)ring->writers.published;
	ring->reserved = ring->next_avail;
	ring->avail_seen = ring->next_avail;
	ring->baton = NULL;
	return baton;
}

void tp_vring_retire(struct tp_vring *ring)
{
	atomic_store_explicit(&ring->running, false, memory_order_release);
}

uint16_t tp_vring_stop(struct tp_vring *ring)
{
	if (ring->used != NULL)
		tp_vring_ask_for_kicks(ring);
	ring->desc = NULL;
	ring->avail = NULL;
	ring->used = NULL;
	ring->memory = NULL;
	ring->call_fd = -1;
	tp_vring_break(ring, TP_VRING_SOUND); /* the next guest begins anew */
	return ring->next_avail;
}

const char *tp_vring_fault_text(enum tp_vring_fault fault)
{
	static const char *const text[] = {[TP_VRING_SOUND] = NULL,
#define X(NAME, help) [TP_VRING_##NAME] = help,
		TP_VRING_FAULTS(X)
#undef X
	};

	return (unsigned)fault < sizeof(text) / sizeof(text[0]) ? text[fault] : NULL;
}
