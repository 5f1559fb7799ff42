/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stddef.h>

#include "request.h"

#define U64       sizeof(uint64_t)
#define RING      sizeof(struct vhost_ring_value)
#define ADDRESSES sizeof(struct vhost_ring_addresses)
#define SLOT      sizeof(struct vhost_memory_slot)
#define TABLE_1   (offsetof(struct vhost_memory_table, region[1]))
#define TABLE_8   (sizeof(struct vhost_memory_table))

/* clang-format off */
static const struct vhost_request_type types[] = {
	/* request                      name                   size           fds   reply handler */
	[VHOST_GET_FEATURES]          = {"GET_FEATURES",          0, 0,             0, 0, U64, vhost_get_features},
	[VHOST_SET_FEATURES]          = {"SET_FEATURES",          U64, U64,         0, 0, 0, vhost_set_features},
	[VHOST_SET_OWNER]             = {"SET_OWNER",             0, 0,             0, 0, 0, vhost_set_owner},
	[VHOST_RESET_OWNER]           = {"RESET_OWNER",           0, 0,             0, 0, 0, vhost_reset_owner},
	[VHOST_SET_MEM_TABLE]         = {"SET_MEM_TABLE",         TABLE_1, TABLE_8, 1, 8, 0, vhost_set_mem_table},
	[VHOST_SET_VRING_NUM]         = {"SET_VRING_NUM",         RING, RING,       0, 0, 0, vhost_set_vring_num},
	[VHOST_SET_VRING_ADDR]        = {"SET_VRING_ADDR",        ADDRESSES, ADDRESSES, 0, 0, 0, vhost_set_vring_addr},
	[VHOST_SET_VRING_BASE]        = {"SET_VRING_BASE",        RING, RING,       0, 0, 0, vhost_set_vring_base},
	[VHOST_GET_VRING_BASE]        = {"GET_VRING_BASE",        RING, RING,       0, 0, RING, vhost_get_vring_base},
	[VHOST_SET_VRING_KICK]        = {"SET_VRING_KICK",        U64, U64,         0, 1, 0, vhost_set_vring_kick},
	[VHOST_SET_VRING_CALL]        = {"SET_VRING_CALL",        U64, U64,         0, 1, 0, vhost_set_vring_call},
	[VHOST_SET_VRING_ERR]         = {"SET_VRING_ERR",         U64, U64,         0, 1, 0, vhost_set_vring_err},
	[VHOST_GET_PROTOCOL_FEATURES] = {"GET_PROTOCOL_FEATURES", 0, 0,             0, 0, U64, vhost_get_protocol_features},
	[VHOST_SET_PROTOCOL_FEATURES] = {"SET_PROTOCOL_FEATURES", U64, U64,         0, 0, 0, vhost_set_protocol_features},
	[VHOST_GET_QUEUE_NUM]         = {"GET_QUEUE_NUM",         0, 0,             0, 0, U64, vhost_get_queue_num},
	[VHOST_SET_VRING_ENABLE]      = {"SET_VRING_ENABLE",      RING, RING,       0, 0, 0, vhost_set_vring_enable},
	[VHOST_SEND_RARP]             = {"SEND_RARP",             U64, U64,         0, 0, 0, vhost_send_rarp},
	[VHOST_NET_SET_MTU]           = {"NET_SET_MTU",           U64, U64,         0, 0, 0, vhost_net_set_mtu},
	[VHOST_RESET_DEVICE]          = {"RESET_DEVICE",          0, 0,             0, 0, 0, vhost_reset_device},
	[VHOST_GET_MAX_MEM_SLOTS]     = {"GET_MAX_MEM_SLOTS",     0, 0,             0, 0, U64, vhost_get_max_mem_slots},
	[VHOST_ADD_MEM_REG]           = {"ADD_MEM_REG",           SLOT, SLOT,       1, 1, 0, vhost_add_mem_reg},
	/* A descriptor should not come with it, but does from some front-ends. */
	[VHOST_REM_MEM_REG]           = {"REM_MEM_REG",           SLOT, SLOT,       0, 1, 0, vhost_rem_mem_reg},
	[VHOST_SET_STATUS]            = {"SET_STATUS",            U64, U64,         0, 0, 0, vhost_set_status},
	[VHOST_GET_STATUS]            = {"GET_STATUS",            0, 0,             0, 0, U64, vhost_get_status},

	/* Not offered: dirty logging, back-end requests, IOMMU, legacy byte order, configuration
	 * space, crypto, postcopy, in-flight tracking, in-band kicks. */
	[VHOST_SET_LOG_BASE]          = {.name = "SET_LOG_BASE"},
	[VHOST_SET_LOG_FD]            = {.name = "SET_LOG_FD"},
	[VHOST_SET_BACKEND_REQ_FD]    = {.name = "SET_BACKEND_REQ_FD"},
	[VHOST_IOTLB_MSG]             = {.name = "IOTLB_MSG"},
	[VHOST_SET_VRING_ENDIAN]      = {.name = "SET_VRING_ENDIAN"},
	[VHOST_GET_CONFIG]            = {.name = "GET_CONFIG"},
	[VHOST_SET_CONFIG]            = {.name = "SET_CONFIG"},
	[VHOST_CREATE_CRYPTO_SESSION] = {.name = "CREATE_CRYPTO_SESSION"},
	[VHOST_CLOSE_CRYPTO_SESSION]  = {.name = "CLOSE_CRYPTO_SESSION"},
	[VHOST_POSTCOPY_ADVISE]       = {.name = "POSTCOPY_ADVISE"},
	[VHOST_POSTCOPY_LISTEN]       = {.name = "POSTCOPY_LISTEN"},
	[VHOST_POSTCOPY_END]          = {.name = "POSTCOPY_END"},
	[VHOST_GET_INFLIGHT_FD]       = {.name = "GET_INFLIGHT_FD"},
	[VHOST_SET_INFLIGHT_FD]       = {.name = "SET_INFLIGHT_FD"},
	[VHOST_GPU_SET_SOCKET]        = {.name = "GPU_SET_SOCKET"},
	[VHOST_VRING_KICK]            = {.name = "VRING_KICK"},
};
/* clang-format on */

