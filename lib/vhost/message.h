/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/closer.h"
#include "base/error.h"
#include "base/guest_memory.h"

/*
 * What goes over a vhost-user socket, in the machine's byte order: a header, a payload and file
 * descriptors beside them. Source: "Vhost-user Protocol", section "Message Specification".
 */

enum vhost_request {
	VHOST_GET_FEATURES = 1,
	VHOST_SET_FEATURES = 2,
	VHOST_SET_OWNER = 3,
	VHOST_RESET_OWNER = 4,
	VHOST_SET_MEM_TABLE = 5,
	VHOST_SET_LOG_BASE = 6,
	VHOST_SET_LOG_FD = 7,
	VHOST_SET_VRING_NUM = 8,
	VHOST_SET_VRING_ADDR = 9,
	VHOST_SET_VRING_BASE = 10,
	VHOST_GET_VRING_BASE = 11,
	VHOST_SET_VRING_KICK = 12,
	VHOST_SET_VRING_CALL = 13,
	VHOST_SET_VRING_ERR = 14,
	VHOST_GET_PROTOCOL_FEATURES = 15,
	VHOST_SET_PROTOCOL_FEATURES = 16,
	VHOST_GET_QUEUE_NUM = 17,
	VHOST_SET_VRING_ENABLE = 18,
	VHOST_SEND_RARP = 19,
	VHOST_NET_SET_MTU = 20,
	VHOST_SET_BACKEND_REQ_FD = 21,
	VHOST_IOTLB_MSG = 22,
	VHOST_SET_VRING_ENDIAN = 23,
	VHOST_GET_CONFIG = 24,
	VHOST_SET_CONFIG = 25,
	VHOST_CREATE_CRYPTO_SESSION = 26,
	VHOST_CLOSE_CRYPTO_SESSION = 27,
	VHOST_POSTCOPY_ADVISE = 28,
	VHOST_POSTCOPY_LISTEN = 29,
	VHOST_POSTCOPY_END = 30,
	VHOST_GET_INFLIGHT_FD = 31,
	VHOST_SET_INFLIGHT_FD = 32,
	VHOST_GPU_SET_SOCKET = 33,
	VHOST_RESET_DEVICE = 34,
	VHOST_VRING_KICK = 35,
	VHOST_GET_MAX_MEM_SLOTS = 36,
	VHOST_ADD_MEM_REG = 37,
	VHOST_REM_MEM_REG = 38,
	VHOST_SET_STATUS = 39,
	VHOST_GET_STATUS = 40,
};

/* Header flags. */
#define VHOST_VERSION      0x1u
#define VHOST_VERSION_MASK 0x3u
#define VHOST_REPLY        0x4u
#define VHOST_NEED_REPLY   0x8u

/* Virtio and vhost-user feature bits that the protocol itself acts on. */
#define VHOST_F_PROTOCOL_FEATURES (1ull << 30)
#define VHOST_F_VERSION_1         (1ull << 32)

#define VHOST_PROTOCOL_MQ        (1ull << 0)
#define VHOST_PROTOCOL_RARP      (1ull << 2)
#define VHOST_PROTOCOL_REPLY_ACK (1ull << 3)
#define VHOST_PROTOCOL_NET_MTU   (1ull << 4)
#define VHOST_PROTOCOL_RESET     (1ull << 13)
#define VHOST_PROTOCOL_MEM_SLOTS (1ull << 15)
#define VHOST_PROTOCOL_STATUS    (1ull << 16)

/* SET_VRING_KICK, _CALL, _ERR: ring number and "no descriptor comes with this". */
#define VHOST_RING_MASK     0xffu
#define VHOST_NO_DESCRIPTOR 0x100u

/* A memory table has at most 8 regions, and no message more descriptors than that. */
#define VHOST_TABLE_REGIONS_MAX 8
#define VHOST_FDS_MAX           8

struct vhost_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* bytes of payload that follow */
};
static_assert(sizeof(struct vhost_header) == 12, "vhost-user header");

struct vhost_ring_value {
	uint32_t index;
	uint32_t num;
};
static_assert(sizeof(struct vhost_ring_value) == 8, "vring state description");

struct vhost_ring_addresses {
	uint32_t index;
	uint32_t flags;
	uint64_t desc;
	uint64_t used;
	uint64_t avail;
	uint64_t log;
};
static_assert(sizeof(struct vhost_ring_addresses) == 40, "vring address description");

/* The region on the wire has the layout of base's request, so that it is taken over as it is. */
static_assert(sizeof(struct tp_guest_region_request) == 32, "memory region");
static_assert(offsetof(struct tp_guest_region_request, size) == 8, "memory region: size");
static_assert(offsetof(struct tp_guest_region_request, user_address) == 16, "region: user address");
static_assert(offsetof(struct tp_guest_region_request, mmap_offset) == 24, "region: mmap offset");

struct vhost_memory_table {
	uint32_t count;
	uint32_t padding;
	struct tp_guest_region_request region[VHOST_TABLE_REGIONS_MAX];
};
static_assert(offsetof(struct vhost_memory_table, region) == 8, "memory regions description");

struct vhost_memory_slot {
	uint64_t padding;
	struct tp_guest_region_request region;
};
static_assert(sizeof(struct vhost_memory_slot) == 40, "single memory region description");

union vhost_payload {
	uint64_t u64;
	uint8_t mac[6];
	struct vhost_ring_value ring;
	struct vhost_ring_addresses addresses;
	struct vhost_memory_table table;
	struct vhost_memory_slot slot;
};

/** One message, whole or still arriving. Who takes a descriptor over puts -1 in its place. */
struct vhost_message {
	struct vhost_header header;
	union vhost_payload payload;
	int fds[VHOST_FDS_MAX];
	unsigned fd_count;
};
static_assert(offsetof(struct vhost_message, payload) == 16, "the payload is aligned");

/** The protocol's name of a request without its prefix, or "unknown request". */
const char *vhost_request_name(uint32_t request);

/**
 * May a message with this header be received?
 * @return 0, or negative errno with *error naming the request: unknown, not offered, wrong version
 * or reply bit, or a size that the request cannot have.
 */
int vhost_header_check(const struct vhost_header *header, struct tp_error *error);

/** Close what is left of a message's descriptors, without waiting, and forget them. */
void vhost_message_close_fds(struct vhost_message *message, struct tp_closer *closer);
