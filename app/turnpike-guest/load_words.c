/* SPDX-License-Identifier: BSD-3-Clause */
/* The load in words: "--rate 1Mpps", "set rate gold=1Mpps". */
#include <errno.h>
#include <string.h>

#include "guest.h"

static int find_group(const struct guests *guests, const char *what, const char *text,
	size_t length, unsigned *group, struct tp_error *error)
{
	char names[256] = "";

	for (unsigned i = 0; i < TP_ENGINE_GROUPS_MAX; i++) {
		const char *name = guests->group_name[i];

		if (name == NULL)
			continue;
		if (strlen(name) == length && strncmp(name, text, length) == 0) {
			*group = i;
			return 0;
		}
		if (strlen(names) + strlen(name) + 3 < sizeof(names)) {
			strcat(names, *names != '\0' ? ", " : "");
			strcat(names, name);
		}
	}
	if (*names == '\0')
		return tp_error_set(error, EINVAL,
			"%s: found group \"%.*s\", but there are none; --group makes some", what,
			(int)length, text);
	return tp_error_set(error, EINVAL, "%s: found group \"%.*s\"; accepted: %s", what,
		(int)length, text, names);
}

static int set_part(
	struct tp_engine_part *part, const char *what, const char *value, struct tp_error *error)
{
	int status;

	if (strcmp(what, "rate") == 0) {
		status = tp_load_parse_rate(value, &part->rate, error);
		part->own_rate |= status == 0;
	} else if (strcmp(what, "arrival") == 0) {
		status = tp_load_parse_arrival(value, &part->arrival, error);
		part->own_arrival |= status == 0;
	} else {
		status = tp_size_parse(value, &part->size, error);
		part->own_size |= status == 0;
	}
	return status;
}

/* What a group had of its own ends: this is for all. */
static int set_all(
	struct tp_engine_load *load, const char *what, const char *value, struct tp_error *error)
{
	bool rate = strcmp(what, "rate") == 0, arrival = strcmp(what, "arrival") == 0;
	int status = rate      ? tp_load_parse_rate(value, &load->load, error)
		     : arrival ? tp_load_parse_arrival(value, &load->load, error)
			       : tp_size_parse(value, &load->size, error);

	for (unsigned i = 0; status == 0 && i < TP_ENGINE_GROUPS_MAX; i++) {
		struct tp_engine_part *part = &load->part[i];

		part->own_rate &= !rate;
		part->own_arrival &= !arrival;
		part->own_size &= rate || arrival;
	}
	return status;
}

bool load_has_own_rates(const struct tp_engine_load *load)
{
	for (unsigned i = 0; i < TP_ENGINE_GROUPS_MAX; i++) {
		if (load->part[i].own_rate)
			return true;
	}
	return false;
}

bool load_names_group(const char *text)
{
	return strchr(text, '=') != NULL;
}

int load_set(struct tp_engine_load *load, const struct guests *guests, const char *what,
	const char *text, struct tp_error *error)
{
	const char *equals = strchr(text, '=');
	struct tp_engine_part unused = {0};
	unsigned group = 0;
	int status;

	if (strcmp(what, "fwd") == 0)
		return tp_mode_parse(text, &load->mode, error);
	if (strcmp(what, "talk") == 0)
		return tp_talk_parse(text, &load->talk, error);
	if (strcmp(what, "verify") == 0)
		return tp_verify_parse(text, &load->verify, error);
	if (strcmp(what, "rate") != 0 && strcmp(what, "arrival") != 0 &&
		strcmp(what, "size") != 0 && strcmp(what, "txpkts") != 0)
		return -ENOENT;
	if (equals == NULL)
		return set_all(load, what, text, error);
	if (guests == NULL)
		return set_part(&unused, what, equals + 1, error);
	status = find_group(guests, what, text, (size_t)(equals - text), &group, error);
	return status < 0 ? status : set_part(&load->part[group], what, equals + 1, error);
}
