/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>

#include "request.h"

/* Requests about one ring. */

#define UNUSED __attribute__((unused))

/* Virtio 1.2, 2.7: a split virtqueue has at most 2^15 descriptors, a power of two. */
#define RING_SIZE_MIN 2
#define RING_SIZE_MAX 32768

/* Virtio 1.2, 5.1.2: receive and transmit rings take turns. */
static bool is_transmit(uint32_t ring_number)
{
	return ring_number % 2 == 1;
}

static struct vhost_ring *find_ring(
	struct vhost_device *device, uint32_t ring_number, struct tp_error *error)
{
	if (ring_number < device->ring_count)
		return &device->rings[ring_number];
	tp_error_set(error, EINVAL, "ring %u; this interface has rings 0 to %u", ring_number,
		device->ring_count - 1);
	return NULL;
}

/* What is said about a ring from now on is final: it has to lie in memory when it starts. */
static void pause_to_configure(struct vhost_device *device, uint32_t ring_number)
{
	vhost_device_pause(device, ring_number);
	device->memory_in_pieces = false;
}

int vhost_set_vring_num(struct vhost_device *device, struct vhost_message *message,
	union vhost_payload *reply UNUSED, struct tp_error *error)
{
	const struct vhost_ring_value *value = &message->payload.ring;
	struct vhost_ring *ring = find_ring(device, value->index, error);

	if (ring == NULL)
		return -EINVAL;
	if (value->num < RING_SIZE_MIN || value->num > RING_SIZE_MAX ||
		(value->num & (value->num - 1)) != 0)
		return tp_error_set(error, EINVAL,
			"ring %u: size %u; a power of two from %d to %d is right", value->index,
			value->num, RING_SIZE_MIN, RING_SIZE_MAX);
	pause_to_configure(device, value->index);
	ring->set.size = (uint16_t)value->num;
	return 0;
}

/* Alignment: virtio 1.2, 2.7. Flag bit 0 asks for dirty logging, which is not offered. */
static int check_addresses(const struct vhost_ring_addresses *addresses, struct tp_error *error)
{
	if (addresses->flags != 0)
		return tp_error_set(error, EINVAL, "ring %u: flags 0x%x were not offered",
			addresses->index, addresses->flags);
	if (addresses->desc % 16 != 0 || addresses->avail % 2 != 0 || addresses->used % 4 != 0)
		return tp_error_set(error, EINVAL,
			"ring %u: descriptors at 0x%" PRIx64 ", available at 0x%" PRIx64
			", used at 0x%" PRIx64 "; multiples of 16, 2 and 4 are right",
			addresses->index, addresses->desc, addresses->avail, addresses->used);
	return 0;
}

int vhost_set_vring_addr(struct vhost_device *device, struct vhost_message *message,
	union vhost_payload *reply UNUSED, struct tp_error *error)
{
	const struct vhost_ring_addresses *addresses = &message->payload.addresses;
	struct vhost_ring *ring = find_ring(device, addresses->index, error);

	if (ring == NULL || check_addresses(addresses, error) < 0)
		return -EINVAL;
	pause_to_configure(device, addresses->index);
	ring->set.desc_address = addresses->desc;
	ring->set.avail_address = addresses->avail;
	ring->set.used_address = addresses->used;
	ring->has_addresses = true;
	return 0;
}

int vhost_set_vring_base(struct vhost_device *device, struct vhost_message *message,
	union vhost_payload *reply UNUSED, struct tp_error *error)
{
	const struct vhost_ring_value *value = &message->payload.ring;
	struct vhost_ring *ring = find_ring(device, value->index, error);

	if (ring == NULL)
		return -EINVAL;
	/* An index of a split virtqueue runs freely over 16 bits, whatever the ring's size. */
	if (value->num > UINT16_MAX)
		return tp_error_set(error, EINVAL, "ring %u: base %u; 0 to %d are right",
			value->index, value->num, UINT16_MAX);
	pause_to_configure(device, value->index);
	ring->set.base = (uint16_t)value->num;
	return 0;
}

