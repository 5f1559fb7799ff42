/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "cpus.h"
#include "ctl/plan.h"

#define MIB (UINT64_C(1) << 20)

#define BASE_BYTES      (24 * MIB)  /* of the EAL and of what does not grow */
#define WORKER_BYTES    (2 * MIB)   /* with the times that it counts */
#define LEARNED_BYTES   (64 * 256)  /* learned MACs of an interface */
#define LIST_BYTES      40          /* places of a ring in a worker's lists */
#define HEADROOM        128         /* of an mbuf */
#define FRAME_BESIDE    86          /* Ethernet header, tags, what a tunnel puts before, FCS */
#define MBUF_BYTES      256         /* beside its room: its struct, what the pool adds */
#define QUEUE_BYTES     (64 * 1024) /* of a pair of queues, with the driver's part */
#define TABLE_BYTES     (16 * 1024) /* whose the frames of an uplink are */
#define UPLINK_QUEUES   64
#define SPARE_WORKERS   4          /* that uplinks have mbufs for, at least */
#define DESCRIPTORS     64         /* that do not grow, beside those kept from guests */
#define WORKER_REQUESTS (256 + 64) /* of a worker, beside those of its rings */
#define MAPPINGS        512        /* that do not grow */

/* A number in a file of /proc or /sys, 0 if there is none. */
static uint64_t read_number(const char *path)
{
	FILE *file = fopen(path, "r");
	uint64_t number = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%" SCNu64, &number) != 1)
		number = 0;
	fclose(file);
	return number;
}

static uint64_t power_of_two_from(uint64_t number)
{
	uint64_t power = 1;

	while (power < number)
		power *= 2;
	return power;
}

static uint64_t worker_memory(const struct tp_config *config)
{
	uint32_t pinned;
	uint64_t rings = tp_config_count_rings(config, &pinned) + TP_PLAN_SPARE_RINGS;
	uint64_t hot =
		config->hot_cache && config->hot_contexts < rings ? config->hot_contexts : rings;

	return WORKER_BYTES + 2 * hot * TP_PLAN_HOT_BYTES +
	       power_of_two_from(rings + 1) * LIST_BYTES;
}

static uint64_t context_memory(const struct tp_interface_config *interface)
{
	return TP_PLAN_CONTEXT_BYTES + (uint64_t)interface->queue_pairs * TP_PLAN_PAIR_BYTES;
}

uint16_t tp_plan_uplink_queues(
	const struct tp_config *config, const struct tp_uplink_config *uplink)
{
	if (uplink->queues == 0 || uplink->queues > config->worker_count)
		return config->worker_count < UPLINK_QUEUES ? (uint16_t)config->worker_count
							    : UPLINK_QUEUES;
	return uplink->queues;
}

uint32_t tp_plan_uplink_workers(const struct tp_config *config)
{
	uint32_t most =
		2 * config->worker_count < SPARE_WORKERS ? SPARE_WORKERS : 2 * config->worker_count;

	return most < TP_CONFIG_WORKERS_MAX ? most : TP_CONFIG_WORKERS_MAX;
}

uint16_t tp_plan_mbuf_room(const struct tp_uplink_config *uplink)
{
	uint32_t frame = HEADROOM + uplink->mtu + FRAME_BESIDE;

	return (uint16_t)(frame < HEADROOM + 2048 ? HEADROOM + 2048 : (frame + 63) / 64 * 64);
}

uint32_t tp_plan_work_entries(const struct tp_uplink_config *uplink)
{
	return (uint32_t)power_of_two_from(uplink->tx_descriptors);
}

uint32_t tp_plan_mbufs(
	const struct tp_config *config, const struct tp_uplink_config *uplink, uint16_t queues)
{
	uint32_t queue =
		uplink->rx_descriptors + uplink->tx_descriptors + tp_plan_work_entries(uplink);

	/* A cache grows to half as much again; a burst or two are in a worker's hands, and as many
	 * frames of the network below in control's. */
	return queues * queue + tp_plan_uplink_workers(config) * (TP_PLAN_MBUF_CACHE * 3 / 2 + 192);
}

