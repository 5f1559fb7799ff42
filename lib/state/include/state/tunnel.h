/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/address.h"

/*
 * VXLAN (RFC 7348) as the dataplane reads it: what we are called on the network below (underlay),
 * by which next hops others are reached there, and for each tenant the tunnels to its remote
 * endpoints. Immutable but for a neighbour's MAC address, which control resolves.
 */

#define TP_VXLAN_PORT     4789 /* RFC 7348, 5 */
#define TP_VNI_MAX        0xffffff
#define TP_TUNNEL_IPV4    36 /* bytes of IPv4, UDP and VXLAN before the inner frame */
#define TP_TUNNEL_IPV6    56
#define TP_TUNNEL_LONGEST (18 + TP_TUNNEL_IPV6) /* with Ethernet and a tag before them */
#define TP_TUNNELS_MAX    256                   /* of a tenant */
#define TP_TUNNEL_NONE    UINT32_MAX
#define TP_UNDERLAY_TTL   64

/** Another station on an uplink, to which outer frames go: a remote endpoint, or the gateway. */
struct tp_neighbour {
	/* As tp_mac_load gives it, 0: not resolved; control: w, worker: r, all relaxed. */
	_Atomic uint64_t mac;
};

/** A tenant's way to a remote endpoint: the outer headers of every frame for it, but for lengths,
 * ports and the next hop's MAC. */
struct tp_tunnel {
	uint8_t header[TP_TUNNEL_LONGEST + 2]; /* `length` bytes of it */
	uint8_t length;
	uint8_t ip; /* where in it the IP header begins */
	bool ipv6;
	bool flood; /* it gets what goes to all: broadcast, multicast, unknown */
	/* One's complement sum of what the checksum covers and the frame does not change, in the
	 * order of the wire: of the IPv4 header; of the IPv6 pseudo-header. */
	uint32_t sum;
	const struct tp_neighbour *next_hop;
	struct tp_address remote;
} __attribute__((aligned(64)));

static_assert(sizeof(struct tp_tunnel) == 128, "a frame reads two cache lines of it");

/** What a tunnel is made of. */
struct tp_tunnel_parts {
	struct tp_address local;
	struct tp_address remote; /* of the same family */
	uint64_t mac;             /* our own on the uplink */
	uint16_t vlan;            /* of the network below, 0: untagged */
	uint16_t port;            /* UDP, of the other side */
	uint32_t vni;
	const struct tp_neighbour *next_hop;
	bool flood;
};

/** Fill in a tunnel. Pure. */
void tp_tunnel_make(struct tp_tunnel *tunnel, const struct tp_tunnel_parts *parts);

/** The tunnels of a tenant, and which of them leads to an address. */
struct tp_tunnels {
	uint32_t vni;
	uint32_t count;
	struct tp_tunnel *tunnel;
	uint32_t slots; /* a power of two, above twice the count */
	uint16_t *slot; /* index + 1 of a tunnel, 0: empty; by tp_address_hash, next when taken */
};

/** Slots that so many tunnels need. */
uint32_t tp_tunnels_slots(uint32_t count);

/** Fill in slot[], which is all 0, from tunnel[]. Pure. */
void tp_tunnels_index(struct tp_tunnels *tunnels);

/** Where in slot[] an address is looked for first. */
static inline uint32_t tp_address_hash(const struct tp_address *address)
{
	uint64_t words[2];

	memcpy(words, address->bytes, sizeof(words));
	words[0] =
		(words[0] ^ words[1] * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(words[0] >> 32);
}
