/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>

#include "guest_ring.h"
#include "path/worker.h"
#include "state/uplink.h"
#include "vring/price.h"

/*
 * What a frame costs a worker when nothing has to come from another core: two guests and the worker
 * in one thread; or a guest that sends to an uplink which forgets each frame (net_null). For
 * finding out where the cycles go (callgrind counts its instructions repeatably); the throughput
 * between cores is bench/compare's, and bench/wire's.
 *
 * usage: path_cost [FRAME_BYTES [BURSTS [VECTOR [VLAN]]]]
 *   VECTOR  avx512, avx2 or plain; - for the best that there is
 *   VLAN    the frames go to the uplink, with this tag; 0: without one
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

static void fail(const char *what)
{
	fprintf(stderr, "path_cost: %s\n", what);
	exit(EXIT_FAILURE);
}

/* A device that forgets what it is given, with one queue. */
static struct tp_uplink *make_uplink(void)
{
	struct rte_eth_conf conf = {0};
	struct tp_uplink *uplink = tp_uplink_new(0, 1, 1024, 1, NULL, NULL);
	struct rte_mempool *pool = rte_pktmbuf_pool_create(
		"uplink", 8191, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	uint16_t port = 0;

	if (uplink == NULL || pool == NULL || rte_eth_dev_get_port_by_name("net_null0", &port) < 0)
		fail("no uplink");
	if (rte_eth_dev_configure(port, 1, 1, &conf) < 0 ||
		rte_eth_rx_queue_setup(port, 0, 64, SOCKET_ID_ANY, NULL, pool) < 0 ||
		rte_eth_tx_queue_setup(port, 0, 64, SOCKET_ID_ANY, NULL) < 0 ||
		rte_eth_dev_start(port) < 0)
		fail("the uplink does not start");
	uplink->port = port;
	uplink->mtu = 9000;
	uplink->pool = pool;
	uplink->link_up = 1;
	uplink->running = 1;
	return uplink;
}

static void add_uplink(struct tp_snapshot *snapshot, uint16_t vlan)
{
	if (tp_snapshot_add_uplinks(snapshot, 1, -1, NULL) < 0)
		fail("no memory");
	snapshot->uplinks[0].uplink = make_uplink();
	snapshot->tenants[0].network =
		vlan > 0 ? tp_network_tagged(0, vlan)
			 : (struct tp_network){.wire = TP_WIRE_UNTAGGED, .uplink = 0};
}

static struct tp_dataplane *make_dataplane(
	struct tp_context_store *store, uint8_t mac[2][8], const char *vlan)
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
		fail("no memory");
	snapshot->classes[0] = (struct tp_class){.bid = 16 * TP_PRICE_ONE,
		.threshold = tp_price_threshold(16 * TP_PRICE_ONE),
		.weight = 1};
	snapshot->tariff = (struct tp_tariff){.per_frame = 16, .per_64_bytes = 1};
	snapshot->tenants[0].interface_count = 2;
	if (vlan != NULL)
		add_uplink(snapshot, (uint16_t)atoi(vlan));
	for (uint32_t i = 0; i < 2; i++) {
		snapshot->interfaces[i] = (struct tp_interface){
			.mac = tp_mac_load(mac[i]),
			.context = tp_context_at(store, i),
			.source_mac_check = true,
		};
	}
	if (tp_snapshot_seal(snapshot, -1, NULL) < 0)
		fail("no memory");
	tp_dataplane_publish_snapshot(dataplane, snapshot);
	for (uint32_t i = 0; i < 2; i++)
		tp_dataplane_attend(
			dataplane, &(struct tp_ring_id){.interface = i, .bell = TP_BELL_ATTEND});
	return dataplane;
}

/* Both sides send a burst, and have room for one. @return TSC cycles that the worker took. */
static uint64_t exchange(struct tp_worker *worker, struct side side[2])
{
	uint64_t before;
	unsigned done = 0;

	for (unsigned i = 0; i < 2; i++)
		move(&side[i].tx, BURST);
	before = rte_rdtsc();
	/* The first bursts are shorter, until the scheduler knows what a frame costs. */
	for (unsigned sweeps = 0; done < 2 * BURST && sweeps < 10; sweeps++)
		done += tp_worker_sweep(worker);
	before = rte_rdtsc() - before;
	if (done != 2 * BURST) {
		fprintf(stderr, "path_cost: %u frames instead of %d\n", done, 2 * BURST);
		exit(EXIT_FAILURE);
	}
	for (unsigned i = 0; i < 2; i++)
		move(&side[i].rx, BURST);
	return before;
}

int main(int argc, char **argv)
{
	char *eal[] = {"path_cost", "--no-huge", "--no-pci", "--no-telemetry", "-m64", "-l0",
		"--log-level=*:error", "--vdev=net_null0,no-rx=1", NULL};
	uint8_t mac[2][8] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};
	uint8_t far_mac[8] = {2, 0, 0, 0, 1, 0};
	const uint16_t pairs[2] = {1, 1};
	uint32_t length = argc > 1 ? (uint32_t)atoi(argv[1]) : 64;
	long bursts = argc > 2 ? atol(argv[2]) : 1000000;
	const char *vector = argc > 3 && strcmp(argv[3], "-") != 0 ? argv[3] : NULL;
	const char *vlan = argc > 4 ? argv[4] : NULL;
	double cycles = 0, frames = 2.0 * BURST * (double)bursts;
	struct tp_context_store *store;
	struct tp_worker *worker;
	struct tp_error error;
	struct side side[2];

	if (rte_eal_init(8, eal) < 0)
		return EXIT_FAILURE;
	store = tp_context_store_new(pairs, 2, NULL);
	worker = tp_worker_new(make_dataplane(store, mac, vlan), 0, vector, &error);
	if (worker == NULL)
		fail(error.text);
	for (unsigned i = 0; i < 2; i++) {
		make_side(&side[i], tp_context_at(store, i), length, mac[i],
			vlan != NULL ? far_mac : mac[!i]);
		move(&side[i].rx, RING);
	}
	for (long n = 0; n < bursts; n++)
		cycles += (double)exchange(worker, side);
	printf("%u bytes: %.1f TSC cycles, %.2f ns a frame, %.1f Mpps\n", length, cycles / frames,
		cycles * 1e9 / (double)rte_get_tsc_hz() / frames,
		frames / (cycles / (double)rte_get_tsc_hz()) / 1e6);
	return EXIT_SUCCESS;
}
