/* SPDX-License-Identifier: BSD-3-Clause */
/* Rings that run, and what a guest writes into them. */
#include <string.h>
#include <unistd.h>

#include "frontend/channel.h"
#include "hostile.h"

static struct tp_frontend_ring *transmit(const struct hostile *hostile)
{
	return &hostile->bad->ring[tp_transmit_ring(0)];
}

/* A descriptor of the transmit ring, other than what is wrong with it. */
static void describe(const struct hostile *hostile, unsigned i, uint64_t address, uint32_t length,
	uint16_t flags, uint16_t next)
{
	transmit(hostile)->vring.desc[i] =
		(struct vring_desc){.addr = address, .len = length, .flags = flags, .next = next};
}

/* Show an index, whatever was posted, and kick. */
static void show_index(struct tp_frontend_ring *ring, uint16_t index)
{
	__atomic_store_n(&ring->vring.avail->idx, index, __ATOMIC_RELEASE);
	if (write(ring->kick_fd, &(uint64_t){1}, 8) != 8)
		hostile_fail("no kick");
}

static void available_index_jumps(struct hostile *hostile)
{
	static const uint16_t jumps[] = {257, 0x8000, 0xffff};

	for (size_t i = 0; i < COUNT(jumps); i++) {
		hostile_come(hostile, NULL);
		show_index(transmit(hostile), jumps[i]);
		hostile_expect_thrown_out(hostile);
	}
	hostile_come(hostile, NULL);
	hostile_peer(hostile, NULL);
	for (unsigned i = 0; i < 20; i++)
		hostile_talk(hostile->bad, PEER_MAC, BAD_MAC, i);
	hostile_judge_served(hostile);
	show_index(transmit(hostile), (uint16_t)(transmit(hostile)->available - 7));
	hostile_expect_thrown_out(hostile);
	/* The receive ring's is looked at when a frame comes. */
	hostile_come(hostile, NULL);
	show_index(&hostile->bad->ring[0], 1000);
	hostile_talk(hostile->peer, BAD_MAC, PEER_MAC, 1);
	hostile_expect_thrown_out(hostile);
}

static void available_entry_beyond_size(struct hostile *hostile)
{
	static const uint16_t heads[] = {0xffff, 0x8000, 256};

	for (size_t i = 0; i < COUNT(heads); i++) {
		hostile_come(hostile, NULL);
		tp_frontend_post(transmit(hostile), heads[i]);
		tp_frontend_publish(hostile->bad, transmit(hostile));
		hostile_expect_thrown_out(hostile);
		hostile_come(hostile, NULL);
		for (unsigned n = 0; n < 256; n++)
			hostile->bad->ring[0].vring.avail->ring[n] = heads[i];
		hostile_talk(hostile_peer(hostile, NULL), BAD_MAC, PEER_MAC, 1);
		hostile_expect_thrown_out(hostile);
	}
}

static void next_beyond_size(struct hostile *hostile)
{
	uint64_t buffer;

	hostile_come(hostile, NULL);
	buffer = hostile_buffer(hostile->bad, 1, 0);
	for (unsigned i = 0; i < 100; i++) {
		describe(hostile, 0, buffer, 64, VRING_DESC_F_NEXT, i % 2 ? 256 : 0xffff);
		hostile_post(hostile, 0);
	}
}

static void chain_loops(struct hostile *hostile)
{
	uint64_t buffer;

	hostile_come(hostile, NULL);
	buffer = hostile_buffer(hostile->bad, 1, 0);
	for (unsigned i = 0; i < 50; i++) {
		describe(hostile, 0, buffer, 64, VRING_DESC_F_NEXT, 0);
		hostile_post(hostile, 0);
		for (unsigned n = 0; n < 256; n++)
			describe(hostile, n, buffer, 1 + i, VRING_DESC_F_NEXT,
				(uint16_t)((n + 1) % 256));
		hostile_post(hostile, (uint16_t)i);
	}
}

/* A receive buffer's chain, a byte at a time: it never holds a frame of more bytes than the ring
 * has descriptors. */
