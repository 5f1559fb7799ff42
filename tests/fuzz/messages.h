/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "base/error.h"
#include "input.h"

/** An error that is shown to a person: something is said, and no byte of it plays tricks on a
 * terminal. */
static inline void expect_message(const struct tp_error *error)
{
	size_t length = strnlen(error->text, sizeof(error->text));

	EXPECT(length > 0 && length < sizeof(error->text));
	for (size_t i = 0; i < length; i++)
		EXPECT((unsigned char)error->text[i] >= 0x20 && error->text[i] != 0x7f);
}
