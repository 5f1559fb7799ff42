/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>

#include "appliance_private.h"
#include "base/log.h"
#include "memory_node.h"
#include "spread.h"
#include "vring/virtio.h"

/*
 * The glue between endpoints and contexts: what a front-end says of its rings becomes rings that a
 * worker polls, and back.
 */

static const struct tp_interface_config *config_of(const struct tp_port *port)
{
	return &port->appliance->config->interfaces[port->index];
}

static const char *tenant_name(const struct tp_port *port)
{
	return port->appliance->config->tenants[config_of(port)->tenant_index].name;
}

/* Ring 2n is the guest's receive ring of pair n, 2n + 1 its transmit ring (virtio 1.2, 5.1.2). */
static bool is_tx(unsigned ring_number)
{
	return ring_number % 2 == 1;
}

static struct tp_vring *ring_of(const struct tp_port *port, unsigned ring_number)
{
	struct tp_ring_pair *pair = &port->context->pair[ring_number / 2];

	return is_tx(ring_number) ? &pair->tx : &pair->rx;
}

static void come(void *owner, int peer_pid)
{
	struct tp_port *port = owner;

	port->peer_pid = peer_pid;
}

static int start_ring(void *owner, unsigned ring_number, const struct tp_vhost_ring *ring,
	const struct tp_guest_memory *memory, uint64_t features, struct tp_error *error)
{
	struct tp_port *port = owner;
	struct tp_vring_setup setup = {
		.size = ring->size,
		.desc_address = ring->desc_address,
		.avail_address = ring->avail_address,
		.used_address = ring->used_address,
		.features = features,
		.call_fd = ring->call_fd,
	};
	int result;

	if (is_tx(ring_number)) {
		port->context->pair[ring_number / 2].hold_since = 0;
		tp_kick_prepare(port, ring_number / 2);
	} else if (tp_spread_ring_prepare(port, ring->size, &setup.baton) < 0) {
		return tp_error_set(error, ENOMEM,
			"no memory in the EAL's heap for what workers share of a ring of %u",
			ring->size);
	}
	result = tp_vring_start(ring_of(port, ring_number), &setup, memory, error);
	if (result < 0) {
		rte_free(setup.baton);
		return result;
	}
	tp_log(TP_LOG_DEBUG, "%s/%s: ring %u started, %u descriptors, features 0x%" PRIx64,
		tenant_name(port), config_of(port)->name, ring_number, ring->size, features);
	if (port->rings_running++ == 0)
		port->memory_node = tp_memory_node(memory, ring_of(port, ring_number));
	if (is_tx(ring_number))
		tp_kick_start(port, ring_number / 2, ring->kick_fd);
	return 0;
}

static uint16_t stop_ring(void *owner, unsigned ring_number)
{
	struct tp_port *port = owner;
	struct tp_vring *ring = ring_of(port, ring_number);

	tp_vring_retire(ring);
	if (is_tx(ring_number)) {
		tp_dataplane_leave(
			port->appliance->dataplane, port->context->pair[ring_number / 2].worker);
		tp_kick_stop(port, ring_number / 2);
	} else {
		tp_dataplane_quiesce(port->appliance->dataplane);
		tp_spread_ring_stopped(ring);
	}
	tp_log(TP_LOG_DEBUG, "%s/%s: ring %u stopped", tenant_name(port), config_of(port)->name,
		ring_number);
	port->rings_running--;
	return tp_vring_stop(ring);
}

static void set_mtu(void *owner, uint16_t mtu)
{
	struct tp_port *port = owner;
	const struct tp_config *config = port->appliance->config;
	uint16_t most = tp_config_network_mtu(
		config, &config->tenants[config_of(port)->tenant_index]);

	port->mtu = mtu;
	if (most != 0 && mtu > most)
		tp_log_limited(&port->announcements, TP_LOG_WARNING,
			"%s/%s: its guest may send packets of %u bytes, its tenant's network takes "
			"%u: longer ones are dropped as over_mtu; give it host_mtu=%u",
			tenant_name(port), config_of(port)->name, mtu, most, most);
}

/* A guest that migrated here is announced by its own configured MAC; neighbours need no new
 * look-up, since that MAC has always led here. */
static void announce(void *owner, const uint8_t mac[6])
{
	struct tp_port *port = owner;

	if (memcmp(mac, config_of(port)->mac, 6) != 0)
		tp_log_limited(&port->announcements, TP_LOG_WARNING,
			"%s/%s: announces %02x:%02x:%02x:%02x:%02x:%02x, which is not its MAC: "
			"ignored",
			tenant_name(port), config_of(port)->name, mac[0], mac[1], mac[2], mac[3],
			mac[4], mac[5]);
}

