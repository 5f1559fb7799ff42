/* SPDX-License-Identifier: BSD-3-Clause */
#include <unistd.h>

#include "vhost_owner.h"
#include "vring/split_destination.h"
#include "vring/split_source.h"

#define FRAME 60 /* bytes of the frame that receive rings get */

static struct tp_views views;
static struct tp_places places;

/* --- what the protocol tells ----------------------------------------------------------------- */

static void connected(void *object, const struct tp_unix_peer *peer)
{
	struct vhost_owner *owner = object;

	EXPECT(peer->pid > 0);
	EXPECT(owner->connected++ == owner->disconnected);
	if (owner->refuse_presence)
		tp_vhost_condemn(owner->endpoint, "not wanted");
}

static bool is_eventfd(int fd)
{
	static const char name[] = "anon_inode:[eventfd]";
	char path[32], target[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, target, sizeof(target) - 1) > 0 && strcmp(target, name) == 0;
}

static int ring_start(void *object, unsigned ring_number, const struct tp_vhost_ring *ring,
	const struct tp_guest_memory *memory, uint64_t features, struct tp_error *error)
{
	struct vhost_owner *owner = object;
	struct tp_vring_setup setup = {
		.size = ring->size,
		.desc_address = ring->desc_address,
		.avail_address = ring->avail_address,
		.used_address = ring->used_address,
		.features = features,
		.call_fd = ring->call_fd,
	};
	int result;

	EXPECT(ring_number < TP_VHOST_RINGS_MAX && !owner->runs[ring_number]);
	EXPECT(ring->size >= 2 && ring->size <= 32768 && (ring->size & (ring->size - 1)) == 0);
	EXPECT(tp_guest_translate_user(memory, ring->desc_address, 16ull * ring->size) != NULL);
	EXPECT(tp_guest_translate_user(memory, ring->avail_address, 6 + 2ull * ring->size) != NULL);
	EXPECT(tp_guest_translate_user(memory, ring->used_address, 6 + 8ull * ring->size) != NULL);
	EXPECT(features & TP_FEATURE(VIRTIO_F_VERSION_1));
	EXPECT(ring->kick_fd < 0 || ring_number % 2 == 1);
	EXPECT(ring->kick_fd < 0 || is_eventfd(ring->kick_fd));
	EXPECT(ring->call_fd < 0 || is_eventfd(ring->call_fd));
	result = tp_vring_start(&owner->rings[ring_number], &setup, memory, error);
	EXPECT(result == 0 || error->text[0] != '\0');
	owner->runs[ring_number] = result == 0;
	owner->memory[ring_number] = memory;
	owner->started += result == 0;
	return result;
}

static void rings_retire(void *object, uint32_t rings)
{
	struct vhost_owner *owner = object;

	EXPECT(owner->retired == 0);
	for (unsigned i = 0; i < TP_VHOST_RINGS_MAX; i++)
		EXPECT(!(rings >> i & 1) || owner->runs[i]);
	owner->retired = rings;
}

static uint16_t ring_stop(void *object, unsigned ring_number)
{
	struct vhost_owner *owner = object;

	EXPECT(owner->runs[ring_number]);
	EXPECT(owner->retired >> ring_number & 1 || owner->retired == 0);
	owner->runs[ring_number] = false;
	owner->retired &= ~(UINT32_C(1) << ring_number);
	tp_vring_retire(&owner->rings[ring_number]);
	return tp_vring_stop(&owner->rings[ring_number]); /* writes: it must still be mapped */
}

static void mtu_set(void *object, uint16_t mtu)
{
	struct vhost_owner *owner = object;

	EXPECT(mtu >= 68);
	if (owner->refuse_mtu)
		tp_vhost_condemn(owner->endpoint, "no such MTU here");
}

static void announce(void *object, const uint8_t mac[6])
{
	struct vhost_owner *owner = object;

	EXPECT(owner->connected == owner->disconnected + 1 && mac != NULL);
}

static void disconnected(void *object, const char *reason)
{
	struct vhost_owner *owner = object;

	EXPECT(++owner->disconnected == owner->connected);
	EXPECT(reason[0] != '\0' && owner->retired == 0);
	for (unsigned i = 0; i < TP_VHOST_RINGS_MAX; i++)
		EXPECT(!owner->runs[i]);
}

const struct tp_vhost_ops vhost_owner_ops = {
	.connected = connected,
	.ring_start = ring_start,
	.rings_retire = rings_retire,
	.ring_stop = ring_stop,
	.mtu_set = mtu_set,
	.announce = announce,
	.disconnected = disconnected,
};

/* --- frames ---------------------------------------------------------------------------------- */

static void serve_source(struct tp_vring *ring)
{
	uint16_t before = ring->next_avail;
	unsigned count = tp_split_peek(ring, &views, TP_BURST);
	uint8_t sum = 0;

	EXPECT(count <= TP_BURST && count <= ring->size);
	for (unsigned i = 0; i < count; i++)
		if (views.view[i].drop == TP_DROP_NONE && views.view[i].length > 0)
			sum ^= __atomic_load_n(views.view[i].data, __ATOMIC_RELAXED);
	(void)sum;
	if (count > 0)
		tp_split_complete(ring, views.view, count);
	tp_split_call_wanted(ring, before, ring->next_avail);
}

static void serve_destination(struct tp_vring *ring)
{
	uint16_t before = ring->next_avail;
	struct tp_place *place = &places.place[0];
	struct tp_claim claim;

	places.pieces_used = 0;
	if (tp_claim_begin(ring, &claim, tp_price_threshold(1600), 0, true) !=
			TP_RESERVE_ACCEPTED ||
		tp_split_reserve(ring, &claim, FRAME, &places, place) != TP_RESERVE_ACCEPTED)
		return;
	EXPECT(tp_claim_commit(ring, &claim));
	if (place->pieces == 0)
		memset(place->data, 0, TP_NET_HEADER + FRAME);
	tp_split_put(ring, (uint16_t)claim.first, &places, place, FRAME);
	tp_split_publish(ring, claim.first, claim.buffers);
	EXPECT(ring->next_avail == (uint16_t)(before + claim.buffers));
	tp_split_call_wanted(ring, before, ring->next_avail);
}

static void judge(struct vhost_owner *owner, unsigned ring_number)
{
	if (tp_guest_memory_condemned(owner->memory[ring_number]))
		tp_vhost_condemn(owner->endpoint, "memory file shrank");
	else if (tp_vring_fault(&owner->rings[ring_number]) != TP_VRING_SOUND)
		tp_vhost_condemn(owner->endpoint,
			tp_vring_fault_text(tp_vring_fault(&owner->rings[ring_number])));
}

void vhost_owner_poll(struct vhost_owner *owner)
{
	for (unsigned i = 0; i < TP_VHOST_RINGS_MAX; i++) {
		if (!owner->runs[i])
			continue;
		if (i % 2 == 1)
			serve_source(&owner->rings[i]);
		else
			serve_destination(&owner->rings[i]);
		judge(owner, i);
	}
}
