/* SPDX-License-Identifier: BSD-3-Clause */
#include <numa.h>
#include <numaif.h>
#include <stdbool.h>

#include "base/node.h"

/* numa(3), move_pages(2), set_mempolicy(2). */

static bool known(int node)
{
	return node >= 0 && node < TP_NODES_MAX;
}

unsigned tp_node_count(void)
{
	int most = numa_available() < 0 ? 0 : numa_max_node();

	return known(most) ? (unsigned)most + 1 : TP_NODES_MAX;
}

int tp_node_of_cpu(int cpu)
{
	int node = numa_available() < 0 ? TP_NO_NODE : numa_node_of_cpu(cpu);

	return known(node) ? node : TP_NO_NODE;
}

int tp_node_of_pages(void *const *pages, unsigned count)
{
	uint32_t on_node[TP_NODES_MAX] = {0};
	int status[TP_NODE_PAGES_MAX];

	if (count > TP_NODE_PAGES_MAX)
		count = TP_NODE_PAGES_MAX;
	/* Without nodes to move them to, it only tells where they are. */
	if (move_pages(0, count, (void **)pages, NULL, status, 0) < 0)
		return TP_NO_NODE;
	for (unsigned i = 0; i < count; i++)
		if (known(status[i]))
			on_node[status[i]]++;
	return tp_node_majority(on_node);
}

int tp_node_majority(const uint32_t on_node[TP_NODES_MAX])
{
	uint64_t all = 0;
	int most = 0;

	for (int node = 0; node < TP_NODES_MAX; node++) {
		all += on_node[node];
		if (on_node[node] > on_node[most])
			most = node;
	}
	return 2 * (uint64_t)on_node[most] > all ? most : TP_NO_NODE;
}

void tp_node_prefer(int node, struct tp_node_policy *before)
{
	const unsigned long nodes = known(node) ? 1ul << node : 0;

	before->mode = -1;
	if (!known(node) || tp_node_count() == 1 ||
		get_mempolicy(&before->mode, before->nodes, 8 * sizeof(before->nodes), NULL, 0) < 0)
		return;
	/* The kernel looks at one bit less than it is told. */
	if (set_mempolicy(MPOL_PREFERRED, &nodes, 8 * sizeof(nodes) + 1) < 0)
		before->mode = -1;
}

void tp_node_restore(const struct tp_node_policy *before)
{
	if (before->mode >= 0)
		set_mempolicy(before->mode, before->nodes, 8 * sizeof(before->nodes));
}
