/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "ctl/config.h"

struct rte_eth_dev_info;

/*
 * What devices can, in our words; and what we wish of them, in DPDK's. Control thread.
 */

/** @return bits of TP_OFFLOADS and TP_CAN_... (ctl/offloads.h). */
uint32_t tp_device_capabilities(uint16_t port, const struct rte_eth_dev_info *info);

/** Offloads of TP_OFFLOADS as RTE_ETH_TX_OFFLOAD_..., RTE_ETH_RX_OFFLOAD_..., and as the workers
 * read them, TP_NIC_... */
uint64_t tp_device_transmit_bits(uint32_t offloads);
uint64_t tp_device_receive_bits(uint32_t offloads);
uint16_t tp_device_nic_bits(uint32_t offloads);
