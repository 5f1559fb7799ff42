/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_memory.h>

#include "burst.h"
#include "guest_ring.h"
#include "path/worker.h"
#include "vring/price.h"

/*
 * What a context costs a worker, in a store of a million: a look at one that is hot, a load of one
 * that is cold, its way back. Rings are synthetic and lie in one memory file; nobody is attached.
 *
 * usage: context_cost [CONTEXTS [HOT]]
 */

#define RING_SIZE 4
#define STRIDE    256 /* bytes of guest memory a ring takes: each on lines of its own */

static struct guest memory;
static struct tp_context_store *store;
static struct tp_dataplane *dataplane;
static struct tp_worker *worker;
static uint32_t contexts;
static uint32_t hot;

static void die(const char *what)
{
	fprintf(stderr, "context_cost: %s\n", what);
	exit(EXIT_FAILURE);
}

static void make_store(void)
{
	uint16_t *pairs = calloc(contexts, sizeof(*pairs));

	for (uint32_t i = 0; i < contexts; i++)
		pairs[i] = 1;
	store = tp_context_store_new(pairs, contexts, NULL);
	if (store == NULL)
		die("no memory for so many contexts");
	printf("store: %u contexts, %.0f MiB, %.0f bytes each\n", contexts,
		(double)tp_context_store_size(pairs, contexts) / (1 << 20),
		(double)tp_context_store_size(pairs, contexts) / contexts);
	free(pairs);
}

static void make_rings(void)
{
	guest_init(&memory, (size_t)contexts * STRIDE + 4096);
	for (uint32_t i = 0; i < contexts; i++) {
		struct tp_ring_pair *ring = &tp_context_at(store, i)->pair[0];
		uint8_t *place = guest_place(&memory, STRIDE, STRIDE);
		struct tp_vring_setup setup = {
			.size = RING_SIZE,
			.desc_address = (uintptr_t)place,
			.avail_address = (uintptr_t)place + 64,
			.used_address = (uintptr_t)place + 128,
			.features = TP_FEATURE(VIRTIO_F_VERSION_1),
			.call_fd = -1,
		};
		struct tp_error error;

		if (tp_vring_start(&ring->tx, &setup, memory.memory, &error) < 0)
			die(error.text);
		ring->armed = 1; /* as if: nobody kicks here */
	}
}

static void make_dataplane(void)
{
	const struct tp_dataplane_settings settings = {
		.workers = 1,
		.rings = contexts,
		.hot_contexts = hot,
		.stay_hot_ns = UINT64_C(3600000000000),
		.hot_cache = true,
		.socket = SOCKET_ID_ANY,
	};
	struct tp_snapshot *snapshot = tp_snapshot_new(1, 1, contexts, SOCKET_ID_ANY, NULL);
	struct tp_error error;

	if (snapshot == NULL)
		die("no memory for the snapshot");
	snapshot->classes[0].bid = 2 * TP_PRICE_ONE;
	snapshot->tariff = (struct tp_tariff){.per_frame = 16, .per_64_bytes = 1};
	snapshot->classes[0].weight = 1;
	snapshot->classes[0].threshold = tp_price_threshold(2 * TP_PRICE_ONE);
	snapshot->tenants[0].interface_count = contexts;
	for (uint32_t i = 0; i < contexts; i++)
		snapshot->interfaces[i] = (struct tp_interface){
			.mac = (uint64_t)i << 16 | 2, .context = tp_context_at(store, i)};
	if (tp_snapshot_seal(snapshot, SOCKET_ID_ANY, &error) < 0)
		die(error.text);
	dataplane = tp_dataplane_new(&settings, &error);
	if (dataplane == NULL)
		die(error.text);
	tp_dataplane_publish_snapshot(dataplane, snapshot);
	worker = tp_worker_new(dataplane, 0, NULL, &error);
	if (worker == NULL)
		die(error.text);
}

static double nanoseconds(uint64_t cycles, double count)
{
	return (double)cycles * 1e9 / (double)rte_get_tsc_hz() / count;
}

/* Ring for contexts all over the store, as many as a sweep takes. */
static void ring_some(uint32_t *next)
{
	for (unsigned i = 0; i < TP_BELLS; i++) {
		*next = (*next + 777777773u) % contexts; /* a prime: far from the last one */
		tp_dataplane_attend(dataplane,
			&(struct tp_ring_id){.interface = *next, .bell = TP_BELL_ATTEND});
	}
}

static uint64_t timed_sweep(void)
{
	uint64_t before = rte_rdtsc();

	tp_worker_sweep(worker);
	return rte_rdtsc() - before;
}

/* @return cycles of a sweep over a table of `hot`, the best of some. */
static uint64_t sweep_of_hot(void)
{
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < 200; i++) {
		uint64_t cycles = timed_sweep();

		best = cycles < best ? cycles : best;
	}
	return best;
}

static int by_size(const void *left, const void *right)
{
	double a = *(const double *)left;
	double b = *(const double *)right;

	return (a > b) - (a < b);
}

/* @return median nanoseconds that a load adds to a sweep, of `rounds` sweeps with TP_BELLS each. */
static double cost_of_loads(unsigned rounds)
{
	static uint32_t next;
	double *cost = calloc(rounds, sizeof(*cost));
	double median;

	for (unsigned i = 0; i < rounds; i++) {
		double without = (double)timed_sweep();

		ring_some(&next);
		cost[i] = ((double)timed_sweep() - without) / TP_BELLS * 1e9 /
			  (double)rte_get_tsc_hz();
	}
	qsort(cost, rounds, sizeof(*cost), by_size);
	median = cost[rounds / 2];
	free(cost);
	return median;
}

static void measure(void)
{
	const struct tp_hot_table *table = &worker->hot.table;
	unsigned rounds = hot / TP_BELLS;
	uint32_t left;
	uint64_t before;

	printf("cold load: %.1f ns each, from all over the store into an empty table\n",
		cost_of_loads(rounds));
	printf("hot visit: %.2f ns each, %u in the table\n",
		nanoseconds(sweep_of_hot(), table->count), table->count);
	printf("load with an eviction: %.1f ns each, table full\n", cost_of_loads(rounds));
	left = table->count;
	before = rte_rdtsc();
	while (table->count > 0)
		if (!tp_hot_cool(worker, table->count - 1))
			die("an entry did not go cold");
	printf("way back: %.1f ns each, kicks asked for and the last look taken\n",
		nanoseconds(rte_rdtsc() - before, left));
}

int main(int argc, char **argv)
{
	char *eal[] = {"context_cost", "--no-huge", "--no-pci", "--no-telemetry", "-m2600", "-l0",
		"--log-level=*:error", NULL};

	contexts = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000000;
	hot = argc > 2 ? (uint32_t)atoi(argv[2]) : 4096;
	if (contexts < 2 * hot || hot < TP_BELLS || contexts > 4000000)
		die("usage: context_cost [CONTEXTS [HOT]]; HOT from 32, CONTEXTS at least twice "
		    "that");
	if (rte_eal_init(7, eal) < 0)
		return EXIT_FAILURE;
	make_store();
	make_rings();
	make_dataplane();
	measure();
	return EXIT_SUCCESS;
}
