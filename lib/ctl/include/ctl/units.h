/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Values that are written with their unit: "2Gbit/s", "100us", "1.5MiB". A number may have a
 * decimal fraction as long as the value is a whole number of the family's smallest unit.
 */

struct tp_unit {
	const char *name;
	uint64_t factor; /* how many of the smallest unit */
};

struct tp_unit_family {
	const char *example;
	struct tp_unit units[10]; /* smallest first, ended by a NULL name */
};

extern const struct tp_unit_family tp_units_rate;       /* value in bit/s, or in frames a second */
extern const struct tp_unit_family tp_units_frame_rate; /* of these, those in frames a second */
extern const struct tp_unit_family tp_units_time;       /* value in ns */
extern const struct tp_unit_family tp_units_size;       /* value in bytes */
extern const struct tp_unit_family tp_units_burst;      /* value in bytes, or in ns */

/**
 * Parse a number with its unit; one space may stand between the two.
 *
 * @param text    for example "2Gbit/s"
 * @param family  the units that are accepted
 * @param value   set on success, in the family's smallest unit
 * @param error   "what is wrong; accepted: ..."
 * @return 0; -EINVAL: not a number with one of the units, or not a whole number of the smallest;
 * -ERANGE: more than 64 bits hold. Threading: any.
 */
int tp_units_parse(const char *text, const struct tp_unit_family *family, uint64_t *value,
	struct tp_error *error);

/** Is it a number with a unit of this family? Threading: any. */
bool tp_units_match(const char *text, const struct tp_unit_family *family);

/**
 * Write "reason; accepted: a number with one of bit/s, kbit/s, ..." into an error.
 * @return -code. Threading: any.
 */
int tp_units_refuse(
	const struct tp_unit_family *family, int code, const char *reason, struct tp_error *error);
