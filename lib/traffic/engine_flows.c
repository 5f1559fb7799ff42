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
			engine->load.size.least);
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
	return 0;
}

void tp_engine_schedule(struct tp_engine *engine, struct device *device, uint64_t now)
{
	const struct tp_engine_load *load = &engine->load;
	unsigned sources = engine->talk.settings.talking;
	double rate;

	if (!tp_mode_generates(load->mode))
		return;
	/* With several to one, one of the devices has nobody to talk to. */
	if (load->talk.kind == TP_TALK_STAR && sources == engine->count)
		sources--;
	rate = tp_load_rate(&load->load, sources > 0 ? sources : 1, load->size.mean);
	memset(&device->schedule, 0, sizeof(device->schedule));
	tp_schedule_init(&device->schedule, &load->load, rate, engine->hz, now,
		load->talk.seed * 0x9e3779b97f4a7c15ull + device->index + 1);
}
