/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "ctl/units.h"

/*
 * Reading JSON objects by table: a key, whether it must be there, and the function that reads its
 * value into a field. A value knows its way from the root, so that every refusal names its place:
 * "demo.json: $.classes.gold.bid: found "high" (string); accepted: ...".
 */

struct tp_json_reader {
	const char *file; /* stands for the file in messages */
	void *owner;      /* of the tables' functions */
	struct tp_error *error;
};

struct tp_json_value {
	struct tp_json_reader *reader;
	const struct tp_json_value *parent; /* NULL: the root */
	const char *key;                    /* in the parent; NULL: an array's element */
	size_t index;
	json_t *json; /* NULL: a key that is not there */
};

struct tp_json_key {
	const char *name;
	/** Read value->json into *field. @return 0, or negative errno with the error set. */
	int (*read)(const struct tp_json_value *value, const struct tp_json_key *key, void *field);
	size_t offset;    /* of the field in the target */
	uint64_t minimum; /* of a number, in the smallest unit if it has one */
	uint64_t maximum;
	bool required;
};

/** Accept an object only. @return 0, or -EINVAL. */
int tp_json_expect_object(const struct tp_json_value *value);

/**
 * Read an object by its table. Unknown keys are refused first; then the keys are read in the order
 * of the table, whatever the order in the file.
 *
 * @param keys    the table
 * @param count   number of keys
 * @param target  the struct that the offsets are of
 * @return 0, or negative errno with the error set.
 */
int tp_json_read_object(const struct tp_json_value *value, const struct tp_json_key *keys,
	size_t count, void *target);

/** The member of an object, or an element of an array, with its place. */
struct tp_json_value tp_json_member(
	const struct tp_json_value *parent, const char *key, json_t *json);
struct tp_json_value tp_json_element(const struct tp_json_value *parent, size_t index);

/** Refuse a value: "FILE: PATH: text". @return -code. */
__attribute__((format(printf, 3, 4))) int tp_json_fail(
	const struct tp_json_value *value, int code, const char *format, ...);

/** Refuse a value: "FILE: PATH: found ...; accepted: text". @return -EINVAL. */
__attribute__((format(printf, 2, 3))) int tp_json_refuse(
	const struct tp_json_value *value, const char *accepted, ...);

/** Describe what was found, for a message: "high" (string). @return buffer. */
const char *tp_json_describe(const json_t *json, char *buffer, size_t size);

/* Readers of plain fields. Numbers are checked against the key's minimum and maximum. */
int tp_json_read_bool(const struct tp_json_value *, const struct tp_json_key *, void *field);
int tp_json_read_u16(const struct tp_json_value *, const struct tp_json_key *, void *field);
int tp_json_read_u32(const struct tp_json_value *, const struct tp_json_key *, void *field);
int tp_json_read_u64(const struct tp_json_value *, const struct tp_json_key *, void *field);

/**
 * A number with a unit, between the key's minimum and maximum.
 * @param quantity  in the family's smallest unit
 */
int tp_json_read_quantity(const struct tp_json_value *value, const struct tp_json_key *key,
	const struct tp_unit_family *family, uint64_t *quantity);

/** A time with its unit into a uint64_t of ns. */
int tp_json_read_time(const struct tp_json_value *, const struct tp_json_key *, void *field);
