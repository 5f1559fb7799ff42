/* SPDX-License-Identifier: BSD-3-Clause */
#define ALLOW_EXPERIMENTAL_API /* events of devices are nothing else */

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_flow.h>

#include "capabilities.h"
#include "ctl/offloads.h"
#include "uplink_device.h"

/* --- Finding --- */

static bool driver_is(const char *device, const char *driver)
{
	return strncmp(device, driver, strlen(driver)) == 0;
}

/* Is it an interface of the kernel, reached through a socket? */
static bool is_socket(const char *device)
{
	return driver_is(device, "net_af_packet") || driver_is(device, "net_af_xdp");
}

static void list_interfaces(char *list, size_t size)
{
	struct if_nameindex *all = if_nameindex();
	size_t used = 0;

	list[0] = '\0';
	for (struct if_nameindex *one = all; one != NULL && one->if_index != 0; one++)
		if (used < size)
			used += (size_t)snprintf(list + used, size - used, "%s%s",
				used > 0 ? ", " : "", one->if_name);
	if (all != NULL)
		if_freenameindex(all);
}

/* The drivers say little of an interface that is not there. */
static int check_interface(const char *device, struct tp_error *error)
{
	char name[IFNAMSIZ + 1];
	char list[160];

	if (!is_socket(device))
		return 0;
	if (!tp_config_device_interface(device, name, sizeof(name)))
		return tp_error_set(error, EINVAL,
			"found no iface=NAME in it; accepted: the name of an interface of the "
			"kernel");
	if (if_nametoindex(name) != 0)
		return 0;
	list_interfaces(list, sizeof(list));
	return tp_error_set(error, ENODEV,
		"found interface %s, which the kernel does not have; accepted: one of %s", name,
		list);
}

static int check_pci(const char *device, struct tp_error *error)
{
	bool domain = strcspn(device, ",") > strlen("00:00.0");
	char address[16], path[96];

	if (!tp_config_device_is_pci(device))
		return 0;
	snprintf(address, sizeof(address), "%s%.*s",
		domain ? "" : "0000:", (int)strcspn(device, ","), device);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", address);
	if (access(path, F_OK) < 0)
		return tp_error_set(error, ENODEV,
			"found %s, which is not on this machine's PCI bus; accepted: an address "
			"that lspci -D shows",
			address);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", address);
	if (access(path, F_OK) < 0)
		return tp_error_set(error, ENODEV,
			"found %s, which is bound to no driver; accepted: one that DPDK uses; "
			"dpdk-devbind.py --bind vfio-pci %s binds it",
			address, address);
	return 0;
}

static bool find_port(const char *name, uint16_t *port)
{
	return rte_eth_dev_get_port_by_name(name, port) == 0;
}

static int probe(struct tp_device *device, const char *text, struct tp_error *error)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	int result;

	snprintf(name, sizeof(name), "%s%.*s",
		tp_config_device_is_pci(text) && strcspn(text, ",") == strlen("00:00.0") ? "0000:"
											 : "",
		(int)strcspn(text, ","), text);
	if (find_port(name, &device->port)) {
		/* Brought up by EAL options: those of the PCI bus because they are uplinks. */
		device->probed = tp_config_device_is_pci(text);
		return 0;
	}
	result = check_interface(text, error);
	if (result == 0)
		result = check_pci(text, error);
	if (result < 0)
		return result;
	result = rte_dev_probe(text);
	if (result < 0)
		return tp_error_set(error, -result,
			"DPDK cannot open it: %s; accepted: a device that is there, that nothing "
			"else uses, and whose driver takes these arguments (--log-level=pmd:debug "
			"before \"--\" has its driver say more)",
			strerror(-result));
	device->probed = true;
	if (find_port(name, &device->port))
		return 0;
	return tp_error_set(error, ENODEV, "DPDK has opened it, but it is no Ethernet device");
}

