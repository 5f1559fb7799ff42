/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "ctl/config.h"

/*
 * From what a configuration wishes of an uplink to who does it: the device or a worker. Pure; what
 * the device can is the caller's to find out (turnpiked --capabilities).
 */

/** What a device can beside TP_OFFLOADS, told only. */
enum {
	TP_CAN_SEGMENT = TP_OFFLOAD_ALL + 1, /* TCP */
	TP_CAN_SHAPE = 2 * TP_CAN_SEGMENT,   /* traffic manager */
	/* Flow rules that lead to a queue: by VLAN, and by VXLAN's identifier. */
	TP_CAN_STEER_VLAN = 2 * TP_CAN_SHAPE,
	TP_CAN_STEER_VNI = 2 * TP_CAN_STEER_VLAN,
	/* They are the kernel's, which lets only CAP_NET_ADMIN change them. */
	TP_STEER_WANTS_RIGHT = 2 * TP_CAN_STEER_VNI,
};

#define TP_WISHES_MAX 10

enum tp_doer { TP_DOER_HARDWARE, TP_DOER_SOFTWARE, TP_DOER_NOBODY /* the wish is refused */ };

struct tp_wish {
	const char *what;
	enum tp_doer doer;
	const char *why;
};

/**
 * What the device is to do: of what the file allows, what it can.
 * @param can  of TP_OFFLOADS and TP_CAN_...
 * Threading: any.
 */
uint32_t tp_offloads_chosen(const struct tp_uplink_config *uplink, uint32_t can);

/**
 * The wishes that a configuration has of an uplink, and who fulfils them.
 * @param uplink  its index
 * @param can     what the device can
 * @param wishes  room for TP_WISHES_MAX
 * @return how many there are. Threading: any.
 */
unsigned tp_offloads_plan(
	const struct tp_config *config, uint32_t uplink, uint32_t can, struct tp_wish *wishes);

/** "hardware", "software" or "refused". */
const char *tp_doer_name(enum tp_doer doer);