static void receive_chain_loops(struct hostile *hostile)
{
	struct vring *vring;
	uint8_t frame[1000];

	chain_loops(hostile);
	hostile_come(hostile, NULL);
	vring = &hostile->bad->ring[0].vring;
	for (unsigned n = 0; n < 256; n++) {
		vring->desc[n].flags |= VRING_DESC_F_NEXT;
		vring->desc[n].len = 1;
		vring->desc[n].next = (uint16_t)n;
	}
	hostile_frame(frame, sizeof(frame), BAD_MAC, PEER_MAC, 1);
	hostile_send(hostile_peer(hostile, NULL), frame, sizeof(frame));
	hostile_expect_thrown_out(hostile);
}

static const struct tp_frontend_settings with_indirect = {
	.features = 1ull << VIRTIO_RING_F_INDIRECT_DESC};

/* A table of two in the buffer of slot 1. */
static struct vring_desc *indirect_table(const struct hostile *hostile, uint64_t *address)
{
	*address = hostile_buffer(hostile->bad, 1, 1) + TP_FRONTEND_HEADER_BYTES;
	return (struct vring_desc *)(void *)tp_frontend_frame(hostile->bad, transmit(hostile), 1);
}

static void indirect_inside_indirect(struct hostile *hostile)
{
	struct vring_desc *table;
	uint64_t address, buffer;

	hostile_come(hostile, &with_indirect);
	table = indirect_table(hostile, &address);
	buffer = hostile_buffer(hostile->bad, 1, 0);
	for (unsigned i = 0; i < 50; i++) {
		table[0] = (struct vring_desc){address, 32, VRING_DESC_F_INDIRECT, 0};
		table[1] = (struct vring_desc){buffer, 64, 0, 0};
		describe(hostile, 0, address, 32, VRING_DESC_F_INDIRECT, 0);
		hostile_post(hostile, 0);
		table[0] = (struct vring_desc){buffer, 64, VRING_DESC_F_NEXT, 1};
		describe(hostile, 0, address, 32, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 1);
		describe(hostile, 1, buffer, 64, 0, 0);
		hostile_post(hostile, 0);
		table[1] = (struct vring_desc){buffer, 64, VRING_DESC_F_NEXT, 0};
		describe(hostile, 0, address, 32, VRING_DESC_F_INDIRECT, 0);
		hostile_post(hostile, 0);
	}
}

static void indirect_length_wrong(struct hostile *hostile)
{
	static const uint32_t lengths[] = {0, 1, 15, 17, 16 * 257, 16 * 65536, UINT32_MAX & ~15u};
	uint64_t address;

	hostile_come(hostile, &with_indirect);
	memset(indirect_table(hostile, &address), 0, 64);
	for (unsigned i = 0; i < 10 * COUNT(lengths); i++) {
		describe(
			hostile, 0, address, lengths[i % COUNT(lengths)], VRING_DESC_F_INDIRECT, 0);
		hostile_post(hostile, 0);
	}
}

static void post_lengths(struct hostile *hostile, const uint64_t (*wrong)[2], size_t count)
{
	for (unsigned i = 0; i < 20 * count; i++) {
		describe(hostile, 0, wrong[i % count][0], (uint32_t)wrong[i % count][1], 0, 0);
		hostile_post(hostile, 0);
	}
}

static void descriptor_of_0_and_4_gib(struct hostile *hostile)
{
	hostile_come(hostile, NULL);
	{
		uint64_t buffer = hostile_buffer(hostile->bad, 1, 0);
		const uint64_t wrong[][2] = {{buffer, 0}, {buffer, UINT32_MAX}, {0, 0},
			{buffer, 0x80000000}, {buffer, 65536 + 12}};

		post_lengths(hostile, wrong, COUNT(wrong));
	}
	/* A receive buffer of 4 GiB that begins inside is not wholly inside. */
	hostile_come(hostile, NULL);
	for (unsigned n = 0; n < 256; n++)
		hostile->bad->ring[0].vring.desc[n].len = UINT32_MAX;
	hostile_talk(hostile_peer(hostile, NULL), BAD_MAC, PEER_MAC, 1);
	hostile_expect_thrown_out(hostile);
}

