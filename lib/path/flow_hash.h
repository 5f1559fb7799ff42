/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_hash_crc.h>
#include <rte_ip.h>

/*
 * A flow's hash: the same for all frames of a flow, so that what spreads load by it (equal-cost
 * paths below a tunnel, queues of a NIC) keeps their order. Over addresses, protocol and ports
 * where the head shows them; over the MAC addresses of other frames. CRC32C, as DPDK's hash tables
 * use it.
 */

/* Of an IP packet, from its first byte on: addresses, protocol, and ports where there are some. A
 * fragment has no ports but in the first, so those of all fragments are left out. */
static inline uint32_t tp_flow_hash_ports(
	uint32_t hash, uint8_t protocol, const uint8_t *ports, const uint8_t *end)
{
	uint32_t both;

	hash = rte_hash_crc_4byte(protocol, hash);
	if ((protocol != IPPROTO_TCP && protocol != IPPROTO_UDP && protocol != IPPROTO_SCTP) ||
		ports + sizeof(both) > end)
		return hash;
	memcpy(&both, ports, sizeof(both));
	return rte_hash_crc_4byte(both, hash);
}

static inline uint32_t tp_flow_hash_ipv4(uint32_t hash, const uint8_t *packet, const uint8_t *end)
{
	const uint16_t fragment = rte_cpu_to_be_16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK);
	struct rte_ipv4_hdr header;
	uint64_t addresses;

	if (packet + sizeof(header) > end)
		return hash;
	memcpy(&header, packet, sizeof(header));
	memcpy(&addresses, packet + offsetof(struct rte_ipv4_hdr, src_addr), sizeof(addresses));
	hash = rte_hash_crc_8byte(addresses, hash);
	if (header.fragment_offset & fragment)
		return rte_hash_crc_4byte(header.next_proto_id, hash);
	return tp_flow_hash_ports(
		hash, header.next_proto_id, packet + (header.version_ihl & 15) * 4, end);
}

static inline uint32_t tp_flow_hash_ipv6(uint32_t hash, const uint8_t *packet, const uint8_t *end)
{
	uint64_t addresses[4];

	if (packet + sizeof(struct rte_ipv6_hdr) > end)
		return hash;
	memcpy(addresses, packet + offsetof(struct rte_ipv6_hdr, src_addr), sizeof(addresses));
	for (unsigned i = 0; i < 4; i++)
		hash = rte_hash_crc_8byte(addresses[i], hash);
	return tp_flow_hash_ports(hash, packet[offsetof(struct rte_ipv6_hdr, proto)],
		packet + sizeof(struct rte_ipv6_hdr), end);
}

/**
 * @param frame   its first bytes, from the destination MAC on
 * @param length  of these, at least 14
 */
static inline uint32_t tp_flow_hash(const uint8_t *frame, uint32_t length)
{
	const uint8_t *end = frame + length;
	const uint8_t *at = frame + 2 * RTE_ETHER_ADDR_LEN;
	uint32_t hash, rest;
	uint64_t macs;
	uint16_t type;

	memcpy(&macs, frame, sizeof(macs));
	memcpy(&rest, frame + sizeof(macs), sizeof(rest));
	hash = rte_hash_crc_4byte(rest, rte_hash_crc_8byte(macs, 0));
	memcpy(&type, at, sizeof(type));
	while ((type == rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN) ||
		       type == rte_cpu_to_be_16(RTE_ETHER_TYPE_QINQ)) &&
		at + 6 <= end) {
		at += 4;
		memcpy(&type, at, sizeof(type));
	}
	at += sizeof(type);
	if (type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4))
		return tp_flow_hash_ipv4(hash, at, end);
	if (type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV6))
		return tp_flow_hash_ipv6(hash, at, end);
	return hash;
}
