/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/vhost_types.h>

/*
 * The vhost-user wire format as a front-end needs it. Written from the specification and kept apart
 * from the switch's own copy, so that a mistake in one is seen by the other.
 *
 * Source: "Vhost-user Protocol", QEMU documentation, docs/interop/vhost-user.
 */

/** In SET_VRING_KICK and SET_VRING_CALL: no descriptor comes with the message. */
#define VHOST_USER_NO_FD 0x100u

enum tp_vhost_user_request {
	VHOST_USER_GET_FEATURES = 1,
	VHOST_USER_SET_FEATURES = 2,
	VHOST_USER_SET_OWNER = 3,
	VHOST_USER_RESET_OWNER = 4,
	VHOST_USER_SET_MEM_TABLE = 5,
	VHOST_USER_SET_LOG_BASE = 6,
	VHOST_USER_SET_LOG_FD = 7,
	VHOST_USER_SET_VRING_NUM = 8,
	VHOST_USER_SET_VRING_ADDR = 9,
	VHOST_USER_SET_VRING_BASE = 10,
	VHOST_USER_GET_VRING_BASE = 11,
	VHOST_USER_SET_VRING_KICK = 12,
	VHOST_USER_SET_VRING_CALL = 13,
	VHOST_USER_SET_VRING_ERR = 14,
	VHOST_USER_GET_PROTOCOL_FEATURES = 15,
	VHOST_USER_SET_PROTOCOL_FEATURES = 16,
	VHOST_USER_GET_QUEUE_NUM = 17,
	VHOST_USER_SET_VRING_ENABLE = 18,
	VHOST_USER_SEND_RARP = 19,
	VHOST_USER_NET_SET_MTU = 20,
	VHOST_USER_SET_BACKEND_REQ_FD = 21,
	VHOST_USER_IOTLB_MSG = 22,
	VHOST_USER_SET_VRING_ENDIAN = 23,
	VHOST_USER_GET_CONFIG = 24,
	VHOST_USER_SET_CONFIG = 25,
	VHOST_USER_GET_INFLIGHT_FD = 31,
	VHOST_USER_SET_INFLIGHT_FD = 32,
	VHOST_USER_RESET_DEVICE = 34,
	VHOST_USER_GET_MAX_MEM_SLOTS = 36,
	VHOST_USER_ADD_MEM_REG = 37,
	VHOST_USER_REM_MEM_REG = 38,
	VHOST_USER_SET_STATUS = 39,
	VHOST_USER_GET_STATUS = 40,
};

/* Header flags: two bits of version, then these. */
#define VHOST_USER_VERSION    0x1u
#define VHOST_USER_REPLY      0x4u
#define VHOST_USER_NEED_REPLY 0x8u

/* Feature bit that says GET_PROTOCOL_FEATURES may be used. */
#define VHOST_USER_F_PROTOCOL_FEATURES 30

/* Protocol feature bits. */
#define VHOST_USER_PROTOCOL_F_MQ                  0
#define VHOST_USER_PROTOCOL_F_RARP                2
#define VHOST_USER_PROTOCOL_F_REPLY_ACK           3
#define VHOST_USER_PROTOCOL_F_NET_MTU             4
#define VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD      12
#define VHOST_USER_PROTOCOL_F_RESET_DEVICE        13
#define VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS 15
#define VHOST_USER_PROTOCOL_F_STATUS              16

/* In the u64 of SET_VRING_KICK, _CALL and _ERR: no descriptor comes with the message. */
#define VHOST_USER_VRING_NO_FD (1u << 8)

#define VHOST_USER_MEMORY_REGIONS_MAX 8 /* of SET_MEM_TABLE */
#define VHOST_USER_PAYLOAD_MAX        4096
#define VHOST_USER_FDS_MAX            253 /* what one SCM_RIGHTS can carry in Linux */

struct vhost_user_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* bytes of payload that follow */
};

struct vhost_user_region {
	uint64_t guest_address;
	uint64_t size;
	uint64_t user_address;
	uint64_t mmap_offset;
};

struct vhost_user_memory_table {
	uint32_t count;
	uint32_t padding;
	struct vhost_user_region region[VHOST_USER_MEMORY_REGIONS_MAX];
};

struct vhost_user_memory_region_message {
	uint64_t padding;
	struct vhost_user_region region;
};

/** A whole message; what is sent is the header and header.size bytes after it. */
struct vhost_user_message {
	struct vhost_user_header header;
	union {
		uint64_t u64;
		struct vhost_vring_state state;
		struct vhost_vring_addr address;
		struct vhost_user_memory_table memory;
		struct vhost_user_memory_region_message region;
		uint8_t bytes[VHOST_USER_PAYLOAD_MAX];
	} __attribute__((packed)) payload;
} __attribute__((packed));

static_assert(sizeof(struct vhost_user_header) == 12, "header on the wire");
static_assert(offsetof(struct vhost_user_message, payload) == 12, "payload follows the header");
static_assert(sizeof(struct vhost_user_region) == 32, "memory region description on the wire");
static_assert(sizeof(struct vhost_vring_addr) == 40, "ring address description on the wire");
