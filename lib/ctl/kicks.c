/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <rte_ring_elem.h>

#include "appliance_private.h"
#include "base/log.h"

/*
 * Which guests' kicks are heard: the doorbells of source rings (state/doorbell.h), armed by control
 * so that workers need no system call.
 */

static struct tp_ring_id id_of(const struct tp_port *port, uint32_t pair, enum tp_bell bell)
{
	return (struct tp_ring_id){
		.interface = port->place,
		.pair = (uint8_t)pair,
		.generation = port->context->pair[pair].generation,
		.bell = (uint8_t)bell,
	};
}

/* Rings that are always polled need no doorbell. */
static bool needs_bell(const struct tp_port *port)
{
	const struct tp_config *config = port->config;
	uint32_t class = config->interfaces[port->index].class_index;

	return config->hot_cache && !config->classes[class].pinned;
}

/* Without a doorbell the ring is still served: its worker looks at it once in a while. */
static void give_up(struct tp_port *port, uint32_t pair, int reason)
{
	tp_log_limited(&port->warnings, TP_LOG_WARNING,
		"%s: kicks of queue pair %" PRIu32
		" cannot be heard, its ring is looked at every millisecond: %s",
		port->config->interfaces[port->index].name, pair, strerror(-reason));
	atomic_store_explicit(&port->context->pair[pair].silent, true, memory_order_relaxed);
}

static void arm(struct tp_port *port, uint32_t pair)
{
	struct tp_dataplane *dataplane = port->appliance->dataplane;
	struct tp_ring_pair *ring = &port->context->pair[pair];
	struct tp_port_kick *kick = &port->kick[pair];
	const struct tp_ring_id id = id_of(port, pair, TP_BELL_KICK);
	int result;

	kick->worker = ring->worker;
	result = tp_doorbell_arm(
		&dataplane->worker[kick->worker]->doorbell, &kick->request, kick->fd, &id);
	if (result == -EAGAIN) {
		kick->arm_again = port->appliance->kick_again = true;
		return;
	}
	kick->arm_again = false;
	if (result < 0)
		give_up(port, pair, result);
	else
		/* release: partner is the acquire load of a worker about to let it go cold */
		atomic_store_explicit(
			&ring->armed, (uint16_t)(ring->armed + 1), memory_order_release);
	/* release: partner is the acquire load of a worker that would ask again */
	atomic_store_explicit(&ring->arming, false, memory_order_release);
}

void tp_kick_attend(struct tp_port *port, uint32_t pair)
{
	const struct tp_ring_id id = id_of(port, pair, TP_BELL_ATTEND);

	port->kick[pair].attend_again = tp_dataplane_attend(port->appliance->dataplane, &id) < 0;
	port->appliance->kick_again |= port->kick[pair].attend_again;
}

void tp_kick_prepare(struct tp_port *port, uint32_t pair)
{
	struct tp_ring_pair *ring = &port->context->pair[pair];

	ring->generation++;
	ring->unkicked = 0;
	ring->queued = ring->listed = ring->blocked = ring->queues = false;
	ring->seen_at = 0;
	ring->deficit = 0;
	ring->rang = ring->armed;
	atomic_store_explicit(&ring->residence, TP_RESIDENCE_COLD, memory_order_relaxed);
	atomic_store_explicit(&ring->arming, true, memory_order_relaxed);
	atomic_store_explicit(&ring->silent, false, memory_order_relaxed);
}

void tp_kick_start(struct tp_port *port, uint32_t pair, int kick_fd)
{
	struct tp_ring_pair *ring = &port->context->pair[pair];

	port->kick[pair].fd = kick_fd;
	if (kick_fd < 0)
		atomic_store_explicit(&ring->silent, true, memory_order_relaxed);
	if (kick_fd >= 0 && needs_bell(port))
		arm(port, pair);
	else
		atomic_store_explicit(&ring->arming, false, memory_order_relaxed);
	tp_kick_attend(port, pair);
}

void tp_kick_unhear(struct tp_port *port, uint32_t pair)
{
	struct tp_ring_pair *ring = &port->context->pair[pair];
	struct tp_dataplane *dataplane = port->appliance->dataplane;

	if (tp_ring_armed(ring))
		tp_doorbell_disarm(&dataplane->worker[port->kick[pair].worker]->doorbell,
			&port->kick[pair].request);
	ring->rang = ring->armed;
}

void tp_kick_stop(struct tp_port *port, uint32_t pair)
{
	struct tp_ring_pair *ring = &port->context->pair[pair];

	tp_kick_unhear(port, pair);
	port->kick[pair].fd = -1;
	port->kick[pair].attend_again = port->kick[pair].arm_again = false;
	atomic_store_explicit(&ring->residence, TP_RESIDENCE_COLD, memory_order_relaxed);
}

static void arm_wanted(struct tp_appliance *appliance, const struct tp_ring_id *id)
{
	struct tp_port *port = tp_port_at(appliance, id->interface);

	/* It may have stopped since, or be another one's place. */
	if (port == NULL || id->pair >= port->context->pair_count)
		return;
	if (port->kick[id->pair].fd >= 0 &&
		port->context->pair[id->pair].generation == id->generation)
		arm(port, id->pair);
}

/* What the doorbells had no room for. */
static void try_again(struct tp_appliance *appliance)
{
	appliance->kick_again = false;
	for (uint32_t i = 0; i < appliance->config->interface_count; i++) {
		struct tp_port *port = appliance->ports[i];

		for (uint32_t pair = 0; pair < port->context->pair_count; pair++) {
			if (port->kick[pair].arm_again)
				arm(port, pair);
			if (port->kick[pair].attend_again)
				tp_kick_attend(port, pair);
		}
	}
}

void tp_kicks_arm(struct tp_appliance *appliance)
{
	const struct tp_dataplane *dataplane = appliance->dataplane;

	for (unsigned w = 0; w < dataplane->worker_count; w++) {
		struct tp_ring_id id;

		while (rte_ring_sc_dequeue_elem(dataplane->worker[w]->arms, &id, sizeof(id)) == 0)
			arm_wanted(appliance, &id);
	}
	if (appliance->kick_again)
		try_again(appliance);
}
