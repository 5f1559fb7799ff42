/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Tags (IEEE 802.1Q): which ones the frames of a network carry on the wire, and which of these its
 * guests see. Immutable.
 *
 *     network                   on the wire        at the guest
 *     access                    [C 100]            -
 *     trunk                     [C 100], [C 101]   the same
 *     stacked (QinQ)            [S 300][C any]     [C any], or none
 *     stacked access            [S 300][C 100]     -
 *     stacked trunk             [S 300][C 100]     [C 100]
 */

#define TP_VLAN_NONE 0 /* untagged; the identifier 0 says the same (802.1Q, 9.6) */
#define TP_VLAN_LAST 4094

struct tp_vlan_set {
	uint64_t bits[64]; /* identifier v: bit v % 64 of bits[v / 64] */
};

struct tp_vlan_rule {
	uint16_t service; /* S-tag, outermost; TP_VLAN_NONE: none */
	uint16_t vlan;    /* C-tag that guests do not see; TP_VLAN_NONE: none */
	bool any;         /* guests may send C-tags of any kind: stacked, not a trunk */
	const struct tp_vlan_set *trunk; /* that guests see, and must have; NULL: no trunk */
};

static inline void tp_vlan_set_add(struct tp_vlan_set *set, uint16_t vlan)
{
	set->bits[vlan / 64] |= UINT64_C(1) << (vlan % 64);
}

static inline bool tp_vlan_set_has(const struct tp_vlan_set *set, uint16_t vlan)
{
	return set->bits[vlan / 64] >> (vlan % 64) & 1;
}
