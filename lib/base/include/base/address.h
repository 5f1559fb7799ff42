/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 * IP addresses of either family.
 */

#define TP_ADDRESS_TEXT 46 /* bytes of the longest text, with its end */

/** As it lies on the wire; unused bytes are 0. */
struct tp_address {
	uint8_t bytes[16];
	uint8_t length; /* 4, 16, or 0: none */
};

static inline bool tp_address_equal(const struct tp_address *left, const struct tp_address *right)
{
	return left->length == right->length &&
	       memcmp(left->bytes, right->bytes, sizeof(left->bytes)) == 0;
}

/** Read "192.0.2.1" or "2001:db8::1". @return false if it is neither. Threading: any. */
bool tp_address_parse(const char *text, struct tp_address *address);

/** Write it. @param text TP_ADDRESS_TEXT bytes. @return text. Threading: any. */
const char *tp_address_format(const struct tp_address *address, char *text);

/** Are both in one network of so many leading bits? Threading: any. */
bool tp_address_same_network(
	const struct tp_address *left, const struct tp_address *right, unsigned prefix);

/** May it be one station's: no group, loopback or unspecified address? Threading: any. */
bool tp_address_is_station(const struct tp_address *address);

/** Is it the first or the last address of its IPv4 network, which no station has? Networks of 31
 * and 32 bits have none (RFC 3021). Threading: any. */
bool tp_address_is_network_end(const struct tp_address *address, unsigned prefix);
