/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"

struct rte_rcu_qsbr;

/*
 * MAC address to interface, for many tenants in one table: the tenant is part of the key, so a
 * look-up can only ever find an interface of the asking tenant. On DPDK's hash with lock-free
 * readers: one thread (control) writes, any worker looks up at any time.
 */

#define TP_MAC_MASK      UINT64_C(0xffffffffffff)
#define TP_MAC_MULTICAST UINT64_C(1) /* first bit on the wire: group address (IEEE 802) */
#define TP_NO_INTERFACE  UINT32_MAX

/* Where a table's entry may lead beside an interface: to an uplink, by its number, or to a tunnel
 * of the tenant, by its. A frame may go to all tunnels that are flooded. */
#define TP_FIRST_UPLINK  (TP_NO_INTERFACE - 511)
#define TP_FIRST_TUNNEL  (TP_FIRST_UPLINK + 64)
#define TP_TO_UPLINK(n)  (TP_FIRST_UPLINK + (n))
#define TP_TO_TUNNEL(n)  (TP_FIRST_TUNNEL + (n))
#define TP_TUNNEL_OF(id) ((id)-TP_FIRST_TUNNEL)
#define TP_TO_REMOTES    (TP_NO_INTERFACE - 2)

struct tp_mac_table;

/** A MAC as it lies on the wire, in the low 48 bits. @param bytes 8 readable bytes, the MAC first.
 */
static inline uint64_t tp_mac_load(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word & TP_MAC_MASK;
}

/** The same of six bytes, where no more may be read. */
static inline uint64_t tp_mac_of(const uint8_t mac[6])
{
	uint64_t word = 0;

	memcpy(&word, mac, 6);
	return word;
}

/** The key of a MAC in a tenant's network. @param tenant below 65,536. */
static inline uint64_t tp_mac_key(uint32_t tenant, uint64_t mac)
{
	return mac | (uint64_t)tenant << 48;
}

/** The tenant of a key. */
static inline uint32_t tp_mac_key_tenant(uint64_t key)
{
	return (uint32_t)(key >> 48);
}

/**
 * Make a table.
 * @param entries  most keys that it holds
 * @param qsbr     workers' quiescence, so that the place of a removed key is not reused too early;
 * NULL for a table from which nothing is removed
 * @return the table, or NULL with *error set. Threading: control thread.
 */
struct tp_mac_table *tp_mac_table_new(
	uint32_t entries, int socket, struct rte_rcu_qsbr *qsbr, struct tp_error *error);

/** Free a table that no worker uses any more. NULL is allowed. Threading: control thread. */
void tp_mac_table_free(struct tp_mac_table *table);

/** Add a key or change its interface. @return 0, or -ENOSPC. Threading: control thread. */
int tp_mac_table_set(struct tp_mac_table *table, uint64_t key, uint32_t interface);

/** The same with a whole word beside the key, of which tp_mac_table_find gives the lower half.
 * Readers find the old word or the new one. Threading: control thread. */
int tp_mac_table_set_word(struct tp_mac_table *table, uint64_t key, uint64_t word);

/** Remove a key; nothing happens if it is not there. Threading: control thread. */
void tp_mac_table_remove(struct tp_mac_table *table, uint64_t key);

/** The interface that has a key, or TP_NO_INTERFACE. Threading: any. */
uint32_t tp_mac_table_find(const struct tp_mac_table *table, uint64_t key);

/** The word beside a key. @return false if the key is not there. Threading: any. */
bool tp_mac_table_find_word(const struct tp_mac_table *table, uint64_t key, uint64_t *word);

/** Number of keys. Threading: control thread. */
uint32_t tp_mac_table_count(const struct tp_mac_table *table);
