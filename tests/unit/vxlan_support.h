/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdlib.h>

#include "state/mac_table.h"
#include "state/snapshot.h"
#include "state/underlay.h"

/*
 * Two stations of a network below, and a tunnel between them: what the tests of tunnels share.
 */

#define OUR_MAC   UINT64_C(0x010000000002) /* 02:00:00:00:00:01 */
#define THEIR_MAC UINT64_C(0x020000000002)
#define VNI       0xabcdef

static inline struct tp_address address_of(const char *text)
{
	struct tp_address address;

	if (!tp_address_parse(text, &address))
		abort();
	return address;
}

/* Our side. */
static inline struct tp_underlay underlay_of(const char *address)
{
	return (struct tp_underlay){
		.mac = OUR_MAC,
		.address = address_of(address),
		.port = TP_VXLAN_PORT,
	};
}

/* From a remote to us, of any VNI. */
static inline struct tp_tunnel tunnel_to_us(const char *remote, uint32_t vni)
{
	const struct tp_tunnel_parts parts = {
		.local = address_of(remote),
		.remote = address_of("192.0.2.1"),
		.mac = THEIR_MAC,
		.port = TP_VXLAN_PORT,
		.vni = vni,
	};
	struct tp_tunnel tunnel;

	tp_tunnel_make(&tunnel, &parts);
	return tunnel;
}

/* From us to them, or from them to us. */
static inline struct tp_tunnel tunnel_from(
	const char *local, const char *remote, uint64_t mac, uint16_t vlan)
{
	const struct tp_tunnel_parts parts = {
		.local = address_of(local),
		.remote = address_of(remote),
		.mac = mac,
		.vlan = vlan,
		.port = TP_VXLAN_PORT,
		.vni = VNI,
	};
	struct tp_tunnel tunnel;

	tp_tunnel_make(&tunnel, &parts);
	return tunnel;
}

/* The network of a tenant with two remotes, 192.0.2.7 and 192.0.2.8. */
static inline struct tp_network network_of_two_remotes(
	uint32_t vni, const struct tp_neighbour next_hop[2])
{
	static const char *const remotes[] = {"192.0.2.7", "192.0.2.8"};
	struct tp_network network = {.wire = TP_WIRE_TUNNEL, .extra = -50};

	if (tp_snapshot_add_tunnels(&network, 2, -1, NULL) < 0)
		abort();
	network.tunnels.vni = vni;
	for (unsigned i = 0; i < 2; i++) {
		const struct tp_tunnel_parts parts = {
			.local = address_of("192.0.2.1"),
			.remote = address_of(remotes[i]),
			.mac = OUR_MAC,
			.port = TP_VXLAN_PORT,
			.vni = vni,
			.next_hop = &next_hop[i],
			.flood = true,
		};

		tp_tunnel_make(&network.tunnels.tunnel[i], &parts);
	}
	tp_tunnels_index(&network.tunnels);
	network.unknown = TP_TO_REMOTES;
	return network;
}
