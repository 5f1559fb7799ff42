/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "input.h"
#include "vhost/endpoint.h"
#include "vring/vring.h"

/*
 * Who owns an endpoint in the place of the appliance: starts the rings that it is told to start,
 * moves frames through them when it is asked to, and ends the connection of a guest whose memory
 * shrank or whose ring broke. It checks what the protocol promises its owner.
 */

struct vhost_owner {
	struct tp_vhost_endpoint *endpoint;
	struct tp_vring rings[TP_VHOST_RINGS_MAX];
	bool runs[TP_VHOST_RINGS_MAX];
	uint32_t retired; /* bit n: ring n is about to be stopped */
	const struct tp_guest_memory *memory[TP_VHOST_RINGS_MAX];
	unsigned connected;
	unsigned disconnected;
	unsigned started;     /* rings, ever */
	bool refuse_mtu;      /* end the connection inside a callback */
	bool refuse_presence; /* the same, in the first one */
};

extern const struct tp_vhost_ops vhost_owner_ops;

/** Serve every ring that runs, once. */
void vhost_owner_poll(struct vhost_owner *owner);
