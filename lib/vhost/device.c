/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "device.h"
#include "message.h"

static void forget(struct vhost_device *device)
{
	device->features = 0;
	device->features_told = false;
	device->protocol_features = 0;
	device->status = 0;
	device->memory = NULL;
	device->memory_in_pieces = false;
	for (unsigned i = 0; i < TP_VHOST_RINGS_MAX; i++)
		device->rings[i] = (struct vhost_ring){.set.call_fd = -1, .set.kick_fd = -1};
}

void vhost_device_init(struct vhost_device *device, const struct tp_vhost_settings *settings)
{
	device->ops = settings->ops;
	device->owner = settings->owner;
	device->features_offered = settings->device_features | VHOST_F_PROTOCOL_FEATURES;
	device->ring_count = 2 * settings->queue_pairs;
	forget(device);
}

void vhost_device_clear(struct vhost_device *device)
{
	vhost_device_pause_all(device);
	for (unsigned i = 0; i < device->ring_count; i++) {
		vhost_device_take_over(&device->rings[i].set.call_fd, -1);
		vhost_device_take_over(&device->rings[i].set.kick_fd, -1);
	}
	tp_guest_memory_free(device->memory);
	forget(device);
}

void vhost_device_take_over(int *kept, int fd)
{
	if (*kept >= 0)
		close(*kept);
	*kept = fd;
}

void vhost_device_pause(struct vhost_device *device, unsigned ring_number)
{
	struct vhost_ring *ring = &device->rings[ring_number];

	if (!ring->started)
		return;
	ring->set.base = device->ops->ring_stop(device->owner, ring_number);
	ring->started = false;
}

static uint32_t started_rings(const struct vhost_device *device)
{
	uint32_t rings = 0;

	/* Those beyond ring_count never start; a constant lets the compiler see that all fit. */
	for (unsigned i = 0; i < TP_VHOST_RINGS_MAX; i++)
		rings |= (uint32_t)device->rings[i].started << i;
	return rings;
}

void vhost_device_pause_all(struct vhost_device *device)
{
	uint32_t rings = started_rings(device);

	/* A message that stops all rings costs its owner one wait, however many they are. */
	if (device->ops->rings_retire != NULL && (rings & (rings - 1)) != 0)
		device->ops->rings_retire(device->owner, rings);
	for (unsigned i = 0; i < device->ring_count; i++)
		vhost_device_pause(device, i);
}

void vhost_device_stop_all(struct vhost_device *device)
{
	vhost_device_pause_all(device);
	for (unsigned i = 0; i < device->ring_count; i++) {
		device->rings[i].kicked = false;
		device->rings[i].enable = VHOST_ENABLE_UNSAID;
	}
}

void vhost_device_set_memory(struct vhost_device *device, struct tp_guest_memory *memory)
{
	vhost_device_pause_all(device);
	tp_guest_memory_free(device->memory);
	device->memory = memory;
}

static bool enabled(const struct vhost_device *device, const struct vhost_ring *ring)
{
	if (ring->enable == VHOST_ENABLE_UNSAID)
		return !(device->features & VHOST_F_PROTOCOL_FEATURES);
	return ring->enable == VHOST_ENABLED;
}

static bool may_run(const struct vhost_device *device, const struct vhost_ring *ring)
{
	return device->features_told && device->memory != NULL && ring->set.size > 0 &&
	       ring->has_addresses && ring->kicked && enabled(device, ring);
}

/* Sizes of the three parts of a split virtqueue with their event index: virtio 1.2, 2.7. */
static bool mapped(const struct vhost_device *device, const struct tp_vhost_ring *ring)
{
	const struct tp_guest_memory *memory = device->memory;
	uint64_t size = ring->size;

	return tp_guest_translate_user(memory, ring->desc_address, 16 * size) != NULL &&
	       tp_guest_translate_user(memory, ring->avail_address, 6 + 2 * size) != NULL &&
	       tp_guest_translate_user(memory, ring->used_address, 6 + 8 * size) != NULL;
}

static int start(struct vhost_device *device, unsigned ring_number, struct tp_error *error)
{
	struct vhost_ring *ring = &device->rings[ring_number];
	const struct tp_vhost_ring *set = &ring->set;
	int result;

	if (!(device->features & VHOST_F_VERSION_1))
		return tp_error_set(error, EPROTO,
			"ring %u: VIRTIO_F_VERSION_1 (bit 32) is required, the front-end"
			" acknowledged features 0x%" PRIx64 " without it",
			ring_number, device->features);
	if (!mapped(device, set)) {
		/* The region may be on its way in the next ADD_MEM_REG. */
		if (device->memory_in_pieces)
			return 0;
		return tp_error_set(error, EFAULT,
			"ring %u: descriptors at 0x%" PRIx64 ", available at 0x%" PRIx64
			", used at 0x%" PRIx64
			", size %u are not each within one region of guest memory",
			ring_number, set->desc_address, set->avail_address, set->used_address,
			set->size);
	}
	result = device->ops->ring_start(
		device->owner, ring_number, set, device->memory, device->features, error);
	if (result < 0) {
		tp_error_prefix(error, "ring %u", ring_number);
		return result;
	}
	ring->started = true;
	return 0;
}

int vhost_device_settle(struct vhost_device *device, struct tp_error *error)
{
	for (unsigned i = 0; i < device->ring_count; i++) {
		int result;

		if (device->rings[i].started || !may_run(device, &device->rings[i]))
			continue;
		result = start(device, i, error);
		if (result < 0)
			return result;
	}
	return 0;
}

unsigned vhost_device_started(const struct vhost_device *device)
{
	return (unsigned)__builtin_popcount(started_rings(device));
}

unsigned vhost_device_descriptors(const struct vhost_device *device)
{
	unsigned count = 0;

	for (unsigned i = 0; i < device->ring_count; i++)
		count += (device->rings[i].set.call_fd >= 0) + (device->rings[i].set.kick_fd >= 0);
	return count;
}
