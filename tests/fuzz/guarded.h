/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include "input.h"

/**
 * Memory between two pages that nobody may touch, as vector instructions and other threads notice,
 * too.
 * @param size  bytes, a multiple of the page size
 */
static inline uint8_t *guarded_new(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *base = mmap(NULL, size + 2 * page, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	EXPECT(base != MAP_FAILED && size % page == 0);
	EXPECT(mprotect(base + page, size, PROT_READ | PROT_WRITE) == 0);
	return base + page;
}