static void address_wraps_or_crosses_regions(struct hostile *hostile)
{
	static const struct tp_frontend_settings two = {.two_regions = true};
	struct tp_frontend *bad = hostile_come(hostile, &two);
	const struct vhost_user_region *region = bad->region;
	const uint64_t wrong[][2] = {{0, 100}, {UINT64_MAX - 20, 100}, {UINT64_MAX, 1},
		{region[0].guest_address + region[0].size - 50, 100},
		{region[1].guest_address - 50, 100},
		{region[1].guest_address + region[1].size - 50, 100},
		{region[0].guest_address, (uint32_t)region[0].size + 1},
		{(uintptr_t)bad->memory, 100}};

	post_lengths(hostile, wrong, COUNT(wrong));
}

static void direction_wrong(struct hostile *hostile)
{
	hostile_come(hostile, NULL);
	for (unsigned i = 0; i < 50; i++) {
		uint64_t buffer = hostile_buffer(hostile->bad, 1, i);

		describe(hostile, 0, buffer, 100, VRING_DESC_F_WRITE, 0);
		hostile_post(hostile, 0);
		describe(hostile, 0, buffer, 100, VRING_DESC_F_NEXT, 1);
		describe(hostile, 1, buffer, 100, VRING_DESC_F_WRITE, 0);
		hostile_post(hostile, 0);
	}
	hostile_come(hostile, NULL);
	for (unsigned n = 0; n < 256; n++)
		hostile->bad->ring[0].vring.desc[n].flags = 0;
	hostile_talk(hostile_peer(hostile, NULL), BAD_MAC, PEER_MAC, 1);
	hostile_expect_thrown_out(hostile);
}

static void chain_shorter_than_header(struct hostile *hostile)
{
	hostile_come(hostile, NULL);
	for (unsigned i = 0; i < 60; i++) {
		uint64_t buffer = hostile_buffer(hostile->bad, 1, 0);

		describe(hostile, 0, buffer, 1 + i % 5, VRING_DESC_F_NEXT, 1);
		describe(hostile, 1, buffer, 1 + i % 6, 0, 0);
		hostile_post(hostile, 0);
	}
	hostile_come(hostile, NULL);
	for (unsigned n = 0; n < 256; n++)
		hostile->bad->ring[0].vring.desc[n].len = 11;
	hostile_talk(hostile_peer(hostile, NULL), BAD_MAC, PEER_MAC, 1);
	hostile_expect_thrown_out(hostile);
}

/* Legal since virtio 1.0, and rare: 4 + 4 + 4 bytes of header, then the frame byte by byte. */
static void header_in_three_descriptors(struct hostile *hostile)
{
	uint8_t frame[60];

	hostile_come(hostile, NULL);
	hostile_drain(hostile_peer(hostile, NULL));
	for (unsigned seed = 0; seed < 20; seed++) {
		uint64_t buffer = hostile_buffer(hostile->bad, 1, 0);
		unsigned pieces = 3 + sizeof(frame);

		hostile_frame(frame, sizeof(frame), PEER_MAC, BAD_MAC, seed);
		memcpy(tp_frontend_frame(hostile->bad, transmit(hostile), 0), frame, sizeof(frame));
		for (unsigned i = 0; i < pieces; i++)
			describe(hostile, i, buffer + (i < 3 ? 4 * i : 9 + i), i < 3 ? 4 : 1,
				i + 1 < pieces ? VRING_DESC_F_NEXT : 0, (uint16_t)(i + 1));
		hostile_post(hostile, 0);
		if (!hostile_hear(hostile->peer, frame, sizeof(frame)))
			hostile_wrong(hostile, "a frame in %u descriptors does not arrive", pieces);
	}
}

