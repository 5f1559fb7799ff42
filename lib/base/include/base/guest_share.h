/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/*
 * What guests' memory takes of this process, address space and mappings, and who may have how much
 * of it. Half of each is shared out among all guests that there can be: what is within a guest's
 * share it gets whatever the others have. The other half is for those that want more, first come,
 * first served. So a guest that takes all it can get keeps nobody from what everybody may have.
 *
 *   address space   64 TiB of the 128 TiB that a process has: a file takes it without being long
 *   mappings        what the kernel allows a process (vm.max_map_count), less our own
 */

#define TP_ALL_GUESTS_MEMORY_MAX (UINT64_C(64) << 40)

/** What a region was counted as, to be given back with it. */
struct tp_guest_charge {
	uint64_t bytes;
	bool bytes_beyond;   /* its guest's share: of what is for all */
	bool mapping_beyond; /* the same of the mapping */
};

/** There can be one guest more, or less. Threading: control thread, as all functions here. */
void tp_guest_share_join(void);
void tp_guest_share_leave(void);

/**
 * Take what one more region of a guest needs.
 *
 * @param bytes_before    of all regions that the guest has already
 * @param regions_before  their number
 * @param bytes           of the region
 * @param charge          filled in
 * @return 0, or -ENOMEM with *error saying whose share is used up.
 */
int tp_guest_share_take(uint64_t bytes_before, uint32_t regions_before, uint64_t bytes,
	struct tp_guest_charge *charge, struct tp_error *error);

/** Give it back. */
void tp_guest_share_give(const struct tp_guest_charge *charge);

/** What each guest can have for sure at the moment. */
uint64_t tp_guest_share_bytes(void);
uint32_t tp_guest_share_regions(void);
