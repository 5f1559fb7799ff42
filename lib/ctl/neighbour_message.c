/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "neighbour_message.h"

#define ETHERNET 14
#define IPV4     20
#define IPV6     40
#define MAC      6

#define TYPE_IPV4 0x0800
#define TYPE_ARP  0x0806
#define TYPE_VLAN 0x8100
#define TYPE_IPV6 0x86dd

static const uint8_t everybody[MAC] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* --- Bytes --- */

static uint16_t get16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void put16(uint8_t *to, uint32_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

static uint64_t get_mac(const uint8_t *bytes)
{
	uint64_t mac = 0;

	memcpy(&mac, bytes, MAC);
	return mac;
}

static void put_mac(uint8_t *to, uint64_t mac)
{
	memcpy(to, &mac, MAC);
}

static bool is_station_mac(uint64_t mac)
{
	return mac != 0 && (mac & 1) == 0;
}

static struct tp_address get_address(const uint8_t *bytes, uint8_t length)
{
	struct tp_address address = {.length = length};

	memcpy(address.bytes, bytes, length);
	return address;
}

/* The Internet checksum (RFC 1071), not folded yet. */
static uint32_t sum_of(uint32_t sum, const uint8_t *bytes, uint32_t length)
{
	for (uint32_t i = 0; i + 1 < length; i += 2)
		sum += get16(bytes + i);
	if (length & 1)
		sum += (uint32_t)bytes[length - 1] << 8;
	return (sum & 0xffff) + (sum >> 16);
}

static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* Over an ICMPv6 message and its pseudo-header (RFC 8200, 8.1). @param ip  its IPv6 header */
static uint16_t icmp6_sum(const uint8_t *ip, uint32_t length)
{
	return fold(sum_of(sum_of(58 + length, ip + 8, 32), ip + IPV6, length));
}

/* --- ARP --- */

/* hardware, protocol, lengths, operation, sender MAC and address, target MAC and address */
enum {
	ARP_OPERATION = 6,
	ARP_SENDER = 8,
	ARP_SENDER_ADDRESS = 14,
	ARP_TARGET = 18,
	ARP_TARGET_ADDRESS = 24,
	ARP_LENGTH = 28
};
static const uint8_t arp_ethernet_ipv4[6] = {0, 1, 8, 0, 6, 4};

static struct tp_message read_arp(
	const struct tp_station *us, const uint8_t *arp, uint32_t length, struct tp_message message)
{
	static const uint8_t nobody[4];
	uint16_t operation;

	if (length < ARP_LENGTH || us->address.length != 4 ||
		memcmp(arp, arp_ethernet_ipv4, sizeof(arp_ethernet_ipv4)) != 0)
		return message;
	operation = get16(arp + ARP_OPERATION);
	message.sender = get_address(arp + ARP_SENDER_ADDRESS, 4);
	message.mac = get_mac(arp + ARP_SENDER);
	/* Who speaks for another station is not believed. */
	if (message.mac != message.reply_to || (operation != 1 && operation != 2))
		return message;
	if (tp_address_equal(&message.sender, &us->address)) {
		message.kind = TP_MESSAGE_CONFLICT;
		return message;
	}
	if (operation == 1 && memcmp(arp + ARP_TARGET_ADDRESS, us->address.bytes, 4) == 0)
		message.kind = TP_MESSAGE_ASKS;
	if (operation == 2 && get_mac(arp + ARP_TARGET) == us->mac &&
		memcmp(arp + ARP_TARGET_ADDRESS, us->address.bytes, 4) == 0)
		message.kind = TP_MESSAGE_TELLS;
	/* A probe (RFC 5227, 2.1.1) tells no address. */
	if (memcmp(arp + ARP_SENDER_ADDRESS, nobody, 4) == 0)
		message.sender.length = 0;
	else if (!tp_address_is_station(&message.sender))
		message.kind = TP_MESSAGE_NONE;
	return message;
}

/* --- Neighbour discovery --- */

enum { ND_FLAGS = 4, ND_TARGET = 8, ND_LENGTH = 24, ND_HOPS = 255 };
enum { ND_SOLICITATION = 135, ND_ADVERTISEMENT = 136 };
enum { ND_SOURCE_OPTION = 1, ND_TARGET_OPTION = 2 };
#define ND_SOLICITED 0x40
#define ND_OVERRIDE  0x20

/*
 * Look through the options, which are all of the rest; a length of 0 ends it (RFC 4861, 4.6).
 * @param mac  of the wanted option, 0: there is none
 * @return false if any of them is not right.
 */
static bool read_options(const uint8_t *option, uint32_t length, uint8_t wanted, uint64_t *mac)
{
	*mac = 0;
	while (length > 0) {
		uint32_t size = length >= 2 ? option[1] * 8u : 0;

		if (size == 0 || size > length)
			return false;
		if (option[0] == wanted) {
			if (size != 8 || !is_station_mac(get_mac(option + 2)))
				return false;
			*mac = get_mac(option + 2);
		}
		option += size;
		length -= size;
	}
	return true;
}

static bool is_unspecified(const struct tp_address *address)
{
	static const struct tp_address unspecified = {.length = 16};

	return tp_address_equal(address, &unspecified);
}

/* RFC 4861, 7.1.1. */
static struct tp_message read_solicitation(const struct tp_station *us, const uint8_t *ip,
	const uint8_t *icmp, uint32_t length, struct tp_message message)
{
	struct tp_address sender = get_address(ip + 8, 16);
	uint64_t mac;

	if (memcmp(icmp + ND_TARGET, us->address.bytes, 16) != 0 ||
		!read_options(icmp + ND_LENGTH, length - ND_LENGTH, ND_SOURCE_OPTION, &mac))
		return message;
	if (is_unspecified(&sender)) {
		/* Somebody is about to take the address: it hears that it is ours. */
		if (mac == 0 && ip[24] == 0xff)
			message.kind = TP_MESSAGE_ASKS;
		return message;
	}
	if (!tp_address_is_station(&sender))
		return message;
	message.kind =
		tp_address_equal(&sender, &us->address) ? TP_MESSAGE_CONFLICT : TP_MESSAGE_ASKS;
	message.sender = sender;
	message.mac = mac;
	/* Where it does not tell a MAC, or another's, only its question is answered. */
	if (mac != message.reply_to)
		message.mac = 0;
	return message;
}

/* RFC 4861, 7.1.2. The station is that of the target, whatever the packet's source. */
static struct tp_message read_advertisement(const struct tp_station *us, const uint8_t *ip,
	const uint8_t *icmp, uint32_t length, struct tp_message message)
{
	struct tp_address target = get_address(icmp + ND_TARGET, 16);
	uint64_t mac;

	if (!tp_address_is_station(&target) ||
		(ip[24] == 0xff && (icmp[ND_FLAGS] & ND_SOLICITED)) ||
		!read_options(icmp + ND_LENGTH, length - ND_LENGTH, ND_TARGET_OPTION, &mac))
		return message;
	if (mac == 0) /* an answer to one station need not tell it again (4.4) */
		mac = message.reply_to;
	if (mac != message.reply_to)
		return message;
	message.sender = target;
	message.mac = mac;
	message.kind =
		tp_address_equal(&target, &us->address) ? TP_MESSAGE_CONFLICT : TP_MESSAGE_TELLS;
	return message;
}

static struct tp_message read_icmp6(
	const struct tp_station *us, const uint8_t *ip, uint32_t there, struct tp_message message)
{
	const uint8_t *icmp = ip + IPV6;
	uint32_t length;

	if (there < IPV6 + 8 || us->address.length != 16 || ip[0] >> 4 != 6 || ip[6] != 58)
		return message;
	length = get16(ip + 4);
	if (length < 8 || length > there - IPV6 || icmp[1] != 0 || icmp6_sum(ip, length) != 0xffff)
		return message;
	if (icmp[0] == 128 && memcmp(ip + 24, us->address.bytes, 16) == 0) {
		struct tp_address sender = get_address(ip + 8, 16);

		if (tp_address_is_station(&sender))
			message.kind = TP_MESSAGE_ECHO;
		return message;
	}
	/* Nobody beyond a router can send these (RFC 4861, 3.1, 7.1). */
	if (ip[7] != ND_HOPS || length < ND_LENGTH)
		return message;
	if (icmp[0] == ND_SOLICITATION)
		return read_solicitation(us, ip, icmp, length, message);
	if (icmp[0] == ND_ADVERTISEMENT)
		return read_advertisement(us, ip, icmp, length, message);
	return message;
}

/* --- Echo over IPv4 --- */

static struct tp_message read_icmp4(
	const struct tp_station *us, const uint8_t *ip, uint32_t there, struct tp_message message)
{
	uint32_t header, length;
	struct tp_address sender;

	if (there < IPV4 || us->address.length != 4 || ip[0] >> 4 != 4 || ip[9] != 1)
		return message;
	header = (ip[0] & 15u) * 4;
	length = get16(ip + 2);
	if (header != IPV4 || length > there || length < header + 8 ||
		(get16(ip + 6) & 0x3fff) != 0 || fold(sum_of(0, ip, header)) != 0xffff ||
		memcmp(ip + 16, us->address.bytes, 4) != 0)
		return message;
	sender = get_address(ip + 12, 4);
	if (!tp_address_is_station(&sender) || ip[header] != 8 || ip[header + 1] != 0 ||
		fold(sum_of(0, ip + header, length - header)) != 0xffff)
		return message;
	message.kind = TP_MESSAGE_ECHO;
	return message;
}

struct tp_message tp_message_read(
	const struct tp_station *us, const uint8_t *frame, uint32_t length)
{
	struct tp_message message = {.kind = TP_MESSAGE_NONE};

	if (length < ETHERNET)
		return message;
	message.reply_to = get_mac(frame + MAC);
	if (!is_station_mac(message.reply_to) || message.reply_to == us->mac)
		return message;
	switch (get16(frame + 2 * MAC)) {
	case TYPE_ARP:
		return read_arp(us, frame + ETHERNET, length - ETHERNET, message);
	case TYPE_IPV6:
		return read_icmp6(us, frame + ETHERNET, length - ETHERNET, message);
	case TYPE_IPV4:
		return read_icmp4(us, frame + ETHERNET, length - ETHERNET, message);
	default:
		return message;
	}
}

/* --- Writing --- */

/* @return behind the header. */
static uint8_t *write_ethernet(
	const struct tp_station *us, uint8_t *frame, const uint8_t *to, uint16_t type)
{
	memcpy(frame, to, MAC);
	put_mac(frame + MAC, us->mac);
	frame += 2 * MAC;
	if (us->vlan != 0) {
		put16(frame, TYPE_VLAN);
		put16(frame + 2, us->vlan);
		frame += 4;
	}
	put16(frame, type);
	return frame + 2;
}

static uint32_t write_arp(const struct tp_station *us, uint8_t *frame, const uint8_t *to,
	uint16_t operation, uint64_t target, const struct tp_address *address)
{
	uint8_t *arp = write_ethernet(us, frame, to, TYPE_ARP);

	memcpy(arp, arp_ethernet_ipv4, sizeof(arp_ethernet_ipv4));
	put16(arp + ARP_OPERATION, operation);
	put_mac(arp + ARP_SENDER, us->mac);
	memcpy(arp + ARP_SENDER_ADDRESS, us->address.bytes, 4);
	put_mac(arp + ARP_TARGET, target);
	memcpy(arp + ARP_TARGET_ADDRESS, address->bytes, 4);
	return (uint32_t)(arp + ARP_LENGTH - frame);
}

/* A solicitation or an advertisement with its one option, our MAC. */
static uint32_t write_nd(const struct tp_station *us, uint8_t *frame, const uint8_t *to,
	const uint8_t *destination, uint8_t type, uint8_t flags, const uint8_t *target)
{
	uint8_t *ip = write_ethernet(us, frame, to, TYPE_IPV6);
	uint8_t *icmp = ip + IPV6;
	const uint32_t length = ND_LENGTH + 8;

	memset(ip, 0, IPV6 + length);
	ip[0] = 6 << 4;
	put16(ip + 4, length);
	ip[6] = 58;
	ip[7] = ND_HOPS;
	memcpy(ip + 8, us->address.bytes, 16);
	memcpy(ip + 24, destination, 16);
	icmp[0] = type;
	icmp[ND_FLAGS] = flags;
	memcpy(icmp + ND_TARGET, target, 16);
	icmp[ND_LENGTH] = type == ND_SOLICITATION ? ND_SOURCE_OPTION : ND_TARGET_OPTION;
	icmp[ND_LENGTH + 1] = 1;
	put_mac(icmp + ND_LENGTH + 2, us->mac);
	put16(icmp + 2, (uint16_t)~icmp6_sum(ip, length));
	return (uint32_t)(icmp + length - frame);
}

uint32_t tp_message_answer(
	const struct tp_station *us, const struct tp_message *message, uint8_t *frame)
{
	static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
	static const uint8_t all_nodes_mac[MAC] = {0x33, 0x33, 0, 0, 0, 1};
	static const struct tp_address nobody = {.length = 4};
	uint8_t to[MAC];

	put_mac(to, message->reply_to);
	if (us->address.length == 4)
		return write_arp(us, frame, to, 2, message->reply_to,
			message->sender.length == 4 ? &message->sender : &nobody);
	if (message->sender.length == 0) /* who has no address yet hears it with all (7.2.4) */
		return write_nd(us, frame, all_nodes_mac, all_nodes, ND_ADVERTISEMENT, ND_OVERRIDE,
			us->address.bytes);
	return write_nd(us, frame, to, message->sender.bytes, ND_ADVERTISEMENT,
		ND_SOLICITED | ND_OVERRIDE, us->address.bytes);
}

uint32_t tp_message_ask(const struct tp_station *us, const struct tp_address *neighbour,
	uint64_t mac, uint8_t *frame)
{
	/* the solicited-node group (RFC 4291, 2.7.1), and its MAC (RFC 2464, 7) */
	uint8_t group[16] = {0xff, 2, [11] = 1, 0xff};
	uint8_t to[MAC] = {0x33, 0x33, 0xff};

	if (us->address.length == 4) {
		memcpy(to, everybody, MAC);
		if (mac != 0)
			put_mac(to, mac);
		return write_arp(us, frame, to, 1, 0, neighbour);
	}
	memcpy(group + 13, neighbour->bytes + 13, 3);
	memcpy(to + 3, neighbour->bytes + 13, 3);
	if (mac != 0)
		put_mac(to, mac);
	return write_nd(us, frame, to, mac != 0 ? neighbour->bytes : group, ND_SOLICITATION, 0,
		neighbour->bytes);
}

static void swap(uint8_t *left, uint8_t *right, uint32_t length)
{
	uint8_t kept[16];

	memcpy(kept, left, length);
	memcpy(left, right, length);
	memcpy(right, kept, length);
}

uint32_t tp_message_echo(const struct tp_station *us, uint8_t *frame, uint32_t length)
{
	uint8_t *ip = frame + ETHERNET;
	bool ipv6 = us->address.length == 16;
	uint8_t *icmp = ip + (ipv6 ? IPV6 : IPV4);

	for (unsigned i = 0; i < MAC; i++) {
		frame[i] = frame[MAC + i];
		frame[MAC + i] = (uint8_t)(us->mac >> 8 * i);
	}
	length = ipv6 ? IPV6 + (uint32_t)get16(ip + 4) : get16(ip + 2);
	put16(icmp + 2, 0);
	if (ipv6) {
		swap(ip + 8, ip + 24, 16);
		ip[7] = 64;
		icmp[0] = 129;
		put16(icmp + 2, (uint16_t)~icmp6_sum(ip, length - IPV6));
	} else {
		swap(ip + 12, ip + 16, 4);
		ip[8] = 64;
		put16(ip + 10, 0);
		put16(ip + 10, (uint16_t)~fold(sum_of(0, ip, IPV4)));
		icmp[0] = 0;
		put16(icmp + 2, (uint16_t)~fold(sum_of(0, icmp, length - IPV4)));
	}
	return ETHERNET + length;
}
