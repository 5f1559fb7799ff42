/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames of a device's flows into its transmit rings. */
#include "engine_internal.h"

int tp_engine_reclaim(struct device *device, struct tp_error *error)
{
	struct tp_frontend *frontend = device->frontend;

	for (unsigned pair = 0; pair < frontend->settings.queue_pairs; pair++) {
		int room =
			tp_burst_reclaim(frontend, &frontend->ring[tp_transmit_ring(pair)], error);

		if (room < 0)
			return room;
	}
	return 0;
}

/* A flow as a burst needs it. */
struct stream {
	uint32_t stamped; /* its number in frames */
	uint64_t *frames; /* sent so far */
	const struct tp_stamp_headers *headers;
};

/* The device's flows take turns, burst by burst; each has a part on every queue pair. */
static struct stream next_stream(struct tp_engine *engine, struct device *device, unsigned pair)
{
	const struct tp_talk *talk = &engine->talk;
	uint32_t first = talk->first[device->index];
	uint32_t flow = first + device->next_flow;
	uint32_t number = flow * engine->queue_pairs + pair;

	if (pair + 1 == engine->queue_pairs &&
		++device->next_flow == talk->first[device->index + 1] - first)
		device->next_flow = 0;
	return (struct stream){.stamped = engine->flow_first + number,
		.frames = &engine->sent[number].frames,
		.headers = &engine->headers[flow]};
}

static inline uint32_t random32(uint64_t *state)
{
	/* A linear congruential generator's upper half: sizes want no more. */
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*state >> 32);
}

#define PREFETCH_AHEAD 8

/* The switch has read the frame: ask for its line back, to write, before it is needed. */
static inline void prefetch_stamp(
	struct tp_frontend *frontend, struct tp_frontend_ring *ring, unsigned entry)
{
	uint8_t *frame = tp_frontend_frame(frontend, ring, tp_burst_slot(ring, entry));

	__asm__ volatile("prefetchw %0" : : "m"(frame[TP_STAMP_OFFSET]));
}

/* A slot's frame for a flow, of a size that it then keeps. */
static void fill_slot(struct thread *thread, struct device *device, const struct stream *stream,
	struct tp_frontend_ring *ring, unsigned slot, struct slot_memo *memo)
{
	const struct tp_engine_load *load = &thread->engine->load;
	uint8_t *frame = tp_frontend_frame(device->frontend, ring, slot);
	uint32_t size = tp_size_draw(device->size, random32(&device->sizes));

	if (memo->pattern < size && load->verify != TP_VERIFY_PAYLOAD) {
		tp_stamp_pattern(frame, size);
		memo->pattern = (uint16_t)size;
	}
	memo->flow = stream->stamped;
	memo->size = (uint16_t)size;
	memo->sum = tp_stamp_fill(frame, size, stream->headers, stream->stamped);
	tp_burst_size(device->frontend, ring, slot, size);
}

/* Frames of a flow into the `count` entries from `first` on. */
static void write_burst(struct thread *thread, struct device *device, unsigned pair,
	const struct stream *stream, unsigned first, unsigned count)
{
	const struct tp_engine_load *load = &thread->engine->load;
	struct tp_frontend *frontend = device->frontend;
	struct tp_frontend_ring *ring = &frontend->ring[tp_transmit_ring(pair)];
	struct slot_memo *memo = device->memo[pair];
	uint64_t tsc = __rdtsc(), bytes = 0;
	uint32_t sequence = (uint32_t)*stream->frames;
	bool payload = load->verify == TP_VERIFY_PAYLOAD;

	for (unsigned i = 0; i < count; i++, sequence++) {
		unsigned slot = tp_burst_slot(ring, first + i);
		uint8_t *frame = tp_frontend_frame(frontend, ring, slot);

		prefetch_stamp(frontend, ring, first + i + PREFETCH_AHEAD);
		if (memo[slot].flow != stream->stamped)
			fill_slot(thread, device, stream, ring, slot, &memo[slot]);
		if (payload)
			memo[slot].sum =
				tp_stamp_payload(frame, memo[slot].size, stream->stamped, sequence);
		tp_stamp_put(frame, memo[slot].sum, sequence, tsc);
		bytes += memo[slot].size;
	}
	*stream->frames += count;
	device->counts.tx_frames += count;
	device->counts.tx_bytes += bytes;
}

/* Frames to send now: those that are due and find room. Without a rate, as many whole bursts as
 * there is room for. */
static unsigned take_due(
	struct thread *thread, struct device *device, unsigned room, unsigned burst, unsigned slots)
{
	struct tp_schedule *schedule = &device->schedule;
	uint64_t missed = schedule->missed;
	unsigned due;

	if (schedule->interval == 0 && schedule->off == 0)
		return room - room % burst;
	due = tp_schedule_take(schedule, thread->now, slots);
	if (due > room) {
		tp_schedule_give_back(schedule, thread->now, due - room);
		due = room;
	}
	device->counts.tx_missed += schedule->missed - missed;
	return due;
}

static int send_pair(
	struct thread *thread, struct device *device, unsigned pair, struct tp_error *error)
{
	struct tp_frontend_ring *ring = &device->frontend->ring[tp_transmit_ring(pair)];
	unsigned burst = thread->engine->load.burst;
	bool sampled = thread->engine->load.verify == TP_VERIFY_BURST;
	int room = sampled ? tp_burst_reclaim_sampled(device->frontend, ring, error)
			   : tp_burst_reclaim(device->frontend, ring, error);
	unsigned count;

	if (room < 0)
		return room;
	if (burst > ring->slots)
		burst = ring->slots;
	count = take_due(thread, device, (unsigned)room, burst, ring->slots);
	for (unsigned done = 0; done < count; done += burst) {
		struct stream stream = next_stream(thread->engine, device, pair);

		write_burst(thread, device, pair, &stream, done,
			count - done < burst ? count - done : burst);
	}
	if (count > 0)
		tp_burst_transmit(device->frontend, ring, count);
	return 0;
}

int tp_engine_send(struct thread *thread, struct device *device, struct tp_error *error)
{
	int status = 0;

	for (unsigned pair = 0; status == 0 && pair < thread->engine->queue_pairs; pair++)
		status = send_pair(thread, device, pair, error);
	return status;
}

int tp_engine_send_first(struct thread *thread, struct device *device, struct tp_error *error)
{
	const struct tp_engine *engine = thread->engine;
	const struct device *peer = &engine->devices[device->peer];
	struct tp_frontend_ring *ring = &device->frontend->ring[tp_transmit_ring(0)];
	int room = tp_burst_reclaim(device->frontend, ring, error);
	struct tp_stamp_headers headers;
	uint64_t frames = 0;
	struct stream stream = {.stamped = NO_FLOW, .frames = &frames, .headers = &headers};

	if (room <= 0)
		return room;
	tp_stamp_headers(&headers, device->given.mac, peer->given.mac, device->index, peer->index,
		device->size->least);
	tp_engine_forget_slots(device);
	if ((unsigned)room > engine->load.burst)
		room = (int)engine->load.burst;
	write_burst(thread, device, 0, &stream, 0, (unsigned)room);
	tp_burst_transmit(device->frontend, ring, (unsigned)room);
	tp_engine_forget_slots(device);
	return 0;
}