static void describe(struct tp_device *device, const struct rte_eth_dev_info *info)
{
	struct rte_ether_addr mac;

	snprintf(device->driver, sizeof(device->driver), "%s",
		info->driver_name == NULL ? "" : info->driver_name);
	if (is_socket(device->driver))
		device->kernel_index = info->if_index;
	device->socket = rte_eth_dev_socket_id(device->port);
	device->can = tp_device_capabilities(device->port, info);
	if (rte_eth_macaddr_get(device->port, &mac) == 0)
		memcpy(device->mac, mac.addr_bytes, sizeof(device->mac));
}

int tp_device_open(struct tp_device *device, const struct tp_uplink_config *config, uint16_t most,
	struct tp_error *error)
{
	struct rte_eth_dev_info info;
	int result;

	*device = (struct tp_device){0};
	result = probe(device, config->device, error);
	if (result < 0)
		return result;
	result = rte_eth_dev_info_get(device->port, &info);
	if (result < 0) {
		tp_device_close(device);
		return tp_error_set(
			error, -result, "device tells nothing of itself: %s", strerror(-result));
	}
	if (info.max_mtu != 0 && config->mtu > info.max_mtu) {
		tp_device_close(device);
		return tp_error_set(error, EINVAL,
			"device takes no frames of mtu %u; accepted: an mtu of at most %u",
			config->mtu, info.max_mtu);
	}
	device->queues = RTE_MIN(info.max_rx_queues, info.max_tx_queues);
	device->queues = RTE_MIN(most, device->queues);
	if (device->queues == 0)
		device->queues = 1; /* some tell it only when they are configured */
	describe(device, &info);
	return 0;
}

/* --- Starting --- */

static int on_removal(uint16_t port, enum rte_eth_event_type event, void *argument, void *unused)
{
	struct tp_device *device = argument;

	(void)port;
	(void)event;
	(void)unused;
	atomic_store(&device->removed, true);
	return 0;
}

/* Who unplugs a device that VFIO has waits until it is given back. */
static void on_request(const char *name, enum rte_dev_event_type event, void *argument)
{
	struct tp_device *device = argument;

	(void)name;
	if (event == RTE_DEV_EVENT_REMOVE)
		atomic_store(&device->removed, true);
}

static void hear_of_removal(struct tp_device *device, const struct rte_eth_dev_info *info)
{
	rte_eth_dev_callback_register(device->port, RTE_ETH_EVENT_INTR_RMV, on_removal, device);
	if (rte_dev_event_callback_register(rte_dev_name(info->device), on_request, device) == 0)
		device->listens = true;
}

static void hear_no_more(struct tp_device *device, const struct rte_eth_dev_info *info)
{
	rte_eth_dev_callback_unregister(device->port, RTE_ETH_EVENT_INTR_RMV, on_removal, device);
	/* -EAGAIN: it is being called, which does not take long. */
	for (unsigned n = 0; device->listens && n < 1000; n++) {
		device->listens = rte_dev_event_callback_unregister(rte_dev_name(info->device),
					  on_request, device) == -EAGAIN;
		sched_yield();
	}
}

static int configure(const struct tp_device *device, const struct tp_uplink_config *config,
	const struct rte_eth_dev_info *info)
{
	struct rte_eth_conf conf = {
		.rxmode.mtu = config->mtu,
		.intr_conf.lsc = (*info->dev_flags & RTE_ETH_DEV_INTR_LSC) != 0,
		.intr_conf.rmv = (*info->dev_flags & RTE_ETH_DEV_INTR_RMV) != 0,
	};

	if (info->min_mtu > config->mtu)
		conf.rxmode.mtu = info->min_mtu;
	/* All its mbufs are of one pool, and nobody else holds them. */
	conf.txmode.offloads =
		info->tx_offload_capa &
		(RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE | tp_device_transmit_bits(device->does));
	conf.rxmode.offloads = info->rx_offload_capa & tp_device_receive_bits(device->does);
	conf.rx_adv_conf.rss_conf.rss_hf =
		info->flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);
	if (device->queues > 1 && (device->does & TP_OFFLOAD_RSS))
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	return rte_eth_dev_configure(device->port, device->queues, device->queues, &conf);
}

