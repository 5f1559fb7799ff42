/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/error.h"
#include "base/unix_socket.h"

/*
 * A configuration as C: what a JSON file says, defaults filled in, counts expanded, every check
 * passed. Plain data, made by tp_config_read, compiled to a snapshot elsewhere.
 */

#define TP_CONFIG_WORKERS_MAX    128
#define TP_CONFIG_CLASSES_MAX    64
#define TP_CONFIG_TENANTS_MAX    4096
#define TP_CONFIG_INTERFACES_MAX 65536
#define TP_CONFIG_UPLINKS_MAX    64
#define TP_CONFIG_REMOTES_MAX    256  /* of a tenant */
#define TP_CONFIG_FAR_MACS_MAX   4096 /* of a remote */
#define TP_CONFIG_MACS_MAX       64   /* beside an interface's own */
#define TP_CONFIG_NAME_MAX       32   /* bytes of a name, without the end */

/** Whose a socket is and who may connect; names from the file, their numbers from the machine. */
struct tp_socket_config {
	char *owner;                  /* user; NULL: who the appliance runs as */
	char *group;                  /* NULL: the group that it runs as */
	struct tp_unix_access access; /* .set_owner, .set_group: by tp_config_check_machine */
};

enum tp_on_full { TP_ON_FULL_HOLD, TP_ON_FULL_DROP };
enum tp_unknown_unicast { TP_UNKNOWN_UNICAST_DROP, TP_UNKNOWN_UNICAST_FLOOD };

/** How an interface is shaped. */
struct tp_rate_config {
	uint64_t bits_per_second; /* one of these two; both 0: not shaped */
	uint64_t frames_per_second;
	uint64_t burst_bytes; /* one of these two, bytes only of a rate in bits; */
	uint64_t burst_ns;    /* both 0: what 1 ms of the rate is, a frame at least */
	bool layer1;          /* bits are counted as on the wire, 24 bytes more a frame */
};

struct tp_class_config {
	char *name;
	uint32_t place;             /* in the snapshot; as parsed its index here */
	double bid;                 /* highest price it pays, > 1 */
	uint32_t weight;            /* share of worker time, >= 1 */
	bool pinned;                /* never cold */
	struct tp_rate_config rate; /* of each of its interfaces that has none of its own */
	enum tp_on_full on_full;
	uint64_t hold_ns;    /* longest hold of a refused frame */
	uint64_t flood_rate; /* frames to many a second, of each of its interfaces; 0: all */
};

struct tp_interface_config {
	char *name;     /* within its tenant; "pod17" of a counted "pod" */
	uint32_t place; /* in the snapshot; as parsed its index here */
	char *socket;   /* path of the vhost-user socket */
	uint8_t mac[6];
	uint8_t (*macs)[6];    /* further ones */
	uint32_t mac_count;    /* of these, at most TP_CONFIG_MACS_MAX */
	bool client;           /* "mode": "client" */
	bool source_mac_check; /* default true */
	uint16_t queue_pairs;  /* default 1, at most 8 */
	uint32_t class_index;
	uint32_t tenant_index;
	struct tp_rate_config rate; /* its own or its class's */
};

/** What a NIC may do instead of a worker; a bit each. One list: names, plan, documentation. */
#define TP_OFFLOADS(X)                                                                             \
	X(VLAN_INSERT, "vlan_insert")                                                              \
	X(VLAN_STRIP, "vlan_strip")                                                                \
	X(IPV4_CHECKSUM, "ipv4_checksum")                                                          \
	X(UDP_CHECKSUM, "udp_checksum")                                                            \
	X(RSS, "rss")

enum tp_offload_number {
#define X(NAME, name) TP_OFFLOAD_NUMBER_##NAME,
	TP_OFFLOADS(X)
#undef X
		TP_OFFLOAD_COUNT
};

enum tp_offload {
	TP_OFFLOAD_NONE = 0,
#define X(NAME, name) TP_OFFLOAD_##NAME = 1 << TP_OFFLOAD_NUMBER_##NAME,
	TP_OFFLOADS(X)
#undef X
		TP_OFFLOAD_ALL = (1 << TP_OFFLOAD_COUNT) - 1,
	/* What costs a worker less than asking for it is not asked for, unless the file names it.
	 */
	TP_OFFLOAD_AUTO = TP_OFFLOAD_ALL & ~TP_OFFLOAD_IPV4_CHECKSUM
};

