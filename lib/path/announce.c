/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "announce.h"
#include "flood.h"
#include "hot_ring.h"
#include "uplink_queue.h"

#define RARP_BYTES                                                                                 \
	60 /* of a frame without a tag: the least that Ethernet has, less its check sum */

static_assert(RARP_BYTES + TP_TAG_BYTES <= TP_HEAD_BYTES, "the frame is all head");

void tp_announce_hear(
	struct tp_worker *worker, const struct tp_ring_id *id, struct tp_context *context)
{
	struct tp_announcements *all = &worker->announcements;

	if (TP_LIKELY(atomic_load_explicit(&context->announce, memory_order_relaxed) == 0) ||
		id->pair != 0 || all->count == TP_BELLS)
		return;
	all->list[all->count++] = (struct tp_announcement){
		.id = *id,
		.mac = atomic_exchange_explicit(&context->announce, 0, memory_order_relaxed),
	};
}

/* RFC 903: "my address for this hardware address?", and the hardware address is all that is said.
 * @return the length. */
static uint32_t write_request(uint8_t *frame, uint64_t mac, uint16_t vlan)
{
	/* ethertype; Ethernet, IPv4, 6 and 4 bytes; request reverse */
	static const uint8_t words[] = {0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3};
	uint8_t *at = frame + TP_MACS;

	memset(frame, 0, RARP_BYTES + TP_TAG_BYTES);
	memset(frame, 0xff, RTE_ETHER_ADDR_LEN);
	memcpy(frame + RTE_ETHER_ADDR_LEN, &mac, RTE_ETHER_ADDR_LEN);
	if (vlan != TP_VLAN_NONE)
		at = tp_tag_put(at, RTE_ETHER_TYPE_VLAN, vlan);
	memcpy(at, words, sizeof(words));
	at += sizeof(words);
	memcpy(at, &mac, RTE_ETHER_ADDR_LEN);      /* sender's hardware address, then IPv4's */
	memcpy(at + 10, &mac, RTE_ETHER_ADDR_LEN); /* target's, then IPv4's */
	return RARP_BYTES + (vlan != TP_VLAN_NONE ? TP_TAG_BYTES : 0);
}

static void count(struct tp_burst *burst, uint32_t length)
{
	tp_flood_count(burst, TP_COUNTER_ANNOUNCEMENTS, 1);
	tp_flood_count(burst, TP_COUNTER_TX_FRAMES, 1);
	tp_flood_count(burst, TP_COUNTER_TX_BYTES, length);
}

/* It goes to all, in pieces, between which the pinned rings are served. */
static void flood(struct tp_worker *worker)
{
	bool done = tp_flood_first(worker, &worker->announcements, 0);

	while (!done) {
		tp_worker_serve_pinned(worker);
		tp_flood_take_up(worker);
		done = tp_flood_next(worker);
	}
}

/* One frame, as if the guest had sent it; but it lies in no ring. */
static void send_one(
	struct tp_worker *worker, const struct tp_poll *poll, uint64_t mac, uint16_t vlan)
{
	struct tp_burst *burst = &worker->burst;
	struct tp_view *view = &burst->views.view[0];
	uint8_t frame[RARP_BYTES + TP_TAG_BYTES];
	uint32_t length = write_request(frame, mac, vlan);

	tp_burst_begin(worker, poll);
	burst->count = 1;
	burst->affordable = 0; /* burst->sizes are those of another burst */
	burst->views.pieces_used = 0;
	*view = (struct tp_view){.data = frame, .length = length, .first_length = length};
	count(burst, length);
	tp_classify(burst);
	tp_lookup(worker);
	if (TP_LIKELY(view->drop == TP_DROP_NONE))
		flood(worker);
	else
		tp_flood_end(burst, view->drop);
}

/* @return the trunk's next VLAN after one, TP_VLAN_NONE: there is none. */
static uint16_t next_vlan(const struct tp_vlan_set *trunk, uint16_t vlan)
{
	while (++vlan <= TP_VLAN_LAST)
		if (tp_vlan_set_has(trunk, vlan))
			return vlan;
	return TP_VLAN_NONE;
}

/* The next frame of an announcement. @return false if it was the last, or the guest is gone. */
static bool go_on(struct tp_worker *worker, struct tp_announcement *announcement)
{
	const struct tp_vlan_set *trunk;
	struct tp_poll poll;
	const struct tp_ring_pair *ring = tp_hot_find(worker, &announcement->id, &poll);
	uint16_t tenant;

	if (ring == NULL || !tp_vring_running(&ring->tx) ||
		announcement->id.generation != tp_hot_generation(ring))
		return false;
	tenant = worker->snapshot->interfaces[poll.interface].tenant;
	trunk = worker->snapshot->tenants[tenant].network.rule.trunk;
	if (trunk == NULL) {
		send_one(worker, &poll, announcement->mac, TP_VLAN_NONE);
		return false;
	}
	announcement->vlan = next_vlan(trunk, announcement->vlan);
	if (announcement->vlan == TP_VLAN_NONE)
		return false;
	send_one(worker, &poll, announcement->mac, announcement->vlan);
	return true;
}

unsigned tp_announce(struct tp_worker *worker)
{
	struct tp_announcements *all = &worker->announcements;
	unsigned frames = 0;

	while (all->count > 0 && frames < TP_BURST &&
		(frames == 0 || !tp_flood_spent(&worker->flooding))) {
		struct tp_announcement *last = &all->list[all->count - 1];

		/* The last one first: it leaves its place to nobody. */
		if (!go_on(worker, last))
			all->count--;
		frames++;
	}
	return frames;
}
