/* SPDX-License-Identifier: BSD-3-Clause */
/* What no switch must do: so that it can be seen whether a load generator notices. */
#include <time.h>

#include "backend_ring.h"

static const uint8_t harmless_frame[60]; /* so that what comes with it is all that is wrong */

bool cheats_on(const struct backend *backend)
{
	const struct cheats *cheats = &backend->cheats;

	return (cheats->drop | cheats->duplicate | cheats->reorder | cheats->corrupt |
		       cheats->misdeliver) != 0;
}

static bool every(uint64_t frame, uint64_t period)
{
	return period != 0 && frame % period == 0;
}

/* @return false: no room, try again later. */
static bool pass_on(struct backend *backend, struct ring *from, unsigned device, unsigned pair,
	const uint8_t *frame, uint32_t bytes)
{
	static uint8_t bounce[FRAME_MAX];
	struct cheats *cheats = &backend->cheats;
	struct counters *counters = &backend->counters;
	unsigned to = look_up(backend, device, frame);
	struct ring *out = receive_ring(backend, to, pair);
	uint64_t number = backend->frames + 1;
	bool twice = every(number, cheats->duplicate);
	bool corrupt = every(number, cheats->corrupt);

	if (every(number, cheats->drop)) {
		count_up(&counters->dropped, 1);
		return true;
	}
	if (!out->active || !has(out, 1u + twice + (from->held_bytes > 0)))
		return false;
	if (every(number, cheats->reorder) && from->held_bytes == 0) {
		memcpy(from->held, frame, bytes);
		from->held_bytes = bytes;
		return true;
	}
	if (corrupt) {
		memcpy(bounce, frame, bytes);
		bounce[bytes - 1] ^= 0x10;
		frame = bounce;
	}
	if (every(number, cheats->misdeliver) && receive_ring(backend, to + 2, pair)->active) {
		out = receive_ring(backend, to + 2, pair);
		if (!deliver(out, frame, bytes))
			return false;
		count_up(&counters->misdelivered, 1);
		publish(out);
		return true;
	}
	if (!deliver(out, frame, bytes))
		return false;
	if (corrupt)
		count_up(&counters->corrupted, 1);
	if (twice && deliver(out, frame, bytes))
		count_up(&counters->duplicated, 1);
	if (from->held_bytes > 0 && deliver(out, from->held, from->held_bytes)) {
		count_up(&counters->reordered, 1);
		count_up(&counters->tx, 1);
		from->held_bytes = 0;
	}
	count_up(&counters->tx, 1);
	publish(out);
	return true;
}

void copy_each(struct backend *backend, unsigned device, unsigned pair)
{
	static uint8_t bounce[FRAME_MAX];
	struct ring *in = &backend->devices[device].ring[2 * pair + 1];
	unsigned most = available(in), done = 0;

	for (; done < most && done < BURST; done++) {
		uint16_t head = head_at(in, in->next);
		uint32_t bytes;
		const uint8_t *frame = frame_at(in, head, bounce, &bytes);

		/* What has no addresses cannot be sent on. */
		if (bytes >= 14 && !pass_on(backend, in, device, pair, frame, bytes)) {
			count_up(&backend->counters.waits, 1);
			break;
		}
		backend->frames++;
		give_back(in, head, 0);
	}
	if (done == 0)
		return;
	count_up(&backend->counters.rx, done);
	publish(in);
}

/* Once, on a ring on which it can be done: a receive ring with a buffer, for the header's sake. */
static bool write_nonsense(struct ring *ring, enum nonsense kind)
{
	struct virtio_net_hdr_v1 header = {.num_buffers = kind != NONSENSE_NUM_BUFFERS};
	uint16_t head = head_at(ring, ring->next);
	uint32_t capacity;
	uint8_t *data;

	if (!ring->active || available(ring) == 0)
		return false;
	data = buffer_at(ring, head, &capacity);
	if (data == NULL || capacity < HEADER + sizeof(harmless_frame))
		return false;
	memcpy(data, &header, HEADER);
	memcpy(data + HEADER, harmless_frame, sizeof(harmless_frame));
	if (kind == NONSENSE_USED_INDEX)
		ring->used = (uint16_t)(ring->used + ring->size + 7);
	else if (kind == NONSENSE_USED_ID)
		give_back(ring, (uint16_t)(ring->size + 3), HEADER + sizeof(harmless_frame));
	else if (kind == NONSENSE_USED_LENGTH)
		give_back(ring, head, capacity + 1);
	else
		give_back(ring, head, HEADER + sizeof(harmless_frame));
	publish(ring);
	return true;
}

void do_nonsense(struct backend *backend)
{
	enum nonsense kind = (enum nonsense)atomic_load(&backend->nonsense);

	for (unsigned i = 0; i < backend->count; i++) {
		if (write_nonsense(&backend->devices[i].ring[0], kind)) {
			atomic_store(&backend->nonsense, NONSENSE_NONE);
			return;
		}
	}
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void stall(struct backend *backend, double *next)
{
	double begin = now();
	struct timespec rest = {.tv_sec = (time_t)(backend->cheats.stall_ms / 1e3),
		.tv_nsec = (long)(backend->cheats.stall_ms * 1e6) % 1000000000};
	uint64_t us;

	if (begin < *next)
		return;
	if (*next > 0) {
		nanosleep(&rest, NULL);
		us = (uint64_t)((now() - begin) * 1e6);
		count_up(&backend->counters.stalls, 1);
		if (us > atomic_load(&backend->counters.stall_longest_us))
			atomic_store(&backend->counters.stall_longest_us, us);
	}
	*next = begin + backend->cheats.stall_every;
}
