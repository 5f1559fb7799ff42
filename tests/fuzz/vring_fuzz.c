/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A split ring of a guest that does anything to its memory, and a worker that serves it. With
 * FUZZ_RACE the guest rewrites its memory while the worker reads it: in a thread of its own
 * (ring_thread.c), or between any two reads (ring_between.c). Without, both take turns as the input
 * says, and every byte of guest memory is accounted for.
 *
 *   input: what the ring is (ring_guest.c), its role, then steps. With FUZZ_RACE the role is
 *   followed by how many of the remaining 256ths of the input are the guest's.
 */
#include "ring_worker.h"

#define STEPS_MAX 512 /* of one input */

static struct ring_worker worker;
static uint8_t noted[GUEST_SIZE];

/* --- what the worker's steps need ------------------------------------------------------------- */

void worker_note(struct ring_worker *at)
{
	if (!at->racing)
		guest_copy(&at->guest, noted);
}

bool worker_unchanged(const struct ring_worker *at)
{
	return at->racing || guest_equals(&at->guest, noted);
}

void worker_allow(struct ring_worker *at, const void *data, size_t size)
{
	if (!at->racing)
		memcpy(guest_in_copy(&at->guest, noted, data), data, size);
}

void worker_interlude(struct ring_worker *at, struct input *input)
{
	if (at->racing)
		return;
	for (unsigned i = input_u8(input) & 3; i > 0; i--)
		guest_step(&at->guest, input);
}

void worker_start(struct ring_worker *at)
{
	struct tp_error error = {""};

	at->started = tp_vring_start(&at->ring, &at->guest.setup, at->guest.memory, &error) == 0;
	EXPECT(at->started || error.text[0] != '\0');
	EXPECT(!at->started || tp_vring_running(&at->ring));
}

void worker_stop(struct ring_worker *at)
{
	if (!at->started)
		return;
	tp_vring_retire(&at->ring);
	EXPECT(!tp_vring_running(&at->ring));
	tp_vring_stop(&at->ring);
	at->started = false;
}

/* --- one input ------------------------------------------------------------------------------- */

static enum role { SOURCE, DESTINATION, SHARED_DESTINATION } role;

static void restart(void)
{
	worker_stop(&worker);
	worker.guest.setup.baton = role == SHARED_DESTINATION ? worker.baton : NULL;
	worker_start(&worker);
	if (role != SOURCE && worker.started)
		destination_share(&worker, role == SHARED_DESTINATION);
}

static void step_kicks(uint8_t what)
{
	worker_note(&worker);
	if (what & 8)
		tp_vring_ask_for_kicks(&worker.ring);
	else
		tp_vring_suppress_kicks(&worker.ring);
	worker_allow(&worker, &worker.ring.used->flags, 2);
	worker_allow(&worker, &worker.ring.used->ring[worker.ring.size], 2);
	EXPECT(worker_unchanged(&worker));
}

/* A broken ring ends with its connection; then its guest comes again. */
static void step_worker(struct input *input, uint8_t what)
{
	if (worker.started && !tp_vring_running(&worker.ring)) {
		EXPECT(tp_vring_fault_text(tp_vring_fault(&worker.ring)) != NULL);
		if (role != SOURCE)
			destination_settle(&worker);
		restart();
	}
	if (!worker.started)
		return;
	if ((what & 7) == 7)
		step_kicks(what);
	else if (role == SOURCE)
		source_step(&worker, input);
	else
		destination_step(&worker, input);
}

static void run(struct input *input)
{
	for (unsigned i = 0; i < STEPS_MAX && input->size > 0; i++) {
		uint8_t what = input_u8(input);

		if (what & 0x80 && !worker.racing)
			guest_step(&worker.guest, input);
		else
			step_worker(input, what);
	}
	if (worker.started && role != SOURCE)
		destination_settle(&worker);
}

#if FUZZ_RACE
static void run_racing(struct input *input)
{
	size_t size = input->size * input_u8(input) / 256;
	struct input steps = {NULL, 0};

	steps.size = input_take(input, size, &steps.data);
	worker_race(&worker.guest, steps, run, *input);
}
#else
#define run_racing run
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};

	if (worker.guest.memory == NULL)
		guest_open(&worker.guest);
	guest_begin(&worker.guest, &input);
	role = input_u8(&input) % 3;
	worker.racing = FUZZ_RACE;
	memset(&worker.ring, 0, sizeof(worker.ring));
	restart();
	run_racing(&input);
	worker_stop(&worker);
	return 0;
}
