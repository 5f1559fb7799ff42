/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>

#include "base/node.h"

/*
 * Memory of the EAL's heap on the NUMA node where it is used. A node that has no room is no error:
 * from another node it is slower, without it nothing would work. The log tells of it.
 */

struct rte_ring;

/**
 * Zeroed memory, aligned to a cache line.
 * @param what  for people
 * @param size  bytes; 0 is a mistake
 * @param node  TP_NO_NODE: anywhere
 * @return to be freed with rte_free, or NULL: no node has room. Threading: control thread.
 */
void *tp_node_zalloc(const char *what, size_t size, int node);

/**
 * A ring for one thread at each end, with room for `count` elements of `size` bytes; its name is
 * made of `what` and a number.
 * @return to be freed with rte_ring_free, or NULL. Threading: control thread.
 */
struct rte_ring *tp_node_ring(const char *what, unsigned size, unsigned count, int node);
