/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdbool.h>
#include <string.h>

#include "traffic/sequence.h"

#define WORDS (TP_SEQUENCE_WINDOW / 64)

static uint64_t *word_of(struct tp_sequence *sequence, uint32_t number)
{
	return &sequence->seen[number / 64 % WORDS];
}

static void see_ahead(struct tp_sequence *sequence, uint32_t number)
{
	uint32_t jump = number - sequence->next;

	if (jump >= TP_SEQUENCE_WINDOW)
		memset(sequence->seen, 0, sizeof(sequence->seen));
	else
		for (uint32_t skipped = sequence->next; skipped != number; skipped++)
			*word_of(sequence, skipped) &= ~(1ull << skipped % 64);
	*word_of(sequence, number) |= 1ull << number % 64;
	sequence->skipped += jump;
	sequence->received++;
	sequence->next = number + 1;
}

void tp_sequence_see_other(struct tp_sequence *sequence, uint32_t number)
{
	uint32_t behind = sequence->next - number;
	uint64_t bit = 1ull << number % 64;

	if (behind == 0 || behind > UINT32_MAX / 2) {
		see_ahead(sequence, number);
	} else if (behind > TP_SEQUENCE_WINDOW) {
		sequence->late++;
	} else if (*word_of(sequence, number) & bit) {
		sequence->duplicates++;
	} else {
		*word_of(sequence, number) |= bit;
		sequence->received++;
		sequence->reordered++;
		sequence->skipped--;
		if (behind > sequence->extent)
			sequence->extent = behind;
	}
}

void tp_sequence_see_burst(struct tp_sequence *sequence, uint32_t last, unsigned count)
{
	uint32_t advance = last + 1 - sequence->next;

	if (advance > UINT32_MAX / 2) {
		sequence->late += count; /* the whole burst is of the past */
		return;
	}
	if (advance >= count) {
		sequence->skipped += advance - count;
		sequence->received += count;
	} else {
		sequence->received += advance;
		sequence->duplicates += count - advance;
	}
	sequence->next = last + 1;
}
