/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>

#include "base/address.h"

bool tp_address_parse(const char *text, struct tp_address *address)
{
	*address = (struct tp_address){.length = 4};
	if (inet_pton(AF_INET, text, address->bytes) == 1)
		return true;
	*address = (struct tp_address){.length = 16};
	return inet_pton(AF_INET6, text, address->bytes) == 1;
}

const char *tp_address_format(const struct tp_address *address, char *text)
{
	text[0] = '\0';
	inet_ntop(address->length == 4 ? AF_INET : AF_INET6, address->bytes, text, TP_ADDRESS_TEXT);
	return text;
}

bool tp_address_same_network(
	const struct tp_address *left, const struct tp_address *right, unsigned prefix)
{
	unsigned whole = prefix / 8;
	uint8_t rest = (uint8_t)(0xff00 >> (prefix % 8));

	if (left->length != right->length || memcmp(left->bytes, right->bytes, whole) != 0)
		return false;
	return rest == 0 || ((left->bytes[whole] ^ right->bytes[whole]) & rest) == 0;
}

bool tp_address_is_station(const struct tp_address *address)
{
	static const struct tp_address loopback = {.bytes = {[15] = 1}, .length = 16};
	static const struct tp_address unspecified = {.length = 16};

	if (address->length == 4)
		return address->bytes[0] != 0 && address->bytes[0] != 127 &&
		       address->bytes[0] < 224;
	return address->bytes[0] != 0xff && !tp_address_equal(address, &loopback) &&
	       !tp_address_equal(address, &unspecified);
}

bool tp_address_is_network_end(const struct tp_address *address, unsigned prefix)
{
	uint32_t number = (uint32_t)address->bytes[0] << 24 | (uint32_t)address->bytes[1] << 16 |
			  (uint32_t)address->bytes[2] << 8 | address->bytes[3];
	uint32_t host;

	if (address->length != 4 || prefix > 30)
		return false;
	host = UINT32_MAX >> prefix;
	return (number & host) == 0 || (number & host) == host;
}
