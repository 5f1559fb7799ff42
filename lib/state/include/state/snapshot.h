/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "state/context.h"
#include "state/mac_table.h"
#include "state/network.h"
#include "state/shape.h"
#include "state/underlay.h"
#include "state/uplink.h"

/*
 * A configuration as the dataplane reads it: compiled, immutable once published, replaced whole. A
 * worker takes the pointer once a sweep, so every frame is handled under exactly one snapshot.
 *
 * Classes, tenants and interfaces have places, which stay the same from one snapshot to the next
 * for whoever is in both: what workers keep by place (counters, hot entries, learned MACs) stays
 * right. A place may be empty; who comes gets an empty one.
 */

#define TP_CLASSES_MAX 64

/** What a frame costs at price 1, in credits: per_frame + per_64_bytes x ceil(length / 64). */
struct tp_tariff {
	uint32_t per_frame;
	uint32_t per_64_bytes;
};

struct tp_class {
	uint64_t hold_cycles; /* TSC cycles that a refused frame is held */
	uint32_t bid;         /* highest price it pays, in sixteenths, at most 16,000 */
	uint32_t threshold;   /* of tp_price_threshold */
	uint32_t weight;      /* share of worker time, >= 1 */
	bool drop_when_full;  /* do not hold at all */
	bool pinned;          /* its interfaces are never cold */
	/* Frames to many that each of its interfaces may send; not shaped: all. */
	struct tp_shape flood;
};

struct tp_tenant {
	uint32_t first_interface; /* its interfaces are consecutive in snapshot->members, ... */
	uint32_t interface_count; /* ... which tp_snapshot_seal writes, and these two */
	bool flood_unknown;       /* unicast to an unknown MAC: flood instead of drop */
	bool learning;            /* MACs behind its interfaces are learned */
	struct tp_network network;
};

struct tp_interface {
	uint64_t mac;               /* as tp_mac_load gives it */
	struct tp_context *context; /* NULL: there is no interface at this place */
	uint32_t tenant;
	uint16_t class;
	bool source_mac_check;
	bool further_macs;     /* some of the static ones are its */
	struct tp_shape shape; /* of its class, or its own */
};

static_assert(sizeof(struct tp_interface) <= 64, "a burst reads one cache line of it");

/** A further address that leads to an interface, and that it may send from. */
struct tp_static_mac {
	uint64_t mac;
	uint32_t interface;
};

#define TP_VLANS     4096
#define TP_NO_TENANT UINT16_MAX
#define TP_UNDERLAY  (UINT16_MAX - 1) /* frames of the network below */

/** Whose the frames of an uplink's wire are. */
struct tp_uplink_table {
	struct tp_uplink *uplink;
	uint16_t tenant_of_vlan[TP_VLANS]; /* TP_NO_TENANT: nobody's; 0: those without a tag */
	struct tp_underlay *underlay;      /* NULL: there are no tunnels */
};

/** A MAC that is configured to be behind a tunnel. */
struct tp_far_mac {
	uint64_t key;    /* tp_mac_key */
	uint32_t tunnel; /* of its tenant */
};

struct tp_snapshot {
	uint64_t number; /* counts publications; control: w before it is published */
	struct tp_tariff tariff;
	/* Whose service a tenant out of credit gets: the class with the least bid; of equals the
	 * one with the least weight, then the first. */
	uint16_t lowest_class;
	uint32_t least_threshold; /* that of the class that bids most, of those behind uplinks */
	uint32_t class_count;
	uint32_t tenant_count;
	uint32_t interface_count;
	uint32_t pinned_rings; /* source rings of pinned classes */
	uint32_t uplink_count;
	struct tp_class *classes;
	struct tp_tenant *tenants;
	struct tp_interface *interfaces;
	uint32_t *members; /* places of interfaces, tenant by tenant */
	uint32_t static_mac_count;
	struct tp_static_mac *static_macs;
	struct tp_mac_table *macs;       /* configured addresses */
	struct tp_uplink_table *uplinks; /* NULL: there is none */
	struct tp_far_mac *far_macs;     /* for the MAC table */
	uint32_t far_mac_count;
};

/**
 * Make a snapshot with room for so many entries, all zero, to be filled in by the caller.
 * @return the snapshot, or NULL with *error set. Threading: control thread.
 */
struct tp_snapshot *tp_snapshot_new(uint32_t classes, uint32_t tenants, uint32_t interfaces,
	int socket, struct tp_error *error);

/**
 * Make room for static MACs, to be filled in before tp_snapshot_seal.
 * @return 0, or -ENOMEM with *error set. Threading: control thread.
 */
int tp_snapshot_make_static_macs(
	struct tp_snapshot *snapshot, uint32_t count, int socket, struct tp_error *error);

/**
 * Give a snapshot tables for so many uplinks, without frames for anybody; the caller fills in whose
 * they are.
 * @return 0, or -ENOMEM with *error set. Threading: control thread.
 */
int tp_snapshot_add_uplinks(
	struct tp_snapshot *snapshot, uint32_t uplinks, int socket, struct tp_error *error);

/**
 * Give it an underlay on an uplink, to be filled in but for its tenants.
 * @return it, or NULL with *error set. Threading: control thread.
 */
struct tp_underlay *tp_snapshot_add_underlay(
	struct tp_snapshot *snapshot, uint32_t uplink, int socket, struct tp_error *error);

/**
 * Give a tenant's network room for so many tunnels, and for so many MACs behind all of them.
 * @return 0, or -ENOMEM with *error set. Threading: control thread.
 */
int tp_snapshot_add_tunnels(
	struct tp_network *network, uint32_t tunnels, int socket, struct tp_error *error);

/** Give it room for so many MACs behind tunnels; as above. */
int tp_snapshot_add_far_macs(
	struct tp_snapshot *snapshot, uint32_t macs, int socket, struct tp_error *error);

/** Give a tenant's network a trunk, still empty. @return it, or NULL with *error set. */
struct tp_vlan_set *tp_snapshot_add_trunk(
	struct tp_network *network, int socket, struct tp_error *error);

/**
 * Finish a filled snapshot: build its MAC table, its tenants' members, and whose the frames of its
 * uplinks are; a class without a weight gets 1. After this it does not change.
 * @return 0, or negative errno with *error set. Threading: control thread.
 */
int tp_snapshot_seal(struct tp_snapshot *snapshot, int socket, struct tp_error *error);

/** Free a snapshot that no worker holds. NULL is allowed. Threading: control thread. */
void tp_snapshot_free(struct tp_snapshot *snapshot);
