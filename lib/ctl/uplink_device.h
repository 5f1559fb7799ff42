/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "ctl/config.h"

struct rte_mempool;

/*
 * The ethdev of an uplink: found or brought up by its name, configured, started, watched, let go.
 * Control thread only, but for the two marks that DPDK's interrupt thread sets.
 */

/** What is known of a device beside what the workers need. */
struct tp_device {
	bool probed;           /* it is ours to remove */
	uint16_t port;         /* DPDK's number */
	uint16_t queues;       /* pairs */
	int socket;            /* NUMA node, or SOCKET_ID_ANY */
	unsigned kernel_index; /* of the kernel's interface that it is a socket of; or 0 */
	uint32_t can;          /* of TP_OFFLOADS and TP_CAN_... (ctl/offloads.h) */
	uint32_t does;         /* of TP_OFFLOADS, that it was asked to */
	char driver[32];
	uint8_t mac[6];
	bool link_up;
	bool listens;        /* to DPDK's events of the device */
	uint32_t speed_mbps; /* 0: not known */
	atomic_bool removed; /* interrupt thread: w true, control: rw */
};

/**
 * Find the device, or have DPDK bring it up.
 * @param most  pairs of queues wanted; device->queues becomes what it has of them
 * @return 0, or negative errno with *error set: what was found, what is accepted
 */
int tp_device_open(struct tp_device *device, const struct tp_uplink_config *config, uint16_t most,
	struct tp_error *error);

/**
 * Configure and start it.
 * @param pool  for what it receives
 * @return 0, or negative errno with *error set; then it is only to be closed
 */
int tp_device_start(struct tp_device *device, const struct tp_uplink_config *config,
	struct rte_mempool *pool, struct tp_error *error);

/** Is it still there, and its link up? device->link_up and speed are set. @return false: gone. */
bool tp_device_look(struct tp_device *device);

/** Stop it and let it go. No worker uses it any more. */
void tp_device_close(struct tp_device *device);
