/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames of the hostile guest, well-formed and other. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "frontend/channel.h"
#include "hostile.h"

#define FRAME_MAX 65536
#define WAIT_NS   2000000000u

static void set_mac(uint8_t *mac, unsigned number)
{
	static const uint8_t first[6] = {2};

	memcpy(mac, first, sizeof(first));
	mac[5] = (uint8_t)number;
	if (number == BROADCAST)
		memset(mac, 0xff, 6);
}

/* An EtherType for experiments (IEEE 802), then bytes that follow from the seed. */
void hostile_frame(uint8_t *frame, size_t length, unsigned to, unsigned from, uint32_t seed)
{
	set_mac(frame, to);
	set_mac(frame + 6, from);
	frame[12] = 0x88;
	frame[13] = 0xb5;
	memcpy(frame + 14, &seed, sizeof(seed));
	for (size_t i = 18; i < length; i++)
		frame[i] = (uint8_t)(seed * 31 + i);
}

bool hostile_send(struct tp_frontend *guest, const uint8_t *frame, size_t length)
{
	uint64_t end = tp_now_ns() + WAIT_NS;

	for (;;) {
		int status = tp_frontend_send(guest, 0, NULL, frame, length, NULL);

		if (status != -EAGAIN)
			return status == 0;
		if (tp_now_ns() > end)
			return false;
		usleep(50);
	}
}

bool hostile_talk(struct tp_frontend *guest, unsigned to, unsigned from, uint32_t seed)
{
	uint8_t frame[FRAME_BYTES];

	hostile_frame(frame, sizeof(frame), to, from, seed);
	return hostile_send(guest, frame, sizeof(frame));
}

int hostile_drain(struct tp_frontend *guest)
{
	uint8_t frame[FRAME_BYTES];
	int count = 0;

	for (;;) {
		int length = tp_frontend_receive(guest, 0, NULL, frame, sizeof(frame), 0, NULL);

		if (length < 0)
			return length == -EAGAIN ? count : length;
		count++;
	}
}

bool hostile_hear(struct tp_frontend *guest, const uint8_t *frame, size_t length)
{
	static uint8_t heard[FRAME_MAX];
	uint64_t end = tp_now_ns() + WAIT_NS;

	while (tp_now_ns() < end) {
		int got = tp_frontend_receive(guest, 0, NULL, heard, sizeof(heard), 100, NULL);

		if (got < 0 && got != -EAGAIN)
			return false;
		if (got == (int)length && memcmp(heard, frame, length) == 0)
			return true;
	}
	return false;
}

bool hostile_exchange(struct tp_frontend *from, struct tp_frontend *to, unsigned from_mac,
	unsigned to_mac, unsigned count)
{
	for (uint32_t seed = 0; seed < count; seed++) {
		uint8_t frame[FRAME_BYTES];

		hostile_frame(frame, sizeof(frame), to_mac, from_mac, 0x5eed0000 + seed);
		if (!hostile_send(from, frame, sizeof(frame)) ||
			!hostile_hear(to, frame, sizeof(frame)))
			return false;
	}
	return true;
}

void hostile_judge_served(struct hostile *hostile)
{
	struct tp_frontend *peer = hostile_peer(hostile, NULL);

	hostile->served = (!hostile->judged || hostile->served) && hostile_drain(peer) >= 0 &&
			  hostile_exchange(hostile->bad, peer, BAD_MAC, PEER_MAC, 10);
	hostile->judged = true;
}

void hostile_wrong(struct hostile *hostile, const char *format, ...)
{
	va_list arguments;

	if (hostile->wrong[0] != '\0')
		return;
	va_start(arguments, format);
	vsnprintf(hostile->wrong, sizeof(hostile->wrong), format, arguments);
	va_end(arguments);
}

void hostile_post(struct hostile *hostile, uint16_t head)
{
	struct tp_frontend_ring *ring = &hostile->bad->ring[tp_transmit_ring(0)];
	uint64_t end = tp_now_ns() + WAIT_NS / 2;
	bool used = false;

	tp_frontend_post(ring, head);
	tp_frontend_publish(hostile->bad, ring);
	while (!used && tp_now_ns() < end) {
		used = __atomic_load_n(&ring->vring.used->idx, __ATOMIC_ACQUIRE) == ring->available;
		if (!used)
			usleep(20);
	}
	hostile->served = used && (!hostile->judged || hostile->served);
	hostile->judged = true;
}

uint64_t hostile_buffer(const struct tp_frontend *guest, unsigned ring, unsigned slot)
{
	return tp_frontend_guest_address(guest,
		tp_frontend_frame(guest, &guest->ring[ring], slot) - TP_FRONTEND_HEADER_BYTES);
}
