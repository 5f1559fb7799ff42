/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "text.h"

bool tp_text_whole(const char *text, uint32_t *value, const char **end)
{
	char *stop;
	unsigned long long number;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	number = strtoull(text, &stop, 10);
	*end = stop;
	*value = (uint32_t)number;
	return errno == 0 && number <= UINT32_MAX;
}

bool tp_text_real(const char *text, double *value, const char **end)
{
	char *stop;

	/* strtod reads signs, spaces, "nan" and hexadecimals as well. */
	if (!isdigit((unsigned char)text[0]) || text[1] == 'x' || text[1] == 'X')
		return false;
	errno = 0;
	*value = strtod(text, &stop);
	*end = stop;
	return errno == 0 && isfinite(*value);
}
