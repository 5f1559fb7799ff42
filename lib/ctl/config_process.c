/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "config_tables.h"

/* As whom the appliance runs, what it may do, and whose its sockets are. */

static int read_account(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	const char *name = json_string_value(value->json);

	(void)key;
	if (name == NULL || !tp_config_is_name(name))
		return tp_json_refuse(value,
			"a name of /etc/passwd or /etc/group, of 1 to 32 of the characters "
			"A-Z a-z 0-9 _ . -");
	return tp_config_copy(value, name, field);
}

int tp_config_read_process(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	static const struct tp_json_key keys[] = {
		{"user", read_account, offsetof(struct tp_config, user), 0, 0, false},
		{"group", read_account, offsetof(struct tp_config, group), 0, 0, false},
		{"system_call_filter", tp_config_read_switch,
			offsetof(struct tp_config, system_call_filter), 0, 0, false},
	};
	const struct tp_config *config = field;
	int result = tp_json_read_object(value, keys, sizeof(keys) / sizeof(keys[0]), field);
	struct tp_json_value group = tp_json_member(value, "group", NULL);

	(void)key;
	if (result == 0 && config->group != NULL && config->user == NULL)
		return tp_json_fail(&group, EINVAL,
			"found a group without a \"user\"; accepted: both, or the user alone");
	return result;
}

/* As chmod(1) takes it, the set-id and sticky bits excepted, which mean nothing here. */
static int read_permissions(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	const char *text = json_string_value(value->json);
	mode_t mode = 0;

	(void)key;
	if (text == NULL || strlen(text) != 4 || text[0] != '0' || strspn(text, "01234567") != 4)
		return tp_json_refuse(
			value, "a string of 0 and three octal digits, for example \"0660\"");
	for (const char *digit = text; *digit != '\0'; digit++)
		mode = mode << 3 | (mode_t)(*digit - '0');
	if ((mode & 0200) == 0)
		return tp_json_refuse(
			value, "permissions that let the owner write, which is to connect");
	*(mode_t *)field = mode;
	return 0;
}

int tp_config_read_access(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	static const struct tp_json_key keys[] = {
		{"owner", read_account, offsetof(struct tp_socket_config, owner), 0, 0, false},
		{"group", read_account, offsetof(struct tp_socket_config, group), 0, 0, false},
		{"permissions", read_permissions, offsetof(struct tp_socket_config, access.mode), 0,
			0, false},
	};

	(void)key;
	return tp_json_read_object(value, keys, sizeof(keys) / sizeof(keys[0]), field);
}

int tp_config_read_sockets(
	const struct tp_json_value *value, const struct tp_json_key *key, void *field)
{
	static const struct tp_json_key keys[] = {
		{"guests", tp_config_read_access, offsetof(struct tp_config, guest_sockets), 0, 0,
			false},
		{"control", tp_config_read_access, offsetof(struct tp_config, control_sockets), 0,
			0, false},
	};

	(void)key;
	return tp_json_read_object(value, keys, sizeof(keys) / sizeof(keys[0]), field);
}

static int inherit_name(const struct tp_json_value *value, char **name, const char *of_all)
{
	return *name != NULL || of_all == NULL ? 0 : tp_config_copy(value, of_all, name);
}

int tp_config_inherit_access(const struct tp_json_value *value, struct tp_socket_config *sockets,
	const struct tp_socket_config *of_all)
{
	int result = inherit_name(value, &sockets->owner, of_all->owner);

	if (sockets->access.mode == 0)
		sockets->access.mode = of_all->access.mode;
	return result < 0 ? result : inherit_name(value, &sockets->group, of_all->group);
}
