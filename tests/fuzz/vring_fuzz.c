/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A split ring of a guest that does anything to its memory, and a worker that serves it. Compiled
 * twice: with FUZZ_RACE the guest is a thread that rewrites its memory while the worker reads it;
 * without, both take turns as the input says, and every byte of guest memory is accounted for.
 *
 *   input: what the ring is (ring_guest.c), its role, then steps. With FUZZ_RACE the role is
 *   followed by how many of the remaining 256ths of the input are the guest's.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "ring_worker.h"

#define STEPS_MAX  512  /* of one input */
#define ROUNDS_MAX 4096 /* of the guest through its steps, at most */

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

enum role { SOURCE, DESTINATION, SHARED_DESTINATION };

static void restart(enum role role)
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
static void step_worker(enum role role, struct input *input, uint8_t what)
{
	if (worker.started && !tp_vring_running(&worker.ring)) {
		EXPECT(tp_vring_fault_text(tp_vring_fault(&worker.ring)) != NULL);
		if (role != SOURCE)
			destination_settle(&worker);
		restart(role);
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

static void run(enum role role, struct input *input)
{
	for (unsigned i = 0; i < STEPS_MAX && input->size > 0; i++) {
		uint8_t what = input_u8(input);

		if (what & 0x80 && !worker.racing)
			guest_step(&worker.guest, input);
		else
			step_worker(role, input, what);
	}
	if (worker.started && role != SOURCE)
		destination_settle(&worker);
}

/* --- the guest's thread ---------------------------------------------------------------------- */

struct guest_thread {
	pthread_t thread;
	struct input steps;
	atomic_bool stop;
	pthread_barrier_t ready;
};

static void *run_guest(void *argument)
{
	struct guest_thread *thread = argument;

	pthread_barrier_wait(&thread->ready);
	for (unsigned round = 0; round < ROUNDS_MAX; round++) {
		struct input steps = thread->steps;

		while (steps.size > 0) {
			if (atomic_load_explicit(&thread->stop, memory_order_relaxed))
				return NULL;
			guest_step(&worker.guest, &steps);
		}
	}
	return NULL;
}

/* The worker goes through its steps several times, since each time it meets another memory. */
static void race(enum role role, struct input *input)
{
	struct guest_thread guest = {.steps = {NULL, 0}};
	size_t size = input->size * input_u8(input) / 256;

	guest.steps.size = input_take(input, size, &guest.steps.data);
	for (struct input steps = guest.steps; steps.size > 0;) /* once through, in peace */
		guest_step(&worker.guest, &steps);
	EXPECT(pthread_barrier_init(&guest.ready, NULL, 2) == 0);
	EXPECT(pthread_create(&guest.thread, NULL, run_guest, &guest) == 0);
	pthread_barrier_wait(&guest.ready);
	for (unsigned round = 0; round < 8; round++) {
		struct input steps = *input;

		run(role, &steps);
	}
	atomic_store_explicit(&guest.stop, true, memory_order_relaxed);
	EXPECT(pthread_join(guest.thread, NULL) == 0);
	pthread_barrier_destroy(&guest.ready);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	enum role role;

	if (worker.guest.memory == NULL)
		guest_open(&worker.guest);
	guest_begin(&worker.guest, &input);
	role = input_u8(&input) % 3;
	worker.racing = FUZZ_RACE;
	memset(&worker.ring, 0, sizeof(worker.ring));
	restart(role);
	if (worker.racing)
		race(role, &input);
	else
		run(role, &input);
	worker_stop(&worker);
	return 0;
}
