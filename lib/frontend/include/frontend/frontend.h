/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "base/error.h"
#include "frontend/vhost_user.h"

/*
 * A virtio-net device as a vhost-user back-end sees it: the guest side of a connection and of its
 * rings, split or packed, played by a test or a load generator. One process plays as many as it
 * likes.
 *
 *   tp_frontend_new       guest memory and rings exist, nobody knows of them
 *   tp_frontend_connect   a socket to the back-end
 *   tp_frontend_handshake features, memory, rings: the device runs
 *   tp_frontend_stop      rings stopped in order, connection still there
 *   tp_frontend_free      hang up (also without a stop before), all is given back
 *
 * tp_frontend_attach and tp_frontend_detach do it all. What the fields show may be used to play
 * badly: the rings lie in plain memory, the socket takes any message.
 *
 * Guest memory, one memfd, as one region or two (rings, buffers) that are apart in guest addresses:
 *
 *   [descriptors|available|used|indirect tables] x rings      [buffers] x rings
 *
 * (in a packed ring: descriptors, driver's and device's event suppression). A slot is one frame's
 * worth of descriptors and one buffer, which begins on a cache line. The virtio-net header ends
 * just before the frame. With a frame_offset of 64 the frame is aligned, as in DPDK's driver; with
 * 12 the header is, as in Linux's:
 *
 *   0          52        64 = frame_offset
 *   |  unused  | header  | frame: segment 0 | segment 1 | ...     |
 *
 * Frames one at a time: tp_frontend_send and _receive, below. In bursts, in place: burst.h.
 *
 * Source: virtio 1.2, 2.7 (split virtqueues), 2.8 (packed virtqueues) and 5.1 (network device);
 * vhost-user protocol.
 */

#define TP_FRONTEND_QUEUE_PAIRS_MAX 8
#define TP_FRONTEND_RINGS_MAX       (2 * TP_FRONTEND_QUEUE_PAIRS_MAX)
#define TP_FRONTEND_SEGMENTS_MAX    8
#define TP_FRONTEND_PIECES_MAX      (TP_FRONTEND_SEGMENTS_MAX + 1)
#define TP_FRONTEND_HEADER_BYTES    12 /* with VIRTIO_F_VERSION_1, mergeable or not */

/* Ring numbers as virtio-net counts them. */
static inline unsigned tp_receive_ring(unsigned queue_pair)
{
	return 2 * queue_pair;
}

static inline unsigned tp_transmit_ring(unsigned queue_pair)
{
	return 2 * queue_pair + 1;
}

struct tp_frontend_settings {
	const char *path;      /* UNIX socket; must outlive the front-end */
	bool serve;            /* listen there for a back-end that connects */
	unsigned queue_pairs;  /* 1..8; 0 means 1 */
	uint16_t ring_size;    /* descriptors, a power of two; 0 means 256 */
	uint32_t buffer_size;  /* bytes of frame that one buffer holds; 0 means 2048 */
	uint32_t frame_offset; /* of the frame in its buffer, at least 12; 0 means 64 */
	uint64_t features;     /* virtio feature bits wanted beside VERSION_1, which always is; with
				  VIRTIO_F_RING_PACKED the rings are packed */
	bool huge_pages;       /* 2 MiB pages; else 4 KiB */
	bool two_regions;      /* rings and buffers in regions apart */
	bool header_apart;     /* the header in a descriptor of its own */
	bool indirect_tables;  /* every chain in an indirect table (needs INDIRECT_DESC) */
	unsigned segments;     /* descriptors that a frame is cut into, 1..8; 0 means 1 */
	bool interrupts;       /* ask to be notified of used buffers */
	bool no_calls; /* pass no call eventfd at all: fewer descriptors; no interrupts then */
	bool no_acks;  /* do not ask for an acknowledgement of every message */
	unsigned timeout_ms; /* longest wait for the peer in each step; 0 means 10000 */
};

/** A part of a slot that one descriptor covers. */
struct tp_frontend_piece {
	uint32_t offset;   /* in the slot's buffer */
	uint32_t capacity; /* bytes */
};

