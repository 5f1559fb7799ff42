/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "ctl/units.h"

const struct tp_unit_family tp_units_rate = {
	.example = "2Gbit/s",
	.units = {{"bit/s", 1}, {"kbit/s", 1000}, {"Mbit/s", 1000000}, {"Gbit/s", 1000000000},
		{"Tbit/s", 1000000000000}, {"pps", 1}, {"kpps", 1000}, {"Mpps", 1000000},
		{NULL, 0}},
};

const struct tp_unit_family tp_units_frame_rate = {
	.example = "100kpps",
	.units = {{"pps", 1}, {"kpps", 1000}, {"Mpps", 1000000}, {NULL, 0}},
};

const struct tp_unit_family tp_units_time = {
	.example = "100us",
	.units = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {NULL, 0}},
};

const struct tp_unit_family tp_units_size = {
	.example = "64KiB",
	.units = {{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}},
};

const struct tp_unit_family tp_units_burst = {
	.example = "64KiB",
	.units = {{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"ns", 1},
		{"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {NULL, 0}},
};

/* A decimal number as digits / 10^places, without trailing zeros in the fraction. */
struct decimal {
	uint64_t digits;
	unsigned places;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool append_digit(uint64_t *digits, char c)
{
	return !__builtin_mul_overflow(*digits, 10, digits) &&
	       !__builtin_add_overflow(*digits, (uint64_t)(c - '0'), digits);
}

static int read_digits(const char **cursor, const char *end, uint64_t *digits)
{
	while (*cursor < end) {
		if (!append_digit(digits, **cursor))
			return -ERANGE;
		(*cursor)++;
	}
	return 0;
}

static const char *skip_digits(const char *cursor)
{
	while (is_digit(*cursor))
		cursor++;
	return cursor;
}

/* Moves *cursor behind the number. */
static int read_decimal(const char **cursor, struct decimal *number)
{
	const char *fraction;
	const char *end = skip_digits(*cursor);

	*number = (struct decimal){0};
	if (end == *cursor)
		return -EINVAL;
	if (read_digits(cursor, end, &number->digits) < 0)
		return -ERANGE;
	if (*end != '.')
		return 0;
	fraction = end + 1;
	*cursor = fraction;
	end = skip_digits(fraction);
	if (end == fraction)
		return -EINVAL;
	for (const char *last = end; last > fraction && last[-1] == '0';)
		number->places = (unsigned)(--last - fraction);
	if (end[-1] != '0')
		number->places = (unsigned)(end - fraction);
	if (read_digits(cursor, fraction + number->places, &number->digits) < 0)
		return -ERANGE;
	*cursor = end;
	return 0;
}

static const struct tp_unit *find_unit(const struct tp_unit_family *family, const char *name)
{
	for (const struct tp_unit *unit = family->units; unit->name != NULL; unit++) {
		if (strcmp(unit->name, name) == 0)
			return unit;
	}
	return NULL;
}

static int scale(const struct decimal *number, uint64_t factor, uint64_t *value)
{
	unsigned __int128 product = (unsigned __int128)number->digits * factor;

	for (unsigned place = 0; place < number->places; place++) {
		if (product % 10 != 0)
			return -EINVAL;
		product /= 10;
	}
	if (product > UINT64_MAX)
		return -ERANGE;
	*value = (uint64_t)product;
	return 0;
}

int tp_units_refuse(
	const struct tp_unit_family *family, int code, const char *reason, struct tp_error *error)
{
	char names[160];
	size_t length = 0;

	for (const struct tp_unit *unit = family->units; unit->name != NULL; unit++)
		length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s",
			length > 0 ? ", " : "", unit->name);
	return tp_error_set(error, code,
		"%s; accepted: a string of a number and one of %s, for example \"%s\"", reason,
		names, family->example);
}

bool tp_units_match(const char *text, const struct tp_unit_family *family)
{
	struct decimal number;

	if (read_decimal(&text, &number) < 0)
		return false;
	return find_unit(family, *text == ' ' ? text + 1 : text) != NULL;
}

int tp_units_parse(const char *text, const struct tp_unit_family *family, uint64_t *value,
	struct tp_error *error)
{
	const struct tp_unit *unit;
	struct decimal number;
	int result = read_decimal(&text, &number);

	if (result == -ERANGE)
		return tp_units_refuse(family, ERANGE, "more than 64 bits hold", error);
	if (result < 0)
		return tp_units_refuse(family, EINVAL, "not a number with a unit", error);
	if (*text == ' ')
		text++;
	if (*text == '\0')
		return tp_units_refuse(family, EINVAL, "a number without a unit", error);
	unit = find_unit(family, text);
	if (unit == NULL)
		return tp_units_refuse(family, EINVAL, "not one of the units", error);
	result = scale(&number, unit->factor, value);
	if (result == -ERANGE)
		return tp_units_refuse(family, ERANGE, "more than 64 bits hold", error);
	if (result < 0)
		return tp_units_refuse(
			family, EINVAL, "less than the smallest unit resolves", error);
	return 0;
}
