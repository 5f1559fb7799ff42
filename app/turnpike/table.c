/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "table.h"

#define CELL_SIZE   192
#define COLUMNS_MAX 24

/* Text of the appliance may come from guests: no control character reaches the terminal. */
void tp_format_text(const json_t *value, char *cell, size_t size)
{
	const char *text = json_string_value(value);

	snprintf(cell, size, "%s", text != NULL && text[0] != '\0' ? text : "-");
	for (unsigned char *c = (unsigned char *)cell; *c != '\0'; c++) {
		/* C1 is two bytes in UTF-8, 0xc2 0x80 to 0xc2 0x9f */
		if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
			*c++ = '?';
		else if (*c >= 0x20 && *c != 0x7f)
			continue;
		*c = '?';
	}
}

void tp_format_number(const json_t *value, char *cell, size_t size)
{
	if (json_is_integer(value))
		snprintf(cell, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		snprintf(cell, size, "%g", json_real_value(value));
	else
		snprintf(cell, size, "-");
}

void tp_format_yes(const json_t *value, char *cell, size_t size)
{
	snprintf(cell, size, "%s", json_is_true(value) ? "yes" : "-");
}

void tp_format_percent(const json_t *value, char *cell, size_t size)
{
	if (json_is_number(value))
		snprintf(cell, size, "%.1f%%", json_number_value(value));
	else
		snprintf(cell, size, "-");
}

void tp_format_scaled(const json_t *value, char *cell, size_t size)
{
	static const char *const scales[] = {"", " k", " M", " G", " T", " P"};
	double number = json_number_value(value);
	unsigned scale = 0;

	while (fabs(number) >= 999.5 && scale + 1 < sizeof(scales) / sizeof(scales[0])) {
		number /= 1000;
		scale++;
	}
	if (!json_is_number(value))
		snprintf(cell, size, "-");
	else
		snprintf(cell, size, scale == 0 ? "%.0f%s" : "%.3g%s", number, scales[scale]);
}

static void format_rate(const json_t *value, const char *unit, char *cell, size_t size)
{
	char number[32];

	tp_format_scaled(value, number, sizeof(number));
	if (json_number_value(value) > 0)
		snprintf(
			cell, size, "%s%s%s", number, strchr(number, ' ') != NULL ? "" : " ", unit);
	else
		snprintf(cell, size, "-");
}

void tp_format_bit_rate(const json_t *value, char *cell, size_t size)
{
	format_rate(value, "bit/s", cell, size);
}

void tp_format_frame_rate(const json_t *value, char *cell, size_t size)
{
	format_rate(value, "pps", cell, size);
}

void tp_format_time(const json_t *value, char *cell, size_t size)
{
	static const char *const units[] = {"ns", "us", "ms", "s"};
	double number = json_number_value(value);
	unsigned unit = 0;

	while (number >= 1000 && unit < 3) {
		number /= 1000;
		unit++;
	}
	if (number > 0)
		snprintf(cell, size, "%g %s", number, units[unit]);
	else
		snprintf(cell, size, "-");
}

/* Two decimals, rounded; no sixteenth is rounded up to a whole. */
void tp_format_credits(const json_t *value, char *cell, size_t size)
{
	json_int_t sixteenths = json_integer_value(value);
	unsigned long long amount =
		sixteenths < 0 ? -(unsigned long long)sixteenths : (unsigned long long)sixteenths;

	if (json_is_integer(value))
		snprintf(cell, size, "%s%llu.%02llu", sixteenths < 0 ? "-" : "", amount / 16,
			(amount % 16 * 100 + 8) / 16);
	else
		snprintf(cell, size, "-");
}

/* What a terminal shows of it, for UTF-8 of one column a character. */
static int width_of(const char *text)
{
	int width = 0;

	for (; *text != '\0'; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static void write_cell(FILE *file, const struct tp_column *column, const char *text, int width)
{
	bool last = column[1].title == NULL;
	int blanks = width - width_of(text);

	if (column->format != tp_format_text)
		fprintf(file, "%*s%s", blanks, "", text);
	else
		fprintf(file, "%s%*s", text, last ? 0 : blanks, "");
	fputs(last ? "\n" : "  ", file);
}

static void measure(
	const json_t *rows, size_t count, const struct tp_column *columns, int widths[COLUMNS_MAX])
{
	char cell[CELL_SIZE];

	for (unsigned c = 0; columns[c].title != NULL; c++)
		widths[c] = width_of(columns[c].title);
	for (size_t r = 0; r < count; r++) {
		const json_t *row = json_array_get(rows, r);

		for (unsigned c = 0; columns[c].title != NULL; c++) {
			columns[c].format(json_object_get(row, columns[c].key), cell, sizeof(cell));
			if (width_of(cell) > widths[c])
				widths[c] = width_of(cell);
		}
	}
}

static void write_row(FILE *file, const json_t *row, const struct tp_column *columns,
	const int widths[COLUMNS_MAX])
{
	char cell[CELL_SIZE];

	for (unsigned c = 0; columns[c].title != NULL; c++) {
		columns[c].format(json_object_get(row, columns[c].key), cell, sizeof(cell));
		write_cell(file, &columns[c], cell, widths[c]);
	}
}

void tp_table_write(FILE *file, const json_t *rows, size_t most, const struct tp_column *columns)
{
	size_t total = json_array_size(rows);
	size_t count = total < most ? total : most;
	int widths[COLUMNS_MAX];

	measure(rows, count, columns, widths);
	for (unsigned c = 0; columns[c].title != NULL; c++)
		write_cell(file, &columns[c], columns[c].title, widths[c]);
	for (size_t r = 0; r < count; r++)
		write_row(file, json_array_get(rows, r), columns, widths);
	if (total > most)
		fprintf(file, "... and %zu more\n", total - most);
}
