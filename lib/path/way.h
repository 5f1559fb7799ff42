/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "base/drop.h"
#include "state/snapshot.h"

/*
 * Beyond this host: by which way frames leave, and where others came from.
 */

/** The way of frames to an uplink, and what it takes at this moment. */
struct tp_way {
	const struct tp_uplink *uplink;
	const struct tp_network *network; /* of the sender */
	const struct tp_tunnel *tunnel;   /* NULL: in none */
	uint64_t next_hop;                /* MAC, of the tunnel's; 0: not resolved */
	int64_t longest;                  /* frame of a guest */
	enum tp_drop closed;              /* why nothing leaves by it; TP_DROP_NONE: it does */
};

/** Whose a frame of the wire is. */
struct tp_origin {
	uint32_t from; /* TP_TO_UPLINK or TP_TO_TUNNEL: where its sender is */
	uint16_t tenant;
};