/*
 * Entries are counted in slots, by indices that run freely: those from `used` up to `available` are
 * out, the others ours. order[index & (slots - 1)] is the slot of an entry. A back-end that uses
 * buffers in the order given leaves `order` as it is; one that does not makes entries change
 * places.
 */
struct tp_frontend_ring {
	struct vring vring;               /* split ring in guest memory; packed: `num` alone */
	struct vring_packed_desc *packed; /* packed ring in guest memory, or NULL */
	struct vring_packed_desc_event *driver_event; /* packed: our wish */
	struct vring_packed_desc_event *device_event; /* packed: the device's wish */
	struct vring_desc *indirect; /* guest memory: a table of TP_FRONTEND_PIECES_MAX a slot */
	uint8_t *buffers;            /* guest memory: a buffer a slot */
	struct tp_frontend_piece piece[TP_FRONTEND_PIECES_MAX]; /* the same in every slot */
	uint16_t piece_count;
	uint16_t head_step; /* descriptors from one slot's head to the next one's (split) */
	uint16_t slots;     /* frames that the ring holds at once, a power of two */
	uint16_t slots_max; /* of them, buffers are there for */
	uint16_t available; /* next entry to make available */
	uint16_t published; /* entries before this one were shown to the device */
	uint16_t used;      /* next entry to come back */
	uint16_t next;      /* packed: descriptor to write next, and */
	uint16_t last;      /* to look at next; bit 15: wrap counter, as in SET_VRING_BASE */
	uint16_t added;     /* packed: descriptors written since the last publish */
	uint8_t *step;      /* packed, per slot: descriptors that it took */
	uint16_t *order;
	uint16_t *position; /* per slot: its place in order[] */
	uint32_t *length;   /* per slot: bytes given to the device, or used by it (receive ring) */
	bool receive;
	int kick_fd;
	int call_fd;
};

struct tp_frontend {
	struct tp_frontend_settings settings; /* defaults filled in */
	int listener;                         /* -1: none, or somebody has connected */
	bool served;                          /* the socket file is ours */
	int socket;                           /* -1: not connected */
	uint64_t offered;                     /* features of the back-end */
	uint64_t features;                    /* acknowledged by us */
	uint64_t protocol_features;           /* acknowledged by us */
	uint64_t queues_max;                  /* queue pairs that the back-end allows */
	int memory_fd;                        /* the memfd behind `memory` */
	uint8_t *memory;
	size_t memory_size; /* bytes mapped */
	size_t memory_used; /* bytes laid out */
	uint32_t region_count;
	struct vhost_user_region region[2];
	uint32_t slot_stride; /* bytes from one buffer to the next */
	struct tp_frontend_ring ring[TP_FRONTEND_RINGS_MAX];
	unsigned ring_count;
	uint32_t pending[256]; /* requests sent whose acknowledgement was not yet read */
	unsigned pending_count;
};

/**
 * Make a device: guest memory and rings with receive buffers posted; no connection yet.
 * @return the device, or NULL with *error set (bad settings, no memory, no huge pages).
 * Threading: a device belongs to one thread at a time, in all functions here.
 */
struct tp_frontend *tp_frontend_new(
	const struct tp_frontend_settings *settings, struct tp_error *error);

/** Hang up without a word and give everything back. NULL is allowed. */
void tp_frontend_free(struct tp_frontend *frontend);

/**
 * Make the socket of a device that serves, ready for a back-end; tp_frontend_connect does, too.
 * Nothing to do for a device that does not serve, or listens. tp_frontend_free removes the file.
 * @return 0, or negative errno with *error set.
 */
int tp_frontend_listen(struct tp_frontend *frontend, struct tp_error *error);

/**
 * Get a socket to the back-end: connect, or wait for it on the served socket.
 * @return 0, or negative errno with *error set.
 */
int tp_frontend_connect(struct tp_frontend *frontend, struct tp_error *error);

/** Negotiate features, share memory, set up, enable and kick every ring. As tp_frontend_connect. */
int tp_frontend_handshake(struct tp_frontend *frontend, struct tp_error *error);

/** tp_frontend_new, _connect and _handshake. @return the device, or NULL with *error set. */
struct tp_frontend *tp_frontend_attach(
	const struct tp_frontend_settings *settings, struct tp_error *error);

