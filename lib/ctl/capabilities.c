/* SPDX-License-Identifier: BSD-3-Clause */
#define ALLOW_EXPERIMENTAL_API /* rte_tm.h is nothing else; it is only asked what it can */

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_tm.h>

#include "capabilities.h"
#include "ctl/capabilities_probe.h"
#include "ctl/offloads.h"
#include "ctl/plan.h"
#include "flow_rules.h"
#include "state/uplink.h"
#include "uplink_device.h"

/* One row an offload: what of DPDK's bits it needs, and what workers do otherwise. */
static const struct {
	uint32_t offload;
	uint64_t transmit, receive;
	uint16_t nic;
} rows[] = {
	{TP_OFFLOAD_VLAN_INSERT, RTE_ETH_TX_OFFLOAD_VLAN_INSERT, 0, TP_NIC_VLAN_INSERT},
	{TP_OFFLOAD_VLAN_STRIP, 0, RTE_ETH_RX_OFFLOAD_VLAN_STRIP, 0},
	{TP_OFFLOAD_IPV4_CHECKSUM, RTE_ETH_TX_OFFLOAD_IPV4_CKSUM, 0, TP_NIC_IPV4_CHECKSUM},
	{TP_OFFLOAD_UDP_CHECKSUM, RTE_ETH_TX_OFFLOAD_UDP_CKSUM, RTE_ETH_RX_OFFLOAD_UDP_CKSUM,
		TP_NIC_UDP_CHECKSUM},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* A device without a traffic manager says so in its own way. */
static bool can_shape(uint16_t port)
{
	struct rte_tm_capabilities capabilities;
	struct rte_tm_error error;

	return rte_tm_capabilities_get(port, &capabilities, &error) == 0;
}

uint32_t tp_device_capabilities(uint16_t port, const struct rte_eth_dev_info *info)
{
	uint32_t can = TP_OFFLOAD_NONE;

	for (size_t i = 0; i < ROWS; i++)
		if ((info->tx_offload_capa & rows[i].transmit) == rows[i].transmit &&
			(info->rx_offload_capa & rows[i].receive) == rows[i].receive)
			can |= rows[i].offload;
	if ((info->flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP)) !=
			0 &&
		info->max_rx_queues > 1)
		can |= TP_OFFLOAD_RSS;
	if (info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_TCP_TSO)
		can |= TP_CAN_SEGMENT;
	if (can_shape(port))
		can |= TP_CAN_SHAPE;
	return can;
}

uint64_t tp_device_transmit_bits(uint32_t offloads)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < ROWS; i++)
		if (offloads & rows[i].offload)
			bits |= rows[i].transmit;
	return bits;
}

uint64_t tp_device_receive_bits(uint32_t offloads)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < ROWS; i++)
		if (offloads & rows[i].offload)
			bits |= rows[i].receive;
	return bits;
}

uint16_t tp_device_nic_bits(uint32_t offloads)
{
	uint16_t bits = 0;

	for (size_t i = 0; i < ROWS; i++)
		if (offloads & rows[i].offload)
			bits |= rows[i].nic;
	return bits;
}

#define PROBE_QUEUES      2
#define PROBE_DESCRIPTORS 64
#define PROBE_MBUFS       1023

/* Whether rules work is known when one was made: drivers say little, and a kernel behind them even
 * less. For that the device runs a moment, with the least that it can run with. */
static uint32_t try_rules(
	struct tp_device *device, const struct tp_uplink_config *uplink, struct rte_mempool *pool)
{
	struct tp_uplink_config least = *uplink;
	struct tp_error unused;

	least.rx_descriptors = least.tx_descriptors = PROBE_DESCRIPTORS;
	if (tp_device_start(device, &least, pool, &unused) < 0)
		return TP_OFFLOAD_NONE;
	return tp_flow_rules_can(uplink, device);
}

/* A TAP interface that is there is somebody's: to open it is to get some of its frames, and to
 * close it is to take it down. */
static bool is_taken(const struct tp_uplink_config *uplink, struct tp_error *error)
{
	char name[IFNAMSIZ + 1];

	if (strncmp(uplink->device, "net_tap", strlen("net_tap")) != 0 ||
		!tp_config_device_interface(uplink->device, name, sizeof(name)) ||
		if_nametoindex(name) == 0)
		return false;
	tp_error_set(error, EBUSY,
		"interface %s is there and may be in use; what it can is told before it is made",
		name);
	return true;
}

json_t *tp_capabilities_probe(const struct tp_config *config)
{
	json_t *object = json_object();

	for (uint32_t i = 0; i < config->uplink_count; i++) {
		const struct tp_uplink_config *uplink = &config->uplinks[i];
		struct tp_device device;
		struct tp_error error = {0};
		struct rte_mempool *pool = NULL;

		if (is_taken(uplink, &error) ||
			tp_device_open(&device, uplink, PROBE_QUEUES, &error) < 0) {
			json_object_set_new(
				object, uplink->name, json_pack("{s:s}", "error", error.text));
			continue;
		}
		if (config->worker_count > 1 && device.queues == PROBE_QUEUES)
			pool = rte_pktmbuf_pool_create("probe", PROBE_MBUFS, 0, 0,
				tp_plan_mbuf_room(uplink), device.socket);
		if (pool != NULL)
			device.can |= try_rules(&device, uplink, pool);
		json_object_set_new(object, uplink->name,
			json_pack("{s:s, s:I}", "driver", device.driver, "can",
				(json_int_t)device.can));
		tp_device_close(&device);
		rte_mempool_free(pool);
	}
	return object;
}
