/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_ring_elem.h>

#include "appliance_private.h"
#include "underlay.h"
#include "uplinks.h"
#include "vring/price.h"

#define ECHOES_A_SECOND 200
#define HIGHEST_BID     (16000 * TP_PRICE_ONE) /* what keeps a network alive does not haggle */

/* --- Out --- */

/* Put a frame on the uplink's first queue, as any worker does; its owner sends it. */
static void send_frame(
	struct tp_underlay_port *port, const struct tp_uplink *uplink, struct rte_mbuf *mbuf)
{
	struct tp_uplink_queue *queue = uplink->queue[0];
	struct tp_work_offer offer;

	if (!tp_uplink_carries(uplink) ||
		tp_work_queue_reserve(&queue->work, 1, tp_price_threshold(HIGHEST_BID), &offer) !=
			TP_WORK_ACCEPTED) {
		rte_pktmbuf_free(mbuf);
		port->not_sent++;
		return;
	}
	tp_work_queue_put(&queue->work, &offer, 0, mbuf);
	tp_work_queue_publish(&queue->work, &offer);
}

/* @return room for a frame to be written, or NULL. */
static struct rte_mbuf *new_frame(struct tp_underlay_port *port, const struct tp_uplink *uplink)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(uplink->pool);

	if (mbuf == NULL)
		port->not_sent++;
	return mbuf;
}

static void set_length(struct rte_mbuf *mbuf, uint32_t length)
{
	mbuf->data_len = (uint16_t)length;
	mbuf->pkt_len = length;
}

static void ask(struct tp_underlay_port *port, const struct tp_uplink *uplink,
	const struct tp_underlay_neighbour *neighbour, enum tp_question question)
{
	uint64_t mac = question == TP_QUESTION_ONE ? neighbour->knowledge.mac : 0;
	struct rte_mbuf *mbuf = new_frame(port, uplink);

	if (mbuf == NULL)
		return;
	set_length(mbuf, tp_message_ask(&port->station, &neighbour->address, mac,
				 rte_pktmbuf_mtod(mbuf, uint8_t *)));
	port->questions++;
	send_frame(port, uplink, mbuf);
}

static void answer(struct tp_underlay_port *port, const struct tp_uplink *uplink,
	const struct tp_message *message)
{
	struct rte_mbuf *mbuf = new_frame(port, uplink);

	if (mbuf == NULL)
		return;
	set_length(mbuf,
		tp_message_answer(&port->station, message, rte_pktmbuf_mtod(mbuf, uint8_t *)));
	port->answers++;
	send_frame(port, uplink, mbuf);
}

/* --- What is known --- */

static void show_mac(struct tp_underlay_neighbour *neighbour)
{
	/* relaxed: the MAC is all that workers read of it */
	atomic_store_explicit(
		&neighbour->shared->mac, neighbour->knowledge.mac, memory_order_relaxed);
}

static void pass(struct tp_underlay_port *port, const struct tp_uplink *uplink,
	struct tp_underlay_neighbour *neighbour, uint64_t now_ms)
{
	uint64_t before = neighbour->knowledge.mac;
	enum tp_question question = tp_knowledge_pass(&neighbour->knowledge, now_ms);
	char text[TP_ADDRESS_TEXT];

	if (neighbour->knowledge.mac != before) {
		bool moved = neighbour->knowledge.mac != 0;

		show_mac(neighbour);
		tp_log_limited(&neighbour->news, moved ? TP_LOG_INFO : TP_LOG_WARNING,
			"uplink %s: neighbour %s %s", port->config->name,
			tp_address_format(&neighbour->address, text),
			moved ? "has another MAC now" : "does not answer any more");
	}
	if (question != TP_QUESTION_NONE)
		ask(port, uplink, neighbour, question);
}

static void told(struct tp_underlay_port *port, const struct tp_message *message)
{
	char text[TP_ADDRESS_TEXT];

	if (message->sender.length == 0 || message->mac == 0)
		return;
	for (uint32_t i = 0; i < port->count; i++) {
		struct tp_underlay_neighbour *neighbour = &port->neighbour[i];

		if (!tp_address_equal(&neighbour->address, &message->sender) ||
			!tp_knowledge_told(&neighbour->knowledge, message->mac, tp_loop_now_ms()))
			continue;
		show_mac(neighbour);
		tp_log_limited(&neighbour->news, TP_LOG_INFO, "uplink %s: neighbour %s is found",
			port->config->name, tp_address_format(&neighbour->address, text));
	}
}

/* --- In --- */

static bool echo_is_due(struct tp_underlay_port *port)
{
	uint64_t second = tp_loop_now_ms() / 1000;

	if (second != port->second) {
		port->second = second;
		port->echoes = ECHOES_A_SECOND;
	}
	if (port->echoes == 0)
		return false;
	port->echoes--;
	return true;
}

