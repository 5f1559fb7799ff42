/* SPDX-License-Identifier: BSD-3-Clause */
/* testpmd's forwarding modes: what comes in goes out again, changed or not. */
#include "engine_internal.h"

/* The answers of icmpecho go back where the request came from; all else to the partner. */
static struct device *way_out(struct tp_engine *engine, struct device *device)
{
	if (engine->load.mode == TP_MODE_ICMPECHO || engine->load.loop)
		return device;
	return &engine->devices[device->peer];
}

static bool copy_out(struct thread *thread, struct device *from, struct device *to,
	const struct tp_burst_frame *received, unsigned pair, unsigned k)
{
	const struct tp_engine *engine = thread->engine;
	struct tp_frontend *frontend = to->frontend;
	struct tp_frontend_ring *in = &from->frontend->ring[tp_receive_ring(pair)];
	struct tp_frontend_ring *out = &frontend->ring[tp_transmit_ring(pair)];
	unsigned slot = tp_burst_slot(out, k);
	uint8_t *frame = tp_frontend_frame(frontend, out, slot);
	size_t bytes = tp_burst_gather(
		from->frontend, in, received, frame, frontend->settings.buffer_size);

	if (bytes > frontend->settings.buffer_size)
		return false;
	to->memo[pair][slot] = (struct slot_memo){.flow = NO_FLOW};
	if (!tp_rewrite(engine->load.mode, frame, bytes, to->given.mac,
		    engine->devices[to->peer].given.mac))
		return false;
	tp_burst_size(frontend, out, slot, (uint32_t)bytes);
	return true;
}

/* What finds no room is dropped, as testpmd does. */
static int forward_pair(struct thread *thread, struct device *device, struct device *to,
	unsigned pair, unsigned most, struct tp_error *error)
{
	struct tp_frontend_ring *in = &device->frontend->ring[tp_receive_ring(pair)];
	struct tp_frontend_ring *out = &to->frontend->ring[tp_transmit_ring(pair)];
	int room = tp_burst_reclaim(to->frontend, out, error);
	unsigned sent = 0;
	int count;

	if (room < 0)
		return room;
	count = tp_burst_receive(device->frontend, in, thread->frames, most, true, error);
	for (int i = 0; i < count; i++) {
		const struct tp_burst_frame *frame = &thread->frames[i];

		device->counts.rx_frames++;
		device->counts.rx_bytes += frame->bytes;
		if (sent == (unsigned)room) {
			to->counts.tx_missed++;
		} else if (copy_out(thread, device, to, frame, pair, sent)) {
			to->counts.tx_bytes += frame->bytes;
			sent++;
		}
	}
	if (count > 0)
		tp_burst_release(device->frontend, in);
	if (sent > 0)
		tp_burst_transmit(to->frontend, out, sent);
	to->counts.tx_frames += sent;
	return count < 0 ? count : 0;
}

int tp_engine_forward(struct thread *thread, struct device *device, struct tp_error *error)
{
	struct tp_engine *engine = thread->engine;
	struct device *to = way_out(engine, device);
	unsigned most = tp_engine_appetite(thread, device, engine->load.burst);
	int status = 0;

	if (!device_is_here(to))
		return 0;
	for (unsigned pair = 0; most > 0 && status == 0 && pair < engine->queue_pairs; pair++)
		status = forward_pair(thread, device, to, pair, most, error);
	return status;
}
