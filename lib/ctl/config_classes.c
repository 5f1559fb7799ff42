/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_tables.h"

#define BID_MAX         1000
#define WEIGHT_MAX      1000
#define DEFAULT_HOLD_NS 1000000
#define HOLD_MAX_NS     10000000000
#define FLOOD_RATE_MAX  UINT64_C(1000000000)

static int read_bid(const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	double bid = json_number_value(value->json);

	(void)key;
	if (!json_is_number(value->json) || bid <= 1 || bid > BID_MAX)
		return tp_json_refuse(value, "a number from 1 (exclusive) to %d", BID_MAX);
	*(double *)field = bid;
	return 0;
}

static int read_on_full(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	static const struct tp_json_key keys[] = {
		{"hold", tp_json_read_time, offsetof(struct tp_class_config, hold_ns), 1,
			HOLD_MAX_NS, true},
	};
	struct tp_class_config *class = field;
	const char *word = json_string_value(value->json);

	(void)key;
	if (word != NULL && strcmp(word, "drop") == 0) {
		class->on_full = TP_ON_FULL_DROP;
		class->hold_ns = 0;
		return 0;
	}
	if (!json_is_object(value->json))
		return tp_json_refuse(value, "\"drop\" or {\"hold\": TIME}, for example "
					     "{\"hold\": \"100us\"}");
	class->on_full = TP_ON_FULL_HOLD;
	return tp_json_read_object(value, keys, sizeof(keys) / sizeof(keys[0]), class);
}

static int read_flood_rate(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	int result = tp_json_read_quantity(value, key, &tp_units_frame_rate, field);

	return result == 0 && *(uint64_t *)field == 0
		       ? tp_json_refuse(value, "1pps to 1000Mpps; without the key all are flooded")
		       : result;
}

static int read_class(const struct tp_json_value *value, struct tp_class_config *class)
{
	static const struct tp_json_key keys[] = {
		{"bid", read_bid, offsetof(struct tp_class_config, bid), 0, 0, true},
		{"weight", tp_json_read_u32, offsetof(struct tp_class_config, weight), 1,
			WEIGHT_MAX, false},
		{"pinned", tp_json_read_bool, offsetof(struct tp_class_config, pinned), 0, 0,
			false},
		{"rate", tp_config_read_rate, offsetof(struct tp_class_config, rate), 0, 0, false},
		{"burst", tp_config_read_burst, offsetof(struct tp_class_config, rate), 0, 0,
			false},
		{"rate_layer", tp_config_read_rate_layer, offsetof(struct tp_class_config, rate), 0,
			0, false},
		{"on_full", read_on_full, 0, 0, 0, false},
		{"flood_rate", read_flood_rate, offsetof(struct tp_class_config, flood_rate), 1,
			FLOOD_RATE_MAX, false},
	};
	int result;

	if (!tp_config_is_name(value->key))
		return tp_json_fail(
			value, EINVAL, "found this name; accepted: " TP_CONFIG_NAME_ACCEPTED);
	class->weight = 1;
	class->on_full = TP_ON_FULL_HOLD;
	class->hold_ns = DEFAULT_HOLD_NS;
	result = tp_json_read_object(value, keys, sizeof(keys) / sizeof(keys[0]), class);
	return result < 0 ? result : tp_config_check_rate(value, &class->rate);
}

static int read_each(const struct tp_json_value *value, struct tp_config *config)
{
	const char *name;
	json_t *json;

	json_object_foreach(value->json, name, json)
	{
		struct tp_json_value member = tp_json_member(value, name, json);
		struct tp_class_config *class = &config->classes[config->class_count];
		int result = tp_config_copy(&member, name, &class->name);

		if (result < 0)
			return result;
		class->place = config->class_count++;
		result = read_class(&member, class);
		if (result < 0)
			return result;
	}
	return 0;
}

int tp_config_read_classes(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	struct tp_config *config = field;
	size_t count = json_object_size(value->json);

	(void)key;
	if (!json_is_object(value->json))
		return tp_json_refuse(value, "an object of 1 to %d classes, each by its name",
			TP_CONFIG_CLASSES_MAX);
	if (count == 0 || count > TP_CONFIG_CLASSES_MAX)
		return tp_json_fail(value, EINVAL, "found %zu classes; accepted: 1 to %d", count,
			TP_CONFIG_CLASSES_MAX);
	config->classes = calloc(count, sizeof(*config->classes));
	if (config->classes == NULL)
		return tp_json_fail(value, ENOMEM, "no memory");
	return read_each(value, config);
}
