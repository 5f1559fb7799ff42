/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "ctl/config.h"
#include "json_reader.h"

/* The parts of the configuration reader, one file a part of the JSON file. Internal to config. */

/** A configuration being filled: the owner of the reader. */
struct tp_config_draft {
	struct tp_config *config;
	size_t interface_capacity;
};

/** What a name may be; for messages. */
#define TP_CONFIG_NAME_ACCEPTED "a name of 1 to 32 of the characters A-Z a-z 0-9 _ . -"

static inline struct tp_config_draft *tp_config_draft_of(const struct tp_json_value *value)
{
	return value->reader->owner;
}

/** Is it a name of a class, tenant or interface? Threading: any. */
bool tp_config_is_name(const char *name);

/** Copy a string into *field. @return 0, or -ENOMEM with the error set. */
int tp_config_copy(const struct tp_json_value *value, const char *text, char **field);

/** Is it an absolute path of at most so many bytes, without "", "." and ".." as parts? Such a path
 * is written in one way only, so that equal ones have equal strings. */
bool tp_config_is_path(const char *path, size_t most);

/** The same, if it fits a UNIX socket's address. */
bool tp_config_is_socket_path(const char *path);
#define TP_CONFIG_SOCKET_ACCEPTED                                                                  \
	"an absolute path of at most 107 bytes, without empty, \".\" or \"..\" parts"

/* Readers of the keys of the root. */
int tp_config_read_dataplane(const struct tp_json_value *, const struct tp_json_key *, void *);
int tp_config_read_billing(const struct tp_json_value *, const struct tp_json_key *, void *);
int tp_config_read_process(const struct tp_json_value *, const struct tp_json_key *, void *);
int tp_config_read_sockets(const struct tp_json_value *, const struct tp_json_key *, void *);
int tp_config_read_classes(const struct tp_json_value *, const struct tp_json_key *, void *);
int tp_config_read_uplinks(const struct tp_json_value *, const struct tp_json_key *, void *);
int tp_config_read_tenants(const struct tp_json_value *, const struct tp_json_key *, void *);

/** Read "on" or "off" into a bool. */
int tp_config_read_switch(const struct tp_json_value *, const struct tp_json_key *, void *);

/** Read whose a tenant's sockets are, into its struct tp_socket_config. */
int tp_config_read_access(const struct tp_json_value *, const struct tp_json_key *, void *);

/** What a tenant does not say of its sockets is said for all guests. @return 0, or -ENOMEM with the
 * error set. */
int tp_config_inherit_access(const struct tp_json_value *value, struct tp_socket_config *sockets,
	const struct tp_socket_config *of_all);

/* Readers of what shapes a class or an interface, into its struct tp_rate_config. */
int tp_config_read_rate(const struct tp_json_value *, const struct tp_json_key *, void *);
int tp_config_read_burst(const struct tp_json_value *, const struct tp_json_key *, void *);
int tp_config_read_rate_layer(const struct tp_json_value *, const struct tp_json_key *, void *);

/** What an interface does not say for itself its class says. */
void tp_config_inherit_rate(struct tp_rate_config *rate, const struct tp_rate_config *of_class);

/**
 * Check what was read together.
 * @param value  the class or interface, whose members are named in messages
 * @return 0, or -EINVAL with the error set.
 */
int tp_config_check_rate(const struct tp_json_value *value, const struct tp_rate_config *rate);

/** Read the "network" of a tenant, into its struct tp_network_config. */
int tp_config_read_network(const struct tp_json_value *, const struct tp_json_key *, void *);

/* Readers of parts of a network or an uplink: into its struct tp_network_config, a struct
 * tp_address, a struct tp_underlay_config, a uint32_t of offloads. */
int tp_config_read_remotes(const struct tp_json_value *, const struct tp_json_key *, void *);
int tp_config_read_address(const struct tp_json_value *, const struct tp_json_key *, void *);
int tp_config_read_underlay(const struct tp_json_value *, const struct tp_json_key *, void *);
int tp_config_read_offloads(const struct tp_json_value *, const struct tp_json_key *, void *);

/** Remotes must be other stations, each once, that can be reached; so must be their MACs. @return
 * 0, or negative errno with the error set. */
int tp_config_check_remotes(const struct tp_config *config, struct tp_json_reader *reader,
	const struct tp_tenant_config *tenant);

/** No frame of an uplink may be of two tenants, and each must fit. @return 0, or negative errno
 * with the error set. */
int tp_config_check_networks(const struct tp_config *config, struct tp_json_reader *reader);

/* config_macs.c: a MAC into a uint64_t, the first byte on the wire its highest of six; the further
 * ones of an interface into its struct tp_interface_config; a tenant's "mac_learning". */
int tp_config_read_mac(const struct tp_json_value *, const struct tp_json_key *, void *);
int tp_config_read_macs(const struct tp_json_value *, struct tp_interface_config *interface);
int tp_config_read_mac_learning(const struct tp_json_value *, const struct tp_json_key *, void *);

/** A MAC as text into a number as tp_config_read_mac gives it. @return false if it is none. */
bool tp_config_parse_mac(const char *text, uint64_t *mac);

/** Is it a MAC of one station, and not zero? */
bool tp_config_is_unicast(uint64_t mac);

/** A MAC as tp_config_read_mac gives it into the order on the wire. */
void tp_config_write_mac(uint64_t mac, uint8_t bytes[6]);

/** Once all interfaces of a tenant are known: bounds that depend on them. */
void tp_config_settle_learning(struct tp_tenant_config *tenant);

/** Read the "interfaces" of the tenant with this index. */
int tp_config_read_interfaces(const struct tp_json_value *value, uint32_t tenant_index);

/**
 * The checks that need the whole configuration: names, MACs and sockets once, room for pins.
 * @return 0, or -EINVAL with the reader's error set. Takes n log n time for n interfaces.
 */
int tp_config_check(const struct tp_config *config, struct tp_json_reader *reader);
