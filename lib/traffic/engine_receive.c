/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames out of a device's receive rings, and what is to be learned from them. */
#include <errno.h>
#include <string.h>

#include "engine_internal.h"

unsigned tp_engine_appetite(struct thread *thread, struct device *device, unsigned most)
{
	const struct tp_engine *engine = thread->engine;
	double allowed;

	if (device->given.deaf)
		return 0;
	if (device->given.slow == 0)
		return most;
	allowed = (double)(thread->now - device->slow_since) * device->given.slow / engine->hz;
	if (allowed < 1)
		return 0;
	if (allowed > most) { /* what was not taken in time is not saved up */
		device->slow_since = thread->now;
		return most;
	}
	device->slow_since +=
		(uint64_t)((double)(unsigned)allowed * engine->hz / device->given.slow);
	return (unsigned)allowed;
}

void tp_engine_flush_latency(struct thread *thread)
{
	if (thread->run_count == 0)
		return;
	tp_histogram_add(&thread->latency[thread->run_between], thread->run_ns, thread->run_count);
	thread->run_count = 0;
}

/* Frames of a burst have one stamp: they are counted together. */
static inline void count_latency(
	struct thread *thread, unsigned between, uint64_t sent, uint64_t now, uint64_t *last_sent)
{
	uint64_t age;

	if (thread->run_count > 0 && sent == *last_sent && between == thread->run_between) {
		thread->run_count++;
		return;
	}
	tp_engine_flush_latency(thread);
	*last_sent = sent;
	thread->run_between = between;
	thread->run_count = 1;
	/* Of the stamp's 48 bits; a stamp of the future is one of another CPU's clock. */
	age = (now - sent) & TP_STAMP_TSC;
	thread->run_ns =
		age < TP_STAMP_TSC / 2 ? (uint64_t)((double)age * 1e9 / thread->engine->hz) : 0;
}

/* What one look at a burst of frames shares. */
struct look {
	struct thread *thread;
	struct device *device;
	struct tp_frontend_ring *ring;
	uint64_t now;
	uint64_t last_sent;
};

/* Each flow of `talk` has a part on each queue pair. */
static inline uint32_t talk_flow(const struct tp_engine *engine, uint32_t number)
{
	return engine->queue_pairs == 1 ? number : number / engine->queue_pairs;
}

static bool ends_here(
	const struct tp_talk_flow *flow, const struct device *device, const uint8_t *frame)
{
	/* Its own frame is right only if somebody sent it back: then it is addressed to it. */
	return flow->to == device->index ||
	       (flow->from == device->index && memcmp(frame, device->given.mac, 6) == 0);
}

/* All bytes, wherever they lie. */
static bool payload_right(
	struct look *look, const struct tp_burst_frame *received, const struct tp_stamp *stamp)
{
	const uint8_t *frame = received->frame;

	if (received->bytes > TP_SIZE_MOST)
		return false;
	if (received->buffers > 1) {
		tp_burst_gather(look->device->frontend, look->ring, received, look->thread->bytes,
			sizeof(look->thread->bytes));
		frame = look->thread->bytes;
	}
	return tp_stamp_payload_right(frame, received->bytes, stamp);
}

static bool frame_right(
	struct look *look, const struct tp_burst_frame *received, const struct tp_stamp *stamp)
{
	const struct tp_engine *engine = look->thread->engine;
	uint32_t flow = talk_flow(engine, stamp->flow - engine->flow_first);

	if (!tp_stamp_headers_right(received->frame, received->bytes, &engine->headers[flow]))
		return false;
	if (engine->load.verify == TP_VERIFY_PAYLOAD)
		return payload_right(look, received, stamp);
	return tp_stamp_right(received->frame, received->bytes);
}

/* Not a flow of this load. Headers of ours and a stamp that is not right: damaged. */
static void count_foreign(struct look *look, const struct tp_burst_frame *received, unsigned count)
{
	bool ours = tp_stamp_looks_ours(received->frame);

	if (ours && !tp_stamp_right(received->frame, received->bytes))
		look->device->counts.rx_corrupt += count;
	else
		look->device->counts.rx_strays += count;
}

