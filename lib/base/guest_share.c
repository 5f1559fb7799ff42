/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/guest_share.h"

/* Ours: libraries, stacks, the heap, huge pages. */
#define OWN_MAPPINGS 4096

/* Linux's default, for where it does not tell. */
#define MAPPINGS_MAX 65530

static uint64_t guests;
static uint32_t mappings_max;
/* Of what is for all: */
static uint64_t bytes_beyond;
static uint32_t mappings_beyond;

static uint32_t all_mappings(void)
{
	FILE *file;

	if (mappings_max > 0)
		return mappings_max;
	mappings_max = MAPPINGS_MAX;
	file = fopen("/proc/sys/vm/max_map_count", "re");
	if (file != NULL && fscanf(file, "%" SCNu32, &mappings_max) != 1)
		mappings_max = MAPPINGS_MAX;
	if (file != NULL)
		fclose(file);
	mappings_max = mappings_max > 2 * OWN_MAPPINGS ? mappings_max - OWN_MAPPINGS : OWN_MAPPINGS;
	return mappings_max;
}

void tp_guest_share_join(void)
{
	guests++;
}

void tp_guest_share_leave(void)
{
	guests--;
}

/* One share more than there are guests: while a guest's table is replaced it has two. */
uint64_t tp_guest_share_bytes(void)
{
	return guests == 0 ? 0 : TP_ALL_GUESTS_MEMORY_MAX / 2 / (guests + 1);
}

uint32_t tp_guest_share_regions(void)
{
	return guests == 0 ? 0 : (uint32_t)(all_mappings() / 2 / (guests + 1));
}

/* Without shares all is for all. */
static uint64_t bytes_for_all(void)
{
	return TP_ALL_GUESTS_MEMORY_MAX / (guests == 0 ? 1 : 2);
}

static uint32_t mappings_for_all(void)
{
	return all_mappings() / (tp_guest_share_regions() == 0 ? 1 : 2);
}

int tp_guest_share_take(uint64_t bytes_before, uint32_t regions_before, uint64_t bytes,
	struct tp_guest_charge *charge, struct tp_error *error)
{
	*charge = (struct tp_guest_charge){
		.bytes = bytes,
		.bytes_beyond = bytes_before + bytes > tp_guest_share_bytes(),
		.mapping_beyond = regions_before >= tp_guest_share_regions(),
	};
	if (charge->bytes_beyond && bytes_beyond + bytes > bytes_for_all())
		return tp_error_set(error, ENOMEM,
			"memory region: %" PRIu64 " bytes beside %" PRIu64
			" in other regions; more than the %" PRIu64
			" that each guest has for sure, and the %" PRIu64
			" TiB beyond are used up by other guests",
			bytes, bytes_before, tp_guest_share_bytes(), bytes_for_all() >> 40);
	if (charge->mapping_beyond && mappings_beyond >= mappings_for_all())
		return tp_error_set(error, ENOMEM,
			"memory region: number %" PRIu32 "; more than the %" PRIu32
			" that each guest has for sure, and the %" PRIu32
			" mappings beyond are used up by other guests (vm.max_map_count)",
			regions_before + 1, tp_guest_share_regions(), mappings_for_all());
	bytes_beyond += charge->bytes_beyond ? bytes : 0;
	mappings_beyond += charge->mapping_beyond;
	return 0;
}

void tp_guest_share_give(const struct tp_guest_charge *charge)
{
	bytes_beyond -= charge->bytes_beyond ? charge->bytes : 0;
	mappings_beyond -= charge->mapping_beyond;
}
