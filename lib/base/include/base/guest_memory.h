/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Guest memory: an immutable table of mapped regions and the one checked translation through which
 * every guest address passes. A change makes a new table that shares the mappings of the old; the
 * old one is freed when no worker can still hold it.
 *
 *   guest address space      front-end's user addresses        this process
 *   [guest_address, +size)   [user_address, +size)             [host, +size)
 *
 * If the file behind a mapping shrinks, the fault guard (base/fault_guard.h) puts zero pages there
 * and marks the mapping condemned.
 */

/* What GET_MAX_MEM_SLOTS answers. QEMU with memory hot-plug uses one slot a DIMM; 32 holds any
 * ordinary guest and keeps a linear look-up short. */
#define TP_GUEST_REGIONS_MAX 32

/* A file may be of any length without taking memory, but what is mapped takes address space: so
 * much for a guest; base/guest_share.h has what all of them may have. */
#define TP_GUEST_MEMORY_MAX (UINT64_C(1) << 40)

/** One mapped file range, shared by tables. Control thread only, but for `condemned`. */
struct tp_guest_mapping;

struct tp_guest_region {
	uint64_t guest_address; /* guest physical address of the first byte */
	uint64_t size;          /* bytes */
	uint8_t *host;          /* where the first byte is in this process */
	uint64_t user_address;  /* the front-end's own address of the first byte */
	struct tp_guest_mapping *mapping;
};

struct tp_guest_memory {
	uint32_t count;
	/* No two overlap in guest or user addresses; an empty table has one of size 0 all the same.
	 */
	struct tp_guest_region region[];
};

/** A region as a front-end describes it (vhost-user "memory region description"). */
struct tp_guest_region_request {
	uint64_t guest_address;
	uint64_t size;
	uint64_t user_address;
	uint64_t mmap_offset;
};

/**
 * Make a table: that of `old` plus one region.
 *
 * @param old      table to extend, unchanged; NULL for none
 * @param request  the region; size 0, wrapping sums, an overlap with a region of `old`, more than
 *                 TP_GUEST_REGIONS_MAX regions, more than TP_GUEST_MEMORY_MAX bytes in the table,
 * more than base/guest_share.h allows beside other guests, or a file shorter than offset + size are
 * refused
 * @param fd       regular file, memfd or hugetlbfs file open for reading and writing; not closed
 * here
 * @param error    says what was found and what is right
 * @return the new table, or NULL. Threading: control thread.
 */
struct tp_guest_memory *tp_guest_memory_add(const struct tp_guest_memory *old,
	const struct tp_guest_region_request *request, int fd, struct tp_error *error);

/**
 * Make a table: that of `old` less the region with this guest address, user address and size.
 * @return the new table (perhaps with no region), or NULL with *error set when there is no such
 * region. Threading: control thread.
 */
struct tp_guest_memory *tp_guest_memory_remove(const struct tp_guest_memory *old,
	const struct tp_guest_region_request *request, struct tp_error *error);

/**
 * Free a table; a mapping is unmapped with the last table that names it. NULL is allowed.
 * The caller has made sure that no worker still uses it. Threading: control thread.
 */
void tp_guest_memory_free(struct tp_guest_memory *memory);

/** Has a file behind this table shrunk under us? Threading: any. */
bool tp_guest_memory_condemned(const struct tp_guest_memory *memory);

/**
 * Translate a guest physical range.
 *
 * @param address  guest physical address of the first byte
 * @param length   bytes; 0 is a legal length of an address inside a region
 * @return pointer to the first byte, or NULL if the range is not wholly inside one region.
 * Threading: any; the table is immutable.
 */
static inline uint8_t *tp_guest_translate(
	const struct tp_guest_memory *memory, uint64_t address, uint64_t length)
{
	const struct tp_guest_region *region = memory->region;

	/* Most guests have one region that matters, and there is always a first one. */
	do {
		uint64_t offset = address - region->guest_address;

		if (__builtin_expect(offset < region->size && length <= region->size - offset, 1))
			return region->host + offset;
	} while (++region < memory->region + memory->count);
	return NULL;
}

/** The same for an address of the front-end's own (ring addresses in SET_VRING_ADDR). */
static inline uint8_t *tp_guest_translate_user(
	const struct tp_guest_memory *memory, uint64_t address, uint64_t length)
{
	for (uint32_t i = 0; i < memory->count; i++) {
		const struct tp_guest_region *region = &memory->region[i];
		uint64_t offset = address - region->user_address;

		if (offset < region->size && length <= region->size - offset)
			return region->host + offset;
	}
	return NULL;
}
