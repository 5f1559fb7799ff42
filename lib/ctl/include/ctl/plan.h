/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "base/node.h"
#include "ctl/config.h"

/*
 * What a configuration needs of a machine, and what this one has. Needs no EAL and no appliance.
 */

/* Hugepage memory: bytes of an interface's context, of each queue pair of it, and of its other
 * places (snapshot, MAC table with room to spare). Checked against the real sizes in compile.c. */
#define TP_PLAN_CONTEXT_BYTES 512
#define TP_PLAN_PAIR_BYTES    320
#define TP_PLAN_PLACES_BYTES  1024
#define TP_PLAN_HOT_BYTES     64
#define TP_PLAN_SPARE_RINGS   256  /* queue pairs more than the file has, that may come */
#define TP_PLAN_MBUF_CACHE    256  /* mbufs that a worker keeps at hand */
#define TP_PLAN_RING_SIZE     1024 /* a guest's receive ring; larger ones take more */

enum tp_plan_resource {
	TP_PLAN_CPUS,        /* one for each worker; online ones */
	TP_PLAN_MEMORY,      /* bytes in 2 MiB pages; those that are free */
	TP_PLAN_DESCRIPTORS, /* of the process, all guests attached; RLIMIT_NOFILE */
	TP_PLAN_REQUESTS,    /* of asynchronous I/O, for doorbells; fs.aio-max-nr without aio-nr */
	TP_PLAN_MAPPINGS,    /* of the process, guests with two memory regions; vm.max_map_count */
	TP_PLAN_RESOURCES
};

/* Where there are several NUMA nodes each that is used stands behind those. */
#define TP_PLAN_ITEMS_MAX (TP_PLAN_RESOURCES + TP_NODES_MAX)

struct tp_plan_item {
	char name[32];
	uint64_t needs;
	uint64_t has;
	bool optional;  /* it goes on without, only slower */
	char note[200]; /* what it is made of, or how to get more */
};

/**
 * Fill in what is needed and what there is. What the machine does not tell counts as 0.
 * @param items  room for TP_PLAN_ITEMS_MAX
 * @return how many there are. Threading: any.
 */
unsigned tp_plan_make(const struct tp_config *config, struct tp_plan_item *items);

/* Descriptors that guests may not have: of operators, bills and logs. */
#define TP_PLAN_KEPT_DESCRIPTORS 48

/** Descriptors with all guests attached, and those without any guest. Threading: any. */
uint64_t tp_plan_descriptors(const struct tp_config *config);
uint64_t tp_plan_first_descriptors(const struct tp_config *config);

/** Bytes of hugepage memory that a configuration needs. Threading: any. */
uint64_t tp_plan_memory(const struct tp_config *config);

/**
 * Bytes of that memory that belong on one NUMA node: what the workers that run there have of their
 * own, and the contexts of the tenants that begin on them.
 * @param worker_nodes  node of each worker's CPU
 * Threading: any.
 */
uint64_t tp_plan_node_memory(const struct tp_config *config, const int *worker_nodes, int node);

/** Workers that uplinks have mbufs for, so that there may be more later. Threading: any. */
uint32_t tp_plan_uplink_workers(const struct tp_config *config);

/** Pairs of queues that an uplink is to have: one a worker at most. Threading: any. */
uint16_t tp_plan_uplink_queues(
	const struct tp_config *config, const struct tp_uplink_config *uplink);

/** Bytes of an mbuf's data room, so that a frame of any network on the uplink fits. */
uint16_t tp_plan_mbuf_room(const struct tp_uplink_config *uplink);

/** Entries of the work queue before each transmit queue: a power of two. Threading: any. */
uint32_t tp_plan_work_entries(const struct tp_uplink_config *uplink);

/** Mbufs of an uplink: as many as its rings, work queues and the workers' caches can hold.
 * @param queues  pairs of queues. Threading: any. */
uint32_t tp_plan_mbufs(
	const struct tp_config *config, const struct tp_uplink_config *uplink, uint16_t queues);

/** Bytes in free 2 MiB pages of this machine. Threading: any. */
uint64_t tp_plan_free_memory(void);
