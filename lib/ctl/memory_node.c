/* SPDX-License-Identifier: BSD-3-Clause */
#include "memory_node.h"

#include "base/node.h"

/* Of all regions together, beside the ring's areas: more of them take the kernel longer. */
#define PLACES 16

static unsigned add_region(
	void **pages, unsigned count, const struct tp_guest_region *region, unsigned places)
{
	for (unsigned i = 0; i < places; i++)
		pages[count++] = region->host + region->size / places * i;
	return count;
}

int tp_memory_node(const struct tp_guest_memory *memory, const struct tp_vring *ring)
{
	void *pages[3 + PLACES] = {(void *)ring->desc, ring->avail, ring->used};
	uint32_t regions = memory->count < PLACES ? memory->count : PLACES;
	unsigned count = 3;

	for (uint32_t i = 0; i < regions; i++)
		count = add_region(pages, count, &memory->region[i], PLACES / regions);
	return tp_node_of_pages(pages, count);
}
