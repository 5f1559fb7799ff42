/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many workers on one destination virtqueue (split ring): reserve, copy, publish, without a lock.
 * A model for spin; tests/model/run checks it, and mutants of it that must fail.
 *
 * THE PROTOCOL. A position is a place in the endless sequence of buffers that the guest posts; its
 * slot is position & MASK. A ring has `reserved`, the first position that nobody has claimed, and
 * one word a slot, `baton`. A word is 0, or the length n of a finished group that begins in this
 * slot, or TURN. There is one TURN. Who takes it out of a word holds the baton, and the holder
 * alone writes the used index. While nobody holds it, it lies at the first position that is not
 * published.
 *
 *   RESERVE  Load `reserved`, then the available index; less than n between them: refused. Read n
 *            available entries and their descriptors, privately. Compare-and-swap `reserved` from s
 *            to s + n; if it has moved, start over or be refused.
 *   COPY     Fill the buffers, write the used entries s .. s + n - 1. The guest does not look yet.
 *   PUBLISH  Exchange the word of s for n. It was not TURN: leave; whoever holds the baton when all
 *            before it is finished will publish it. It was TURN: clear the word, go behind the
 *            group, store the used index, compare-and-swap the word there from 0 to TURN. That
 *            succeeds: the baton is handed over to whoever owns that position or will own it. It
 *            fails: the word is the length of the next group, whose owner has left; clear, go
 *            behind, store and try again.
 *
 * WHICH ORDERS ARE RIGHT. Each wrong one is a mutant.
 *   - Clear a word before the used index passes its group. Once it has, the guest posts the buffer
 *     again, and the next lap's owner may have finished in the same word.
 *   - Store the used index before handing over. Once handed over, the next holder stores a later
 *     one. A compare-and-swap that fails after the store does no harm.
 *   - Store it at each group, or (LAZY) only before a compare-and-swap that is tried because a look
 *     at the word found 0: both are right.
 *   - Hand over by compare-and-swap: between a look and a store the owner finishes and leaves.
 *   - Finish by exchange: between a look and a store the baton arrives. To look first and, if it is
 *     TURN, hold the baton without an exchange (LOOK_FIRST) is right only with an honest guest. One
 *     that makes available what was never returned lets two groups share a word, and both hold it.
 *   - Load `reserved` before the available index. If that is more than a ring ahead, look at
 *     `reserved` again before the guest is blamed: others may have gone on meanwhile.
 *   - `reserved` must not return to a value within an attempt: 64 bits.
 *
 * WHAT IS SHOWN
 *   (a) one_holder: no two workers hold the baton.
 *   (b) order_kept: the used index never goes back; who takes the baton finds it at his position.
 *       only_finished: it passes only what is finished and was not passed before.
 *       frame_is_its_own: the guest finds at each position, in order, once, the entry that the
 *       position's owner wrote, naming the buffer that was posted there.
 *   (c) baton_kept: while nobody holds the baton, the first position not published is not a
 *       finished one. all_published: when all workers are at their end, nothing reserved is left.
 *   (d) With STOPS a worker may stop for good before each step that others can see. There is no
 *       cycle (pan -l without a progress label), and no last state but that in which all others are
 *       at their end. All before the first reservation of a stopped one is published: baton_kept,
 *       and order_kept for one that stopped while it held the baton. refused_only_when_full: a
 *       first look refuses only if there is no room or others took some since the load.
 *   (e) clean_attempt: a worker writes nothing shared before its compare-and-swap has succeeded.
 *       claimed_once: no position has two owners.
 *   (f) Positions run on for ever, lap after lap through the slots, unless ROUNDS limits how many
 *       attempts there are in all; then there are as many laps as fit.
 *   guest_not_blamed: an honest guest is not taken for one whose available index lies.
 *   With HOSTILE the guest makes available what it likes. What is in its ring is its own loss then,
 *   but (a) holds and all workers come to their end.
 *
 * HOW TO READ IT. The worker and the guest are below; what their steps do, and what mutants do, is
 * in reservation_steps.pml. A step is one access to shared memory; `state`, `holders` and `attempt`
 * are seen by the properties alone. COPY is one step since nobody else may look. The guest takes an
 * entry and posts the buffer again in one step, as late as it likes. How long a group is and how
 * often a worker tries is open at each attempt. Positions count modulo two rings, as tight as 16
 * bits are for the largest ring; that `reserved` is wider is in `attempt`: the compare-and-swap
 * succeeds if nobody has moved it since the load. A worker that has two reservations open in one
 * ring and publishes one after the other does nothing that two workers could not do.
 *
 * WHAT IT DOES NOT SHOW. spin knows one order of all accesses. The code must see to it that
 *   - `reserved` is loaded with acquire, so that the available index is loaded after it;
 *   - exchange and compare-and-swap of a word acquire and release, a failed one and LAZY's look
 *     acquire: a holder's partner is each owner's exchange (frames, used entries), an owner's is
 *     the handing over (cleared words, used index);
 *   - the used index is stored with release. Partner: the guest's load; and through the guest's
 *     store of the available index RESERVE's load of it, so that the next in a slot finds the word
 *     cleared.
 * Nor is it promised that a holder is soon rid of the baton: while others finish a group at each of
 * its steps it publishes theirs.
 */

#define SIZE  4 /* of the ring, a power of two */
#define MASK  (SIZE - 1)
#define WRAP  (2 * SIZE)
#define START 3 /* where the ring begins, so that groups soon lie across its end */
#define TURN  255