/** What the appliance is on the network below an uplink, for tunnels (VXLAN). */
struct tp_underlay_config {
	struct tp_address address; /* length 0: there are none */
	struct tp_address gateway; /* length 0: none */
	uint8_t prefix;            /* bits of the address that its neighbours share */
	uint16_t port;             /* UDP, here and at the remotes; default 4789 */
	uint16_t vlan;             /* tag of the network below, 0: untagged */
};

/** A way out of the host. */
struct tp_uplink_config {
	char *name;
	char *device;            /* as DPDK names it: "0000:03:00.0", "net_tap0,iface=t0" */
	uint16_t queues;         /* pairs of a receive and a transmit queue; 0: one a worker */
	uint16_t rx_descriptors; /* of each queue */
	uint16_t tx_descriptors;
	uint16_t mtu;      /* longest frame without its Ethernet header and tags */
	uint32_t offloads; /* of TP_OFFLOADS, that the NIC may be asked to do */
	bool steering;     /* may it be given flow rules? default true */
	struct tp_underlay_config underlay;
};

/** How a tenant's frames are told from those of others on an uplink. */
enum tp_network_kind {
	TP_NETWORK_NONE,     /* the tenant is on this host only */
	TP_NETWORK_UNTAGGED, /* it has all frames that carry no tag */
	TP_NETWORK_VLAN,     /* its frames carry a tag on the wire, the guests see none */
	TP_NETWORK_TRUNK,    /* its frames carry one of a list of tags, which the guests see */
	TP_NETWORK_STACKED,  /* its frames carry an S-tag on the wire, and what guests put below */
	TP_NETWORK_TUNNEL,   /* its frames travel in VXLAN */
};

/** Where a tunnel of a tenant ends. */
struct tp_remote_config {
	struct tp_address address;
	uint8_t (*macs)[6]; /* that are reached there */
	uint32_t mac_count;
	bool flood; /* default true: it gets broadcasts, multicasts and what is flooded */
};

struct tp_network_config {
	enum tp_network_kind kind;
	uint32_t uplink_index;
	uint16_t vlan;         /* 1..4094; 0: none */
	uint16_t service_vlan; /* S-tag, outermost (QinQ); 0: none */
	uint64_t *trunk;       /* 4096 bits, one a VLAN that guests may use; NULL: no trunk */
	uint32_t vni;
	uint16_t mtu; /* that guests of the tenant may use, as the file says; 0: it does not */
	struct tp_remote_config *remotes;
	uint32_t remote_count;
};

struct tp_tenant_config {
	char *name;
	uint32_t place; /* in the snapshot; as parsed its index here */
	struct tp_network_config network;
	bool mac_learning;           /* default false */
	uint32_t mac_age_s;          /* a learned one that was silent for longer goes */
	uint32_t macs_per_interface; /* learned, at most */
	uint32_t macs_per_tenant;
	enum tp_unknown_unicast unknown_unicast; /* default drop */
	bool has_budget;
	uint64_t credits_per_second;
	uint64_t burst;
	struct tp_socket_config sockets; /* its own or those for all guests */
	uint32_t first_interface; /* its interfaces are consecutive in tp_config.interfaces */
	uint32_t interface_count;
};

