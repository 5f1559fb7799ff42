/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

/*
 * The price of room: 1 / (1 - occupancy), in sixteenths. Occupancy is 1 - free / capacity, so the
 * price is capacity / free, and a bid is enough while free >= capacity / bid. Pure functions.
 */

#define TP_PRICE_ONE 16u /* price 1, in sixteenths */

/** A bid as a share of the capacity that has to be free, in 65,536ths: compiled once.
 * @param bid  in sixteenths, at least TP_PRICE_ONE */
static inline uint32_t tp_price_threshold(uint32_t bid)
{
	return (65536u * TP_PRICE_ONE + bid - 1) / bid;
}

/**
 * The least room that has to be free for a bidder.
 * @param capacity   what the resource holds at most
 * @param threshold  of tp_price_threshold
 * @return at least 1 if there is any capacity.
 */
static inline uint32_t tp_price_floor(uint32_t capacity, uint32_t threshold)
{
	return (uint32_t)(((uint64_t)capacity * threshold + 65535) >> 16);
}

/** The price while `free` of `capacity` is free, in sixteenths. @param free 1..capacity */
static inline uint32_t tp_price(uint32_t capacity, uint32_t free)
{
	/* Below 1/17 used the division gives one; most attempts are there. */
	if (free * (TP_PRICE_ONE + 1) > capacity * TP_PRICE_ONE)
		return TP_PRICE_ONE;
	return capacity * TP_PRICE_ONE / free;
}
