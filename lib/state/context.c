/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <rte_common.h>
#include <rte_malloc.h>

#include "state/context.h"
#include "state/node_memory.h"

#define PLACES (TP_NODES_MAX + 1) /* one a node, and the last for "anywhere" */

struct tp_context_store {
	uint32_t count;
	struct tp_context **context; /* by interface */
	uint8_t *block[PLACES];      /* the contexts of each place, one after the other */
};

static size_t context_size(uint16_t pair_count)
{
	return sizeof(struct tp_context) + pair_count * sizeof(struct tp_ring_pair);
}

static size_t contexts_size(const uint16_t *pair_counts, uint32_t count)
{
	size_t size = 0;

	for (uint32_t i = 0; i < count; i++)
		size += context_size(pair_counts[i]);
	return size;
}

size_t tp_context_store_size(const uint16_t *pair_counts, uint32_t count)
{
	return sizeof(struct tp_context_store) + count * sizeof(struct tp_context *) +
	       contexts_size(pair_counts, count);
}

static void initialise(struct tp_context *context, uint16_t pair_count)
{
	context->pair_count = pair_count;
	for (uint16_t i = 0; i < pair_count; i++) {
		context->pair[i].tx.call_fd = -1;
		context->pair[i].rx.call_fd = -1;
	}
}

static unsigned place_of(const int *nodes, uint32_t index)
{
	if (nodes == NULL || nodes[index] < 0 || nodes[index] >= TP_NODES_MAX)
		return TP_NODES_MAX;
	return (unsigned)nodes[index];
}

static int make_blocks(
	struct tp_context_store *store, const uint16_t *pair_counts, const int *nodes)
{
	size_t size[PLACES] = {0};

	for (uint32_t i = 0; i < store->count; i++)
		size[place_of(nodes, i)] += context_size(pair_counts[i]);
	for (unsigned place = 0; place < PLACES; place++) {
		int node = place < TP_NODES_MAX ? (int)place : TP_NO_NODE;

		if (size[place] == 0)
			continue;
		store->block[place] = tp_node_zalloc("contexts", size[place], node);
		if (store->block[place] == NULL)
			return -ENOMEM;
	}
	return 0;
}

static void lay_out(struct tp_context_store *store, const uint16_t *pair_counts, const int *nodes)
{
	uint8_t *next[PLACES];

	memcpy(next, store->block, sizeof(next));
	for (uint32_t i = 0; i < store->count; i++) {
		unsigned place = place_of(nodes, i);

		store->context[i] = (struct tp_context *)next[place];
		initialise(store->context[i], pair_counts[i]);
		next[place] += context_size(pair_counts[i]);
	}
}

struct tp_context_store *tp_context_store_new(
	const uint16_t *pair_counts, uint32_t count, const int *nodes)
{
	struct tp_context_store *store = tp_node_zalloc("store", sizeof(*store), TP_NO_NODE);

	if (store == NULL)
		return NULL;
	store->count = count;
	store->context = tp_node_zalloc(
		"store index", RTE_MAX(count, 1u) * sizeof(store->context[0]), TP_NO_NODE);
	if (store->context == NULL || make_blocks(store, pair_counts, nodes) < 0) {
		tp_context_store_free(store);
		return NULL;
	}
	lay_out(store, pair_counts, nodes);
	return store;
}

void tp_context_store_free(struct tp_context_store *store)
{
	if (store == NULL)
		return;
	for (unsigned place = 0; place < PLACES; place++)
		rte_free(store->block[place]);
	rte_free(store->context);
	rte_free(store);
}

struct tp_context *tp_context_at(const struct tp_context_store *store, uint32_t index)
{
	return store->context[index];
}
