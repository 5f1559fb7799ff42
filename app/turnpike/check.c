/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>

#include "commands.h"
#include "ctl/config.h"

static const char *plural(uint32_t count)
{
	return count == 1 ? "" : "s";
}

int tp_command_check(const char *path)
{
	struct tp_error error;
	struct tp_config *config = tp_config_read(path, &error);

	if (config == NULL) {
		fprintf(stderr, "turnpike: %s\n", error.text);
		return TP_EXIT_FAILED;
	}
	printf("%s: %" PRIu32 " tenant%s, %" PRIu32 " interface%s, %" PRIu32 " class%s: ok\n", path,
		config->tenant_count, plural(config->tenant_count), config->interface_count,
		plural(config->interface_count), config->class_count,
		config->class_count == 1 ? "" : "es");
	tp_config_free(config);
	return TP_EXIT_OK;
}
