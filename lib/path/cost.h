/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "state/snapshot.h"

/*
 * cost: what frames are worth at price 1, in credits. Workers' time is shared out by it.
 */

/** 64 bytes begun. */
static inline uint32_t tp_blocks(uint32_t length)
{
	return (length + 63) / 64;
}

/**
 * @param frames  how many
 * @param blocks  the sum of their tp_blocks
 */
static inline uint64_t tp_cost(const struct tp_tariff *tariff, uint64_t frames, uint64_t blocks)
{
	return frames * tariff->per_frame + blocks * tariff->per_64_bytes;
}
