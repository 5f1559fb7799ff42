/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_malloc.h>

#include "state/context.h"
#include "state/node_memory.h"

#define PLACES        (TP_NODES_MAX + 1) /* one a node, and the last for "anywhere" */
#define PAIRS_MAX     8                  /* of an interface that comes later */
#define CHUNK         32                 /* contexts that are made at a time for those */
#define INDEX_AT_ONCE 1024               /* places that the index grows by, at least */

/* A context that nobody has. */
struct spare {
	struct spare *next;
};

/* Contexts that were made at once, one after the other. */
struct block {
	struct block *next;
	uint8_t *memory;
};

struct tp_context_store {
	uint32_t count;                             /* places of the index */
	struct tp_context **context;                /* by place */
	uint8_t *node_of;                           /* of each context, as place_of gives it */
	uint8_t *block[PLACES];                     /* the first contexts of each node */
	struct block *more;                         /* those of later ones */
	struct spare *spare[PLACES][PAIRS_MAX + 1]; /* by node and queue pairs */
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

static unsigned place_of_node(int node)
{
	return node < 0 || node >= TP_NODES_MAX ? TP_NODES_MAX : (unsigned)node;
}

static int node_of_place(unsigned place)
{
	return place < TP_NODES_MAX ? (int)place : TP_NO_NODE;
}

static unsigned place_of(const int *nodes, uint32_t index)
{
	return nodes == NULL ? TP_NODES_MAX : place_of_node(nodes[index]);
}

static int make_blocks(
	struct tp_context_store *store, const uint16_t *pair_counts, const int *nodes)
{
	size_t size[PLACES] = {0};

	for (uint32_t i = 0; i < store->count; i++)
		size[place_of(nodes, i)] += context_size(pair_counts[i]);
	for (unsigned place = 0; place < PLACES; place++) {
		if (size[place] == 0)
			continue;
		store->block[place] = tp_node_zalloc("contexts", size[place], node_of_place(place));
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
		store->node_of[i] = (uint8_t)place;
		initialise(store->context[i], pair_counts[i]);
		next[place] += context_size(pair_counts[i]);
	}
}

static int grow_index(struct tp_context_store *store, uint32_t count)
{
	struct tp_context **context = realloc(store->context, (count + 1ul) * sizeof(*context));
	uint8_t *node_of;

	if (context == NULL)
		return -ENOMEM;
	store->context = context;
	node_of = realloc(store->node_of, count + 1ul);
	if (node_of == NULL)
		return -ENOMEM;
	store->node_of = node_of;
	for (uint32_t i = store->count; i < count; i++)
		store->context[i] = NULL;
	store->count = count;
	return 0;
}

struct tp_context_store *tp_context_store_new(
	const uint16_t *pair_counts, uint32_t count, const int *nodes)
{
	struct tp_context_store *store = calloc(1, sizeof(*store));

	if (store == NULL)
		return NULL;
	if (grow_index(store, count) < 0 || make_blocks(store, pair_counts, nodes) < 0) {
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
	while (store->more != NULL) {
		struct block *block = store->more;

		store->more = block->next;
		rte_free(block->memory);
		free(block);
	}
	free(store->context);
	free(store->node_of);
	free(store);
}

struct tp_context *tp_context_at(const struct tp_context_store *store, uint32_t index)
{
	return index < store->count ? store->context[index] : NULL;
}

/* --- Interfaces that come and go --- */

static void put_aside(
	struct tp_context_store *store, void *context, unsigned place, uint32_t pair_count)
{
	struct spare *spare = context;

	spare->next = store->spare[place][pair_count];
	store->spare[place][pair_count] = spare;
}

static int make_spare(struct tp_context_store *store, unsigned place, uint16_t pair_count)
{
	size_t size = context_size(pair_count);
	struct block *block = calloc(1, sizeof(*block));

	if (block == NULL)
		return -ENOMEM;
	block->memory = tp_node_zalloc("contexts", CHUNK * size, node_of_place(place));
	if (block->memory == NULL) {
		free(block);
		return -ENOMEM;
	}
	block->next = store->more;
	store->more = block;
	for (unsigned i = CHUNK; i-- > 0;)
		put_aside(store, block->memory + i * size, place, pair_count);
	return 0;
}

struct tp_context *tp_context_add(struct tp_context_store *store, uint32_t index,
	uint16_t pair_count, int node, uint16_t generation)
{
	unsigned place = place_of_node(node);
	struct spare **spare = &store->spare[place][pair_count];
	struct tp_context *context;

	if (index >= store->count && grow_index(store, index + INDEX_AT_ONCE) < 0)
		return NULL;
	if (*spare == NULL && make_spare(store, place, pair_count) < 0)
		return NULL;
	context = (struct tp_context *)*spare;
	*spare = (*spare)->next;
	memset(context, 0, context_size(pair_count));
	initialise(context, pair_count);
	for (uint16_t i = 0; i < pair_count; i++)
		context->pair[i].generation = generation;
	store->context[index] = context;
	store->node_of[index] = (uint8_t)place;
	return context;
}

void tp_context_remove(struct tp_context_store *store, uint32_t index)
{
	struct tp_context *context = tp_context_at(store, index);

	if (context == NULL)
		return;
	store->context[index] = NULL;
	put_aside(store, context, store->node_of[index], context->pair_count);
}
