/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames: well-described ones, with contents and at rates that nobody should send. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/channel.h"
#include "hostile.h"

/* A header that was sent must not be what the other guest gets, as nothing of it was agreed on. */
static void send_with_header(struct hostile *hostile, const struct virtio_net_hdr_v1 *header)
{
	struct virtio_net_hdr_v1 heard;
	uint8_t frame[FRAME_BYTES], got[FRAME_BYTES];

	hostile_drain(hostile->peer);
	hostile_frame(frame, sizeof(frame), PEER_MAC, BAD_MAC, 1);
	if (tp_frontend_send(hostile->bad, 0, header, frame, sizeof(frame), NULL) < 0)
		hostile_fail("a frame cannot be sent");
	if (tp_frontend_receive(hostile->peer, 0, &heard, got, sizeof(got), 500, NULL) < 0)
		return; /* dropped: its name is the switch's to tell */
	if (heard.flags != 0 || heard.gso_type != 0 || heard.hdr_len != 0 || heard.gso_size != 0 ||
		heard.csum_start != 0 || heard.csum_offset != 0)
		hostile_wrong(hostile, "the receiver sees flags 0x%x, gso_type 0x%x", heard.flags,
			heard.gso_type);
}

static void send_headers(
	struct hostile *hostile, const struct virtio_net_hdr_v1 *headers, size_t count)
{
	hostile_come(hostile, NULL);
	hostile_peer(hostile, NULL);
	for (size_t i = 0; i < 5 * count; i++)
		send_with_header(hostile, &headers[i % count]);
	hostile_judge_served(hostile);
}

static void checksum_beyond_frame(struct hostile *hostile)
{
	static const struct virtio_net_hdr_v1 headers[] = {
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 65535, .csum_offset = 65535},
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 99, .csum_offset = 2},
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 0, .csum_offset = 0},
		{.flags = 0xff, .csum_start = 14, .csum_offset = 65530},
	};

	send_headers(hostile, headers, COUNT(headers));
}

static void segmentation_impossible(struct hostile *hostile)
{
	static const struct virtio_net_hdr_v1 headers[] = {
		{.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 0},
		{.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 1, .hdr_len = 65535},
		{.gso_type = 0xff, .gso_size = 65535, .hdr_len = 54},
		{.gso_type = VIRTIO_NET_HDR_GSO_UDP, .gso_size = 8, .hdr_len = 0},
		{.gso_type = VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN,
			.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			.gso_size = 1},
		{.num_buffers = 65535},
	};

	send_headers(hostile, headers, COUNT(headers));
}

static void frame_of_64_kib_without_mergeable(struct hostile *hostile)
{
	static const struct tp_frontend_settings large = {.buffer_size = 65536, .ring_size = 64};
	static uint8_t frame[65535];

	hostile_peer(hostile, NULL);
	hostile_come(hostile, &large);
	for (unsigned i = 0; i < 100; i++) {
		hostile_frame(frame, sizeof(frame), PEER_MAC, BAD_MAC, i);
		hostile_send(hostile->bad, frame, sizeof(frame) - i % 3);
	}
	hostile_judge_served(hostile);
}

static void runt(struct hostile *hostile)
{
	uint8_t frame[FRAME_BYTES];

	hostile_come(hostile, NULL);
	for (size_t i = 0; i < 130; i++) {
		hostile_frame(frame, sizeof(frame), PEER_MAC, BAD_MAC, (uint32_t)i);
		hostile_send(hostile->bad, frame, 1 + i % 13);
	}
	hostile_judge_served(hostile);
}

/* What follows the MACs, each cut off at every byte. */
static void headers_strange(struct hostile *hostile)
{
	static const uint8_t tags[] = {0x88, 0xa8, 0x0f, 0xff, 0x81, 0, 0, 1, 0x81, 0, 0xff, 0xff,
		0x88, 0xa8, 0, 0, 0x81, 0, 0, 2, 0x81, 0, 0, 3, 0x81, 0, 0, 4, 0x81, 0, 0, 5, 0x81,
		0, 0, 6, 0x81, 0};
	/* IPv6, hop-by-hop options that go beyond the packet, then ICMPv6. */
	static const uint8_t options[] = {0x86, 0xdd, 0x60, 0, 0, 0, 0, 8, 0, 1, 0xfe, 0x80, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		1, 58, 0xff, 5, 0xff, 0xff, 0xff, 1, 4};
	/* A neighbour solicitation whose option has length 0 (RFC 4861, 4.6). */
	static const uint8_t solicitation[] = {0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255, 0xfe,
		0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		1, 0xff, 0, 0, 1, 135, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0};
	/* IPv4: a last fragment that would end beyond 64 KiB, of a header longer than it is. */
	static const uint8_t fragment[] = {0x08, 0, 0x4f, 0, 0xff, 0xff, 0, 1, 0x1f, 0xff, 1, 17, 0,
		0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 1, 0, 2, 0xff, 0xff};
	static const struct {
		const uint8_t *bytes;
		size_t length;
	} shapes[] = {{tags, sizeof(tags)}, {options, sizeof(options)},
		{solicitation, sizeof(solicitation)}, {fragment, sizeof(fragment)}};

	hostile_come(hostile, NULL);
	hostile_drain(hostile_peer(hostile, NULL));
	for (size_t s = 0; s < COUNT(shapes); s++) {
		for (size_t length = 2; length <= shapes[s].length; length++) {
			uint8_t frame[FRAME_BYTES];

			hostile_frame(frame, sizeof(frame), PEER_MAC, BAD_MAC, 1);
			memcpy(frame + 12, shapes[s].bytes, length);
			if (!hostile_send(hostile->bad, frame, 12 + length) ||
				!hostile_hear(hostile->peer, frame, 12 + length))
				hostile_wrong(
					hostile, "frame %zu cut at %zu does not arrive", s, length);
		}
	}
	hostile_judge_served(hostile);
}

