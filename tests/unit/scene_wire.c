/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_udp.h>

#include "scene_wire.h"

/*
 * Where workers are other threads than the test's, what goes from one to another goes by means that
 * ThreadSanitizer sees: DPDK's libraries, which do it as a rule, are not instrumented.
 */

/* --- a pool of mbufs behind a lock --- */

struct shelf {
	pthread_mutex_t lock;
	unsigned count;
	void *object[];
};

static int shelf_alloc(struct rte_mempool *pool)
{
	struct shelf *shelf = calloc(1, sizeof(*shelf) + pool->size * sizeof(shelf->object[0]));

	if (shelf == NULL)
		return -ENOMEM;
	pthread_mutex_init(&shelf->lock, NULL);
	pool->pool_data = shelf;
	return 0;
}

static void shelf_free(struct rte_mempool *pool)
{
	struct shelf *shelf = pool->pool_data;

	pthread_mutex_destroy(&shelf->lock);
	free(shelf);
}

static int shelf_put(struct rte_mempool *pool, void *const *objects, unsigned count)
{
	struct shelf *shelf = pool->pool_data;

	pthread_mutex_lock(&shelf->lock);
	memcpy(&shelf->object[shelf->count], objects, count * sizeof(objects[0]));
	shelf->count += count;
	pthread_mutex_unlock(&shelf->lock);
	return 0;
}

static int shelf_get(struct rte_mempool *pool, void **objects, unsigned count)
{
	struct shelf *shelf = pool->pool_data;
	int result = -ENOBUFS;

	pthread_mutex_lock(&shelf->lock);
	if (shelf->count >= count) {
		shelf->count -= count;
		memcpy(objects, &shelf->object[shelf->count], count * sizeof(objects[0]));
		result = 0;
	}
	pthread_mutex_unlock(&shelf->lock);
	return result;
}

static unsigned shelf_count(const struct rte_mempool *pool)
{
	struct shelf *shelf = pool->pool_data;
	unsigned count;

	pthread_mutex_lock(&shelf->lock);
	count = shelf->count;
	pthread_mutex_unlock(&shelf->lock);
	return count;
}

static const struct rte_mempool_ops shelf_ops = {
	.name = "shelf",
	.alloc = shelf_alloc,
	.free = shelf_free,
	.enqueue = shelf_put,
	.dequeue = shelf_get,
	.get_count = shelf_count,
};

RTE_MEMPOOL_REGISTER_OPS(shelf_ops)

/* --- what the device's rings hand over --- */

static atomic_uint put_on_wire, put_by_switch;

static uint16_t came(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count,
	uint16_t most, void *unused)
{
	(void)port;
	(void)queue;
	(void)mbufs;
	(void)most;
	(void)unused;
	/* acquire: partner is the release in wire_put */
	atomic_load_explicit(&put_on_wire, memory_order_acquire);
	return count;
}

static uint16_t goes(
	uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count, void *unused)
{
	(void)port;
	(void)queue;
	(void)mbufs;
	(void)unused;
	/* release: partner is the acquire in take */
	atomic_fetch_add_explicit(&put_by_switch, 1, memory_order_release);
	return count;
}

/* --- the wire --- */

static struct rte_ring *new_ring(const char *name)
{
	struct rte_ring *ring = rte_ring_create(
		name, WIRE_RING, SOCKET_ID_ANY, RING_F_EXACT_SZ | RING_F_SP_ENQ | RING_F_SC_DEQ);

	assert_non_null(ring);
	return ring;
}

static struct rte_mempool *new_pool(const char *name, bool threads)
{
	struct rte_mempool *pool = rte_pktmbuf_pool_create_by_ops(name, WIRE_MBUFS, 0, 0,
		RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY, threads ? shelf_ops.name : NULL);

	assert_non_null(pool);
	return pool;
}

static uint16_t start_device(struct wire *wire)
{
	struct rte_eth_conf conf = {0};
	int port = rte_eth_from_rings(
		"net_ring_wire", &wire->to_switch, 1, &wire->from_switch, 1, SOCKET_ID_ANY);
	uint16_t number = (uint16_t)port;

	assert_true(port >= 0);
	assert_int_equal(rte_eth_dev_configure(number, 1, 1, &conf), 0);
	assert_int_equal(
		rte_eth_rx_queue_setup(number, 0, 64, (unsigned)SOCKET_ID_ANY, NULL, wire->pool),
		0);
	assert_int_equal(rte_eth_tx_queue_setup(number, 0, 64, (unsigned)SOCKET_ID_ANY, NULL), 0);
	assert_int_equal(rte_eth_dev_start(number), 0);
	return number;
}

void wire_open(struct wire *wire, uint32_t entries, unsigned workers)
{
	struct tp_error error;

	wire->to_switch = new_ring("wire_to_switch");
	wire->from_switch = new_ring("wire_from_switch");
	wire->own = new_pool("wire_own", workers > 1);
	wire->pool = new_pool("wire_uplink", workers > 1);
	wire->uplink = tp_uplink_new(0, 1, entries, workers, NULL, &error);
	assert_non_null(wire->uplink);
	wire->uplink->port = start_device(wire);
	if (workers > 1) {
		assert_non_null(rte_eth_add_rx_callback(wire->uplink->port, 0, came, NULL));
		assert_non_null(rte_eth_add_tx_callback(wire->uplink->port, 0, goes, NULL));
	}
	wire->uplink->mtu = 1500;
	wire->uplink->pool = wire->pool;
	wire->uplink->link_up = 1;
	wire->uplink->running = 1;
}

