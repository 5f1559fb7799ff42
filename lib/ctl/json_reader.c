/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "json_place.h"
#include "json_reader.h"

struct tp_json_value tp_json_member(
	const struct tp_json_value *parent, const char *key, json_t *json)
{
	return (struct tp_json_value){
		.reader = parent->reader, .parent = parent, .key = key, .json = json};
}

struct tp_json_value tp_json_element(const struct tp_json_value *parent, size_t index)
{
	return (struct tp_json_value){.reader = parent->reader,
		.parent = parent,
		.index = index,
		.json = json_array_get(parent->json, index)};
}

int tp_json_expect_object(const struct tp_json_value *value)
{
	return json_is_object(value->json) ? 0 : tp_json_refuse(value, "an object");
}

static bool is_known(const struct tp_json_key *keys, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(keys[i].name, name) == 0)
			return true;
	}
	return false;
}

static int refuse_unknown(
	const struct tp_json_value *value, const struct tp_json_key *keys, size_t count)
{
	char names[256] = "";
	size_t length = 0;

	for (size_t i = 0; i < count && length < sizeof(names); i++)
		length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s",
			i > 0 ? ", " : "", keys[i].name);
	return tp_json_fail(value, EINVAL, "found an unknown key; accepted keys: %s", names);
}

int tp_json_read_object(const struct tp_json_value *value, const struct tp_json_key *keys,
	size_t count, void *target)
{
	int result = tp_json_expect_object(value);
	const char *name;
	json_t *json;

	if (result < 0)
		return result;
	json_object_foreach(value->json, name, json)
	{
		struct tp_json_value member = tp_json_member(value, name, json);

		if (!is_known(keys, count, name))
			return refuse_unknown(&member, keys, count);
	}
	for (size_t i = 0; i < count && result == 0; i++) {
		struct tp_json_value member = tp_json_member(
			value, keys[i].name, json_object_get(value->json, keys[i].name));

		/* A required key that is missing is told by its own reader, as any wrong value:
		 * it knows what would be accepted. */
		if (member.json != NULL || keys[i].required)
			result = keys[i].read(&member, &keys[i], (char *)target + keys[i].offset);
	}
	return result;
}

int tp_json_read_bool(const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	(void)key;
	if (!json_is_boolean(value->json))
		return tp_json_refuse(value, "true or false");
	*(bool *)field = json_is_true(value->json);
	return 0;
}

/* 3.0 is a whole number as well (JSON has one kind of number); beyond 2^53 a double is not exact.
 */
static bool whole_number(const json_t *json, uint64_t *number)
{
	double real = json_real_value(json);

	if (json_is_integer(json) && json_integer_value(json) >= 0) {
		*number = (uint64_t)json_integer_value(json);
		return true;
	}
	if (!json_is_real(json) || real < 0 || real > 9007199254740992.0)
		return false;
	*number = (uint64_t)real;
	return (double)*number == real;
}

int tp_json_read_u64(const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	uint64_t number;

	if (!whole_number(value->json, &number) || number < key->minimum || number > key->maximum)
		return tp_json_refuse(value, "a whole number from %" PRIu64 " to %" PRIu64,
			key->minimum, key->maximum);
	*(uint64_t *)field = number;
	return 0;
}

int tp_json_read_u32(const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	uint64_t number;
	int result = tp_json_read_u64(value, key, &number);

	if (result == 0)
		*(uint32_t *)field = (uint32_t)number;
	return result;
}

int tp_json_read_u16(const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	uint64_t number;
	int result = tp_json_read_u64(value, key, &number);

	if (result == 0)
		*(uint16_t *)field = (uint16_t)number;
	return result;
}

static int refuse_quantity(
	const struct tp_json_value *value, const struct tp_unit_family *family, const char *reason)
{
	char found[TP_JSON_FOUND_SIZE];
	struct tp_error accepted;

	tp_units_refuse(family, EINVAL, reason, &accepted);
	return tp_json_fail(value, EINVAL, "found %s: %s",
		tp_json_describe(value->json, found, sizeof(found)), accepted.text);
}

int tp_json_read_quantity(const struct tp_json_value *value, const struct tp_json_key *key,
	const struct tp_unit_family *family, uint64_t *quantity)
{
	char found[TP_JSON_FOUND_SIZE];
	struct tp_error error;
	uint64_t number;

	if (json_is_number(value->json))
		return refuse_quantity(value, family, "a number without a unit");
	if (!json_is_string(value->json))
		return refuse_quantity(value, family, "not a number with a unit");
	tp_json_describe(value->json, found, sizeof(found));
	if (tp_units_parse(json_string_value(value->json), family, &number, &error) < 0)
		return tp_json_fail(value, EINVAL, "found %s: %s", found, error.text);
	if (number < key->minimum || number > key->maximum)
		return tp_json_refuse(value, "%" PRIu64 "%s to %" PRIu64 "%s", key->minimum,
			family->units[0].name, key->maximum, family->units[0].name);
	*quantity = number;
	return 0;
}

int tp_json_read_time(const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	return tp_json_read_quantity(value, key, &tp_units_time, field);
}
