/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "config_tables.h"

#define DEFAULT_DIRECTORY "/var/lib/turnpike"
#define DIRECTORY_MOST    1024 /* bytes; far below what a path may have, with the names of files */
#define INTERVAL_MIN_NS   1000000000
#define INTERVAL_MAX_NS   3600000000000

static int read_directory(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	const char *path = json_string_value(value->json);

	(void)key;
	if (path == NULL || !tp_config_is_path(path, DIRECTORY_MOST))
		return tp_json_refuse(value,
			"an absolute path of at most %d bytes, without empty, \".\" or \"..\" "
			"parts",
			DIRECTORY_MOST);
	return tp_config_copy(value, path, field);
}

int tp_config_read_billing(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	static const struct tp_json_key keys[] = {
		{"directory", read_directory, offsetof(struct tp_config, billing_directory), 0, 0,
			false},
		{"interval", tp_json_read_time, offsetof(struct tp_config, billing_interval_ns),
			INTERVAL_MIN_NS, INTERVAL_MAX_NS, false},
	};
	struct tp_config *config = field;
	int result = tp_json_read_object(value, keys, sizeof(keys) / sizeof(keys[0]), config);

	(void)key;
	if (result == 0 && config->billing_directory == NULL)
		result = tp_config_copy(value, DEFAULT_DIRECTORY, &config->billing_directory);
	return result;
}