int vhost_get_vring_base(struct vhost_device *device, struct vhost_message *message,
	union vhost_payload *reply, struct tp_error *error)
{
	uint32_t ring_number = message->payload.ring.index;
	struct vhost_ring *ring = find_ring(device, ring_number, error);

	if (ring == NULL)
		return -EINVAL;
	vhost_device_pause(device, ring_number);
	ring->kicked = false;
	reply->ring = (struct vhost_ring_value){.index = ring_number, .num = ring->set.base};
	return 0;
}

/* Ring number and descriptor of SET_VRING_KICK, _CALL, _ERR; *fd is -1 if none is meant to come. */
static struct vhost_ring *find_ring_of_fd(struct vhost_device *device,
	const struct vhost_message *message, uint32_t *ring_number, int *fd, struct tp_error *error)
{
	uint64_t value = message->payload.u64;
	bool none = value & VHOST_NO_DESCRIPTOR;

	if (value > (VHOST_RING_MASK | VHOST_NO_DESCRIPTOR)) {
		tp_error_set(error, EINVAL,
			"0x%" PRIx64 " is not a ring number with or without bit 8", value);
		return NULL;
	}
	*ring_number = (uint32_t)(value & VHOST_RING_MASK);
	if (message->fd_count != (none ? 0 : 1)) {
		tp_error_set(error, EINVAL, "ring %u: %u descriptors came although bit 8 is %s",
			*ring_number, message->fd_count, none ? "set" : "clear");
		return NULL;
	}
	*fd = none ? -1 : message->fds[0];
	if (*fd >= 0 && !tp_is_eventfd(*fd)) {
		tp_error_set(
			error, EINVAL, "ring %u: its descriptor is not an eventfd", *ring_number);
		return NULL;
	}
	return find_ring(device, *ring_number, error);
}

/* Receive rings are looked at when there is a frame for them, so their descriptor is not kept: that
 * it came says that the ring may run. */
int vhost_set_vring_kick(struct vhost_device *device, struct vhost_message *message,
	union vhost_payload *reply UNUSED, struct tp_error *error)
{
	uint32_t ring_number;
	int fd;
	struct vhost_ring *ring = find_ring_of_fd(device, message, &ring_number, &fd, error);

	if (ring == NULL)
		return -EINVAL;
	pause_to_configure(device, ring_number);
	if (fd >= 0 && is_transmit(ring_number))
		message->fds[0] = -1; /* taken over */
	else
		fd = -1;
	vhost_device_take_over(&ring->set.kick_fd, fd);
	ring->kicked = true;
	return 0;
}

int vhost_set_vring_call(struct vhost_device *device, struct vhost_message *message,
	union vhost_payload *reply UNUSED, struct tp_error *error)
{
	uint32_t ring_number;
	int fd;
	struct vhost_ring *ring = find_ring_of_fd(device, message, &ring_number, &fd, error);

	if (ring == NULL)
		return -EINVAL;
	if (fd >= 0)
		message->fds[0] = -1; /* taken over */
	vhost_device_pause(device, ring_number);
	vhost_device_take_over(&ring->set.call_fd, fd);
	return 0;
}

/* Nothing is ever reported there: a broken ring ends the connection. */
int vhost_set_vring_err(struct vhost_device *device, struct vhost_message *message,
	union vhost_payload *reply UNUSED, struct tp_error *error)
{
	uint32_t ring_number;
	int fd;

	return find_ring_of_fd(device, message, &ring_number, &fd, error) == NULL ? -EINVAL : 0;
}

int vhost_set_vring_enable(struct vhost_device *device, struct vhost_message *message,
	union vhost_payload *reply UNUSED, struct tp_error *error)
{
	const struct vhost_ring_value *value = &message->payload.ring;
	struct vhost_ring *ring = find_ring(device, value->index, error);

	if (ring == NULL)
		return -EINVAL;
	if (value->num > 1)
		return tp_error_set(
			error, EINVAL, "ring %u: %u; 0 or 1 is right", value->index, value->num);
	if (value->num == 0)
		vhost_device_pause(device, value->index);
	ring->enable = value->num == 1 ? VHOST_ENABLED : VHOST_DISABLED;
	return 0;
}
