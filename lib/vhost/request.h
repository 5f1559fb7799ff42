/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "device.h"
#include "message.h"

/*
 * One handler a request. A handler checks first and changes then: a refused request has changed
 * nothing, so that the connection may go on after a negative acknowledgement.
 */

/** @return 0 with *reply filled in where the request has one, or negative errno with *error set. */
typedef int vhost_handler(struct vhost_device *device, struct vhost_message *message,
	union vhost_payload *reply, struct tp_error *error);

struct vhost_request_type {
	const char *name;
	uint16_t size_min; /* of the payload */
	uint16_t size_max;
	uint8_t fds_min;
	uint8_t fds_max;
	uint8_t reply_size;    /* payload of the reply that is always sent; 0: none */
	vhost_handler *handle; /* NULL: the request exists, but is not offered */
};

enum vhost_verdict {
	VHOST_DONE,    /* send the reply, if it has a size, and go on */
	VHOST_REFUSED, /* the same; *error says what was refused */
	VHOST_END,     /* end the connection because of *error */
};

struct vhost_reply {
	struct vhost_header header; /* size 0: nothing to send */
	union vhost_payload payload;
};

/**
 * Handle a whole message whose header was checked, and start the rings that it completes.
 * Descriptors that are left in the message belong to the caller.
 */
enum vhost_verdict vhost_request_handle(struct vhost_device *device, struct vhost_message *message,
	struct vhost_reply *reply, struct tp_error *error);

/** The entry of a request, or NULL for a number that the protocol does not have. */
const struct vhost_request_type *vhost_request_type(uint32_t request);

/* Features and device state: feature_requests.c */
vhost_handler vhost_get_features;
vhost_handler vhost_set_features;
vhost_handler vhost_get_protocol_features;
vhost_handler vhost_set_protocol_features;
vhost_handler vhost_set_owner;
vhost_handler vhost_reset_owner;
vhost_handler vhost_reset_device;
vhost_handler vhost_get_status;
vhost_handler vhost_set_status;
vhost_handler vhost_get_queue_num;
vhost_handler vhost_net_set_mtu;
vhost_handler vhost_send_rarp;

/* Guest memory: memory_requests.c */
vhost_handler vhost_set_mem_table;
vhost_handler vhost_get_max_mem_slots;
vhost_handler vhost_add_mem_reg;
vhost_handler vhost_rem_mem_reg;

/* Rings: ring_requests.c */
vhost_handler vhost_set_vring_num;
vhost_handler vhost_set_vring_addr;
vhost_handler vhost_set_vring_base;
vhost_handler vhost_get_vring_base;
vhost_handler vhost_set_vring_kick;
vhost_handler vhost_set_vring_call;
vhost_handler vhost_set_vring_err;
vhost_handler vhost_set_vring_enable;
