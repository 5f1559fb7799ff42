/* SPDX-License-Identifier: BSD-3-Clause */
#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parents.h"
#include "ctl/privilege.h"
#include "ctl/system_calls.h"

#define DIRECTORY_OF_LEDGER_MODE 0750

/* --- What is needed ------------------------------------------------------------------------- */

static bool gives_away(const struct tp_config *config, const struct tp_socket_config *sockets)
{
	uid_t uid = config->user != NULL ? config->uid : geteuid();

	return sockets->access.set_owner && sockets->access.owner != uid;
}

/*
 * The one capability that may be kept: CAP_CHOWN, when sockets are to belong to somebody else than
 * the process, since they are made anew whenever an interface is. For a group none is needed: the
 * process joins the groups of its sockets.
 */
static bool needs_chown(const struct tp_config *config)
{
	bool needed = gives_away(config, &config->guest_sockets) ||
		      gives_away(config, &config->control_sockets);

	for (uint32_t i = 0; i < config->tenant_count; i++)
		needed |= gives_away(config, &config->tenants[i].sockets);
	return needed;
}

static bool changes_user(const struct tp_config *config)
{
	return config->user != NULL && geteuid() == 0 && config->uid != 0;
}

static int check_user(const struct tp_config *config, struct tp_error *error)
{
	if (config->user == NULL || geteuid() == 0)
		return 0;
	if (config->uid != geteuid())
		return tp_error_set(error, EPERM,
			"$.process.user: found \"%s\" (user %d), but user %d started this process, "
			"and only root can become another; start it as root or as \"%s\", or "
			"remove the key",
			config->user, (int)config->uid, (int)geteuid(), config->user);
	if (config->gid != getegid())
		return tp_error_set(error, EPERM,
			"$.process.group: found group %d, but this process was started in group "
			"%d, and only root can change that; start it as root or with that group "
			"(sg, Group= of its unit), or remove the key",
			(int)config->gid, (int)getegid());
	return 0;
}

/* --- Before the EAL ------------------------------------------------------------------------- */

static bool same_directory(const char *a, const char *b)
{
	const char *a_end = strrchr(a, '/');

	return strncmp(a, b, (size_t)(a_end - a) + 1) == 0 &&
	       strchr(b + (a_end - a) + 1, '/') == NULL;
}

static int make_directories(const struct tp_config *config, struct tp_error *error)
{
	const char *last = config->control_socket;
	int result = tp_make_parents_for(last, config->uid, config->gid, error);

	for (uint32_t i = 0; i < config->interface_count && result == 0; i++) {
		const char *socket = config->interfaces[i].socket;

		if (config->interfaces[i].client || same_directory(last, socket))
			continue;
		result = tp_make_parents_for(socket, config->uid, config->gid, error);
		last = socket;
	}
	if (result < 0 || config->billing_directory == NULL)
		return result;
	result = tp_make_parents_for(config->billing_directory, config->uid, config->gid, error);
	if (result < 0)
		return result;
	return tp_make_directory(config->billing_directory, DIRECTORY_OF_LEDGER_MODE, config->uid,
		config->gid, error);
}

/* Where the EAL makes its directory "dpdk" (rte_eal_get_runtime_dir): root's own place would be out
 * of the user's reach at the end. A service manager has named one already. */
static int place_runtime_directory(const struct tp_config *config, struct tp_error *error)
{
	char *directory = strdup(config->control_socket);
	int result = -1;

	if (directory != NULL) {
		*strrchr(directory, '/') = '\0';
		result = setenv("RUNTIME_DIRECTORY", directory, 0);
	}
	free(directory);
	return result == 0 ? 0 : tp_error_set(error, ENOMEM, "no memory");
}

static void select_capabilities(const struct tp_config *config)
{
	capng_clear(CAPNG_SELECT_BOTH);
	if (needs_chown(config))
		capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_CHOWN, -1);
}

static void keep_if(bool needed, unsigned capability)
{
	if (needed)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, capability);
}

/* An ordinary user may have been given some with the unit's AmbientCapabilities. Those by which
 * uplinks are opened are kept until they are. */
static int limit_ordinary_user(const struct tp_config *config, bool devices, struct tp_error *error)
{
	bool network = devices && config->uplink_count > 0;
	bool chown = needs_chown(config) && capng_have_capability(CAPNG_PERMITTED, CAP_CHOWN);
	bool admin = network && capng_have_capability(CAPNG_PERMITTED, CAP_NET_ADMIN);
	bool raw = network && capng_have_capability(CAPNG_PERMITTED, CAP_NET_RAW);

	if (capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE)
		return 0;
	capng_clear(CAPNG_SELECT_BOTH);
	keep_if(chown, CAP_CHOWN);
	keep_if(admin, CAP_NET_ADMIN);
	keep_if(raw, CAP_NET_RAW);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
		capng_apply(CAPNG_SELECT_CAPS) < 0)
		return tp_error_set(error, EPERM, "capabilities cannot be dropped");
	return 0;
}

