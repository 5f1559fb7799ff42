/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_memory.h>

#include "burst.h"
#include "switch_scene.h"

/*
 * Senders that share a worker, or a destination, and what each of them got. Guests 0 to 3 send, the
 * others receive.
 */

#define SENDERS 4

static struct scene scene;
static uint8_t received[65536];

/* What guests do between two sweeps. */
struct load {
	uint32_t size[SENDERS][2]; /* bytes of a sender's frames, one size after the other */
	unsigned talking;          /* a bit a sender */
	bool one_receiver;         /* guest 4, else each sender has its own */
	unsigned drained;          /* frames that a receiver takes after a sweep; 0: all */
};

/* Bursts of so many frames for the heaviest weight, whatever the time they take. */
static inline void fix_allotment(unsigned frames)
{
	struct tp_scheduler *scheduler = &scene.worker->scheduler;

	scheduler->least = scheduler->most = scheduler->allotment = frames * TP_ALLOTMENT;
	scheduler->hope_at = scheduler->sweep + INT32_MAX;
}

static inline unsigned receiver_of(const struct load *load, unsigned sender)
{
	return load->one_receiver ? SENDERS : SENDERS + sender;
}

static inline void send_all(const struct load *load)
{
	for (unsigned i = 0; i < SENDERS; i++) {
		uint64_t to = scene.guest[receiver_of(load, i)].mac;
		struct scene_guest *guest = &scene.guest[i];

		while ((load->talking >> i & 1) != 0 &&
			scene_send_number(guest, to, 0, load->size[i][guest->tx_next % 2]))
			continue;
	}
}

static inline void receive_all(const struct load *load)
{
	for (unsigned i = SENDERS; i < scene.guests; i++)
		for (unsigned n = 0; load->drained == 0 || n < load->drained; n++)
			if (scene_receive(&scene.guest[i], received) == 0)
				break;
}

static inline void run(const struct load *load, unsigned sweeps)
{
	for (unsigned n = 0; n < sweeps; n++) {
		send_all(load);
		scene_sweep(&scene);
		receive_all(load);
	}
}

/* Frames of two sizes in turn: their bytes and their number give their cost. */
static inline double cost_of(const struct load *load, unsigned sender, uint64_t frames)
{
	const struct tp_tariff *tariff = &scene.worker->snapshot->tariff;

	return (double)frames *
	       (double)(tp_cost(tariff, 1, tp_blocks(load->size[sender][0])) +
			tp_cost(tariff, 1, tp_blocks(load->size[sender][1]))) /
	       2;
}

static inline void note_frames(uint64_t *frames)
{
	for (unsigned i = 0; i < SENDERS; i++)
		frames[i] = scene_counter(&scene.guest[i], TP_COUNTER_TX_FRAMES);
}

/* The shares of those that talk, by weight, within 2 %. */
static inline void expect_shares(const struct load *load, const uint32_t *weight, unsigned sweeps)
{
	uint64_t before[SENDERS], after[SENDERS];
	double cost[SENDERS] = {0};
	double all = 0, weights = 0;

	run(load, sweeps / 10);
	note_frames(before);
	run(load, sweeps);
	note_frames(after);
	for (unsigned i = 0; i < SENDERS; i++) {
		if ((load->talking >> i & 1) == 0)
			continue;
		cost[i] = cost_of(load, i, after[i] - before[i]);
		all += cost[i];
		weights += weight[i];
	}
	for (unsigned i = 0; i < SENDERS; i++) {
		double expected = all * weight[i] / weights;

		if ((load->talking >> i & 1) != 0 &&
			(cost[i] < expected * 0.98 || cost[i] > expected * 1.02))
			fail_msg("talking %x: sender %u got %g of %g, not %g", load->talking, i,
				cost[i], all, expected);
	}
}

static inline void begin(const struct scene_options *options, unsigned allotment)
{
	scene_begin(&scene, options);
	if (allotment > 0)
		fix_allotment(allotment);
	scene_sweep(&scene);
}

static inline void end(void)
{
	scene_check_sums(&scene);
	scene_end(&scene);
}

#define WEIGHTS                                                                                    \
	{                                                                                          \
		1, 2, 4, 8, 1, 1, 1, 1                                                             \
	}
#define EQUAL                                                                                      \
	{                                                                                          \
		{60, 60}, {60, 60}, {60, 60},                                                      \
		{                                                                                  \
			60, 60                                                                     \
		}                                                                                  \
	}
#define MIXED                                                                                      \
	{                                                                                          \
		{1514, 1514}, {60, 1514}, {60, 60},                                                \
		{                                                                                  \
			594, 1514                                                                  \
		}                                                                                  \
	}
