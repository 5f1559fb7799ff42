/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "accounts.h"

/* Long enough for an entry of /etc/passwd, and of a group with thousands of members. */
#define ENTRY_SIZE 65536

/* The last name looked up, since thousands of tenants name the same. Of one call. */
struct lookup {
	const char *user;
	const char *group;
	uid_t uid;
	gid_t gid;
	gid_t users_gid; /* the user's own group */
	char entry[ENTRY_SIZE];
};

static int refuse(const char *place, const char *key, const char *kind, const char *name,
	const char *remedy, struct tp_error *error)
{
	return tp_error_set(error, ENOENT,
		"$.%s.%s: found \"%s\", a %s that this machine does not have; accepted: one that "
		"it has (%s)",
		place, key, name, kind, remedy);
}

static int cannot_look_up(
	const char *place, const char *key, const char *name, int code, struct tp_error *error)
{
	return tp_error_set(error, code, "$.%s.%s: \"%s\" cannot be looked up: %s", place, key,
		name, strerror(code));
}

static int find_user(struct lookup *lookup, const char *place, const char *key, const char *name,
	struct tp_error *error)
{
	struct passwd user, *found;
	int result;

	if (lookup->user != NULL && strcmp(lookup->user, name) == 0)
		return 0;
	result = getpwnam_r(name, &user, lookup->entry, sizeof(lookup->entry), &found);
	if (result != 0)
		return cannot_look_up(place, key, name, result, error);
	if (found == NULL)
		return refuse(place, key, "user", name,
			"getent passwd lists them, useradd --system makes one", error);
	lookup->user = name;
	lookup->uid = user.pw_uid;
	lookup->users_gid = user.pw_gid;
	return 0;
}

static int find_group(
	struct lookup *lookup, const char *place, const char *name, struct tp_error *error)
{
	struct group group, *found;
	int result;

	if (lookup->group != NULL && strcmp(lookup->group, name) == 0)
		return 0;
	result = getgrnam_r(name, &group, lookup->entry, sizeof(lookup->entry), &found);
	if (result != 0)
		return cannot_look_up(place, "group", name, result, error);
	if (found == NULL)
		return refuse(place, "group", "group", name,
			"getent group lists them, groupadd --system makes one", error);
	lookup->group = name;
	lookup->gid = group.gr_gid;
	return 0;
}

static int find_process(struct lookup *lookup, struct tp_config *config, struct tp_error *error)
{
	int result = 0;

	if (config->user == NULL)
		return 0;
	result = find_user(lookup, "process", "user", config->user, error);
	if (result < 0)
		return result;
	config->uid = lookup->uid;
	config->gid = lookup->users_gid;
	if (config->group == NULL)
		return 0;
	result = find_group(lookup, "process", config->group, error);
	if (result == 0)
		config->gid = lookup->gid;
	return result;
}

static int find_access(struct lookup *lookup, const char *place, struct tp_socket_config *sockets,
	struct tp_error *error)
{
	int result = 0;

	if (sockets->owner != NULL)
		result = find_user(lookup, place, "owner", sockets->owner, error);
	if (result == 0 && sockets->group != NULL)
		result = find_group(lookup, place, sockets->group, error);
	if (result < 0)
		return result;
	sockets->access.set_owner = sockets->owner != NULL;
	sockets->access.owner = lookup->uid;
	sockets->access.set_group = sockets->group != NULL;
	sockets->access.group = lookup->gid;
	return 0;
}

/* A tenant's names may be those of all guests, which were found before; else they are its own. */
static int find_tenant(
	struct lookup *lookup, struct tp_tenant_config *tenant, struct tp_error *error)
{
	char place[TP_CONFIG_NAME_MAX + 32];

	snprintf(place, sizeof(place), "tenants.%s.sockets", tenant->name);
	return find_access(lookup, place, &tenant->sockets, error);
}

int tp_accounts_find(struct tp_config *config, struct tp_error *error)
{
	struct lookup lookup = {0};
	int result = find_process(&lookup, config, error);

	if (result == 0)
		result = find_access(&lookup, "sockets.guests", &config->guest_sockets, error);
	if (result == 0)
		result = find_access(&lookup, "sockets.control", &config->control_sockets, error);
	for (uint32_t i = 0; i < config->tenant_count && result == 0; i++)
		result = find_tenant(&lookup, &config->tenants[i], error);
	return result;
}
