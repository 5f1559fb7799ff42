/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

/*
 * What became of the frames of one flow, by their sequence numbers (32 bits, from 0, wrapping).
 *
 * A window of the last 256 numbers tells a frame that comes late (reordered) from one that comes
 * twice. A number that is behind the window is `late`: a duplicate or reordered far, nobody knows.
 *
 * RFC 4737 (reordering: a frame whose number is less than one already seen); RFC 5560 (duplicates).
 */

#define TP_SEQUENCE_WINDOW 256

struct tp_sequence {
	uint32_t next;       /* the number after the highest seen */
	uint32_t extent;     /* of the largest reordering: how far behind, in numbers */
	uint64_t received;   /* frames seen for the first time */
	uint64_t duplicates; /* seen again */
	uint64_t reordered;  /* received, but after a higher number */
	uint64_t late;       /* behind the window; not in received */
	uint64_t skipped;    /* numbers jumped over (reordered ones are taken off again) */
	uint64_t seen[TP_SEQUENCE_WINDOW / 64]; /* bit n % 256: number n was seen */
};

/** A number that is not the next one, or the next one. Slow path of tp_sequence_see. */
void tp_sequence_see_other(struct tp_sequence *sequence, uint32_t number);

/** A frame came. */
static inline void tp_sequence_see(struct tp_sequence *sequence, uint32_t number)
{
	if (__builtin_expect(number == sequence->next, 1)) {
		/* The bit is 256 numbers old: it says nothing of this one. */
		sequence->seen[number / 64 % (TP_SEQUENCE_WINDOW / 64)] |= 1ull << number % 64;
		sequence->next++;
		sequence->received++;
		return;
	}
	tp_sequence_see_other(sequence, number);
}

/**
 * A burst of which the last frame alone was looked at (TP_VERIFY_BURST).
 * @param count  frames in it. A gap is in `skipped`.
 */
void tp_sequence_see_burst(struct tp_sequence *sequence, uint32_t last, unsigned count);
