/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>

#include "guest_ring.h"
#include "path/worker.h"
#include "vring/price.h"

/*
 * What a frame costs a worker when nothing has to come from another core: two guests and the worker
 * in one thread. For finding out where the cycles go (callgrind counts its instructions
 * repeatably); the throughput between cores is bench/compare's.
 *
 * usage: path_cost [FRAME_BYTES [BURSTS [VECTOR]]]
 */

#define RING   256
#define BUFFER 2048
#define BURST  32

struct side {
	struct guest guest;
	struct guest_ring tx;
	struct guest_ring rx;
};

static void fill_ring(struct guest_ring *ring, uint32_t length, uint16_t flags)
{
	for (uint16_t i = 0; i < RING; i++) {
		uint8_t *buffer = guest_place(ring->guest, BUFFER, 64);

		guest_describe(ring, i, buffer + 52, length + 12, flags, 0);
		ring->avail->ring[i] = i;
	}
}

static void write_frames(struct side *side, const uint8_t *to, const uint8_t *from)
{
	for (uint16_t i = 0; i < RING; i++) {
		uint8_t *frame = side->guest.base + (side->tx.desc[i].addr - GUEST_ADDRESS) + 12;

		memcpy(frame, to, 6);
		memcpy(frame + 6, from, 6);
	}
}

static void start(struct tp_vring *vring, const struct guest_ring *ring)
{
	struct tp_error error;

	if (tp_vring_start(vring, &ring->setup, ring->guest->memory, &error) < 0) {
		fprintf(stderr, "path_cost: %s\n", error.text);
		exit(EXIT_FAILURE);
	}
}

static void make_side(struct side *side, struct tp_context *context, uint32_t length,
	const uint8_t *own, const uint8_t *other)
{
	guest_init(&side->guest, 4u << 20);
	guest_ring_init(&side->tx, &side->guest, RING, 0);
	guest_ring_init(&side->rx, &side->guest, RING, TP_FEATURE(VIRTIO_NET_F_MRG_RXBUF));
	fill_ring(&side->tx, length, 0);
	fill_ring(&side->rx, BUFFER - 64 - 12, VRING_DESC_F_WRITE);
	write_frames(side, other, own);
	start(&context->pair[0].tx, &side->tx);
	start(&context->pair[0].rx, &side->rx);
}

static void move(struct guest_ring *ring, uint16_t by)
{
	__atomic_store_n(&ring->avail->idx, (uint16_t)(ring->avail->idx + by), __ATOMIC_RELEASE);
}

static struct tp_dataplane *make_dataplane(struct tp_context_store *store, uint8_t mac[2][8])
{
	struct tp_snapshot *snapshot = tp_snapshot_new(1, 1, 2, -1, NULL);
	const struct tp_dataplane_settings settings = {
		.workers = 1,
		.rings = 2,
		.tenants = 1,
		.hot_contexts = 2,
		.hot_cache = false,
		.sweep_budget_ns = 1000000000, /* bursts stay whole, also under callgrind */
		.socket = -1,
	};
	struct tp_dataplane *dataplane = tp_dataplane_new(&settings, NULL);

	if (snapshot == NULL || dataplane == NULL)
		exit(EXIT_FAILURE);
	snapshot->classes[0] = (struct tp_class){.bid = 16 * TP_PRICE_ONE,
		.threshold = tp_price_threshold(16 * TP_PRICE_ONE),
		.weight = 1};
	snapshot->tariff = (struct tp_tariff){.per_frame = 16, .per_64_bytes = 1};
	snapshot->tenants[0].interface_count = 2;
	for (uint32_t i = 0; i < 2; i++) {
		snapshot->interfaces[i] = (struct tp_interface){
			.mac = tp_mac_load(mac[i]),
			.context = tp_context_at(store, i),
			.source_mac_check = true,
		};
	}
	if (tp_snapshot_seal(snapshot, -1, NULL) < 0)
		exit(EXIT_FAILURE);
	tp_dataplane_publish_snapshot(dataplane, snapshot);
	for (uint32_t i = 0; i < 2; i++)
		tp_dataplane_attend(
			dataplane, &(struct tp_ring_id){.interface = i, .bell = TP_BELL_ATTEND});
	return dataplane;
}

int main(int argc, char **argv)
{
	char *eal[] = {"path_cost", "--no-huge", "--no-pci", "--no-telemetry", "-m64", "-l0",
		"--log-level=*:error", NULL};
	uint8_t mac[2][8] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};
	const uint16_t pairs[2] = {1, 1};
	uint32_t length = argc > 1 ? (uint32_t)atoi(argv[1]) : 64;
	long bursts = argc > 2 ? atol(argv[2]) : 1000000;
	struct tp_context_store *store;
	struct tp_worker *worker;
	struct tp_error error;
	struct side side[2];
	uint64_t cycles = 0;
	uint64_t frames = 0;

	if (rte_eal_init(7, eal) < 0)
		return EXIT_FAILURE;
	store = tp_context_store_new(pairs, 2, NULL);
	worker = tp_worker_new(make_dataplane(store, mac), 0, argc > 3 ? argv[3] : NULL, &error);
	if (worker == NULL) {
		fprintf(stderr, "path_cost: %s\n", error.text);
		return EXIT_FAILURE;
	}
	for (unsigned i = 0; i < 2; i++)
		make_side(&side[i], tp_context_at(store, i), length, mac[i], mac[!i]);
	move(&side[0].rx, RING);
	move(&side[1].rx, RING);
	for (long n = 0; n < bursts; n++) {
		uint64_t before;
		unsigned done;

		move(&side[0].tx, BURST);
		move(&side[1].tx, BURST);
		before = rte_rdtsc();
		/* The first bursts are shorter, until the scheduler knows what a frame costs. */
		done = 0;
		for (unsigned sweeps = 0; done < 2 * BURST && sweeps < 10; sweeps++)
			done += tp_worker_sweep(worker);
		cycles += rte_rdtsc() - before;
		frames += done;
		if (done != 2 * BURST) {
			fprintf(stderr, "path_cost: %u frames instead of %d\n", done, 2 * BURST);
			return EXIT_FAILURE;
		}
		move(&side[0].rx, BURST);
		move(&side[1].rx, BURST);
	}
	printf("%u bytes: %.1f TSC cycles, %.2f ns a frame, %.1f Mpps\n", length,
		(double)cycles / frames, (double)cycles * 1e9 / rte_get_tsc_hz() / frames,
		frames / ((double)cycles / rte_get_tsc_hz()) / 1e6);
	return EXIT_SUCCESS;
}