static void empty(struct rte_ring *ring)
{
	void *mbuf;

	while (rte_ring_dequeue(ring, &mbuf) == 0)
		rte_pktmbuf_free(mbuf);
}

void wire_close(struct wire *wire)
{
	struct rte_eth_dev_info info;

	tp_uplink_discard(wire->uplink);
	empty(wire->to_switch);
	empty(wire->from_switch);
	assert_int_equal(rte_mempool_avail_count(wire->own), WIRE_MBUFS);
	assert_int_equal(rte_mempool_avail_count(wire->pool), WIRE_MBUFS);
	assert_int_equal(rte_eth_dev_info_get(wire->uplink->port, &info), 0);
	rte_eth_dev_stop(wire->uplink->port);
	rte_eth_dev_close(wire->uplink->port);
	assert_int_equal(rte_dev_remove(info.device), 0);
	tp_uplink_free(wire->uplink);
	rte_mempool_free(wire->own);
	rte_mempool_free(wire->pool);
	rte_ring_free(wire->to_switch);
	rte_ring_free(wire->from_switch);
}

static struct rte_mbuf *make(struct wire *wire, const uint8_t *bytes, uint32_t length)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(wire->own);

	assert_non_null(mbuf);
	memcpy(rte_pktmbuf_append(mbuf, (uint16_t)length), bytes, length);
	return mbuf;
}

void wire_put(struct wire *wire, const uint8_t *frame, uint32_t length, uint32_t piece)
{
	uint32_t first = piece == 0 || piece > length ? length : piece;
	struct rte_mbuf *mbuf = make(wire, frame, first);

	for (uint32_t at = first; at < length; at += piece) {
		uint32_t part = length - at < piece ? length - at : piece;

		assert_int_equal(rte_pktmbuf_chain(mbuf, make(wire, frame + at, part)), 0);
	}
	atomic_fetch_add_explicit(&put_on_wire, 1, memory_order_release);
	assert_int_equal(rte_ring_enqueue(wire->to_switch, mbuf), 0);
}

void wire_put_stripped(struct wire *wire, const uint8_t *frame, uint32_t length, uint16_t tci)
{
	struct rte_mbuf *mbuf = make(wire, frame, length);

	mbuf->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	mbuf->vlan_tci = tci;
	assert_int_equal(rte_ring_enqueue(wire->to_switch, mbuf), 0);
}

/* What a device does that inserts tags and computes sums (rte_mbuf_core.h says what it may expect).
 */
static void finish(struct rte_mbuf *mbuf)
{
	uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, mbuf->l2_len);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + mbuf->l3_len);
	uint32_t length = mbuf->pkt_len - mbuf->l2_len - mbuf->l3_len;

	if (mbuf->ol_flags & RTE_MBUF_F_TX_IP_CKSUM) {
		assert_int_equal(((struct rte_ipv4_hdr *)ip)->hdr_checksum, 0);
		((struct rte_ipv4_hdr *)ip)->hdr_checksum =
			rte_ipv4_cksum((struct rte_ipv4_hdr *)ip);
	}
	if ((mbuf->ol_flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_UDP_CKSUM) {
		uint16_t sum = rte_raw_cksum(udp, length); /* its field has the pseudo-header's */

		udp->dgram_cksum = sum == 0xffff ? 0xffff : (uint16_t)~sum;
	}
	if (mbuf->ol_flags & RTE_MBUF_F_TX_VLAN)
		assert_int_equal(rte_vlan_insert(&mbuf), 0);
}

static uint32_t take(struct wire *wire, uint8_t *frame, bool finished)
{
	struct rte_mbuf *mbuf;
	uint32_t length;
	void *taken;

	if (rte_ring_dequeue(wire->from_switch, &taken) != 0)
		return 0;
	atomic_load_explicit(&put_by_switch, memory_order_acquire);
	mbuf = taken;
	if (finished)
		finish(mbuf);
	else
		assert_int_equal(mbuf->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK, 0);
	length = mbuf->pkt_len;
	assert_int_equal(mbuf->nb_segs, 1);
	assert_int_equal(mbuf->data_len, length);
	memcpy(frame, rte_pktmbuf_mtod(mbuf, uint8_t *), length);
	rte_pktmbuf_free(mbuf);
	return length;
}

uint32_t wire_take(struct wire *wire, uint8_t *frame)
{
	return take(wire, frame, false);
}

uint32_t wire_take_finished(struct wire *wire, uint8_t *frame)
{
	return take(wire, frame, true);
}

static const struct tp_uplink_queue *queue_of(const struct wire *wire)
{
	return wire->uplink->queue[0];
}

uint64_t wire_counter(const struct wire *wire, enum tp_counter counter)
{
	return tp_counter_read(&queue_of(wire)->source.counters.value[counter]);
}

uint64_t wire_drops(const struct wire *wire, enum tp_drop drop)
{
	return tp_counter_read(&queue_of(wire)->source.counters.drop[drop]);
}

void wire_check_sums(const struct wire *wire)
{
	const struct tp_uplink_queue *queue = queue_of(wire);
	uint64_t drops = 0;

	for (unsigned d = 1; d < TP_DROP_COUNT; d++)
		drops += wire_drops(wire, d);
	assert_int_equal(wire_counter(wire, TP_COUNTER_TX_FRAMES),
		wire_counter(wire, TP_COUNTER_DELIVERED) + drops);
	assert_int_equal(tp_uplink_accepted(queue),
		queue->sent.sent + queue->sent.lost_link_down + queue->sent.lost_device_gone +
			queue->pending_count + (queue->work.published - queue->work.taken));
}
