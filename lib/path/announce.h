/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "burst.h"

/*
 * announce: a guest that has come from another host is announced, so that switches beyond this one
 * learn where its MAC is now. Its front-end asks for it (SEND_RARP of vhost-user); control puts the
 * MAC into the context and has the worker of the guest's first transmit ring look there. The worker
 * sends what QEMU sends for NICs of its own: a reverse request (RFC 903) to all, as if the guest
 * had. So it takes the ways of a flooded frame (flood.h): other guests, the uplink with the
 * network's tags, or each tunnel; it is priced, charged, and dropped by name as one. In a trunk
 * there is one for each VLAN, since switches learn by VLAN.
 */

/** A bell has rung for a ring that this worker serves: is its guest to be announced? It is when
 * tp_announce is called. Where the list is full the MAC stays in the context until the ring's next
 * bell. */
void tp_announce_hear(
	struct tp_worker *worker, const struct tp_ring_id *id, struct tp_context *context);

/** Send announcements that wait, as many as may be flooded in this sweep, and one at least. @return
 * how many frames. */
unsigned tp_announce(struct tp_worker *worker);
