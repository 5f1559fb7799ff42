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
	return &port->config->interfaces[port->index];
}

static const char *tenant_name(const struct tp_port *port)
{
	return port->config->tenants[config_of(port)->tenant_index].name;
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

static void come(void *owner, const struct tp_unix_peer *peer)
{
	struct tp_port *port = owner;

	port->peer = *peer;
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
			"no memory in the EAL's heap for what workers share of a ring of %u; the "
			"appliance needs more with -m MEGABYTES before --",
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

/* Was the worker of this pair asked to leave for the sake of an earlier one of these rings? */
static bool left_before(const struct tp_port *port, uint32_t rings, unsigned pair)
{
	const struct tp_ring_pair *pairs = port->context->pair;

	for (unsigned i = 0; i < pair; i++)
		if (rings >> (2 * i + 1) & 1 && pairs[i].worker == pairs[pair].worker)
			return true;
	return false;
}

/* Rings of the mask: nobody uses them when this returns. A worker is waited for once. */
static void retire_rings(void *owner, uint32_t rings)
{
	struct tp_port *port = owner;
	struct tp_dataplane *dataplane = port->appliance->dataplane;
	bool waited = false;

	rings &= ~port->rings_retired;
	if (rings == 0)
		return;
	for (unsigned n = 0; n < 2 * port->context->pair_count; n++)
		if (rings >> n & 1)
			tp_vring_retire(ring_of(port, n));
	for (unsigned pair = 0; pair < port->context->pair_count; pair++) {
		if (!(rings >> (2 * pair + 1) & 1) || left_before(port, rings, pair))
			continue;
		tp_dataplane_leave(dataplane, port->context->pair[pair].worker);
		waited = true;
	}
	if (!waited)
		tp_dataplane_quiesce(dataplane);
	port->rings_retired |= rings;
}

static uint16_t stop_ring(void *owner, unsigned ring_number)
{
	struct tp_port *port = owner;
	struct tp_vring *ring = ring_of(port, ring_number);

	retire_rings(port, UINT32_C(1) << ring_number);
	port->rings_retired &= ~(UINT32_C(1) << ring_number);
	if (is_tx(ring_number))
		tp_kick_stop(port, ring_number / 2);
	else
		tp_spread_ring_stopped(ring);
	tp_log(TP_LOG_DEBUG, "%s/%s: ring %u stopped", tenant_name(port), config_of(port)->name,
		ring_number);
	port->rings_running--;
	return tp_vring_stop(ring);
}

static void set_mtu(void *owner, uint16_t mtu)
{
	struct tp_port *port = owner;
	const struct tp_config *config = port->appliance->config;
	uint16_t most =
		tp_config_network_mtu(config, &config->tenants[config_of(port)->tenant_index]);

	port->mtu = mtu;
	if (most != 0 && mtu > most)
		tp_log_limited(&port->warnings, TP_LOG_WARNING,
			"%s/%s: its guest may send packets of %u bytes, its tenant's network takes "
			"%u: longer ones are dropped as over_mtu; give it host_mtu=%u",
			tenant_name(port), config_of(port)->name, mtu, most, most);
}

static void gone(void *owner, const char *reason)
{
	struct tp_port *port = owner;

	(void)reason; /* the endpoint has logged it and keeps it for `show` */
	port->mtu = 0;
	port->peer = (struct tp_unix_peer){0};
	port->memory_node = TP_NO_NODE;
	tp_forget_announcement(port);
	tp_forget_learned(port);
}

static const struct tp_vhost_ops port_ops = {
	.connected = come,
	.ring_start = start_ring,
	.rings_retire = retire_rings,
	.ring_stop = stop_ring,
	.mtu_set = set_mtu,
	.announce = tp_announce_guest,
	.disconnected = gone,
};

/* --- Coming and going --- */

static int open_endpoint(struct tp_port *port, bool succeeds, struct tp_error *error)
{
	const struct tp_interface_config *config = config_of(port);
	char name[128];
	struct tp_vhost_settings settings = {
		.name = name,
		.path = config->socket,
		.client = config->client,
		.access = port->config->tenants[config->tenant_index].sockets.access,
		.succeeds = succeeds,
		.queue_pairs = config->queue_pairs,
		.device_features = TP_DEVICE_FEATURES,
		.ops = &port_ops,
		.owner = port,
	};

	snprintf(name, sizeof(name), "%s/%s", tenant_name(port), config->name);
	port->endpoint = tp_vhost_open(port->appliance->loop, &settings, error);
	if (port->endpoint == NULL)
		tp_error_prefix(error, "%s", name);
	return port->endpoint == NULL ? -EINVAL : 0;
}

static int prepare(struct tp_port *port, const struct tp_tenant_place *tenant)
{
	uint32_t pairs = port->context->pair_count;

	port->kick = calloc(pairs, sizeof(port->kick[0]));
	if (port->kick == NULL)
		return -ENOMEM;
	port->context->spread = tenant->spread || tp_spread_shared(port->config);
	for (uint32_t pair = 0; pair < pairs; pair++) {
		port->kick[pair].fd = -1;
		port->context->pair[pair].worker = (uint16_t)tenant->worker;
	}
	return 0;
}

struct tp_port *tp_port_open(struct tp_appliance *appliance, const struct tp_config *config,
	uint32_t index, const struct tp_tenant_place *tenant, bool succeeds, struct tp_error *error)
{
	struct tp_port *port = calloc(1, sizeof(*port));

	if (port == NULL) {
		tp_error_set(error, ENOMEM, "no memory");
		return NULL;
	}
	port->appliance = appliance;
	port->config = config;
	port->index = index;
	port->place = config->interfaces[index].place;
	port->memory_node = TP_NO_NODE;
	port->context = tp_context_at(appliance->store, port->place);
	if (prepare(port, tenant) < 0)
		tp_error_set(error, ENOMEM, "no memory");
	else if (open_endpoint(port, succeeds, error) == 0)
		return port;
	tp_port_close(port);
	return NULL;
}

void tp_port_close(struct tp_port *port)
{
	if (port == NULL)
		return;
	tp_vhost_close(port->endpoint);
	free(port->kick);
	free(port);
}

int tp_ports_open(struct tp_appliance *appliance, struct tp_error *error)
{
	const struct tp_config *config = appliance->config;
	uint32_t count = config->interface_count;

	appliance->ports = calloc(count + 1ul, sizeof(struct tp_port *));
	appliance->at_place = calloc(count + 1ul, sizeof(struct tp_port *));
	if (appliance->ports == NULL || appliance->at_place == NULL)
		return tp_error_set(error, ENOMEM, "no memory");
	appliance->places = count;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t tenant = config->interfaces[i].tenant_index;
		struct tp_port *port = tp_port_open(
			appliance, config, i, &appliance->balance.tenant[tenant], false, error);

		if (port == NULL)
			return -EINVAL;
		appliance->ports[i] = appliance->at_place[port->place] = port;
	}
	return 0;
}

void tp_ports_close(struct tp_appliance *appliance)
{
	for (uint32_t i = appliance->config->interface_count; appliance->ports != NULL && i-- > 0;)
		tp_port_close(appliance->ports[i]);
	free(appliance->ports);
	free(appliance->at_place);
	appliance->ports = appliance->at_place = NULL;
}

/* --- Ports that cannot go on --- */

/* Why a port cannot go on, or NULL. Its memory may have shrunk while its rings were stopping. */
static const char *broken_because(const struct tp_port *port, char *text, size_t size)
{
	const struct tp_guest_memory *memory = tp_vhost_memory(port->endpoint);

	if (memory != NULL && tp_guest_memory_condemned(memory))
		return "guest memory file shrank, or had no room for a page";
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
		struct tp_port *port = appliance->ports[i];
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
