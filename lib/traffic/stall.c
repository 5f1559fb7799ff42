/* SPDX-License-Identifier: BSD-3-Clause */
#include "traffic/stall.h"

void tp_stall_init(struct tp_stall *stall, double hz, unsigned threshold_us, uint64_t now)
{
	*stall = (struct tp_stall){.last = now, .threshold = (uint64_t)(hz * threshold_us / 1e6)};
}