/* Threads have the bounding set of the one that makes them: this comes before the EAL's. */
static int empty_bounding_set(struct tp_error *error)
{
	capng_clear(CAPNG_SELECT_BOUNDS);
	if (capng_apply(CAPNG_SELECT_BOUNDS) < 0)
		return tp_error_set(error, EPERM,
			"the bounding set of capabilities cannot be emptied (CAP_SETPCAP is "
			"missing); start the appliance with it or as the user of $.process.user");
	return 0;
}

int tp_privilege_prepare(const struct tp_config *config, struct tp_error *error)
{
	int result = check_user(config, error);

	if (result < 0)
		return result;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return tp_error_set(error, errno, "no_new_privs: %s", strerror(errno));
	if (capng_get_caps_process() < 0)
		return tp_error_set(error, EPERM, "capabilities cannot be read");
	if (geteuid() != 0)
		return limit_ordinary_user(config, true, error);
	if (!changes_user(config))
		return 0;
	result = make_directories(config, error);
	if (result == 0)
		result = place_runtime_directory(config, error);
	return result < 0 ? result : empty_bounding_set(error);
}

/* --- After it --------------------------------------------------------------------------------- */

static void add_group(gid_t *groups, int *count, const struct tp_socket_config *sockets)
{
	if (!sockets->access.set_group)
		return;
	for (int i = 0; i < *count; i++)
		if (groups[i] == sockets->access.group)
			return;
	groups[(*count)++] = sockets->access.group;
}

/* The user's own groups and those of all sockets. @return how many, or -ENOMEM. */
static int collect_groups(const struct tp_config *config, gid_t **groups)
{
	int count = 0;
	int result;

	getgrouplist(config->user, config->gid, NULL, &count);
	*groups = calloc((size_t)count + config->tenant_count + 2, sizeof(**groups));
	if (*groups == NULL)
		return -ENOMEM;
	result = getgrouplist(config->user, config->gid, *groups, &count);
	if (result < 0)
		count = 0;
	add_group(*groups, &count, &config->guest_sockets);
	add_group(*groups, &count, &config->control_sockets);
	for (uint32_t i = 0; i < config->tenant_count; i++)
		add_group(*groups, &count, &config->tenants[i].sockets);
	return count;
}

static int join_groups(const struct tp_config *config, struct tp_error *error)
{
	gid_t *groups = NULL;
	int count = collect_groups(config, &groups);
	int result = count < 0 ? count : 0;

	if (count >= 0 && setgroups((size_t)count, groups) < 0)
		result = -errno;
	free(groups);
	return result == 0 ? 0
			   : tp_error_set(error, -result, "groups of user \"%s\": %s", config->user,
				     strerror(-result));
}

/* glibc changes the user of all threads; those that did not ask to keep capabilities, that is all
 * but this one, lose theirs with it. */
static int become_user(const struct tp_config *config, struct tp_error *error)
{
	int result = join_groups(config, error);

	if (result < 0)
		return result;
	select_capabilities(config);
	result = capng_change_id((int)config->uid, (int)config->gid, CAPNG_NO_FLAG);
	if (result < 0)
		return tp_error_set(error, EPERM,
			"$.process.user: this process cannot become user \"%s\" (step %d of "
			"capng_change_id)",
			config->user, -result);
	return 0;
}

static void tell(const struct tp_config *config)
{
	if (geteuid() == 0 && config->user == NULL)
		tp_log(TP_LOG_WARNING, "runs as root with all capabilities; $.process.user names a "
				       "user to run as");
	else
		tp_log(TP_LOG_INFO, "runs as user %d, group %d, with %s", (int)geteuid(),
			(int)getegid(),
			capng_have_capabilities(CAPNG_SELECT_CAPS) > CAPNG_NONE
				? "CAP_CHOWN, to give sockets to their owners"
				: "no capabilities");
}

/* "/run/turnpike/dpdk/turnpike" and, as place_runtime_directory had it made, "/run/turnpike/dpdk".
 */
static int give_made(const struct tp_config *config, const char *made, struct tp_error *error)
{
	const char *place = getenv("RUNTIME_DIRECTORY");
	char path[PATH_MAX];
	size_t kept = place == NULL ? 0 : strlen(place);

	if (kept == 0 || strncmp(made, place, kept) != 0 || made[kept] != '/')
		return 0;
	snprintf(path, sizeof(path), "%s", made);
	while (strlen(path) > kept) {
		if (lchown(path, config->uid, config->gid) < 0)
			return tp_error_set(error, errno,
				"directory %s cannot be given to user %d: %s", path,
				(int)config->uid, strerror(errno));
		*strrchr(path, '/') = '\0';
	}
	return 0;
}

int tp_privilege_drop(const struct tp_config *config, const char *made, struct tp_error *error)
{
	bool changed = changes_user(config);
	int result = 0;

	if (changed) {
		result = give_made(config, made, error);
		if (result == 0)
			result = become_user(config, error);
	}
	if (geteuid() != 0 && result == 0 && !changed)
		result = limit_ordinary_user(config, false, error);
	if (result < 0)
		return result;
	tell(config);
	if (!config->system_call_filter) {
		tp_log(TP_LOG_WARNING, "system calls are not filtered, as "
				       "$.process.system_call_filter says");
		return 0;
	}
	return tp_system_calls_confine(error);
}
