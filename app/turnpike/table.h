/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

/*
 * Tables of JSON objects: a row an object, a column a key. A key that a row has not shows as "-";
 * keys without a column are ignored, so that an appliance may tell more than this command knows.
 */

struct tp_column {
	const char *title;
	const char *key;
	/** Write the value for people. */
	void (*format)(const json_t *value, char *cell, size_t size);
};

/* Formats. Text stands left, everything else right. */
void tp_format_text(const json_t *value, char *cell, size_t size);
void tp_format_number(const json_t *value, char *cell, size_t size);
void tp_format_yes(const json_t *value, char *cell, size_t size);        /* "yes" or "-" */
void tp_format_percent(const json_t *value, char *cell, size_t size);    /* of a percentage */
void tp_format_bit_rate(const json_t *value, char *cell, size_t size);   /* of bit/s, 0: "-" */
void tp_format_frame_rate(const json_t *value, char *cell, size_t size); /* of frames/s, 0: "-" */
void tp_format_scaled(const json_t *value, char *cell, size_t size);     /* 1.23 M */
void tp_format_credits(const json_t *value, char *cell, size_t size);    /* of sixteenths */
void tp_format_time(const json_t *value, char *cell, size_t size);       /* of ns, 0: "-" */

/**
 * Write a table with a line of titles.
 *
 * @param rows     array of objects
 * @param most     rows to write, the rest is told by their number
 * @param columns  ended by a NULL title
 * Threading: any one thread.
 */
void tp_table_write(FILE *file, const json_t *rows, size_t most, const struct tp_column *columns);
