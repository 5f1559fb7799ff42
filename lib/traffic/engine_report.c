/* SPDX-License-Identifier: BSD-3-Clause */
/* Counts: put together, and cleared. */
#include <string.h>

#include "engine_internal.h"

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

/* A report in the making. */
struct tally {
	struct tp_engine_report *report;
	double sum, squares; /* of what the flows received */
};

/* One of all, and, if the groups are wanted, one of each at either end. */
struct tallies {
	bool groups;
	struct tally all;
	struct tally to[TP_ENGINE_GROUPS_MAX];
	struct tally from[TP_ENGINE_GROUPS_MAX];
};

static void start_tally(
	struct tally *tally, struct tp_engine *engine, struct tp_engine_report *report)
{
	memset(report, 0, sizeof(*report));
	report->reconnects = atomic_load(&engine->reconnects);
	if (engine->measured_at != 0)
		report->seconds = (double)((engine->stopped_at ? engine->stopped_at : __rdtsc()) -
					   engine->measured_at) /
				  engine->hz;
	*tally = (struct tally){.report = report};
}

static void add_device(struct tally *tally, const struct device *device)
{
	tally->report->devices++;
	tally->report->connected += device_is_here(device);
	add_counts(&tally->report->counts, &device->counts);
}

static void add_devices(const struct tp_engine *engine, struct tallies *tallies)
{
	for (unsigned i = 0; i < engine->count; i++) {
		const struct device *device = &engine->devices[i];

		add_device(&tallies->all, device);
		if (!tallies->groups)
			continue;
		add_device(&tallies->to[device->given.group], device);
		add_device(&tallies->from[device->given.group], device);
	}
}

static void add_flow(struct tally *tally, const struct tp_engine_order *flow)
{
	struct tp_engine_report *report = tally->report;
	double received = (double)flow->received;

	report->order.sent += flow->sent;
	report->order.received += flow->received;
	report->order.duplicates += flow->duplicates;
	report->order.reordered += flow->reordered;
	report->order.late += flow->late;
	if (flow->sent == 0)
		return;
	report->flows++;
	tally->sum += received;
	tally->squares += received * received;
}

static void add_flows(const struct tp_engine *engine, struct tallies *tallies)
{
	for (uint32_t i = 0; i < engine->flow_count; i++) {
		struct tp_engine_order flow = flow_order(engine, i);
		uint32_t to = engine->talk.flows[i / engine->queue_pairs].to;

		add_flow(&tallies->all, &flow);
		if (!tallies->groups)
			continue;
		add_flow(&tallies->to[engine->devices[to].given.group], &flow);
		add_flow(&tallies->from[engine->seen[i].group], &flow);
	}
}

/* Frames that the back-end still has. Those sent before the counts were cleared are not among
 * them. */
static void add_in_ring(const struct tp_engine *engine, const struct device *from, unsigned pair,
	struct tallies *tallies)
{
	const struct tp_frontend_ring *ring = &from->frontend->ring[tp_transmit_ring(pair)];
	unsigned out = tp_burst_out(ring);

	for (unsigned i = 0; i < out; i++) {
		unsigned slot = ring->order[(uint16_t)(ring->used + i) & (ring->slots - 1u)];
		uint32_t number = from->memo[pair][slot].flow - engine->flow_first;
		struct tp_stamp stamp;
		uint32_t to;

		if (number >= engine->flow_count)
			continue;
		tp_stamp_get(tp_frontend_frame(from->frontend, ring, slot), &stamp);
		if ((int32_t)(stamp.sequence - engine->seen[number].base) < 0)
			continue;
		tallies->all.report->order.in_ring++;
		if (!tallies->groups)
			continue;
		to = engine->talk.flows[number / engine->queue_pairs].to;
		tallies->to[engine->devices[to].given.group].report->order.in_ring++;
		tallies->from[from->given.group].report->order.in_ring++;
	}
}

static void finish_order(struct tally *tally)
{
	struct tp_engine_order *order = &tally->report->order;

	if (order->sent > order->in_ring + order->received)
		order->lost = order->sent - order->in_ring - order->received;
	if (tally->squares > 0)
		tally->report->jain =
			tally->sum * tally->sum / (tally->report->flows * tally->squares);
}

static void add_order(const struct tp_engine *engine, struct tallies *tallies)
{
	if (engine->load.mode != TP_MODE_FLOWGEN)
		return; /* nobody here takes what was sent */
	add_flows(engine, tallies);
	for (unsigned i = 0; i < engine->count; i++) {
		for (unsigned pair = 0; pair < engine->queue_pairs; pair++)
			add_in_ring(engine, &engine->devices[i], pair, tallies);
	}
	finish_order(&tallies->all);
	for (unsigned i = 0; tallies->groups && i < engine->groups; i++) {
		finish_order(&tallies->to[i]);
		finish_order(&tallies->from[i]);
	}
}

static void add_latency(
	const struct tp_engine *engine, const struct thread *thread, struct tallies *tallies)
{
	for (unsigned from = 0; from < engine->groups; from++) {
		for (unsigned to = 0; to < engine->groups; to++) {
			const struct tp_histogram *latency =
				&thread->latency[latency_between(engine, from, to)];

			tp_histogram_merge(&tallies->all.report->latency, latency);
			if (!tallies->groups)
				continue;
			tp_histogram_merge(&tallies->to[to].report->latency, latency);
			tp_histogram_merge(&tallies->from[from].report->latency, latency);
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

/* All that was started, with the threads held. */
static void fill(struct tp_engine *engine, struct tallies *tallies)
{
	add_devices(engine, tallies);
	add_order(engine, tallies);
	for (unsigned i = 0; i < engine->settings.threads; i++)
		add_latency(engine, &engine->threads[i], tallies);
	add_threads(engine, tallies->all.report);
}

void tp_engine_report(struct tp_engine *engine, struct tp_engine_report *report)
{
	struct tallies tallies = {.groups = false};

	tp_engine_hold(engine);
	start_tally(&tallies.all, engine, report);
	fill(engine, &tallies);
	tp_engine_go_on(engine);
}

void tp_engine_reports(struct tp_engine *engine, struct tp_engine_reports *reports)
{
	struct tallies tallies = {.groups = true};

	tp_engine_hold(engine);
	reports->groups = engine->groups;
	start_tally(&tallies.all, engine, &reports->all);
	for (unsigned i = 0; i < engine->groups; i++) {
		start_tally(&tallies.to[i], engine, &reports->to[i]);
		start_tally(&tallies.from[i], engine, &reports->from[i]);
	}
	fill(engine, &tallies);
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

		memset(thread->latency, 0,
			(size_t)engine->groups * engine->groups * sizeof(*thread->latency));
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
