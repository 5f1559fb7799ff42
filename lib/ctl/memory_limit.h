/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

/**
 * What the memory cgroups of this process (version 1 or 2, it and those above) allow it.
 *
 * A page counts for whoever touches it first: a guest's page to which the switch delivers the first
 * frame counts for the switch. So such a limit is in the hands of guests, and where it is reached
 * the kernel kills.
 *
 * @return bytes, or UINT64_MAX: no limit, or none that can be read. Threading: any.
 */
uint64_t tp_memory_limit(void);