const struct vhost_request_type *vhost_request_type(uint32_t request)
{
	if (request >= sizeof(types) / sizeof(types[0]) || types[request].name == NULL)
		return NULL;
	return &types[request];
}

const char *vhost_request_name(uint32_t request)
{
	const struct vhost_request_type *type = vhost_request_type(request);

	return type == NULL ? "unknown request" : type->name;
}

int vhost_header_check(const struct vhost_header *header, struct tp_error *error)
{
	const struct vhost_request_type *type = vhost_request_type(header->request);

	if (type == NULL)
		return tp_error_set(error, EPROTO, "request %u is unknown", header->request);
	if ((header->flags & VHOST_VERSION_MASK) != VHOST_VERSION)
		return tp_error_set(error, EPROTO, "%s: protocol version %u; 1 is right",
			type->name, header->flags & VHOST_VERSION_MASK);
	if (header->flags & VHOST_REPLY)
		return tp_error_set(error, EPROTO,
			"%s: flags 0x%x mark a reply, but nothing was asked", type->name,
			header->flags);
	if (type->handle == NULL)
		return tp_error_set(error, EOPNOTSUPP, "%s: was not offered", type->name);
	if (header->size >= type->size_min && header->size <= type->size_max)
		return 0;
	if (type->size_min == type->size_max)
		return tp_error_set(error, EPROTO, "%s: payload of %u bytes; %u is right",
			type->name, header->size, type->size_min);
	return tp_error_set(error, EPROTO, "%s: payload of %u bytes; %u to %u are right",
		type->name, header->size, type->size_min, type->size_max);
}

static int check_fd_count(const struct vhost_request_type *type,
	const struct vhost_message *message, struct tp_error *error)
{
	if (message->fd_count >= type->fds_min && message->fd_count <= type->fds_max)
		return 0;
	if (type->fds_min == type->fds_max)
		return tp_error_set(error, EPROTO, "%s: %u descriptors came with it; %u is right",
			type->name, message->fd_count, type->fds_min);
	return tp_error_set(error, EPROTO, "%s: %u descriptors came with it; %u to %u are right",
		type->name, message->fd_count, type->fds_min, type->fds_max);
}

enum vhost_verdict vhost_request_handle(struct vhost_device *device, struct vhost_message *message,
	struct vhost_reply *reply, struct tp_error *error)
{
	const struct vhost_request_type *type = vhost_request_type(message->header.request);
	/* As it was when the message was sent: SET_PROTOCOL_FEATURES itself may negotiate it. */
	bool acknowledge = message->header.flags & VHOST_NEED_REPLY &&
			   device->protocol_features & VHOST_PROTOCOL_REPLY_ACK;
	int result;

	reply->header = (struct vhost_header){
		.request = message->header.request,
		.flags = VHOST_VERSION | VHOST_REPLY,
		.size = type->reply_size,
	};
	if (check_fd_count(type, message, error) < 0)
		return VHOST_END;
	result = type->handle(device, message, &reply->payload, error);
	if (result == 0 && vhost_device_settle(device, error) < 0) {
		tp_error_prefix(error, "%s", type->name);
		return VHOST_END;
	}
	if (result < 0)
		tp_error_prefix(error, "%s", type->name);
	if (result < 0 && (type->reply_size > 0 || !acknowledge))
		return VHOST_END;
	if (type->reply_size == 0 && acknowledge) {
		reply->header.size = sizeof(reply->payload.u64);
		reply->payload.u64 = result < 0;
	}
	return result < 0 ? VHOST_REFUSED : VHOST_DONE;
}

void vhost_message_close_fds(struct vhost_message *message, struct tp_closer *closer)
{
	for (unsigned i = 0; i < message->fd_count; i++)
		if (message->fds[i] >= 0)
			tp_closer_close(closer, message->fds[i]);
	message->fd_count = 0;
}