/* One frame whose bytes are looked at. `count` frames of its burst are judged by it. */
static inline void look_at(struct look *look, const struct tp_burst_frame *received, unsigned count)
{
	struct tp_engine *engine = look->thread->engine;
	struct tp_engine_counts *counts = &look->device->counts;
	const struct tp_talk_flow *flow;
	struct flow_seen *seen;
	struct tp_stamp stamp;
	uint32_t number;

	if (received->first < TP_STAMP_LEAST) {
		counts->rx_strays += count;
		return;
	}
	tp_stamp_get(received->frame, &stamp);
	number = stamp.flow - engine->flow_first;
	if (number >= engine->flow_count) { /* sent back with its ports exchanged? */
		stamp.flow = stamp.flow << 16 | stamp.flow >> 16;
		number = stamp.flow - engine->flow_first;
	}
	if (number >= engine->flow_count) {
		count_foreign(look, received, count);
		return;
	}
	if (!frame_right(look, received, &stamp)) {
		counts->rx_corrupt += count;
		return;
	}
	flow = &engine->talk.flows[talk_flow(engine, number)];
	if (!ends_here(flow, look->device, received->frame)) {
		counts->rx_wrong += count;
		return;
	}
	seen = &engine->seen[number];
	if ((int32_t)(stamp.sequence - seen->base) < 0)
		return; /* sent before the counts were cleared */
	/* Of a burst that began before that, only what came after it. */
	if (count > stamp.sequence - seen->base + 1)
		count = stamp.sequence - seen->base + 1;
	if (count == 1)
		tp_sequence_see(&seen->sequence, stamp.sequence);
	else
		tp_sequence_see_burst(&seen->sequence, stamp.sequence, count);
	count_latency(look->thread, latency_between(engine, seen->group, look->device->given.group),
		stamp.tsc, look->now, &look->last_sent);
}

/* The oldest frame of a burst, for its latency alone: that of the last is the least of all. */
static void look_at_oldest(struct look *look, const struct tp_burst_frame *oldest)
{
	const struct tp_engine *engine = look->thread->engine;
	struct tp_stamp stamp;
	uint32_t number;

	if (oldest->first < TP_STAMP_LEAST || !tp_stamp_right(oldest->frame, oldest->bytes))
		return;
	tp_stamp_get(oldest->frame, &stamp);
	number = stamp.flow - engine->flow_first;
	if (number < engine->flow_count &&
		(int32_t)(stamp.sequence - engine->seen[number].base) >= 0)
		count_latency(look->thread,
			latency_between(
				engine, engine->seen[number].group, look->device->given.group),
			stamp.tsc, look->now, &look->last_sent);
}

/* The last frame of a burst stands for all of it. @return as tp_burst_receive_sampled. */
static int receive_sampled(struct look *look, struct tp_error *error)
{
	struct tp_burst_frame ends[2];
	int count = tp_burst_receive_sampled(look->device->frontend, look->ring, ends, error);

	if (count <= 0)
		return count;
	look->now = __rdtsc();
	look->device->counts.rx_frames += (unsigned)count;
	look->device->counts.rx_bytes += (uint64_t)count * ends[1].bytes;
	if (count > 1)
		look_at_oldest(look, &ends[0]);
	look_at(look, &ends[1], (unsigned)count);
	return count;
}

/* How much of what is received is looked at. */
enum care {
	CARE_COUNT, /* nothing: frames and bytes are counted */
	CARE_ENDS,  /* the first and the last frame of what is there */
	CARE_EACH,
};

static int receive_each(struct look *look, unsigned most, enum care care, struct tp_error *error)
{
	struct tp_burst_frame *frames = look->thread->frames;
	int count = tp_burst_receive(
		look->device->frontend, look->ring, frames, most, care == CARE_EACH, error);
	uint64_t bytes = 0;

	if (count <= 0)
		return count;
	look->now = __rdtsc();
	for (int i = 0; i < count; i++) {
		bytes += frames[i].bytes;
		if (care == CARE_EACH)
			look_at(look, &frames[i], 1);
	}
	if (care == CARE_ENDS && count > 1)
		look_at_oldest(look, &frames[0]);
	if (care == CARE_ENDS)
		look_at(look, &frames[count - 1], (unsigned)count);
	look->device->counts.rx_frames += (unsigned)count;
	look->device->counts.rx_bytes += bytes;
	return count;
}

static int receive_pair(struct thread *thread, struct device *device, unsigned pair, unsigned most,
	struct tp_error *error)
{
	const struct tp_engine_load *load = &thread->engine->load;
	struct tp_frontend_ring *ring = &device->frontend->ring[tp_receive_ring(pair)];
	struct look look = {.thread = thread, .device = device, .ring = ring};
	enum care care = load->verify == TP_VERIFY_BURST ? CARE_ENDS : CARE_EACH;
	int count = -EAGAIN;

	if (load->mode != TP_MODE_FLOWGEN)
		care = CARE_COUNT;
	/* Frames of one size need not even be measured. */
	if (care == CARE_ENDS && thread->engine->one_size && most == BURST_MAX)
		count = receive_sampled(&look, error);
	if (count == -EAGAIN)
		count = receive_each(&look, most, care, error);
	if (count <= 0)
		return count;
	tp_engine_flush_latency(thread);
	tp_burst_release(device->frontend, ring);
	return 0;
}

int tp_engine_receive(struct thread *thread, struct device *device, struct tp_error *error)
{
	unsigned most = tp_engine_appetite(thread, device, BURST_MAX);
	int status = 0;

	for (unsigned pair = 0; most > 0 && status == 0 && pair < thread->engine->queue_pairs;
		pair++)
		status = receive_pair(thread, device, pair, most, error);
	return status;
}