static uint64_t uplink_memory(const struct tp_config *config, const struct tp_uplink_config *uplink)
{
	uint16_t queues = tp_plan_uplink_queues(config, uplink);
	uint64_t mbuf = MBUF_BYTES + tp_plan_mbuf_room(uplink);

	return tp_plan_mbufs(config, uplink, queues) * mbuf +
	       queues * (QUEUE_BYTES + tp_plan_work_entries(uplink) * UINT64_C(16)) + TABLE_BYTES;
}

uint64_t tp_plan_memory(const struct tp_config *config)
{
	uint64_t bytes = BASE_BYTES + config->worker_count * worker_memory(config);
	uint32_t pinned;

	if (config->worker_count > 1) /* tenants may be spread; guests choose the size of rings */
		bytes += tp_config_count_rings(config, &pinned) * TP_PLAN_RING_SIZE *
			 sizeof(uint16_t);
	for (uint32_t i = 0; i < config->interface_count; i++)
		bytes += context_memory(&config->interfaces[i]) + TP_PLAN_PLACES_BYTES;
	for (uint32_t i = 0; i < config->uplink_count; i++)
		bytes += uplink_memory(config, &config->uplinks[i]);
	for (uint32_t i = 0; i < config->tenant_count; i++)
		if (config->tenants[i].mac_learning)
			bytes += (uint64_t)config->tenants[i].interface_count * LEARNED_BYTES;
	return bytes;
}

uint64_t tp_plan_node_memory(const struct tp_config *config, const int *worker_nodes, int node)
{
	uint64_t bytes = 0;

	for (uint32_t w = 0; w < config->worker_count; w++)
		if (worker_nodes[w] == node)
			bytes += worker_memory(config);
	for (uint32_t i = 0; i < config->interface_count; i++) {
		uint32_t tenant = config->interfaces[i].tenant_index;

		if (worker_nodes[tp_config_first_worker(config, tenant)] == node)
			bytes += context_memory(&config->interfaces[i]);
	}
	return bytes;
}

