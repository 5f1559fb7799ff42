/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stddef.h>

#include "request.h"

/*
 * Requests about guest memory. The new table is made before the old one is let go, so that a
 * refused request leaves the rings running on what they had.
 */

#define UNUSED __attribute__((unused))

static int check_table(const struct vhost_message *message, struct tp_error *error)
{
	uint32_t count = message->payload.table.count;

	if (count == 0 || count > VHOST_TABLE_REGIONS_MAX)
		return tp_error_set(error, EINVAL, "%u regions; 1 to %d are right", count,
			VHOST_TABLE_REGIONS_MAX);
	if (message->header.size != offsetof(struct vhost_memory_table, region[count]))
		return tp_error_set(error, EINVAL,
			"payload of %u bytes; %zu are right for %u regions", message->header.size,
			offsetof(struct vhost_memory_table, region[count]), count);
	if (message->fd_count != count)
		return tp_error_set(error, EINVAL, "%u descriptors came with %u regions",
			message->fd_count, count);
	return 0;
}

int vhost_set_mem_table(struct vhost_device *device, struct vhost_message *message,
	union vhost_payload *reply UNUSED, struct tp_error *error)
{
	const struct vhost_memory_table *table = &message->payload.table;
	struct tp_guest_memory *memory = NULL;
	int result = check_table(message, error);

	if (result < 0)
		return result;
	for (uint32_t i = 0; i < table->count; i++) {
		struct tp_guest_memory *more =
			tp_guest_memory_add(memory, &table->region[i], message->fds[i], error);

		tp_guest_memory_free(memory);
		if (more == NULL) {
			tp_error_prefix(error, "region %u", i);
			return -EINVAL;
		}
		memory = more;
	}
	vhost_device_set_memory(device, memory);
	device->memory_in_pieces = false;
	return 0;
}

int vhost_get_max_mem_slots(struct vhost_device *device UNUSED,
	struct vhost_message *message UNUSED, union vhost_payload *reply,
	struct tp_error *error UNUSED)
{
	reply->u64 = TP_GUEST_REGIONS_MAX;
	return 0;
}

int vhost_add_mem_reg(struct vhost_device *device, struct vhost_message *message,
	union vhost_payload *reply UNUSED, struct tp_error *error)
{
	struct tp_guest_memory *memory = tp_guest_memory_add(
		device->memory, &message->payload.slot.region, message->fds[0], error);

	if (memory == NULL)
		return -EINVAL;
	vhost_device_set_memory(device, memory);
	device->memory_in_pieces = true;
	return 0;
}

int vhost_rem_mem_reg(struct vhost_device *device, struct vhost_message *message,
	union vhost_payload *reply UNUSED, struct tp_error *error)
{
	struct tp_guest_memory *memory;

	if (device->memory == NULL)
		return tp_error_set(error, ENOENT, "there is no region to remove");
	memory = tp_guest_memory_remove(device->memory, &message->payload.slot.region, error);
	if (memory == NULL)
		return -ENOENT;
	vhost_device_set_memory(device, memory);
	device->memory_in_pieces = true;
	return 0;
}
