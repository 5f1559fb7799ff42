/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdlib.h>

#include "state/mac_table.h"
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
