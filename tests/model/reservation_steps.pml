/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The steps of reservation.pml: what each does to the shared memory, what is demanded of it, and
 * what a mutant does instead.
 */

/* --- what is demanded --------------------------------------------------------------------------*/

mtype:state = { FREE, RESERVED, FINISHED, PUBLISHED };
mtype:state state[SIZE] = FREE; /* of the position that lies in the slot */
mtype:attempt = { NONE, UNMOVED, MOVED };
mtype:attempt attempt[WORKERS] = NONE; /* what became of `reserved` since the worker's load */
byte holders; /* workers that hold the baton */
byte rounds;  /* attempts in all */
byte ended;   /* workers that came to their end */

bool one_holder = true;
bool order_kept = true;
bool only_finished = true;
bool frame_is_its_own = true;
bool baton_kept = true;
bool all_published = true;
bool refused_only_when_full = true;
bool clean_attempt = true;
bool claimed_once = true;
bool guest_not_blamed = true;

/* A property is a variable so that pan gives its name. */
inline always(property, truth)
{
	property = (truth);
	assert(property)
}

#ifdef HOSTILE
#define demand(property, truth) skip
#else
#define demand(property, truth) always(property, truth)
#endif

inline check_baton_kept()
{
	demand(baton_kept, holders > 0 || state[used_index & MASK] != FINISHED)
}

/* --- the steps of RESERVE ----------------------------------------------------------------------*/

byte i, p; /* within a step only */

inline load_reserved()
{
	s = reserved;
	attempt[_pid] = UNMOVED
}

#ifdef MUTANT_AVAIL_FIRST
#define first_load()  avail = avail_index
#define second_load() load_reserved()
#elif defined(MUTANT_ADD_AND_UNDO)
#define first_load()  load_reserved(); reserved = AFTER(s, n)
#define second_load() avail = avail_index
#else
#define first_load()  load_reserved()
#define second_load() avail = avail_index
#endif

/* What a worker no longer needs shall not tell states apart. */
inline forget()
{
	attempt[_pid] = NONE;
	s = 0;
	n = 0;
	m = 0;
	avail = 0;
	entry[0] = 0;
	entry[1] = 0
}

inline refused_for_room()
{
	demand(refused_only_when_full,
		attempt[_pid] == MOVED || SPAN(reserved, avail_index) < n);
#ifdef MUTANT_ADD_AND_UNDO
	reserved = AFTER(reserved, WRAP - n);
#endif
	forget()
}

inline read_entries()
{
	entry[0] = avail_entry[s & MASK];
	if
	:: n == 2 -> entry[1] = avail_entry[AFTER(s, 1) & MASK]
	:: else
	fi
}

#ifdef MUTANT_KEEP_ENTRIES
#define drop_entries skip
#else
#define drop_entries entry[0] = 0; entry[1] = 0
#endif

#ifdef MUTANT_JUDGE_AT_ONCE
#define is_a_lie true
#else
#define is_a_lie (attempt[_pid] == UNMOVED)
#endif

#ifdef MUTANT_NARROW_COUNTER
#define swap_succeeds ((reserved & MASK) == (s & MASK))
#elif defined(MUTANT_ADD_AND_UNDO)
#define swap_succeeds true
#else
#define swap_succeeds (attempt[_pid] == UNMOVED)
#endif

inline claim()
{
#ifndef MUTANT_ADD_AND_UNDO
	s = reserved; /* as it was, unless the counter is narrow */
	reserved = AFTER(s, n);
#endif
	attempt[_pid] = NONE;
	for (i : 0 .. WORKERS - 1) {
		if
		:: attempt[i] == UNMOVED -> attempt[i] = MOVED
		:: else
		fi
	}
	for (i : 0 .. n - 1) {
		p = AFTER(s, i) & MASK;
		demand(claimed_once, state[p] == FREE);
		state[p] = RESERVED
	}
	i = 0;
	p = 0
}

/* --- the steps of COPY and PUBLISH -------------------------------------------------------------*/

inline copy()
{
	demand(clean_attempt, attempt[_pid] == NONE);
	for (i : 0 .. n - 1) {
		p = AFTER(s, i) & MASK;
		demand(claimed_once, state[p] == RESERVED);
		used_entry[p] = entry[i];
		entry[i] = 0
	}
	i = 0;
	p = 0
}

inline put_word(position, value)
{
	demand(clean_attempt, attempt[_pid] == NONE);
	baton[(position) & MASK] = value
}

/* From here on the group's words and entries are whoever's that holds the baton. */
inline finish()
{
	for (i : 0 .. n - 1) {
		state[AFTER(s, i) & MASK] = FINISHED
	}
	i = 0
}

inline take_baton()
{
	always(one_holder, holders == 0);
	demand(order_kept, used_index == s);
	holders++
}

#ifdef MUTANT_LEAVE_WITHOUT_LOOKING
#define word_found 0
#elif defined(MUTANT_LOOK_THEN_STORE)
#define word_found m
#else
#define word_found baton[s & MASK]
#endif

#if defined(MUTANT_NO_CLEAR) || defined(MUTANT_CLEAR_AFTER_STORE)
#define cleared n
#else
#define cleared 0
#endif

inline go_behind()
{
#ifdef MUTANT_CLEAR_AFTER_STORE
	m = n;
#endif
	s = AFTER(s, n);
	n = 0
}

inline store_used()
{
	demand(order_kept, SPAN(used_index, s) <= SIZE);
	for (i : 1 .. SPAN(used_index, s)) {
		p = AFTER(used_index, i - 1) & MASK;
		demand(only_finished, state[p] == FINISHED);
		state[p] = PUBLISHED
	}
	used_index = s;
	i = 0;
	p = 0
}

#ifdef MUTANT_HANDOVER_BY_STORE
#define next_word n
#else
#define next_word baton[s & MASK]
#endif

inline hand_over()
{
	put_word(s, TURN);
	holders--;
#ifndef MUTANT_STORE_AFTER_HANDOVER
	check_baton_kept()
#endif
}