static void gone(void *owner, const char *reason)
{
	struct tp_port *port = owner;

	(void)reason; /* the endpoint has logged it and keeps it for `show` */
	port->mtu = 0;
	port->peer_pid = 0;
	port->memory_node = TP_NO_NODE;
	tp_forget_learned(port->appliance, port->index);
}

static const struct tp_vhost_ops port_ops = {
	.connected = come,
	.ring_start = start_ring,
	.ring_stop = stop_ring,
	.mtu_set = set_mtu,
	.announce = announce,
	.disconnected = gone,
};

static int open_port(struct tp_port *port, struct tp_error *error)
{
	const struct tp_interface_config *config = config_of(port);
	char name[128];
	struct tp_vhost_settings settings = {
		.name = name,
		.path = config->socket,
		.client = config->client,
		.queue_pairs = config->queue_pairs,
		.device_features = TP_DEVICE_FEATURES,
		.ops = &port_ops,
		.owner = port,
	};

	snprintf(name, sizeof(name), "%s/%s", tenant_name(port), config->name);
	port->endpoint = tp_vhost_open(port->appliance->loop, &settings, error);
	return port->endpoint == NULL ? -EINVAL : 0;
}

static uint16_t worker_at_first(const struct tp_port *port)
{
	return (uint16_t)port->appliance->balance.tenant[config_of(port)->tenant_index].worker;
}

int tp_ports_open(struct tp_appliance *appliance, struct tp_error *error)
{
	uint32_t count = appliance->config->interface_count;
	struct tp_port_kick *kick = appliance->kicks;

	for (uint32_t i = 0; i < count; i++) {
		struct tp_port *port = &appliance->ports[i];

		port->appliance = appliance;
		port->index = i;
		port->memory_node = TP_NO_NODE;
		port->context = tp_context_at(appliance->store, i);
		port->kick = kick;
		port->context->spread = tp_spread_shared(appliance, config_of(port)->tenant_index);
		for (uint32_t pair = 0; pair < port->context->pair_count; pair++) {
			(kick++)->fd = -1;
			port->context->pair[pair].worker = worker_at_first(port);
		}
		if (open_port(port, error) < 0) {
			tp_error_prefix(error, "%s/%s", tenant_name(port), config_of(port)->name);
			return -EINVAL;
		}
	}
	return 0;
}

void tp_ports_close(struct tp_appliance *appliance)
{
	for (uint32_t i = appliance->config->interface_count; i-- > 0;) {
		tp_vhost_close(appliance->ports[i].endpoint);
		appliance->ports[i].endpoint = NULL;
	}
}

/* Why a port cannot go on, or NULL. Its memory may have shrunk while its rings were stopping. */
static const char *broken_because(const struct tp_port *port, char *text, size_t size)
{
	const struct tp_guest_memory *memory = tp_vhost_memory(port->endpoint);

	if (memory != NULL && tp_guest_memory_condemned(memory))
		return "guest memory file shrank while it was mapped";
	if (port->rings_running == 0)
		return NULL;
	for (unsigned n = 0; n < 2 * port->context->pair_count; n++) {
		enum tp_vring_fault fault = tp_vring_fault(ring_of(port, n));

		if (fault == TP_VRING_SOUND)
			continue;
		snprintf(text, size, "%s ring %u: %s", is_tx(n) ? "transmit" : "receive", n / 2,
			tp_vring_fault_text(fault));
		return text;
	}
	return NULL;
}

void tp_ports_condemn_broken(struct tp_appliance *appliance)
{
	for (uint32_t i = 0; i < appliance->config->interface_count; i++) {
		struct tp_port *port = &appliance->ports[i];
		char text[128];
		const char *reason = broken_because(port, text, sizeof(text));

		if (reason != NULL)
			tp_vhost_condemn(port->endpoint, reason);
	}
}

void tp_ports_look(struct tp_appliance *appliance)
{
	uint64_t broken = 0;

	/* acquire: partner is the release store of a worker that noted a fault before it */
	for (unsigned w = 0; w < appliance->dataplane->worker_count; w++)
		broken +=
			__atomic_load_n(&appliance->dataplane->worker[w]->broken, __ATOMIC_ACQUIRE);
	if (broken == appliance->broken)
		return;
	appliance->broken = broken;
	tp_ports_condemn_broken(appliance);
}
