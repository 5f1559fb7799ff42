/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "base/guest_memory.h"
#include "vring/vring.h"

/**
 * The NUMA node on which most of a guest's memory lies, as far as it can be seen: at the ring's
 * three areas and at some places of each region, where they were touched already.
 * @param ring  started
 * @return that node, or TP_NO_NODE. Threading: control thread.
 */
int tp_memory_node(const struct tp_guest_memory *memory, const struct tp_vring *ring);
