/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include <rte_malloc.h>

#include "state/learned.h"

/* What the table keeps for an address: its interface, for those who forward, and its place. */
static uint64_t pack(uint32_t interface, uint32_t place)
{
	return (uint64_t)place << 32 | interface;
}

struct tp_learned *tp_learned_new(
	uint32_t capacity, int socket, struct rte_rcu_qsbr *qsbr, struct tp_error *error)
{
	struct tp_learned *learned = rte_zmalloc_socket("learned MACs",
		sizeof(*learned) + capacity * sizeof(learned->place[0]), 64, socket);

	if (learned != NULL)
		learned->vacant = rte_malloc_socket(
			"vacant places", capacity * sizeof(learned->vacant[0]), 64, socket);
	if (learned == NULL || learned->vacant == NULL) {
		tp_error_set(error, ENOMEM,
			"table of learned MACs: the EAL's heap has no room for %u addresses",
			capacity);
		tp_learned_free(learned);
		return NULL;
	}
	learned->capacity = capacity;
	for (uint32_t i = 0; i < capacity; i++) {
		learned->place[i].interface = TP_NO_INTERFACE;
		learned->vacant[i] = capacity - 1 - i;
	}
	learned->table = tp_mac_table_new(capacity, socket, qsbr, error);
	if (learned->table == NULL) {
		tp_learned_free(learned);
		return NULL;
	}
	return learned;
}

void tp_learned_free(struct tp_learned *learned)
{
	if (learned == NULL)
		return;
	tp_mac_table_free(learned->table);
	rte_free(learned->vacant);
	rte_free(learned);
}

uint32_t tp_learned_find(const struct tp_learned *learned, uint64_t key, uint32_t *place)
{
	uint64_t word;

	if (!tp_mac_table_find_word(learned->table, key, &word)) {
		*place = TP_NO_PLACE;
		return TP_NO_INTERFACE;
	}
	*place = (uint32_t)(word >> 32);
	return (uint32_t)word;
}

int tp_learned_set(struct tp_learned *learned, uint64_t key, uint32_t interface)
{
	uint32_t place;
	bool known = tp_learned_find(learned, key, &place) != TP_NO_INTERFACE;

	if (!known && learned->count == learned->capacity)
		return -ENOSPC;
	if (!known)
		place = learned->vacant[learned->capacity - learned->count - 1];
	if (tp_mac_table_set_word(learned->table, key, pack(interface, place)) < 0)
		return -ENOSPC;
	learned->count += !known;
	learned->place[place].key = key;
	learned->place[place].interface = interface;
	__atomic_store_n(&learned->place[place].seen, learned->second, __ATOMIC_RELAXED);
	return 0;
}

void tp_learned_copy(struct tp_learned *to, const struct tp_learned *from)
{
	for (uint32_t i = 0; i < from->capacity; i++) {
		const struct tp_learned_place *place = &from->place[i];
		uint32_t copy;

		if (!tp_learned_taken(from, i) ||
			tp_learned_set(to, place->key, place->interface) < 0)
			continue;
		tp_learned_find(to, place->key, &copy);
		to->place[copy].seen = __atomic_load_n(&place->seen, __ATOMIC_RELAXED);
	}
	to->second = from->second;
}

void tp_learned_forget(struct tp_learned *learned, uint32_t place)
{
	tp_mac_table_remove(learned->table, learned->place[place].key);
	learned->place[place].interface = TP_NO_INTERFACE;
	learned->count--;
	learned->vacant[learned->capacity - learned->count - 1] = place;
}