static int set_up_queues(const struct tp_device *device, const struct tp_uplink_config *config,
	struct rte_mempool *pool)
{
	uint16_t rx = config->rx_descriptors;
	uint16_t tx = config->tx_descriptors;
	unsigned socket = (unsigned)device->socket;
	int result = rte_eth_dev_adjust_nb_rx_tx_desc(device->port, &rx, &tx);

	for (uint16_t q = 0; q < device->queues && result == 0; q++) {
		result = rte_eth_rx_queue_setup(device->port, q, rx, socket, NULL, pool);
		if (result == 0)
			result = rte_eth_tx_queue_setup(device->port, q, tx, socket, NULL);
	}
	return result;
}

int tp_device_start(struct tp_device *device, const struct tp_uplink_config *config,
	struct rte_mempool *pool, struct tp_error *error)
{
	struct rte_eth_dev_info info;
	const char *what = "described";
	int result = rte_eth_dev_info_get(device->port, &info);

	device->does = tp_offloads_chosen(config, device->can);
	if (result == 0) {
		what = "configured";
		result = configure(device, config, &info);
	}
	if (result == 0) {
		what = "given its queues";
		result = set_up_queues(device, config, pool);
	}
	if (result == 0) {
		what = "started";
		result = rte_eth_dev_start(device->port);
	}
	if (result == 0) {
		/* Guests have MACs that the device does not know. */
		what = "made to take every frame";
		result = rte_eth_promiscuous_enable(device->port);
	}
	if (result < 0 && result != -ENOTSUP)
		return tp_error_set(error, -result,
			"device cannot be %s: %s; accepted: one that nothing else uses, with room "
			"for %u queues of %u and %u descriptors (\"queues\", \"rx_descriptors\", "
			"\"tx_descriptors\")",
			what, strerror(-result), device->queues, config->rx_descriptors,
			config->tx_descriptors);
	hear_of_removal(device, &info);
	tp_device_look(device);
	return 0;
}

/* --- Watching --- */

/* Sockets tell their drivers nothing: the kernel is asked. @return false: no such interface
 * any more. */
static bool look_at_kernel(struct tp_device *device)
{
	struct ifreq request = {0};
	int fd;

	if (if_indextoname(device->kernel_index, request.ifr_name) == NULL)
		return errno != ENXIO && errno != ENODEV;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return true;
	if (ioctl(fd, SIOCGIFFLAGS, &request) == 0)
		device->link_up = (request.ifr_flags & IFF_UP) && (request.ifr_flags & IFF_RUNNING);
	close(fd);
	return true;
}

bool tp_device_look(struct tp_device *device)
{
	struct rte_eth_link link;

	if (atomic_load(&device->removed) || rte_eth_dev_is_removed(device->port) == 1)
		return false;
	if (rte_eth_link_get_nowait(device->port, &link) == 0) {
		device->link_up = link.link_status == RTE_ETH_LINK_UP;
		device->speed_mbps =
			link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
	}
	return device->kernel_index == 0 || look_at_kernel(device);
}

/* --- Letting go --- */

void tp_device_close(struct tp_device *device)
{
	struct rte_eth_dev_info info;
	bool known = rte_eth_dev_info_get(device->port, &info) == 0;
	struct rte_flow_error unused;

	if (device->listens && !atomic_load(&device->removed)) /* it was started */
		rte_flow_flush(device->port, &unused);
	if (known)
		hear_no_more(device, &info);
	rte_eth_dev_stop(device->port);
	rte_eth_dev_close(device->port);
	if (device->probed && known)
		rte_dev_remove(info.device);
	device->probed = false;
	device->link_up = false;
}