struct tp_config {
	char *text; /* the JSON that it was read from, `text_length` bytes and a NUL */
	size_t text_length;
	uint16_t worker_cores[TP_CONFIG_WORKERS_MAX]; /* CPU numbers, one worker each */
	uint32_t worker_count;
	int control_core;         /* CPU of the control plane, -1: not stated */
	bool hot_cache;           /* default true; false: every ring is polled on every sweep */
	uint32_t hot_contexts;    /* source rings that a worker keeps hot */
	uint64_t stay_hot_ns;     /* how long an idle ring stays hot */
	uint64_t sweep_budget_ns; /* how long a sweep may take */
	uint64_t uplink_nap_ns;   /* how long a worker with an uplink may sleep between two looks */
	bool idle_sleep;          /* default true; workers with nothing to poll sleep */
	char *control_socket;     /* default /run/turnpike/control.sock */
	char *user;               /* as whom the appliance runs; NULL: as it was started */
	char *group;              /* NULL: the user's */
	bool system_call_filter;  /* default true */
	uid_t uid;                /* of user and group; by tp_config_check_machine */
	gid_t gid;
	struct tp_socket_config guest_sockets;   /* default 0660 */
	struct tp_socket_config control_sockets; /* default 0600 */
	uint64_t tariff_per_frame;
	uint64_t tariff_per_64_bytes;
	char *billing_directory;      /* where bills are kept; NULL: in memory only */
	uint64_t billing_interval_ns; /* how often a record is written */
	struct tp_class_config *classes;
	uint32_t class_count;
	struct tp_uplink_config *uplinks;
	uint32_t uplink_count;
	struct tp_tenant_config *tenants;
	uint32_t tenant_count;
	struct tp_interface_config *interfaces;
	uint32_t interface_count;
};

/**
 * Read and check a configuration file.
 *
 * @param path   JSON file
 * @param error  file, JSON path ("$.tenants.acme.interfaces.vm1.mac") or line and column, what was
 *               found and what is accepted
 * @return the configuration, or NULL with *error set; a file that fails any check gives nothing.
 * Threading: any one thread; no state is kept.
 */
struct tp_config *tp_config_read(const char *path, struct tp_error *error);

/** The same from memory; `name` stands for the file in messages. */
struct tp_config *tp_config_parse(
	const char *text, size_t length, const char *name, struct tp_error *error);

/**
 * Check that the CPUs, users and groups that a configuration names are on this machine, and fill in
 * the numbers of users and groups. Apart from tp_config_read, so that a configuration can be
 * checked on another machine than its own.
 *
 * @param error  which CPU, user or group is missing, what there is
 * @return 0, -ENODEV or -ENOENT with *error set, or another negative errno if the machine does not
 * tell. Threading: any.
 */
int tp_config_check_machine(struct tp_config *config, struct tp_error *error);

/**
 * Count source rings: one for each queue pair of each interface.
 * @param pinned  how many of these belong to interfaces of pinned classes
 * @return all of them. Threading: any.
 */
uint32_t tp_config_count_rings(const struct tp_config *config, uint32_t *pinned);

/**
 * How many MACs of a tenant may be learned behind its uplink: what its guests' own bounds leave of
 * `per_tenant`; but half of it, or 4096, if they leave less.
 * @param tenant  its bounds settled
 * Threading: any.
 */
uint32_t tp_config_macs_beyond(const struct tp_tenant_config *tenant);

/** The longest IP packet that guests of a tenant can send into its network: what the file says, or
 * what the uplink's MTU leaves. 0: the tenant has no network. Threading: any. */
uint16_t tp_config_network_mtu(
	const struct tp_config *config, const struct tp_tenant_config *tenant);

/** The name of an offload. @param number of TP_OFFLOADS. Threading: any. */
const char *tp_config_offload_name(unsigned number);

/** Is a device one of the PCI bus? Else it is a virtual one. Threading: any. */
bool tp_config_device_is_pci(const char *device);

/**
 * The interface of the kernel that a virtual device is to be.
 * @param name  its name, cut to `size` bytes with their end; "" if none is named
 * @return is one named? Threading: any.
 */
bool tp_config_device_interface(const char *device, char *name, size_t size);

/** The worker that a tenant begins on: they are dealt out in order. Threading: any. */
static inline uint32_t tp_config_first_worker(const struct tp_config *config, uint32_t tenant)
{
	return tenant % config->worker_count;
}

#define TP_CONFIG_MAC_TEXT 18 /* bytes of a MAC as text, with its end */

/** A MAC as people write it, "02:00:00:00:00:01". @return text. Threading: any. */
const char *tp_config_format_mac(const uint8_t mac[6], char text[TP_CONFIG_MAC_TEXT]);

/** Free a configuration. NULL is allowed. */
void tp_config_free(struct tp_config *config);
