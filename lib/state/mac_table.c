/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_random.h>

#include "state/mac_table.h"

struct tp_mac_table {
	struct rte_hash *hash;
};

/*
 * Who sends chooses keys. With a function that is known, or one that is linear in the key as CRC
 * is, whatever its seed, a few MACs of one tenant could fill the buckets where another tenant's
 * belongs, and keep it from being learned. So this one multiplies by secrets, twice (multiplicative
 * hashing: Dietzfelbinger et al., "A Reliable Randomized Algorithm for the Closest-Pair Problem",
 * 1997).
 */
static uint64_t secret[2]; /* odd, of this process; control: w before there is a table, all: r */

static void choose_secret(void)
{
	for (unsigned i = 0; i < 2 && secret[1] == 0; i++)
		secret[i] = rte_rand() | 1;
}

static uint32_t hash_of(const void *key, uint32_t length, uint32_t seed)
{
	uint64_t word;

	(void)length; /* always that of a word */
	(void)seed;
	memcpy(&word, key, sizeof(word));
	word *= secret[0];
	word ^= word >> 32; /* the upper half is of all bits */
	return (uint32_t)(word * secret[1] >> 32);
}

static int reclaim_after_quiescence(struct rte_hash *hash, struct rte_rcu_qsbr *qsbr)
{
	struct rte_hash_rcu_config config = {.v = qsbr, .mode = RTE_HASH_QSBR_MODE_DQ};

	return qsbr == NULL ? 0 : rte_hash_rcu_qsbr_add(hash, &config);
}

struct tp_mac_table *tp_mac_table_new(
	uint32_t entries, int socket, struct rte_rcu_qsbr *qsbr, struct tp_error *error)
{
	static unsigned serial; /* names of tables must differ */
	char name[RTE_HASH_NAMESIZE];
	struct rte_hash_parameters parameters = {
		.name = name,
		/* Cuckoo hashing without an extendable table wants slack to reach its load. */
		.entries = entries < 8 ? 16 : entries * 2,
		.key_len = sizeof(uint64_t),
		.hash_func = hash_of,
		.socket_id = socket,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
	};
	struct tp_mac_table *table = calloc(1, sizeof(*table));

	if (table == NULL) {
		tp_error_set(error, ENOMEM, "MAC table: no memory");
		return NULL;
	}
	choose_secret();
	snprintf(name, sizeof(name), "macs_%u", serial++);
	table->hash = rte_hash_create(&parameters);
	if (table->hash == NULL || reclaim_after_quiescence(table->hash, qsbr) != 0) {
		tp_error_set(error, ENOMEM, "MAC table for %u addresses: %s", entries,
			rte_strerror(rte_errno));
		tp_mac_table_free(table);
		return NULL;
	}
	return table;
}

void tp_mac_table_free(struct tp_mac_table *table)
{
	if (table == NULL)
		return;
	rte_hash_free(table->hash);
	free(table);
}

int tp_mac_table_set_word(struct tp_mac_table *table, uint64_t key, uint64_t word)
{
	return rte_hash_add_key_data(table->hash, &key, (void *)(uintptr_t)word);
}

int tp_mac_table_set(struct tp_mac_table *table, uint64_t key, uint32_t interface)
{
	return tp_mac_table_set_word(table, key, interface);
}

void tp_mac_table_remove(struct tp_mac_table *table, uint64_t key)
{
	rte_hash_del_key(table->hash, &key);
}

bool tp_mac_table_find_word(const struct tp_mac_table *table, uint64_t key, uint64_t *word)
{
	void *data;

	if (rte_hash_lookup_data(table->hash, &key, &data) < 0)
		return false;
	*word = (uintptr_t)data;
	return true;
}

uint32_t tp_mac_table_find(const struct tp_mac_table *table, uint64_t key)
{
	uint64_t word;

	return tp_mac_table_find_word(table, key, &word) ? (uint32_t)word : TP_NO_INTERFACE;
}

uint32_t tp_mac_table_count(const struct tp_mac_table *table)
{
	int32_t count = rte_hash_count(table->hash);

	return count < 0 ? 0 : (uint32_t)count;
}
