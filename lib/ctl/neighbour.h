/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * What is known of one neighbour, and when to ask for more. Pure: the clock is the caller's.
 *
 *    asking --- told ---> known --- its time is over ---> verifying --- told ---> known
 *      ^                    |                                |
 *      |                    +-- another MAC is told ---------+   (asked all again)
 *      +---------------------------- no answer to any of PROBES -+
 *
 * While it is asked for in vain, questions get rarer. A MAC is believed only while there is a
 * question for it; who tells one unasked can bring about a question at most, one a second. Where
 * two stations answer, the one that is known stays: another one is believed when the known one has
 * answered none of PROBES.
 */

#define TP_NEIGHBOUR_FIRST_MS   100   /* between the first two questions; doubles with each */
#define TP_NEIGHBOUR_LAST_MS    30000 /* at most */
#define TP_NEIGHBOUR_KNOWN_MS   30000 /* REACHABLE_TIME (RFC 4861, 10) */
#define TP_NEIGHBOUR_PROBE_MS   1000  /* RETRANS_TIMER */
#define TP_NEIGHBOUR_PROBES     3     /* MAX_UNICAST_SOLICIT */
#define TP_NEIGHBOUR_DOUBTED_MS 200   /* the same, when another MAC was told */
#define TP_NEIGHBOUR_CALM_MS    1000  /* between two doubts that came to nothing */

enum tp_neighbour_state { TP_NEIGHBOUR_ASKING, TP_NEIGHBOUR_KNOWN, TP_NEIGHBOUR_VERIFYING };

struct tp_knowledge {
	enum tp_neighbour_state state;
	uint64_t mac;       /* 0: not known */
	uint64_t due_ms;    /* when something is to be done; 0 at the start: at once */
	uint64_t wait_ms;   /* between the next two questions */
	unsigned questions; /* since the last answer */
	bool doubtful;      /* another MAC was told: all are asked, not only the old one */
	uint64_t claimed;   /* the first that another station has answered with since; 0: none */
	uint64_t calm_ms;   /* until when no other MAC is listened to */
};

enum tp_question {
	TP_QUESTION_NONE,
	TP_QUESTION_ALL, /* ask all stations */
	TP_QUESTION_ONE, /* ask the station with the MAC */
};

/** Time has passed. @return what to ask now. */
enum tp_question tp_knowledge_pass(struct tp_knowledge *knowledge, uint64_t now_ms);

/** A sane message told the neighbour's MAC. @return true if what is known of it has changed. */
bool tp_knowledge_told(struct tp_knowledge *knowledge, uint64_t mac, uint64_t now_ms);

/** For operators. */
const char *tp_neighbour_state_name(enum tp_neighbour_state state);
