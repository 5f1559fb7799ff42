/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "commands.h"
#include "ctl/plan.h"
#include "plan_networks.h"
#include "table.h"

static const struct tp_column columns[] = {
	{"RESOURCE", "resource", tp_format_text},
	{"NEEDED", "needed", tp_format_number},
	{"HERE", "here", tp_format_number},
	{"ENOUGH", "enough", tp_format_yes},
	{"NOTE", "note", tp_format_text},
	{NULL, NULL, NULL},
};

/* What it comes to. */
enum verdict { WILL_RUN, WILL_RUN_SLOWER, WILL_NOT_RUN };

/* @return an array of objects, an item each. */
static json_t *plan_rows(const struct tp_config *config, enum verdict *verdict)
{
	struct tp_plan_item items[TP_PLAN_ITEMS_MAX];
	unsigned count = tp_plan_make(config, items);
	json_t *rows = json_array();

	*verdict = WILL_RUN;
	for (unsigned i = 0; i < count; i++) {
		bool enough = items[i].has >= items[i].needs;

		if (!enough && !items[i].optional)
			*verdict = WILL_NOT_RUN;
		else if (!enough && *verdict == WILL_RUN)
			*verdict = WILL_RUN_SLOWER;
		json_array_append_new(rows,
			json_pack("{s:s, s:I, s:I, s:b, s:s}", "resource", items[i].name, "needed",
				(json_int_t)items[i].needs, "here", (json_int_t)items[i].has,
				"enough", enough, "note", items[i].note));
	}
	return rows;
}

int tp_command_plan(const struct tp_options *options, const char *path)
{
	struct tp_error error;
	struct tp_config *config = tp_config_read(path, &error);
	static const char *const words[] = {
		[WILL_RUN] = "this machine has what they need",
		[WILL_RUN_SLOWER] = "they will run here, but slower than they could",
		[WILL_NOT_RUN] = "this machine has too little of something",
	};
	enum verdict verdict;
	json_t *rows, *wishes, *tenants;

	if (config == NULL) {
		fprintf(stderr, "turnpike: %s\n", error.text);
		return TP_EXIT_FAILED;
	}
	rows = plan_rows(config, &verdict);
	wishes = tp_plan_wishes(config, path);
	tenants = tp_plan_tenants(config);
	if (options->json) {
		json_array_extend(rows, wishes);
		json_array_extend(rows, tenants);
		json_dumpf(rows, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		tp_table_write(stdout, rows, SIZE_MAX, columns);
		tp_plan_write_networks(wishes, tenants);
		printf("%s: %" PRIu32 " interfaces on %" PRIu32 " worker%s: %s\n", path,
			config->interface_count, config->worker_count,
			config->worker_count == 1 ? "" : "s", words[verdict]);
	}
	json_decref(rows);
	json_decref(wishes);
	json_decref(tenants);
	tp_config_free(config);
	return verdict == WILL_NOT_RUN ? TP_EXIT_FAILED : TP_EXIT_OK;
}
