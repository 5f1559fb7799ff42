/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "frontend.h"

/* What the files of the front-end share with each other alone. */

#include <linux/virtio_config.h>

static inline bool tp_frontend_has(const struct tp_frontend *frontend, unsigned feature)
{
	return frontend->features >> feature & 1;
}

/** Set a new ring to its first state: all slots ours, or all posted if it is a receive ring. */
void tp_frontend_fill_ring(struct tp_frontend *frontend, unsigned number);

/** Say whether, and from which used index on, the device shall notify us. */
void tp_frontend_arm_call(const struct tp_frontend *frontend, struct tp_frontend_ring *ring);

/** Kick a ring whatever the device says of notifications. */
void tp_frontend_kick(const struct tp_frontend_ring *ring);
