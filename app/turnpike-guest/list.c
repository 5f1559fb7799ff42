/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists of devices and CPUs: "0,3-5", "1-9/2". */
#include <ctype.h>
#include <stdlib.h>

#include "guest.h"

struct range {
	unsigned from, to, step;
};

static bool read_whole(const char **text, unsigned *value)
{
	char *end;
	unsigned long number;

	if (!isdigit((unsigned char)**text))
		return false;
	number = strtoul(*text, &end, 10);
	*text = end;
	*value = (unsigned)number;
	return number <= 1u << 30;
}

/* A number behind a sign, if that is there. */
static bool read_optional(const char **text, char sign, unsigned *value)
{
	if (**text != sign)
		return true;
	(*text)++;
	return read_whole(text, value);
}

static bool read_range(const char **text, unsigned limit, struct range *range)
{
	if (!read_whole(text, &range->from))
		return false;
	range->to = range->from;
	range->step = 1;
	return read_optional(text, '-', &range->to) && read_optional(text, '/', &range->step) &&
	       range->from <= range->to && range->to < limit && range->step > 0;
}

const char *read_list(const char *text, unsigned limit,
	void (*take)(void *context, unsigned number), void *context)
{
	for (;;) {
		struct range range;

		if (!read_range(&text, limit, &range))
			return NULL;
		for (unsigned i = range.from; take != NULL && i <= range.to; i += range.step)
			take(context, i);
		if (*text != ',')
			return text;
		text++;
	}
}
