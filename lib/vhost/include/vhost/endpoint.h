/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/guest_memory.h"
#include "base/loop.h"
#include "base/unix_socket.h"

/*
 * A vhost-user back-end endpoint: one UNIX socket, at most one front-end at a time, the rings that
 * it describes. The protocol machine is non-blocking and runs on the loop's thread; whoever opened
 * the endpoint learns through `tp_vhost_ops` when a ring may be used and when it must be let go.
 *
 *   CLOSED -> LISTENING (server) | CONNECTING (client, with back-off) -> CONNECTED -> back again
 *
 * Source: "Vhost-user Protocol", QEMU documentation, docs/interop/vhost-user; virtio 1.2.
 */

#define TP_VHOST_QUEUE_PAIRS_MAX 8
#define TP_VHOST_RINGS_MAX       (2 * TP_VHOST_QUEUE_PAIRS_MAX)

/* Ring numbers as virtio-net counts them: 2n is the guest's receive ring, 2n + 1 its transmit ring.
 */

/** One virtqueue, complete and checked as far as the protocol can: what a worker needs to serve it.
 */
struct tp_vhost_ring {
	uint16_t size; /* descriptors, a power of two, 2..32768 (virtio 2.7: at most 2^15) */
	uint16_t base; /* next available index to look at */
	int kick_fd;   /* eventfd that the guest signals; -1: it never kicks, or not a transmit ring
			*/
	int call_fd;   /* eventfd to notify the guest, -1: the guest polls */
	uint64_t desc_address; /* front-end user addresses, not yet translated */
	uint64_t avail_address;
	uint64_t used_address;
};

struct tp_vhost_ops {
	/** A front-end is there. */
	void (*connected)(void *owner, const struct tp_unix_peer *peer);

	/**
	 * A ring may be used from now on: features, memory, size, addresses, base and kick are
	 * known and it is enabled. `memory`, ring->call_fd and ring->kick_fd stay valid until
	 * ring_stop for this ring has returned.
	 * @return 0, or negative errno with *error set: the connection is then ended with that
	 * reason.
	 */
	int (*ring_start)(void *owner, unsigned ring_number, const struct tp_vhost_ring *ring,
		const struct tp_guest_memory *memory, uint64_t features, struct tp_error *error);

	/**
	 * Several started rings are about to be let go, by a ring_stop for each that comes next:
	 * what makes the owner wait may be done here, once for all. May be NULL.
	 * @param rings  bit n is ring n
	 */
	void (*rings_retire)(void *owner, uint32_t rings);

	/**
	 * A started ring must be let go. When this returns, nothing touches its memory or call_fd
	 * any more.
	 * @return the next available index, for GET_VRING_BASE or for starting it again.
	 */
	uint16_t (*ring_stop)(void *owner, unsigned ring_number);

	/** The front-end told its MTU (NET_SET_MTU). */
	void (*mtu_set)(void *owner, uint16_t mtu);

	/** SEND_RARP: announce this MAC on the guest's behalf, it has migrated here. */
	void (*announce)(void *owner, const uint8_t mac[6]);

	/** The front-end is gone, all rings were stopped before. `reason` is for people. */
	void (*disconnected)(void *owner, const char *reason);
};

struct tp_vhost_settings {
	const char *name; /* for log lines, e.g. "acme/vm1"; copied */
	const char *path; /* UNIX socket; copied; missing parent directories are made (0755) */
	bool client;      /* connect to a socket that the front-end serves */
	struct tp_unix_access access; /* of the socket file, if not client */
	/* Server: the path belongs to an endpoint that will be closed; listen beside it until
	 * tp_vhost_take_over. */
	bool succeeds;
	unsigned queue_pairs;     /* 1..TP_VHOST_QUEUE_PAIRS_MAX */
	uint64_t device_features; /* virtio feature bits to offer; bit 30 (protocol features) is
				     added */
	const struct tp_vhost_ops *ops;
	void *owner;
};

enum tp_vhost_state {
	TP_VHOST_LISTENING,  /* server: no front-end yet */
	TP_VHOST_CONNECTING, /* client: trying, waiting for the next try */
	TP_VHOST_CONNECTED,
};

struct tp_vhost_status {
	enum tp_vhost_state state;
	uint64_t features; /* acknowledged by the front-end, 0 before */
	uint64_t protocol_features;
	uint8_t device_status; /* last SET_STATUS */
	unsigned rings_started;
	unsigned descriptors;  /* file descriptors that this endpoint holds now */
	uint64_t connections;  /* front-ends seen */
	uint64_t messages;     /* requests handled */
	char last_reason[224]; /* why the last front-end left, "" if none has */
};

struct tp_vhost_endpoint;

/**
 * Open an endpoint and begin to listen or connect.
 *
 * Server: a stale socket file (nobody accepts on it) is replaced; one that somebody serves is an
 * error that says so. Client: a failing connect is retried with back-off from 100 ms up to 1 s, for
 * ever.
 *
 * @return the endpoint, or NULL with *error set. Threading: the loop's thread, as all functions
 * here.
 */
struct tp_vhost_endpoint *tp_vhost_open(
	struct tp_loop *loop, const struct tp_vhost_settings *settings, struct tp_error *error);

/** An endpoint that was opened with settings.succeeds takes its path from the one that has it,
 * which is closed next. Others are left as they are. @return 0, or negative errno. */
int tp_vhost_take_over(struct tp_vhost_endpoint *endpoint);

/** Stop all rings, hang up, stop listening, remove the socket file if it is ours, free. NULL is
 * allowed. Not to be called inside any of the ops. */
void tp_vhost_close(struct tp_vhost_endpoint *endpoint);

/**
 * End the present connection because of what the guest did (a broken ring, a shrunk memory file).
 * Rings are stopped, the front-end sees its socket close; the endpoint listens or connects again.
 * Safe inside any of the ops; inside one it takes effect when control returns from it to the
 * protocol. Does nothing if no front-end is there.
 */
void tp_vhost_condemn(struct tp_vhost_endpoint *endpoint, const char *reason);

/** The memory table of the present front-end, or NULL. Valid until control returns to the loop. */
const struct tp_guest_memory *tp_vhost_memory(const struct tp_vhost_endpoint *endpoint);

/** Fill in *status. */
void tp_vhost_get_status(const struct tp_vhost_endpoint *endpoint, struct tp_vhost_status *status);