/* The answer is written over the request; the tag of the network goes before it. */
static void return_echo(
	struct tp_underlay_port *port, const struct tp_uplink *uplink, struct rte_mbuf *mbuf)
{
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);

	set_length(mbuf, tp_message_echo(&port->station, frame, mbuf->data_len));
	mbuf->ol_flags = 0;
	if (port->station.vlan != 0) {
		const uint8_t tag[4] = {
			0x81, 0, (uint8_t)(port->station.vlan >> 8), (uint8_t)port->station.vlan};
		uint8_t *to = (uint8_t *)rte_pktmbuf_prepend(mbuf, sizeof(tag));

		if (to == NULL) {
			rte_pktmbuf_free(mbuf);
			return;
		}
		memmove(to, frame, 12);
		memcpy(to + 12, tag, sizeof(tag));
	}
	port->echoes_answered++;
	send_frame(port, uplink, mbuf);
}

static void warn_of_conflict(struct tp_underlay_port *port, const struct tp_message *message)
{
	uint8_t mac[6];
	char text[TP_ADDRESS_TEXT];

	memcpy(mac, &message->reply_to, sizeof(mac));
	tp_log_limited(&port->conflicts, TP_LOG_WARNING,
		"uplink %s: station %02x:%02x:%02x:%02x:%02x:%02x says that it has our address %s; "
		"give one of them another",
		port->config->name, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
		tp_address_format(&port->station.address, text));
}

static void handle(
	struct tp_underlay_port *port, const struct tp_uplink *uplink, struct rte_mbuf *mbuf)
{
	struct tp_message message = {.kind = TP_MESSAGE_NONE};

	if (mbuf->next == NULL)
		message = tp_message_read(
			&port->station, rte_pktmbuf_mtod(mbuf, uint8_t *), mbuf->data_len);
	switch (message.kind) {
	case TP_MESSAGE_ECHO:
		if (echo_is_due(port)) {
			return_echo(port, uplink, mbuf);
			return;
		}
		port->ignored++;
		break;
	case TP_MESSAGE_ASKS:
		answer(port, uplink, &message);
		told(port, &message);
		break;
	case TP_MESSAGE_TELLS:
		told(port, &message);
		break;
	case TP_MESSAGE_CONFLICT:
		warn_of_conflict(port, &message);
		break;
	case TP_MESSAGE_NONE:
		port->ignored++;
		break;
	}
	rte_pktmbuf_free(mbuf);
}

static void take_from_worker(struct tp_appliance *appliance, struct rte_ring *ring)
{
	struct tp_underlay_frame frame;

	for (unsigned i = 0; i < TP_UNDERLAY_FRAMES; i++) {
		if (rte_ring_sc_dequeue_elem(ring, &frame, sizeof(frame)) != 0)
			return;
		handle(&appliance->underlays->port[frame.uplink],
			appliance->uplinks->uplink[frame.uplink], frame.mbuf);
	}
}

void tp_underlays_look(struct tp_appliance *appliance)
{
	struct tp_underlays *underlays = appliance->underlays;
	uint64_t now_ms = tp_loop_now_ms();

	if (underlays == NULL)
		return;
	for (unsigned w = 0; w < appliance->dataplane->worker_count; w++)
		if (appliance->dataplane->worker[w]->underlay != NULL)
			take_from_worker(appliance, appliance->dataplane->worker[w]->underlay);
	for (uint32_t u = 0; u < underlays->count; u++) {
		struct tp_underlay_port *port = &underlays->port[u];
		const struct tp_uplink *uplink = appliance->uplinks->uplink[u];

		if (!tp_uplink_carries(uplink))
			continue; /* asked again when it is back */
		for (uint32_t i = 0; i < port->count; i++)
			pass(port, uplink, &port->neighbour[i], now_ms);
	}
}

/* --- Making --- */

int tp_underlays_open(struct tp_appliance *appliance, struct tp_error *error)
{
	const struct tp_config *config = appliance->config;
	struct tp_underlays *underlays;

	if (config->uplink_count == 0)
		return 0;
	underlays =
		calloc(1, sizeof(*underlays) + config->uplink_count * sizeof(underlays->port[0]));
	if (underlays == NULL)
		return tp_error_set(error, ENOMEM, "no memory");
	underlays->count = config->uplink_count;
	for (uint32_t u = 0; u < config->uplink_count; u++) {
		struct tp_underlay_port *port = &underlays->port[u];

		port->config = &config->uplinks[u];
		port->station.address = port->config->underlay.address;
		port->station.vlan = port->config->underlay.vlan;
		memcpy(&port->station.mac, appliance->uplinks->port[u].device.mac, 6);
	}
	appliance->underlays = underlays;
	return 0;
}