/* Out of the order given, although it was promised. */
static void order_promised_and_broken(struct hostile *hostile)
{
	static const struct tp_frontend_settings settings = {.features = 1ull << VIRTIO_F_IN_ORDER};

	if (hostile->serve)
		hostile_come(hostile, NULL);
	else
		hostile_come(hostile, &settings);
	hostile_peer(hostile, NULL);
	for (unsigned i = 0; i < 500; i++) {
		unsigned slot = i * 7 % 128;
		uint8_t *frame = tp_frontend_frame(hostile->bad, transmit(hostile), slot);

		hostile_frame(frame, FRAME_BYTES, PEER_MAC, BAD_MAC, i);
		describe(hostile, slot, hostile_buffer(hostile->bad, 1, slot),
			FRAME_BYTES + TP_FRONTEND_HEADER_BYTES, 0, 0);
		hostile_post(hostile, (uint16_t)slot);
		/* The same again, though it is not to be used twice at a time. */
		tp_frontend_post(transmit(hostile), (uint16_t)slot);
		hostile_post(hostile, (uint16_t)slot);
		hostile_drain(hostile->peer);
	}
}

static void events_never_reached_and_kicks(struct hostile *hostile)
{
	static const struct tp_frontend_settings settings = {
		.features = 1ull << VIRTIO_RING_F_EVENT_IDX};
	struct tp_frontend *bad = hostile_come(hostile, &settings);

	hostile_peer(hostile, NULL);
	for (unsigned i = 0; i < 300; i++) {
		for (unsigned ring = 0; ring < 2; ring++) {
			struct vring *vring = &bad->ring[ring].vring;

			vring->avail->ring[vring->num] = (uint16_t)(0x8000 + i);
		}
		for (unsigned kick = 0; kick < 100; kick++)
			if (write(bad->ring[1].kick_fd, &(uint64_t){1}, 8) != 8)
				break;
		hostile_talk(bad, PEER_MAC, BAD_MAC, i);
		hostile_talk(hostile->peer, BAD_MAC, PEER_MAC, i);
		hostile_drain(hostile->peer);
		hostile_drain(bad);
		usleep(1000);
	}
	hostile_judge_served(hostile);
}

/* For two seconds; minutes with --times 100. */
static void takes_no_frames(struct hostile *hostile)
{
	uint64_t end = tp_now_ns() + 2000000000ull * hostile->times;

	hostile_come(hostile, NULL);
	hostile_peer(hostile, NULL);
	for (uint32_t i = 0; tp_now_ns() < end; i++) {
		hostile_talk(hostile->peer, BAD_MAC, PEER_MAC, i);
		usleep(500);
	}
	hostile_judge_served(hostile);
}

static const char packed[] = "packed rings are not offered";

static const struct hostile_case cases[] = {
	{33, "available_index_jumps", available_index_jumps,
		.ends = "available index moved by more than the ring's size"},
	{34, "available_entry_beyond_size", available_entry_beyond_size,
		.ends = "beyond the ring's size"},
	{35, "next_beyond_size", next_beyond_size, .drop = "bad_chain"},
	{36, "chain_loops", receive_chain_loops, .ends = "chain loops", .drop = "bad_chain"},
	{37, "indirect_inside_indirect", indirect_inside_indirect, .drop = "bad_descriptor"},
	{38, "indirect_length_wrong", indirect_length_wrong, .drop = "bad_descriptor"},
	{39, "descriptor_of_0_and_4_gib", descriptor_of_0_and_4_gib,
		.ends = "not wholly inside one region", .drop = "bad_descriptor"},
	{40, "address_wraps_or_crosses_regions", address_wraps_or_crosses_regions,
		.drop = "bad_address"},
	{41, "direction_wrong", direction_wrong, .ends = "is read-only", .drop = "bad_descriptor"},
	{42, "chain_shorter_than_header", chain_shorter_than_header, .ends = "too short",
		.drop = "bad_descriptor"},
	{43, "header_in_three_descriptors", header_in_three_descriptors},
	{44, "rewritten_while_it_is_read", hostile_rewrites, .ends = "receive", .either = true},
	{49, "packed_wrap_counter_flipped", NULL, .skipped = packed},
	{50, "order_promised_and_broken", order_promised_and_broken},
	{51, "events_never_reached_and_kicks", events_never_reached_and_kicks},
	{52, "takes_no_frames", takes_no_frames, .drop = "peer.destination_deaf"},
	{53, "control_queue_wrong", NULL, .skipped = "there is no control queue"},
};

const struct hostile_group hostile_ring = {"ring", cases, COUNT(cases)};
