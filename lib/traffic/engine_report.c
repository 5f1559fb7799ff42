/* SPDX-License-Identifier: BSD-3-Clause */
/* Counts: put together, and cleared. */
#include <string.h>

#include "engine_internal.h"

#define ALL_GROUPS UINT32_MAX

void tp_engine_hold(struct tp_engine *engine)
{
	int command = atomic_load(&engine->command);

	if (engine->holds++ > 0)
		return;
	pthread_mutex_lock(&engine->tending);
	engine->held = command;
	if (command == COMMAND_RUN || command == COMMAND_DRAIN)
		tp_engine_command(engine, COMMAND_PAUSE);
}

void tp_engine_go_on(struct tp_engine *engine)
{
	if (--engine->holds > 0)
		return;
	if (atomic_load(&engine->command) != engine->held)
		tp_engine_command(engine, (enum command)engine->held);
	pthread_mutex_unlock(&engine->tending);
}

void tp_engine_device_counts(
	struct tp_engine *engine, unsigned device, struct tp_engine_counts *counts)
{
	tp_engine_hold(engine);
	*counts = engine->devices[device].counts;
	tp_engine_go_on(engine);
}

static void add_counts(struct tp_engine_counts *to, const struct tp_engine_counts *from)
{
	to->tx_frames += from->tx_frames;
	to->tx_bytes += from->tx_bytes;
	to->rx_frames += from->rx_frames;
	to->rx_bytes += from->rx_bytes;
	to->tx_missed += from->tx_missed;
	to->rx_strays += from->rx_strays;
	to->rx_corrupt += from->rx_corrupt;
	to->rx_wrong += from->rx_wrong;
}

static bool in_group(const struct tp_engine *engine, unsigned device, unsigned group)
{
	return group == ALL_GROUPS || engine->devices[device].given.group == group;
}

/* Frames of flows that end in the group which the back-end still has. Those sent before the counts
 * were cleared are not among them. */
static uint64_t count_in_ring(const struct tp_engine *engine, unsigned device, unsigned group)
{
	const struct device *from = &engine->devices[device];
	uint64_t count = 0;

	for (unsigned pair = 0; pair < engine->queue_pairs; pair++) {
		const struct tp_frontend_ring *ring = &from->frontend->ring[tp_transmit_ring(pair)];
		unsigned out = tp_burst_out(ring);

		for (unsigned i = 0; i < out; i++) {
			unsigned slot =
				ring->order[(uint16_t)(ring->used + i) & (ring->slots - 1u)];
			uint32_t number = from->memo[pair][slot].flow - engine->flow_first;
			const uint8_t *frame = tp_frontend_frame(from->frontend, ring, slot);
			struct tp_stamp stamp;

			if (number >= engine->flow_count)
				continue;
			tp_stamp_get(frame, &stamp);
			count +=
				(int32_t)(stamp.sequence - engine->seen[number].base) >= 0 &&
				in_group(engine,
					engine->talk.flows[number / engine->queue_pairs].to, group);
		}
	}
	return count;
}

/* What is known of one flow by itself: not what of it is lost, and what still in a ring. */
static struct tp_engine_order flow_order(const struct tp_engine *engine, uint32_t flow)
{
	const struct flow_seen *seen = &engine->seen[flow];

	return (struct tp_engine_order){
		.sent = engine->sent[flow].frames - seen->sent_base,
		.received = seen->sequence.received,
		.duplicates = seen->sequence.duplicates,
		.reordered = seen->sequence.reordered,
		.late = seen->sequence.late,
	};
}

static void add_flow(struct tp_engine_report *report, const struct tp_engine_order *flow,
	double *sum, double *squares)
{
	double received = (double)flow->received;

	report->order.sent += flow->sent;
	report->order.received += flow->received;
	report->order.duplicates += flow->duplicates;
	report->order.reordered += flow->reordered;
	report->order.late += flow->late;
	if (flow->sent == 0)
		return;
	report->flows++;
	*sum += received;
	*squares += received * received;
}

static void add_order(struct tp_engine *engine, struct tp_engine_report *report, unsigned group)
{
	struct tp_engine_order *order = &report->order;
	double sum = 0, squares = 0;

	if (engine->load.mode != TP_MODE_FLOWGEN)
		return; /* nobody here takes what was sent */
	for (uint32_t i = 0; i < engine->flow_count; i++) {
		struct tp_engine_order flow = flow_order(engine, i);

		if (in_group(engine, engine->talk.flows[i / engine->queue_pairs].to, group))
			add_flow(report, &flow, &sum, &squares);
	}
	for (unsigned i = 0; i < engine->count; i++)
		order->in_ring += count_in_ring(engine, i, group);
	if (order->sent > order->in_ring + order->received)
		order->lost = order->sent - order->in_ring - order->received;
	if (squares > 0)
		report->jain = sum * sum / (report->flows * squares);
}

