/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/if_ether.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "traffic/rewrite.h"

static const char *const names[TP_MODE_COUNT] = {
	"io", "mac", "macswap", "txonly", "rxonly", "flowgen", "5tswap", "icmpecho"};

const char *tp_mode_name(enum tp_mode mode)
{
	return mode < TP_MODE_COUNT ? names[mode] : "?";
}

int tp_mode_parse(const char *text, enum tp_mode *mode, struct tp_error *error)
{
	for (unsigned i = 0; i < TP_MODE_COUNT; i++) {
		if (strcmp(text, names[i]) == 0) {
			*mode = (enum tp_mode)i;
			return 0;
		}
	}
	return tp_error_set(error, EINVAL,
		"forwarding mode \"%s\": accepted: io, mac, macswap, txonly, rxonly, flowgen, "
		"5tswap, icmpecho",
		text);
}

static void swap(uint8_t *one, uint8_t *other, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		uint8_t byte = one[i];

		one[i] = other[i];
		other[i] = byte;
	}
}

static uint16_t read16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* Behind the Ethernet header and its VLAN tags. @return offset, 0 if the frame ends before. */
static size_t find_payload(const uint8_t *frame, size_t length, uint16_t *type)
{
	size_t offset = ETH_HLEN;

	if (length < offset)
		return 0;
	*type = read16(frame + offset - 2);
	while (*type == ETHERTYPE_VLAN || *type == 0x88a8) {
		offset += 4;
		if (length < offset)
			return 0;
		*type = read16(frame + offset - 2);
	}
	return offset;
}

static void swap_ports(uint8_t protocol, uint8_t *ports, size_t length)
{
	if (length >= 4 && (protocol == IPPROTO_UDP || protocol == IPPROTO_TCP))
		swap(ports, ports + 2, 2);
}

/* Checksums cover the same words in another order: they stay right. */
static void swap_addresses(uint8_t *packet, size_t length, uint16_t type)
{
	if (type == ETHERTYPE_IP && length >= sizeof(struct iphdr)) {
		size_t header = (packet[0] & 15) * 4u;
		bool whole = (read16(packet + 6) & 0x1fff) == 0; /* first fragment, or all */

		if (packet[0] >> 4 != 4 || header < sizeof(struct iphdr))
			return;
		swap(packet + 12, packet + 16, 4);
		if (whole && length >= header)
			swap_ports(packet[9], packet + header, length - header);
	} else if (type == ETHERTYPE_IPV6 && length >= sizeof(struct ip6_hdr)) {
		swap(packet + 8, packet + 24, 16);
		swap_ports(packet[6], packet + sizeof(struct ip6_hdr),
			length - sizeof(struct ip6_hdr));
	}
}

/* RFC 826: who asks, gets our MAC as that of the address asked for. */
static bool answer_arp(uint8_t *frame, uint8_t *packet, size_t length, const uint8_t own[6])
{
	struct ether_arp arp;
	uint8_t asked[4];

	if (length < sizeof(arp))
		return false;
	memcpy(&arp, packet, sizeof(arp));
	if (arp.arp_hrd != htons(ARPHRD_ETHER) || arp.arp_pro != htons(ETHERTYPE_IP) ||
		arp.arp_op != htons(ARPOP_REQUEST))
		return false;
	arp.arp_op = htons(ARPOP_REPLY);
	memcpy(asked, arp.arp_tpa, sizeof(asked));
	memcpy(arp.arp_tha, arp.arp_sha, sizeof(arp.arp_tha));
	memcpy(arp.arp_tpa, arp.arp_spa, sizeof(arp.arp_tpa));
	memcpy(arp.arp_sha, own, sizeof(arp.arp_sha));
	memcpy(arp.arp_spa, asked, sizeof(arp.arp_spa));
	memcpy(packet, &arp, sizeof(arp));
	memcpy(frame, frame + 6, 6);
	memcpy(frame + 6, own, 6);
	return true;
}

/* RFC 792: type 8 becomes 0; the checksum is adjusted (RFC 1624), not made anew. */
static bool answer_echo(uint8_t *frame, uint8_t *packet, size_t length, const uint8_t own[6])
{
	size_t header = length > 0 ? (packet[0] & 15) * 4u : 0;
	uint8_t *icmp = packet + header;
	uint32_t sum;

	if (length < sizeof(struct iphdr) || packet[0] >> 4 != 4 || header < sizeof(struct iphdr) ||
		length < header + 8 || packet[9] != IPPROTO_ICMP || icmp[0] != ICMP_ECHO ||
		icmp[1] != 0 || (read16(packet + 6) & 0x3fff) != 0 || packet[16] >> 4 == 14)
		return false;
	icmp[0] = ICMP_ECHOREPLY;
	sum = read16(icmp + 2) + (uint32_t)(ICMP_ECHO << 8);
	sum = (sum & 0xffff) + (sum >> 16);
	icmp[2] = (uint8_t)(sum >> 8);
	icmp[3] = (uint8_t)sum;
	swap(packet + 12, packet + 16, 4);
	memcpy(frame, frame + 6, 6);
	memcpy(frame + 6, own, 6);
	return true;
}

static bool answer(uint8_t *frame, size_t length, const uint8_t own[6])
{
	uint16_t type;
	size_t offset = find_payload(frame, length, &type);

	if (offset == 0)
		return false;
	if (type == ETHERTYPE_ARP)
		return answer_arp(frame, frame + offset, length - offset, own);
	return type == ETHERTYPE_IP && answer_echo(frame, frame + offset, length - offset, own);
}

bool tp_rewrite(enum tp_mode mode, uint8_t *frame, size_t length, const uint8_t own[6],
	const uint8_t peer[6])
{
	uint16_t type;
	size_t offset;

	if (mode == TP_MODE_ICMPECHO)
		return answer(frame, length, own);
	if (length < ETH_HLEN)
		return true;
	if (mode == TP_MODE_MAC) {
		memcpy(frame, peer, 6);
		memcpy(frame + 6, own, 6);
	}
	if (mode == TP_MODE_MACSWAP || mode == TP_MODE_5TSWAP)
		swap(frame, frame + 6, 6);
	if (mode == TP_MODE_5TSWAP) {
		offset = find_payload(frame, length, &type);
		if (offset > 0)
			swap_addresses(frame + offset, length - offset, type);
	}
	return true;
}
