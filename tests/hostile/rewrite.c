/* SPDX-License-Identifier: BSD-3-Clause */
/* Descriptors, headers and frames that change while the switch reads them. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "frontend/channel.h"
#include "hostile.h"

#define RUN_NS 500000000u

struct rewriter {
	struct tp_frontend *guest;
	unsigned ring;
	atomic_bool stop;
};

/* Between what is right and what leads anywhere. */
static void spoil(const struct rewriter *rewriter, unsigned *seed)
{
	struct tp_frontend_ring *ring = &rewriter->guest->ring[rewriter->ring];
	unsigned slot = (unsigned)rand_r(seed) % ring->slots;
	volatile struct vring_desc *desc = &ring->vring.desc[slot];
	volatile uint8_t *buffer =
		tp_frontend_frame(rewriter->guest, ring, slot) - TP_FRONTEND_HEADER_BYTES;
	const struct vring_desc good = {
		.addr = hostile_buffer(rewriter->guest, rewriter->ring, slot),
		.len = ring->receive ? 2048 : FRAME_BYTES + TP_FRONTEND_HEADER_BYTES,
		.flags = ring->receive ? VRING_DESC_F_WRITE : 0};

	desc->addr = rand_r(seed) % 2 ? UINT64_MAX - 100 : good.addr + 0x40000000;
	desc->len = (uint32_t)rand_r(seed) << 1;
	desc->flags = (uint16_t)(rand_r(seed) % 8);
	desc->next = (uint16_t)rand_r(seed);
	for (unsigned i = 0; i < 40; i++)
		buffer[i] = (uint8_t)rand_r(seed);
	desc->addr = good.addr;
	desc->len = good.len;
	desc->flags = good.flags;
	for (unsigned i = 0; i < TP_FRONTEND_HEADER_BYTES + 14; i++)
		buffer[i] = 0;
}

static void *rewrite(void *argument)
{
	struct rewriter *rewriter = argument;
	unsigned seed = 1;

	while (!atomic_load(&rewriter->stop)) {
		for (unsigned i = 0; i < 200; i++)
			spoil(rewriter, &seed);
		usleep(100);
	}
	return NULL;
}

/* Frames go through the ring that is rewritten until the time is over or the switch hangs up. */
static void traffic(struct hostile *hostile, bool receive)
{
	struct tp_frontend *from = receive ? hostile->peer : hostile->bad;
	struct tp_frontend *to = receive ? hostile->bad : hostile->peer;
	struct tp_frontend_ring *ring = &from->ring[1];
	uint64_t end = tp_now_ns() + RUN_NS;

	for (uint32_t n = 0; tp_now_ns() < end && !tp_frontend_hung_up(hostile->bad); n++) {
		uint16_t used = __atomic_load_n(&ring->vring.used->idx, __ATOMIC_ACQUIRE);

		if (receive) {
			hostile_talk(from, BAD_MAC, PEER_MAC, n);
		} else if ((uint16_t)(ring->available - used) < 200) {
			tp_frontend_post(ring, (uint16_t)(n % 256));
			tp_frontend_publish(from, ring);
		}
		hostile_drain(to);
		if (n % 64 == 0)
			usleep(100);
	}
}

void hostile_rewrites(struct hostile *hostile)
{
	for (unsigned ring = 0; ring < 2; ring++) {
		struct rewriter rewriter = {.ring = 1 - ring};
		pthread_t thread;

		rewriter.guest = hostile_come(hostile, NULL);
		hostile_peer(hostile, NULL);
		if (pthread_create(&thread, NULL, rewrite, &rewriter) != 0)
			hostile_fail("no thread");
		traffic(hostile, rewriter.ring == 0);
		atomic_store(&rewriter.stop, true);
		pthread_join(thread, NULL);
		/* Transmit: frames are dropped by name. Receive: there is nowhere to put one. */
		if (rewriter.ring == 1 && tp_frontend_hung_up(rewriter.guest))
			hostile_wrong(hostile, "a frame that changes ends the connection");
	}
	hostile->ended += tp_channel_wait_closed(hostile->bad->socket, 100) == 0;
}
