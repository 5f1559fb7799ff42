/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "state/context.h"
#include "vring/work_queue.h"

struct rte_mbuf;
struct rte_mempool;

/*
 * An uplink at work: an ethdev and its pairs of queues. Each pair has an owner, the worker that
 * alone calls the driver for it. Any worker sends: it fills an mbuf and puts it on the work queue
 * of a pair, at the price of the moment; the owner gives what is there to the device once a sweep.
 *
 *   guest's ring --copy--> mbuf --work queue--> owner --rte_eth_tx_burst--> wire
 *   wire --rte_eth_rx_burst--> owner --copy--> guests' rings
 *
 * Control makes uplinks and takes them away. A worker uses one only while it runs, which it looks
 * at in each sweep; so after tp_dataplane_quiesce nobody uses one that runs no more.
 */

#define TP_UPLINKS_MAX       64
#define TP_UPLINK_QUEUES_MAX 64
#define TP_WORKERS_MAX       128
#define TP_UPLINK_BURST      64 /* frames that go to a device or come from it at once */

/*
 * What happens to frames behind the acceptance by an uplink, for each queue. One list: struct,
 * names, help and telemetry come from it.
 *
 *   accepted = sent + the sum of the losses + those that still wait
 */
#define TP_UPLINK_SENT(X)                                                                          \
	X(sent, "frames given to the device")                                                      \
	X(sent_bytes, "bytes of those frames, as on the wire")                                     \
	X(lost_link_down, "accepted frames that the link went down before")                        \
	X(lost_device_gone, "accepted frames that the device went away before")

struct tp_uplink_sent {
#define X(name, help) uint64_t name; /* owner: rw, control: r (relaxed) */
	TP_UPLINK_SENT(X)
#undef X
};

/* What a NIC does instead of a worker. */
enum {
	TP_NIC_VLAN_INSERT = 1,
	TP_NIC_IPV4_CHECKSUM = 2, /* of outer headers */
	TP_NIC_UDP_CHECKSUM = 4,  /* of outer headers over IPv6 */
};

/** A pair of queues. */
struct tp_uplink_queue {
	struct tp_uplink *uplink;
	uint16_t index;  /* of the device's queues */
	uint16_t worker; /* owner; control: w while no worker runs */
	/* Frames to be sent. Producers: any worker; consumer: the owner. */
	struct tp_work_queue work __attribute__((aligned(64)));
	uint16_t deaf_below; /* as in tp_vring; workers: rw (relaxed atomics) */
	/* Taken from the work queue, not taken by the device yet; owner: rw. */
	struct rte_mbuf *pending[TP_UPLINK_BURST] __attribute__((aligned(64)));
	unsigned pending_first;
	unsigned pending_count;
	uint64_t busy_at;  /* TSC when frames came or went last; owner: rw */
	uint32_t pressure; /* of the wire on its owner (path/overload.h); owner: rw */
	struct tp_uplink_sent sent;
	/* The wire as a source of frames: its counters are those of an interface without rings.
	 * Owner: rw, control: r. */
	struct tp_context source;
};

struct tp_uplink {
	uint16_t port;        /* DPDK's number */
	uint16_t queue_count; /* 1..TP_UPLINK_QUEUES_MAX */
	uint16_t mtu;
	uint16_t offloads;        /* TP_NIC_..., that it is to do; control: w before it runs */
	uint8_t number;           /* in the configuration and in the snapshot */
	_Atomic uint8_t running;  /* control: w (release), workers: r (acquire) */
	_Atomic uint8_t link_up;  /* control: w, workers: r; relaxed */
	struct rte_mempool *pool; /* of all its mbufs, in and out */
	struct tp_uplink_queue *queue[TP_UPLINK_QUEUES_MAX];
	/* By which each worker sends: its own, if it has one. Control: w while no worker runs. */
	uint8_t queue_of[TP_WORKERS_MAX];
};

/** May the device be used? Until the caller is quiescent. Threading: worker. */
static inline bool tp_uplink_running(const struct tp_uplink *uplink)
{
	/* acquire: partner is control's release store when the device is started */
	return atomic_load_explicit(&uplink->running, memory_order_acquire) != 0;
}

/** Will what it accepts reach a wire? Threading: worker. */
static inline bool tp_uplink_carries(const struct tp_uplink *uplink)
{
	return tp_uplink_running(uplink) &&
	       atomic_load_explicit(&uplink->link_up, memory_order_relaxed) != 0;
}

/** The pair of queues that a worker sends by. */
static inline struct tp_uplink_queue *tp_uplink_queue_of(
	const struct tp_uplink *uplink, unsigned worker)
{
	return uplink->queue[uplink->queue_of[worker]];
}

/**
 * Make what an uplink is beside its device: queues without frames, not running.
 * @param number   in the configuration
 * @param queues   1..TP_UPLINK_QUEUES_MAX
 * @param entries  of each work queue: a power of two, up to 32768
 * @param workers  1..TP_WORKERS_MAX; queue q is owned by worker (number + q) % workers, on its node
 * if nodes is given
 * @return the uplink, or NULL with *error set. Threading: control thread.
 */
struct tp_uplink *tp_uplink_new(uint8_t number, uint16_t queues, uint32_t entries, unsigned workers,
	const int *nodes, struct tp_error *error);

/**
 * Other workers than those for which it was made: each queue has one of them as its owner, several
 * queues the same one if there are fewer workers, and each worker sends by one queue.
 * @param workers  1..TP_WORKERS_MAX
 * Threading: control thread, while no worker runs.
 */
void tp_uplink_deal_out(struct tp_uplink *uplink, unsigned workers);

/** Free what tp_uplink_new made; no worker uses it, its queues are empty. NULL is allowed. */
void tp_uplink_free(struct tp_uplink *uplink);

/**
 * Free all frames that wait in an uplink's queues; they count as lost with the device.
 * Threading: control thread, while the uplink does not run and after quiescence.
 */
void tp_uplink_discard(struct tp_uplink *uplink);

/** Frames accepted by a queue so far. Threading: any. */
static inline uint64_t tp_uplink_accepted(const struct tp_uplink_queue *queue)
{
	return __atomic_load_n(&queue->work.reserved, __ATOMIC_RELAXED);
}
