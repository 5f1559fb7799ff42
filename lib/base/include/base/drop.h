/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Every way in which a frame can end other than by delivery. This list is the only one: the enum,
 * the counters, the tables that operators see, telemetry and the documentation come from it.
 *
 * X(NAME, name, help). A frame is dropped for exactly one reason and is counted at its source.
 */
#define TP_DROPS(X)                                                                                \
	X(RUNT, runt, "frame shorter than an Ethernet header (14 bytes)")                          \
	X(BAD_DESCRIPTOR, bad_descriptor,                                                          \
		"descriptor flags or lengths break the virtio rules (write-only on transmit, "     \
		"indirect misused, chain shorter than the header)")                                \
	X(BAD_ADDRESS, bad_address, "buffer not wholly inside one region of the guest's memory")   \
	X(BAD_CHAIN, bad_chain, "descriptor chain that loops, or has too many segments")           \
	X(TOO_LONG, too_long, "frame longer than 65,535 bytes")                                    \
	X(SOURCE_MAC, source_mac,                                                                  \
		"source MAC is not the interface's own, or is multicast; from the wire: it is a "  \
		"guest's")                                                                         \
	X(UNKNOWN_DESTINATION, unknown_destination,                                                \
		"no interface of the tenant has the destination MAC")                              \
	X(OWN_DESTINATION, own_destination, "destination MAC is on the sending interface itself")  \
	X(DESTINATION_DOWN, destination_down, "destination interface has no running guest")        \
	X(DESTINATION_FULL, destination_full,                                                      \
		"destination full: the hold ran out, or the class drops at once")                  \
	X(DESTINATION_DEAF, destination_deaf, "destination full since an earlier hold ran out")    \
	X(DESTINATION_DEAR, destination_dear,                                                      \
		"destination's price above the class's bid: the hold ran out, or the class drops " \
		"at once")                                                                         \
	X(DESTINATION_TOO_SMALL, destination_too_small,                                            \
		"frame does not fit the destination's receive buffers (no mergeable buffers)")     \
	X(FLOOD_RATE, flood_rate,                                                                  \
		"broadcast, multicast or unknown destination beyond the class's flood_rate")       \
	X(TAGGED, tagged, "VLAN tag that the tenant's network on the uplink does not allow")       \
	X(OVER_MTU, over_mtu, "frame longer than the uplink's MTU, less what a tunnel adds")       \
	X(UPLINK_DOWN, uplink_down, "the uplink's device is away, or its link is down")            \
	X(UNKNOWN_VLAN, unknown_vlan, "frame of the wire that is in no tenant's network")          \
	X(OVERLOAD, overload,                                                                      \
		"frame of the wire for a class that bids less than a worker's time is worth")      \
	X(FLOOD_NOBODY, flood_nobody,                                                              \
		"broadcast, multicast or unknown frame that no other interface could take")        \
	X(TUNNEL_UNRESOLVED, tunnel_unresolved,                                                    \
		"next hop of the tunnel does not answer ARP or neighbour solicitations (yet)")     \
	X(OUTER_MALFORMED, outer_malformed,                                                        \
		"outer headers cut off, with lengths that disagree, or with a wrong IPv4 sum")     \
	X(OUTER_FRAGMENT, outer_fragment, "outer packet is a fragment")                            \
	X(OUTER_CHECKSUM, outer_checksum, "outer UDP checksum wrong")                              \
	X(OUTER_OTHER, outer_other,                                                                \
		"frame of the network below that is no tunnel's, or not for our address")          \
	X(VXLAN_FLAGS, vxlan_flags, "VXLAN header whose flag I is not set")                        \
	X(VXLAN_VNI, vxlan_vni, "VNI that no tenant of the uplink has")                            \
	X(VXLAN_REMOTE, vxlan_remote, "outer source address is none of the tenant's remotes")      \
	X(FOR_CONTROL, for_control,                                                                \
		"frame of the network below that control answers: ARP, neighbour discovery, echo") \
	X(CONTROL_BUSY, control_busy, "such a frame, of which control has too many already")

enum tp_drop {
	TP_DROP_NONE, /* not dropped */
#define X(NAME, name, help) TP_DROP_##NAME,
	TP_DROPS(X)
#undef X
		TP_DROP_COUNT
};