uint64_t tp_plan_free_memory(void)
{
	return 2 * MIB * read_number("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
}

static void plan_cpus(const struct tp_config *config, struct tp_plan_item *item)
{
	char list[128] = "none";
	struct tp_error unused;
	cpu_set_t online;

	strcpy(item->name, "worker CPUs");
	item->needs = config->worker_count;
	if (tp_cpus_online(&online, &unused) == 0) {
		tp_cpus_format(&online, list, sizeof(list));
		for (uint32_t i = 0; i < config->worker_count; i++)
			item->has += CPU_ISSET(config->worker_cores[i], &online) != 0;
	}
	snprintf(item->note, sizeof(item->note),
		"of those that the file names; online here: %.100s; one more for control is better",
		list);
}

static void plan_memory(const struct tp_config *config, struct tp_plan_item *item)
{
	uint64_t contexts = 0;

	for (uint32_t i = 0; i < config->interface_count; i++)
		contexts += context_memory(&config->interfaces[i]);
	strcpy(item->name, "hugepage MiB");
	item->optional = true;
	item->needs = (tp_plan_memory(config) + MIB - 1) / MIB;
	item->has = tp_plan_free_memory() / MIB;
	snprintf(item->note, sizeof(item->note),
		"contexts %" PRIu64
		" KiB of it; without them small pages are taken, which is slower; "
		"add %" PRIu64 " to vm.nr_hugepages",
		contexts / 1024, item->needs > item->has ? (item->needs - item->has + 1) / 2 : 0);
}

static void plan_node(const struct tp_config *config, const int *worker_nodes, int node,
	struct tp_plan_item *item)
{
	char path[96];
	uint32_t workers = 0;

	for (uint32_t w = 0; w < config->worker_count; w++)
		workers += worker_nodes[w] == node;
	snprintf(path, sizeof(path),
		"/sys/devices/system/node/node%d/hugepages/hugepages-2048kB/free_hugepages", node);
	snprintf(item->name, sizeof(item->name), "hugepage MiB, node %d", node);
	item->optional = true;
	item->needs = (tp_plan_node_memory(config, worker_nodes, node) + MIB - 1) / MIB;
	item->has = 2 * read_number(path);
	snprintf(item->note, sizeof(item->note),
		"part of the hugepage MiB: of %" PRIu32 " worker%s there, and contexts of the "
		"tenants that begin with %s; on another node they are slower",
		workers, workers == 1 ? "" : "s", workers == 1 ? "it" : "them");
}

/* @return how many nodes there is something to say of: none where the machine has but one. */
static unsigned plan_nodes(const struct tp_config *config, struct tp_plan_item *items)
{
	int worker_nodes[TP_CONFIG_WORKERS_MAX];
	unsigned nodes = tp_node_count();
	unsigned count = 0;

	if (nodes == 1)
		return 0;
	for (uint32_t w = 0; w < config->worker_count; w++)
		worker_nodes[w] = tp_node_of_cpu(config->worker_cores[w]);
	for (unsigned node = 0; node < nodes; node++)
		if (tp_plan_node_memory(config, worker_nodes, (int)node) > 0)
			plan_node(config, worker_nodes, (int)node, &items[count++]);
	return count;
}

uint64_t tp_plan_first_descriptors(const struct tp_config *config)
{
	uint64_t needs = DESCRIPTORS + TP_PLAN_KEPT_DESCRIPTORS;

	for (uint32_t i = 0; i < config->interface_count; i++)
		needs += !config->interfaces[i].client;
	return needs;
}

/* Of a queue pair: two calls, and the kick of its transmit ring. */
uint64_t tp_plan_descriptors(const struct tp_config *config)
{
	uint64_t needs = tp_plan_first_descriptors(config);

	for (uint32_t i = 0; i < config->interface_count; i++)
		needs += 1u + 3u * config->interfaces[i].queue_pairs;
	return needs;
}

static void plan_descriptors(const struct tp_config *config, struct tp_plan_item *item)
{
	struct rlimit limit = {0};

	strcpy(item->name, "descriptors");
	item->needs = tp_plan_descriptors(config);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		item->has = limit.rlim_max;
	snprintf(item->note, sizeof(item->note),
		"listen, connection, two calls and a kick of each guest; one that polls passes no "
		"calls; limit: LimitNOFILE= or ulimit -Hn");
}

static void plan_requests(const struct tp_config *config, struct tp_plan_item *item)
{
	uint64_t most = read_number("/proc/sys/fs/aio-max-nr");
	uint64_t used = read_number("/proc/sys/fs/aio-nr");
	uint32_t pinned;

	strcpy(item->name, "asynchronous requests");
	item->needs =
		config->worker_count *
		(2 * ((uint64_t)tp_config_count_rings(config, &pinned) + TP_PLAN_SPARE_RINGS) +
			WORKER_REQUESTS);
	item->has = most > used ? most - used : 0;
	snprintf(item->note, sizeof(item->note),
		"of the kernel, for doorbells; fs.aio-max-nr is %" PRIu64 ", %" PRIu64 " in use",
		most, used);
}

static void plan_mappings(const struct tp_config *config, struct tp_plan_item *item)
{
	strcpy(item->name, "memory mappings");
	item->needs = MAPPINGS + 2 * (uint64_t)config->interface_count;
	item->has = read_number("/proc/sys/vm/max_map_count");
	snprintf(item->note, sizeof(item->note),
		"two regions of each guest's memory; limit: vm.max_map_count");
}

unsigned tp_plan_make(const struct tp_config *config, struct tp_plan_item *items)
{
	memset(items, 0, TP_PLAN_ITEMS_MAX * sizeof(*items));
	plan_cpus(config, &items[TP_PLAN_CPUS]);
	plan_memory(config, &items[TP_PLAN_MEMORY]);
	plan_descriptors(config, &items[TP_PLAN_DESCRIPTORS]);
	plan_requests(config, &items[TP_PLAN_REQUESTS]);
	plan_mappings(config, &items[TP_PLAN_MAPPINGS]);
	return TP_PLAN_RESOURCES + plan_nodes(config, &items[TP_PLAN_RESOURCES]);
}
