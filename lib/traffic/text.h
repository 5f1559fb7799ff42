/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Reading numbers, for the files of this library that read what users write. */

/** Read a whole number without sign. @param end  behind it. @return whether there is one. */
bool tp_text_whole(const char *text, uint32_t *value, const char **end);

/** Read a finite number, not negative, in decimals. @param end  behind it. @return as above. */
bool tp_text_real(const char *text, double *value, const char **end);