#define AFTER(position, count) (((position) + (count)) % WRAP)
#define SPAN(from, to)         (((to) + WRAP - (from)) % WRAP)

/* --- what is shared ----------------------------------------------------------------------------*/

byte reserved = START;                   /* workers: rw */
byte baton[SIZE] = { 0, 0, 0, TURN };    /* workers: rw */
byte used_index = START;                 /* holder: w, guest: r */
byte used_entry[SIZE] = WRAP;            /* owner: w, guest: r; WRAP: none */
byte avail_index = AFTER(START, SIZE);   /* guest: w, workers: r */
byte avail_entry[SIZE] = { 4, 5, 6, 3 }; /* guest: w, workers: r; a buffer's name is its position */

#include "reservation_steps.pml"

/* --- a worker ----------------------------------------------------------------------------------*/

#ifdef STOPS
#define or_stop :: goto end_stopped
#else
#define or_stop
#endif

#ifdef ROUNDS
#define one_more rounds < ROUNDS -> rounds++
#else
#define one_more true
#endif

active [WORKERS] proctype worker()
{
	byte s, n;     /* the group; a holder's moves on over those that it publishes */
	byte m;        /* a word as it was found */
	byte avail;    /* the available index as it was found */
	byte entry[2]; /* private copies of what the guest posted */

idle:
	if
	:: d_step { one_more; n = 1; first_load() }
	:: d_step { one_more; n = 2; first_load() }
#ifdef ROUNDS
	:: rounds == ROUNDS -> goto end_of_rounds
#endif
	fi;

	/* RESERVE */
look:	if
	:: atomic {
		second_load();
		if
		:: SPAN(s, avail) < n -> refused_for_room(); goto idle
		:: SPAN(s, avail) > SIZE -> avail = 0; goto doubt
		:: else -> avail = 0
		fi
	   }
	or_stop
	fi;
#ifdef MUTANT_KEEP_ENTRIES
	if
	:: d_step { m == 0 -> read_entries(); m = 1 }
	:: m == 1
	fi;
#else
	d_step { read_entries() };
#endif
#ifdef MUTANT_WRITE_EARLY
	d_step { copy() };
#endif
	if
	:: atomic { swap_succeeds -> claim() }
	:: atomic { !swap_succeeds -> goto moved }
	fi;

	/* COPY */
	if
	:: d_step { copy() }
	or_stop
	fi;

	/* PUBLISH */
#ifdef LOOK_FIRST
	if
	:: atomic { baton[s & MASK] == TURN -> finish(); take_baton(); goto holding }
	:: baton[s & MASK] != TURN
	fi;
#endif
#ifdef MUTANT_LOOK_THEN_STORE
	m = baton[s & MASK];
#endif
#ifdef MUTANT_WAIT
	baton[s & MASK] == TURN;
#endif
#ifdef MUTANT_SPIN
	do
	:: baton[s & MASK] == TURN -> break
	:: else
	od;
#endif
	if
	:: atomic {
		m = word_found;
		put_word(s, n);
		finish();
		if
		:: m == TURN -> m = 0; take_baton()
		:: else -> check_baton_kept(); forget(); goto idle
		fi
	   }
	or_stop
	fi;
holding:
	do
	:: if
	   :: d_step { put_word(s, cleared); go_behind() }
	   or_stop
	   fi;
#ifdef LAZY
	   n = baton[s & MASK];
	   if
	   :: n != 0 -> goto holding
	   :: else
	   fi;
#endif
#ifndef MUTANT_STORE_AFTER_HANDOVER
	   if
	   :: d_step { store_used() }
	   or_stop
	   fi;
#endif
#ifdef MUTANT_CLEAR_AFTER_STORE
	   d_step { put_word(AFTER(s, WRAP - m), 0); m = 0 };
#endif
#ifdef MUTANT_HANDOVER_BY_STORE
	   n = baton[s & MASK];
#endif
	   if
	   :: atomic {
		n = next_word;
		if
		:: n == 0 -> hand_over(); break
		:: else -> always(one_holder, n != TURN)
		fi
	      }
	   or_stop
	   fi
	od;
#ifdef MUTANT_STORE_AFTER_HANDOVER
	atomic { store_used() };
#endif
	atomic { forget(); goto idle };

doubt:	/* More than a ring ahead: a lie, unless `reserved` has moved. */
	if
	:: atomic { is_a_lie -> demand(guest_not_blamed, false); forget(); goto idle }
	:: !is_a_lie -> goto moved
	fi;
moved:
	if
	:: d_step { drop_entries; first_load() }; goto look
	:: atomic { forget(); goto idle }
	fi;

end_stopped:
	false;
end_of_rounds:
	atomic {
		ended++;
		demand(all_published, ended < WORKERS || used_index == reserved)
	}
}

/* --- the guest ---------------------------------------------------------------------------------*/

active proctype guest()
{
#ifdef HOSTILE
	byte lies;
end_guest:
	do
	:: d_step { lies < HOSTILE -> avail_index = AFTER(avail_index, 1); lies++ }
	od
#else
	byte seen = START;
end_guest:
	do
	:: d_step {
		used_index != seen ->
		p = seen & MASK;
		demand(only_finished, state[p] == PUBLISHED);
		demand(frame_is_its_own, used_entry[p] == seen);
		used_entry[p] = WRAP;
		state[p] = FREE;
		avail_entry[p] = AFTER(seen, SIZE);
		p = 0;
		avail_index = AFTER(avail_index, 1);
		seen = AFTER(seen, 1)
	   }
	od
#endif
}