static void report_group(struct tp_engine *engine, struct tp_engine_report *report, unsigned group)
{
	*report = (struct tp_engine_report){.reconnects = atomic_load(&engine->reconnects)};
	if (engine->measured_at != 0)
		report->seconds = (double)((engine->stopped_at ? engine->stopped_at : __rdtsc()) -
					   engine->measured_at) /
				  engine->hz;
	for (unsigned i = 0; i < engine->count; i++) {
		if (!in_group(engine, i, group))
			continue;
		report->devices++;
		report->connected += device_is_here(&engine->devices[i]);
		add_counts(&report->counts, &engine->devices[i].counts);
	}
	add_order(engine, report, group);
	for (unsigned i = 0; i < engine->settings.threads; i++) {
		for (unsigned j = 0; j < engine->groups; j++) {
			if (group == ALL_GROUPS || group == j)
				tp_histogram_merge(
					&report->latency, &engine->threads[i].latency[j]);
		}
	}
}

static void add_threads(struct tp_engine *engine, struct tp_engine_report *report)
{
	report->cpu = report->seconds > 0 ? 1 : 0;
	for (unsigned i = 0; i < engine->settings.threads; i++) {
		const struct thread *thread = &engine->threads[i];
		double cpu = tp_engine_cpu_seconds(thread) - thread->cpu_base;
		double longest = (double)thread->stall.longest / engine->hz;

		if (report->seconds > 0 && cpu / report->seconds < report->cpu)
			report->cpu = cpu / report->seconds;
		report->stalls += thread->stall.count;
		report->stall_seconds += (double)thread->stall.cycles / engine->hz;
		if (longest > report->stall_longest)
			report->stall_longest = longest;
	}
}

void tp_engine_report(struct tp_engine *engine, struct tp_engine_report *report)
{
	tp_engine_hold(engine);
	report_group(engine, report, ALL_GROUPS);
	add_threads(engine, report);
	tp_engine_go_on(engine);
}

void tp_engine_group_report(
	struct tp_engine *engine, unsigned group, struct tp_engine_report *report)
{
	tp_engine_hold(engine);
	report_group(engine, report, group);
	tp_engine_go_on(engine);
}

unsigned tp_engine_flow_count(const struct tp_engine *engine)
{
	return engine->flow_count;
}

void tp_engine_flow_order(struct tp_engine *engine, unsigned flow, struct tp_engine_order *order,
	unsigned *from, unsigned *to)
{
	const struct tp_talk_flow *talk = &engine->talk.flows[flow / engine->queue_pairs];

	tp_engine_hold(engine);
	*order = flow_order(engine, flow);
	tp_engine_go_on(engine);
	if (order->sent > order->received)
		order->lost = order->sent - order->received;
	*from = talk->from;
	*to = talk->to;
}

/* Nobody polls now. */
static void clear_all(struct tp_engine *engine)
{
	uint64_t now = __rdtsc();

	for (unsigned i = 0; i < engine->count; i++) {
		memset(&engine->devices[i].counts, 0, sizeof(engine->devices[i].counts));
		tp_engine_schedule(engine, &engine->devices[i], now);
	}
	for (uint32_t i = 0; i < engine->flow_count; i++) {
		struct flow_seen *seen = &engine->seen[i];

		seen->sent_base = engine->sent[i].frames;
		seen->base = (uint32_t)seen->sent_base;
		seen->sequence = (struct tp_sequence){.next = seen->base};
	}
	for (unsigned i = 0; i < engine->settings.threads; i++) {
		struct thread *thread = &engine->threads[i];

		memset(thread->latency, 0, engine->groups * sizeof(*thread->latency));
		tp_stall_init(&thread->stall, engine->hz, STALL_US, now);
		thread->run_count = 0;
		thread->cpu_base = tp_engine_cpu_seconds(thread);
	}
	atomic_store(&engine->reconnects, 0);
	if (engine->measured_at != 0) /* it was started */
		engine->measured_at = now;
	if (engine->stopped_at != 0)
		engine->stopped_at = now;
}

void tp_engine_clear(struct tp_engine *engine)
{
	tp_engine_hold(engine);
	clear_all(engine);
	tp_engine_go_on(engine);
}