void tp_underlays_close(struct tp_appliance *appliance)
{
	struct tp_underlays *underlays = appliance->underlays;

	if (underlays == NULL)
		return;
	for (uint32_t u = 0; u < underlays->count; u++) {
		for (uint32_t i = 0; i < underlays->port[u].count; i++)
			rte_free(underlays->port[u].neighbour[i].shared);
		free(underlays->port[u].neighbour);
	}
	free(underlays);
	appliance->underlays = NULL;
}

uint64_t tp_underlay_mac(const struct tp_underlays *underlays, uint32_t uplink)
{
	return underlays->port[uplink].station.mac;
}

static struct tp_underlay_neighbour *add_neighbour(
	struct tp_underlay_port *port, const struct tp_address *address)
{
	struct tp_underlay_neighbour *neighbour;

	if (port->count == port->capacity) {
		uint32_t capacity = port->capacity > 0 ? port->capacity * 2 : 8;

		neighbour = realloc(port->neighbour, capacity * sizeof(*neighbour));
		if (neighbour == NULL)
			return NULL;
		port->neighbour = neighbour;
		port->capacity = capacity;
	}
	neighbour = &port->neighbour[port->count];
	*neighbour = (struct tp_underlay_neighbour){
		.address = *address,
		.shared = rte_zmalloc("neighbour", sizeof(*neighbour->shared), 0),
	};
	if (neighbour->shared == NULL)
		return NULL;
	port->count++;
	return neighbour;
}

const struct tp_neighbour *tp_underlay_next_hop(struct tp_underlays *underlays, uint32_t uplink,
	const struct tp_address *remote, struct tp_error *error)
{
	struct tp_underlay_port *port = &underlays->port[uplink];
	const struct tp_underlay_config *config = &port->config->underlay;
	const struct tp_address *hop =
		tp_address_same_network(remote, &config->address, config->prefix)
			? remote
			: &config->gateway;
	struct tp_underlay_neighbour *neighbour = NULL;

	for (uint32_t i = 0; i < port->count && neighbour == NULL; i++)
		if (tp_address_equal(&port->neighbour[i].address, hop))
			neighbour = &port->neighbour[i];
	if (neighbour == NULL)
		neighbour = add_neighbour(port, hop);
	if (neighbour == NULL) {
		tp_error_set(error, ENOMEM, "neighbours: no memory");
		return NULL;
	}
	neighbour->wanted = underlays->configurations;
	return neighbour->shared;
}

void tp_underlays_begin(struct tp_underlays *underlays)
{
	underlays->configurations++;
}

static void forget_unwanted(struct tp_underlay_port *port, uint32_t wanted)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < port->count; i++) {
		if (port->neighbour[i].wanted == wanted)
			port->neighbour[kept++] = port->neighbour[i];
		else
			rte_free(port->neighbour[i].shared);
	}
	port->count = kept;
}

void tp_underlays_change(struct tp_appliance *appliance)
{
	struct tp_underlays *underlays = appliance->underlays;

	for (uint32_t u = 0; underlays != NULL && u < underlays->count; u++) {
		underlays->port[u].config = &appliance->config->uplinks[u];
		forget_unwanted(&underlays->port[u], underlays->configurations);
	}
}

/* --- Showing --- */

static json_t *show_neighbour(
	const struct tp_underlay_port *port, const struct tp_underlay_neighbour *neighbour)
{
	const struct tp_knowledge *knowledge = &neighbour->knowledge;
	char text[TP_ADDRESS_TEXT], mac_text[TP_CONFIG_MAC_TEXT] = "";
	uint8_t mac[6];

	memcpy(mac, &knowledge->mac, sizeof(mac));
	if (knowledge->mac != 0)
		tp_config_format_mac(mac, mac_text);
	return json_pack("{s:s, s:s, s:s, s:s, s:i}", "uplink", port->config->name, "address",
		tp_address_format(&neighbour->address, text), "state",
		tp_neighbour_state_name(knowledge->state), "mac", mac_text, "questions",
		(int)knowledge->questions);
}

json_t *tp_underlays_show(const struct tp_appliance *appliance)
{
	const struct tp_underlays *underlays = appliance->underlays;
	json_t *list = json_array();

	for (uint32_t u = 0; underlays != NULL && u < underlays->count; u++)
		for (uint32_t i = 0; i < underlays->port[u].count; i++)
			json_array_append_new(list, show_neighbour(&underlays->port[u],
							    &underlays->port[u].neighbour[i]));
	return list;
}