/* From the MAC of a neighbour, from a multicast one; then an ARP reply in a neighbour's name. */
static void sender_forged(struct hostile *hostile)
{
	static const uint8_t arp[] = {0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 1, 10, 0,
		0, 1, 2, 0, 0, 0, 0, 2, 10, 0, 0, 2};
	uint8_t frame[FRAME_BYTES];

	hostile_come(hostile, NULL);
	hostile_drain(hostile_peer(hostile, NULL));
	for (unsigned i = 0; i < 100; i++) {
		hostile_talk(hostile->bad, PEER_MAC, i % 4, i);
		hostile_talk(hostile->bad, PEER_MAC, BROADCAST, i);
		hostile_frame(frame, sizeof(frame), PEER_MAC, 1, i);
		memcpy(frame + 12, arp, sizeof(arp));
		hostile_send(hostile->bad, frame, 60);
	}
	usleep(50000);
	if (!hostile->serve && hostile_drain(hostile->peer) > 0)
		hostile_wrong(hostile, "frames in another guest's name arrive");
	hostile_judge_served(hostile);
}

/* As many as go, in bursts of a ring, until the time is over. */
static void flood(struct hostile *hostile, unsigned to, bool random_sources, uint64_t run_ns)
{
	uint64_t end = tp_now_ns() + run_ns;
	unsigned seed = 1;
	uint8_t frame[FRAME_BYTES];

	for (uint32_t n = 0; tp_now_ns() < end; n++) {
		hostile_frame(frame, 60, to, BAD_MAC, n);
		if (random_sources)
			for (unsigned i = 7; i < 12; i++)
				frame[i] = (uint8_t)rand_r(&seed);
		while (tp_frontend_send(hostile->bad, 0, NULL, frame, 60, NULL) == -EAGAIN) {
			if (hostile->peer != NULL)
				hostile_drain(hostile->peer);
			usleep(20);
			if (tp_now_ns() > end)
				break;
		}
	}
}

static void random_sources(struct hostile *hostile)
{
	hostile_come(hostile, NULL);
	hostile_peer(hostile, NULL);
	flood(hostile, PEER_MAC, true, 700000000ull * hostile->times);
	hostile_judge_served(hostile);
}

static void broadcast_storm(struct hostile *hostile)
{
	hostile_come(hostile, NULL);
	flood(hostile, BROADCAST, false, 700000000ull * hostile->times);
	hostile_judge_served(hostile);
}

/* A whole ring at once, again and again. */
static void burst_train(struct hostile *hostile)
{
	hostile_come(hostile, NULL);
	hostile_peer(hostile, NULL);
	for (unsigned train = 0; train < hostile_times(hostile, 400); train++) {
		for (uint32_t n = 0; n < 256; n++) {
			uint8_t frame[60];

			hostile_frame(frame, sizeof(frame), PEER_MAC, BAD_MAC, n);
			tp_frontend_send(hostile->bad, 0, NULL, frame, sizeof(frame), NULL);
		}
		usleep(1000);
		hostile_drain(hostile->peer);
	}
	hostile_judge_served(hostile);
}

static const struct hostile_case cases[] = {
	{45, "checksum_beyond_frame", checksum_beyond_frame},
	{46, "segmentation_impossible", segmentation_impossible},
	{47, "frame_of_64_kib_without_mergeable", frame_of_64_kib_without_mergeable,
		.drop = "destination_too_small"},
	{48, "runt", runt, .drop = "runt"},
	{56, "headers_strange", headers_strange},
	{57, "sender_forged", sender_forged, .drop = "source_mac"},
	{58, "random_sources_at_full_rate", random_sources, .lab = true},
	{59, "broadcast_storm", broadcast_storm},
	{60, "burst_train", burst_train},
};

const struct hostile_group hostile_frames = {"frames", cases, COUNT(cases)};
