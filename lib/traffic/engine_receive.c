/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames out of a device's receive rings, and what is to be learned from them. */
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
	tp_histogram_add(&thread->latency[thread->run_group], thread->run_ns, thread->run_count);
	thread->run_count = 0;
}

/* Frames of a burst have one stamp: they are counted together. */
static inline void count_latency(
	struct thread *thread, unsigned group, uint64_t sent, uint64_t now, uint64_t *last_sent)
{
	if (thread->run_count > 0 && sent == *last_sent && group == thread->run_group) {
		thread->run_count++;
		return;
	}
	tp_engine_flush_latency(thread);
	*last_sent = sent;
	thread->run_group = group;
	thread->run_count = 1;
	thread->run_ns =
		now > sent ? (uint64_t)((double)(now - sent) * 1e9 / thread->engine->hz) : 0;
}

/* What one look at a burst of frames shares. */
struct look {
	struct thread *thread;
	struct device *device;
	struct tp_frontend_ring *ring;
	uint64_t now;
	uint64_t last_sent;
};

static bool ends_here(
	const struct tp_talk_flow *flow, const struct device *device, const uint8_t *frame)
{
	/* Its own frame is right only if somebody sent it back: then it is addressed to it. */
	return flow->to == device->index ||
	       (flow->from == device->index && memcmp(frame, device->given.mac, 6) == 0);
}

static bool payload_right(
	struct look *look, const struct tp_burst_frame *received, const struct tp_stamp *stamp)
{
	const uint8_t *frame = received->frame;

	if (received->buffers > 1) {
		tp_burst_gather(look->device->frontend, look->ring, received, look->thread->bytes,
			sizeof(look->thread->bytes));
		frame = look->thread->bytes;
	}
	return received->bytes <= TP_SIZE_MOST &&
	       tp_stamp_payload_right(frame, received->bytes, stamp->flow, stamp->sequence);
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

	if (received->first < TP_STAMP_PAYLOAD) {
		counts->rx_strays += count;
		return;
	}
	if (!tp_stamp_get(received->frame, received->first, &stamp) ||
		(number = stamp.flow - engine->flow_first) >= engine->flow_count) {
		/* Addressed with our headers, but the stamp is not: damaged. Else not ours. */
		if (tp_stamp_looks_ours(received->frame))
			counts->rx_corrupt += count;
		else
			counts->rx_strays += count;
		return;
	}
	flow = &engine->talk.flows[number / engine->queue_pairs];
	if (!tp_stamp_headers_right(received->frame, received->bytes,
		    &engine->headers[number / engine->queue_pairs]) ||
		(engine->load.verify == TP_VERIFY_PAYLOAD &&
			!payload_right(look, received, &stamp))) {
		counts->rx_corrupt += count;
		return;
	}
	if (!ends_here(flow, look->device, received->frame)) {
		counts->rx_wrong += count;
		return;
	}
	seen = &engine->seen[number];
	if ((int32_t)(stamp.sequence - seen->base) < 0)
		return; /* sent before the counts were cleared */
	if (count == 1)
		tp_sequence_see(&seen->sequence, stamp.sequence);
	else
		tp_sequence_see_burst(&seen->sequence, stamp.sequence, count);
	count_latency(
		look->thread, look->device->given.group, stamp.tsc, look->now, &look->last_sent);
}

static int look_at_burst(struct look *look, unsigned count, struct tp_error *error)
{
	const struct tp_burst_frame *frames = look->thread->frames;
	enum tp_verify verify = look->thread->engine->load.verify;

	if (verify != TP_VERIFY_BURST) {
		for (unsigned i = 0; i < count; i++)
			look_at(look, &frames[i], 1);
		return 0;
	}
	look_at(look, &frames[count - 1], count);
	return tp_burst_check(look->device->frontend, look->ring, &frames[count - 1], error);
}

static int receive_pair(struct thread *thread, struct device *device, unsigned pair, unsigned most,
	struct tp_error *error)
{
	const struct tp_engine_load *load = &thread->engine->load;
	struct tp_frontend *frontend = device->frontend;
	struct tp_frontend_ring *ring = &frontend->ring[tp_receive_ring(pair)];
	bool judge = load->mode == TP_MODE_FLOWGEN;
	int count = tp_burst_receive(frontend, ring, thread->frames, most,
		judge && load->verify != TP_VERIFY_BURST, error);
	uint64_t bytes = 0;
	int status = 0;

	if (count <= 0)
		return count;
	for (int i = 0; i < count; i++)
		bytes += thread->frames[i].bytes;
	device->counts.rx_frames += (unsigned)count;
	device->counts.rx_bytes += bytes;
	if (judge) {
		struct look look = {
			.thread = thread, .device = device, .ring = ring, .now = __rdtsc()};

		status = look_at_burst(&look, (unsigned)count, error);
		tp_engine_flush_latency(thread);
	}
	tp_burst_release(frontend, ring);
	return status;
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
