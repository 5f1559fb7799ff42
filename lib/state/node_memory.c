/* SPDX-License-Identifier: BSD-3-Clause */
#include <assert.h>
#include <stdio.h>

#include <rte_common.h>
#include <rte_malloc.h>
#include <rte_memory.h>
#include <rte_ring_elem.h>

#include "base/log.h"
#include "state/node_memory.h"

static_assert(TP_NO_NODE == SOCKET_ID_ANY, "DPDK's word for the same");

static void tell(const char *what, size_t size, int node)
{
	tp_log(TP_LOG_WARNING,
		"%s: %zu bytes find no room on NUMA node %d, where they are used: they lie "
		"elsewhere, which is slower (turnpike plan tells what each node needs)",
		what, size, node);
}

void *tp_node_zalloc(const char *what, size_t size, int node)
{
	void *memory = rte_zmalloc_socket(what, size, RTE_CACHE_LINE_SIZE, node);

	if (memory != NULL || node == TP_NO_NODE)
		return memory;
	memory = rte_zmalloc_socket(what, size, RTE_CACHE_LINE_SIZE, TP_NO_NODE);
	if (memory != NULL)
		tell(what, size, node);
	return memory;
}

struct rte_ring *tp_node_ring(const char *what, unsigned size, unsigned count, int node)
{
	static unsigned serial; /* names of rings must differ */
	const unsigned flags = RING_F_SP_ENQ | RING_F_SC_DEQ;
	/* One more than it is to hold: a ring of DPDK holds one less than its size. */
	unsigned places = rte_align32pow2(count + 1);
	char name[RTE_RING_NAMESIZE];
	struct rte_ring *ring;

	snprintf(name, sizeof(name), "%s_%u", what, serial++);
	ring = rte_ring_create_elem(name, size, places, node, flags);
	if (ring != NULL || node == TP_NO_NODE)
		return ring;
	ring = rte_ring_create_elem(name, size, places, TP_NO_NODE, flags);
	if (ring != NULL)
		tell(what, (size_t)size * places, node);
	return ring;
}
