/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>

#include "request.h"

/* Requests about features, ownership, reset, status and what the device as a whole is told. */

#define PROTOCOL_FEATURES_OFFERED                                                                  \
	(VHOST_PROTOCOL_MQ | VHOST_PROTOCOL_RARP | VHOST_PROTOCOL_REPLY_ACK |                      \
		VHOST_PROTOCOL_NET_MTU | VHOST_PROTOCOL_RESET | VHOST_PROTOCOL_MEM_SLOTS |         \
		VHOST_PROTOCOL_STATUS)

/* Virtio 1.2, 5.1.4.1: the MTU of a device is from 68 to 65535. */
#define MTU_MIN 68
#define MTU_MAX 65535

#define UNUSED __attribute__((unused))

int vhost_get_features(struct vhost_device *device, struct vhost_message *message UNUSED,
	union vhost_payload *reply, struct tp_error *error UNUSED)
{
	reply->u64 = device->features_offered;
	return 0;
}

static int check_offered(uint64_t bits, uint64_t offered, struct tp_error *error)
{
	if ((bits & ~offered) == 0)
		return 0;
	return tp_error_set(error, EINVAL,
		"bits 0x%" PRIx64 " were not offered; 0x%" PRIx64 " were", bits & ~offered,
		offered);
}

int vhost_set_features(struct vhost_device *device, struct vhost_message *message,
	union vhost_payload *reply UNUSED, struct tp_error *error)
{
	uint64_t features = message->payload.u64;
	int result = check_offered(features, device->features_offered, error);

	if (result < 0)
		return result;
	/* QEMU repeats it for every queue pair, while those before it run already. */
	if (device->features_told && features == device->features)
		return 0;
	vhost_device_pause_all(device);
	device->features = features;
	device->features_told = true;
	return 0;
}

int vhost_get_protocol_features(struct vhost_device *device UNUSED,
	struct vhost_message *message UNUSED, union vhost_payload *reply,
	struct tp_error *error UNUSED)
{
	reply->u64 = PROTOCOL_FEATURES_OFFERED;
	return 0;
}

int vhost_set_protocol_features(struct vhost_device *device, struct vhost_message *message,
	union vhost_payload *reply UNUSED, struct tp_error *error)
{
	int result = check_offered(message->payload.u64, PROTOCOL_FEATURES_OFFERED, error);

	if (result == 0)
		device->protocol_features = message->payload.u64;
	return result;
}

/* One connection has one front-end, so there is nothing to own. */
int vhost_set_owner(struct vhost_device *device UNUSED, struct vhost_message *message UNUSED,
	union vhost_payload *reply UNUSED, struct tp_error *error UNUSED)
{
	return 0;
}

/* Deprecated; the specification recommends to disable all rings and to keep the rest. */
int vhost_reset_owner(struct vhost_device *device, struct vhost_message *message UNUSED,
	union vhost_payload *reply UNUSED, struct tp_error *error UNUSED)
{
	vhost_device_stop_all(device);
	return 0;
}

/*
 * Memory stays: a front-end with memory slots tells only what changed since, also after a reset.
 * So do the call descriptors, which QEMU may pass before it configures a ring.
 */
int vhost_reset_device(struct vhost_device *device, struct vhost_message *message UNUSED,
	union vhost_payload *reply UNUSED, struct tp_error *error UNUSED)
{
	vhost_device_stop_all(device);
	for (unsigned i = 0; i < device->ring_count; i++) {
		struct vhost_ring *ring = &device->rings[i];

		vhost_device_take_over(&ring->set.kick_fd, -1);
		ring->set = (struct tp_vhost_ring){.call_fd = ring->set.call_fd, .kick_fd = -1};
		ring->has_addresses = false;
	}
	device->features = 0;
	device->features_told = false;
	device->status = 0;
	return 0;
}

int vhost_get_status(struct vhost_device *device, struct vhost_message *message UNUSED,
	union vhost_payload *reply, struct tp_error *error UNUSED)
{
	reply->u64 = device->status;
	return 0;
}

/* Status 0 is the driver's reset (virtio 1.2, 2.1.2): rings wait for a new kick. */
int vhost_set_status(struct vhost_device *device, struct vhost_message *message,
	union vhost_payload *reply UNUSED, struct tp_error *error)
{
	uint64_t status = message->payload.u64;

	if (status > UINT8_MAX)
		return tp_error_set(
			error, EINVAL, "status 0x%" PRIx64 " has more than 8 bits", status);
	device->status = (uint8_t)status;
	if (status != 0)
		return 0;
	vhost_device_pause_all(device);
	for (unsigned i = 0; i < device->ring_count; i++)
		device->rings[i].kicked = false;
	return 0;
}

/* Queue pairs, not rings: so do QEMU's network front-end and DPDK's back-end count. */
int vhost_get_queue_num(struct vhost_device *device, struct vhost_message *message UNUSED,
	union vhost_payload *reply, struct tp_error *error UNUSED)
{
	reply->u64 = device->ring_count / 2;
	return 0;
}

int vhost_net_set_mtu(struct vhost_device *device, struct vhost_message *message,
	union vhost_payload *reply UNUSED, struct tp_error *error)
{
	uint64_t mtu = message->payload.u64;

	if (mtu < MTU_MIN || mtu > MTU_MAX)
		return tp_error_set(error, EINVAL, "MTU %" PRIu64 "; %d to %d are right", mtu,
			MTU_MIN, MTU_MAX);
	device->ops->mtu_set(device->owner, (uint16_t)mtu);
	return 0;
}

int vhost_send_rarp(struct vhost_device *device, struct vhost_message *message,
	union vhost_payload *reply UNUSED, struct tp_error *error UNUSED)
{
	device->ops->announce(device->owner, message->payload.mac);
	return 0;
}
