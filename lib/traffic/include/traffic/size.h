/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * How large frames are: from destination MAC on, without FCS.
 *
 *   "64"            every frame
 *   "64,128"        every frame, cut into descriptors of 64 and 128 bytes (testpmd's --txpkts)
 *   "imix"          simple IMIX, by frames 7:4:1 of 60, 566 and 1514 bytes (40, 576 and 1500 bytes
 *                   of IP, the first padded to Ethernet's least); RFC 6985 explains such mixes
 *   "64-1514"       any size in between, evenly
 */

#define TP_SIZE_SEGMENTS_MAX 8
#define TP_SIZE_MIX          12 /* entries of the table that a mix is drawn from */
#define TP_SIZE_LEAST        60
#define TP_SIZE_MOST         9018

enum tp_size_kind { TP_SIZE_FIXED, TP_SIZE_IMIX, TP_SIZE_RANGE };

struct tp_size {
	enum tp_size_kind kind;
	uint32_t least;    /* bytes; FIXED: the size */
	uint32_t most;     /* bytes */
	double mean;       /* bytes */
	unsigned segments; /* FIXED: descriptors, 1 if not cut */
	uint32_t segment[TP_SIZE_SEGMENTS_MAX];
	uint16_t mix[TP_SIZE_MIX]; /* IMIX: drawn evenly */
};

/** Read one of the forms above. @return 0, or -EINVAL with *error saying what is wrong and right.
 */
int tp_size_parse(const char *text, struct tp_size *size, struct tp_error *error);

/** Write it as tp_size_parse reads it. @return text. */
const char *tp_size_text(const struct tp_size *size, char *text, size_t capacity);

/** One size. @param random  32 random bits (not looked at if FIXED). Threading: any. */
static inline uint32_t tp_size_draw(const struct tp_size *size, uint32_t random)
{
	if (size->kind == TP_SIZE_FIXED)
		return size->least;
	if (size->kind == TP_SIZE_IMIX)
		return size->mix[(uint64_t)random * TP_SIZE_MIX >> 32];
	return size->least + (uint32_t)((uint64_t)random * (size->most - size->least + 1) >> 32);
}
