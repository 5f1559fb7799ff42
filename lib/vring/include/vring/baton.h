/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Publishing in the order of reservation, by many writers, without waiting. A model of it is
 * checked in tests/model.
 *
 * Who owns the oldest open reservation holds the baton: it alone may move the index that readers
 * see. One 16-bit word for each place of the ring says what is known of the reservation that begins
 * there:
 *
 *      published                                                    reserved
 *          |                                                            |
 *   .......[ A: open     ][ B: done, 3       ][ C: done, 2 ][ D: open   ]......
 *           word: BATON    word: 3             word: 2       word: 0     word: 0
 *
 * B finished before A: it left its length and went on. When A finishes it finds the baton,
 * publishes itself, B and C, and lays the baton down at D, which finds it when it finishes. If
 * nothing is reserved behind C, the next one to reserve there finds it. A stalled owner so delays
 * what is behind it in this ring, and nobody waits for it.
 */

#define TP_BATON UINT16_MAX /* no reservation is that long: a ring has 32,768 places at most */

/**
 * The owner of a reservation has filled it.
 * @param word    of the place where it begins
 * @param length  1..32768 places
 * @return true if the caller holds the baton now and has to publish; else whoever holds it will.
 */
static inline bool tp_baton_finish(uint16_t *word, uint16_t length)
{
	/* release: partner is the acquire in tp_baton_pass of who publishes this one;
	 * acquire: partner is the release in tp_baton_pass that laid the baton down here */
	return __atomic_exchange_n(word, length, __ATOMIC_ACQ_REL) == TP_BATON;
}

/** The caller, who holds the baton, has taken this reservation into what it publishes: the place
 * may be used anew as soon as the reader has seen it. */
static inline void tp_baton_clear(uint16_t *word)
{
	/* before the index that is stored with release, so before a next owner finishes here */
	__atomic_store_n(word, 0, __ATOMIC_RELAXED);
}

/**
 * Everything before this place is published: lay the baton down here, unless what begins here is
 * done.
 * @return 0 if the baton is gone, else the length of the reservation that the caller has to publish
 * next.
 */
static inline uint16_t tp_baton_pass(uint16_t *word)
{
	uint16_t found = 0;

	/* release, acquire: partner is tp_baton_finish of who owns, or will own, this place */
	if (__atomic_compare_exchange_n(
		    word, &found, TP_BATON, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return 0;
	return found;
}
