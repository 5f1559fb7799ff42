/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_common.h>
#include <rte_malloc.h>

#include "state/context.h"

struct tp_context_store {
	uint32_t count;
	struct tp_context **context; /* by interface */
	uint8_t *block;              /* all contexts, one after the other */
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

struct tp_context_store *tp_context_store_new(
	const uint16_t *pair_counts, uint32_t count, int socket)
{
	struct tp_context_store *store = rte_zmalloc_socket("store", sizeof(*store), 0, socket);
	uint8_t *next;

	if (store == NULL)
		return NULL;
	store->count = count;
	store->context = rte_zmalloc_socket(
		"store index", RTE_MAX(count, 1u) * sizeof(store->context[0]), 0, socket);
	store->block = rte_zmalloc_socket("contexts",
		RTE_MAX(contexts_size(pair_counts, count), (size_t)RTE_CACHE_LINE_SIZE),
		RTE_CACHE_LINE_SIZE, socket);
	if (store->context == NULL || store->block == NULL) {
		tp_context_store_free(store);
		return NULL;
	}
	next = store->block;
	for (uint32_t i = 0; i < count; i++) {
		store->context[i] = (struct tp_context *)next;
		initialise(store->context[i], pair_counts[i]);
		next += context_size(pair_counts[i]);
	}
	return store;
}

void tp_context_store_free(struct tp_context_store *store)
{
	if (store == NULL)
		return;
	rte_free(store->block);
	rte_free(store->context);
	rte_free(store);
}

struct tp_context *tp_context_at(const struct tp_context_store *store, uint32_t index)
{
	return store->context[index];
}