/**
 * Disable and stop every ring (GET_VRING_BASE).
 * @return 0, or negative errno with *error set; also when a base is not what the rings show.
 */
int tp_frontend_stop(struct tp_frontend *frontend, struct tp_error *error);

/** tp_frontend_stop, whatever it returns, and tp_frontend_free. NULL is allowed. */
void tp_frontend_detach(struct tp_frontend *frontend);

/**
 * Attach many devices.
 *
 * @param settings    one for each device
 * @param frontends   where to put `count` devices; untouched on failure
 * @param pipelined   every step of the handshake on all devices before the next step; else one
 *                    device after the other
 * @param elapsed_ns  how long connections and handshakes took, memory made before; may be NULL
 * @return 0, or negative errno with *error set; then nothing is attached.
 */
int tp_frontend_attach_many(const struct tp_frontend_settings *settings, unsigned count,
	struct tp_frontend **frontends, bool pipelined, uint64_t *elapsed_ns,
	struct tp_error *error);

/** Detach many devices. */
void tp_frontend_detach_many(struct tp_frontend **frontends, unsigned count);

/**
 * Send one message and, if acknowledgements are on, expect a good one.
 * @param message  header.request and header.size set; flags are filled in
 * @return 0, or negative errno with *error set (-EPROTO: the back-end said no).
 */
int tp_frontend_request(struct tp_frontend *frontend, struct vhost_user_message *message,
	const int *fds, unsigned fd_count, struct tp_error *error);

/** Send a request that has an answer, and read it into *message. As tp_frontend_request. */
int tp_frontend_ask(struct tp_frontend *frontend, struct vhost_user_message *message,
	const int *fds, unsigned fd_count, struct tp_error *error);

/** Has the back-end hung up? Reads nothing that it has said. */
bool tp_frontend_hung_up(const struct tp_frontend *frontend);

/** Guest physical address of a byte of the device's memory. */
uint64_t tp_frontend_guest_address(const struct tp_frontend *frontend, const void *pointer);

/** The frame in a slot's buffer (its first segment). */
static inline uint8_t *tp_frontend_frame(
	const struct tp_frontend *frontend, const struct tp_frontend_ring *ring, unsigned slot)
{
	return ring->buffers + (size_t)slot * frontend->slot_stride +
	       frontend->settings.frame_offset;
}

/** Put a descriptor into the available ring of a split ring, whatever it is: the device sees it
 * with the next publish. For tests that play badly: the ring's own entries are then out of step. */
void tp_frontend_post(struct tp_frontend_ring *ring, uint16_t head);

/** Show the device what was posted, and kick if it wants to be told. */
void tp_frontend_publish(struct tp_frontend *frontend, struct tp_frontend_ring *ring);

/**
 * Send one frame.
 *
 * @param header  virtio-net header, or NULL for zeros
 * @param length  bytes of frame, at most settings.buffer_size
 * @return 0, -EAGAIN when the ring is full, -EMSGSIZE, or -EPROTO with *error set when the back-end
 * wrote nonsense to the used ring.
 */
int tp_frontend_send(struct tp_frontend *frontend, unsigned queue_pair,
	const struct virtio_net_hdr_v1 *header, const void *frame, size_t length,
	struct tp_error *error);

/**
 * Take back the buffers of frames that the back-end is done with.
 * @return frames that it still has, or -EPROTO with *error set.
 */
int tp_frontend_reclaim(struct tp_frontend *frontend, unsigned queue_pair, struct tp_error *error);

/**
 * Take one received frame, merged if it came in several buffers, and post its buffers again.
 *
 * @param header      where to put its virtio-net header, or NULL
 * @param frame       where to put its bytes
 * @param capacity    bytes there; a longer frame is cut, its full length is still returned
 * @param timeout_ms  longest wait; 0 only looks
 * @return bytes of the frame, -EAGAIN when there is none, or -EPROTO with *error set when the
 * back-end wrote nonsense to the used ring or the header.
 */
int tp_frontend_receive(struct tp_frontend *frontend, unsigned queue_pair,
	struct virtio_net_hdr_v1 *header, void *frame, size_t capacity, unsigned timeout_ms,
	struct tp_error *error);
