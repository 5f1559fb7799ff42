/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * What all fuzz targets share: the entry point that libFuzzer and replay.c call, an input that is
 * taken piece by piece, and what must hold. An input that is used up goes on as zeros, so that
 * every cut of an input is an input.
 */

/** Run the target once. @return 0. Threading: one thread. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** This must hold whatever the input is. */
#define EXPECT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,          \
				#condition);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

struct input {
	const uint8_t *data;
	size_t size; /* bytes left */
};

/** Take up to `wanted` bytes. @return how many. */
static inline size_t input_take(struct input *input, size_t wanted, const uint8_t **bytes)
{
	size_t size = wanted < input->size ? wanted : input->size;

	*bytes = input->data;
	input->data += size;
	input->size -= size;
	return size;
}

/** Take a little-endian number. @param bytes 1..8 */
static inline uint64_t input_number(struct input *input, size_t bytes)
{
	const uint8_t *from;
	size_t size = input_take(input, bytes, &from);
	uint64_t number = 0;

	for (size_t i = 0; i < size; i++)
		number |= (uint64_t)from[i] << 8 * i;
	return number;
}

static inline uint8_t input_u8(struct input *input)
{
	return (uint8_t)input_number(input, 1);
}

static inline uint16_t input_u16(struct input *input)
{
	return (uint16_t)input_number(input, 2);
}

/** Fill a structure. */
static inline void input_fill(struct input *input, void *to, size_t size)
{
	const uint8_t *from;
	size_t got = input_take(input, size, &from);

	memset(to, 0, size);
	if (got > 0)
		memcpy(to, from, got);
}
