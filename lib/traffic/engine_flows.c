/* SPDX-License-Identifier: BSD-3-Clause */
/* Flows: who sends to whom, what their frames look like, and when they are due. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_internal.h"

void tp_engine_forget_slots(struct device *device)
{
	for (unsigned pair = 0; pair < device->frontend->settings.queue_pairs; pair++) {
		unsigned slots = device->frontend->ring[tp_transmit_ring(pair)].slots_max;

		for (unsigned slot = 0; slot < slots; slot++)
			device->memo[pair][slot] = (struct slot_memo){.flow = NO_FLOW};
	}
	device->next_flow = 0;
	device->sizes = device->index + 1;
}

void tp_engine_free_flows(struct tp_engine *engine)
{
	engine->flow_first += engine->flow_count;
	engine->flow_count = 0;
	tp_talk_free(&engine->talk);
	free(engine->sent);
	free(engine->seen);
	free(engine->headers);
	engine->sent = NULL;
	engine->seen = NULL;
	engine->headers = NULL;
	memset(&engine->talk, 0, sizeof(engine->talk));
}

static void write_headers(struct tp_engine *engine)
{
	for (unsigned i = 0; i < engine->talk.flow_count; i++) {
		const struct tp_talk_flow *flow = &engine->talk.flows[i];

		tp_stamp_headers(&engine->headers[i], engine->devices[flow->from].given.mac,
			engine->devices[flow->to].given.mac, flow->from, flow->to,
			engine->devices[flow->from].size->least);
	}
}

static void set_groups(struct tp_engine *engine)
{
	for (uint32_t i = 0; i < engine->flow_count; i++) {
		uint32_t from = engine->talk.flows[i / engine->queue_pairs].from;

		engine->seen[i].group = engine->devices[from].given.group;
	}
}

static bool has_flows(const struct tp_engine *engine, unsigned device)
{
	return engine->talk.first[device] != engine->talk.first[device + 1];
}

static const struct tp_engine_part *part_of(
	const struct tp_engine *engine, const struct device *device)
{
	return &engine->load.part[device->given.group];
}

/* Who shares a total rate. When fewer than all talk at a time, it is they who share that of all. */
static void count_sources(struct tp_engine *engine)
{
	engine->sources = 0;
	memset(engine->group_sources, 0, sizeof(engine->group_sources));
	for (unsigned i = 0; i < engine->count; i++) {
		const struct device *device = &engine->devices[i];

		if (!has_flows(engine, i))
			continue;
		if (part_of(engine, device)->own_rate)
			engine->group_sources[device->given.group]++;
		else
			engine->sources++;
	}
	if (engine->talk.settings.talking < engine->count)
		engine->sources = engine->talk.settings.talking;
}

void tp_engine_share_load(struct tp_engine *engine)
{
	engine->one_size = engine->load.size.kind == TP_SIZE_FIXED;
	for (unsigned i = 0; i < engine->count; i++) {
		struct device *device = &engine->devices[i];
		const struct tp_engine_part *part = part_of(engine, device);

		device->size = part->own_size ? &part->size : &engine->load.size;
		device->silent = part->own_rate ? part->rate.silent : engine->load.load.silent;
		if (part->own_size)
			engine->one_size = false;
	}
}

int tp_engine_make_flows(struct tp_engine *engine, struct tp_error *error)
{
	size_t count;
	int status;

	tp_engine_free_flows(engine);
	if (!tp_mode_generates(engine->load.mode))
		return 0;
	status = tp_talk_init(&engine->talk, &engine->load.talk, engine->count, error);
	if (status < 0)
		return status;
	count = (size_t)engine->talk.flow_count * engine->queue_pairs;
	engine->sent = calloc(count, sizeof(*engine->sent));
	engine->seen = calloc(count, sizeof(*engine->seen));
	engine->headers = aligned_alloc(64, engine->talk.flow_count * sizeof(*engine->headers));
	if (engine->sent == NULL || engine->seen == NULL || engine->headers == NULL) {
		tp_engine_free_flows(engine);
		return tp_error_set(error, ENOMEM, "no memory for %zu flows", count);
	}
	engine->flow_count = (uint32_t)count;
	write_headers(engine);
	set_groups(engine);
	count_sources(engine);
	return 0;
}

void tp_engine_schedule(struct tp_engine *engine, struct device *device, uint64_t now)
{
	const struct tp_engine_load *load = &engine->load;
	const struct tp_engine_part *part = part_of(engine, device);
	unsigned sources =
		part->own_rate ? engine->group_sources[device->given.group] : engine->sources;
	double rate;

	if (!tp_mode_generates(load->mode))
		return;
	rate = tp_load_rate(part->own_rate ? &part->rate : &load->load, sources > 0 ? sources : 1,
		device->size->mean);
	memset(&device->schedule, 0, sizeof(device->schedule));
	tp_schedule_init(&device->schedule, part->own_arrival ? &part->arrival : &load->load, rate,
		engine->hz, now, load->talk.seed * 0x9e3779b97f4a7c15ull + device->index + 1);
}
