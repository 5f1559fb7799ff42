/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "vhost/endpoint.h"

/*
 * What a front-end has told about its device, and the one decision that follows from it: which
 * rings run. A handler pauses what it is about to change, changes it, and vhost_device_settle
 * starts whatever may run then.
 *
 *   may run = features acknowledged, memory, size, addresses, kick, enabled
 */

enum vhost_enable {
	VHOST_ENABLE_UNSAID, /* enabled unless VHOST_USER_F_PROTOCOL_FEATURES was negotiated */
	VHOST_ENABLED,
	VHOST_DISABLED,
};

struct vhost_ring {
	struct tp_vhost_ring set; /* size 0: not told; call_fd and kick_fd are ours */
	enum vhost_enable enable;
	bool has_addresses;
	bool kicked; /* SET_VRING_KICK came, and no GET_VRING_BASE since */
	bool started;
};

struct vhost_device {
	const struct tp_vhost_ops *ops;
	void *owner;
	uint64_t features_offered;
	uint64_t features;
	bool features_told; /* SET_FEATURES came */
	uint64_t protocol_features;
	uint8_t status;
	unsigned ring_count;
	struct tp_guest_memory *memory;
	bool memory_in_pieces; /* slots come and go one by one: a ring may lie outside for now */
	struct vhost_ring rings[TP_VHOST_RINGS_MAX];
};

/** Set up for a front-end that has said nothing yet. */
void vhost_device_init(struct vhost_device *device, const struct tp_vhost_settings *settings);

/** The front-end is gone: stop every ring, let memory and descriptors go, forget what it said. */
void vhost_device_clear(struct vhost_device *device);

/** Keep a descriptor, or -1 for none, in place of the one that was kept. */
void vhost_device_take_over(int *kept, int fd);

/** Stop a ring if it runs and remember where it stopped. */
void vhost_device_pause(struct vhost_device *device, unsigned ring_number);

/** The same for all rings. */
void vhost_device_pause_all(struct vhost_device *device);

/** Stop all rings until the front-end kicks (SET_VRING_KICK) and enables them anew. */
void vhost_device_stop_all(struct vhost_device *device);

/** Replace the memory table; every ring that used the old one is paused before it goes. */
void vhost_device_set_memory(struct vhost_device *device, struct tp_guest_memory *memory);

/**
 * Start every ring that may run and does not.
 * @return 0, or negative errno with *error set: the connection cannot go on.
 */
int vhost_device_settle(struct vhost_device *device, struct tp_error *error);

/** Number of rings that run. */
unsigned vhost_device_started(const struct vhost_device *device);

/** Number of call and kick descriptors held. */
unsigned vhost_device_descriptors(const struct vhost_device *device);
