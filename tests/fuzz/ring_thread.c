/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest in a thread of its own. */
#include <pthread.h>
#include <stdatomic.h>

#include "ring_worker.h"

#define GUEST_ROUNDS  4096 /* through its steps, at most */
#define WORKER_ROUNDS 8    /* each time the worker meets another memory */

struct guest_thread {
	pthread_t thread;
	const struct ring_guest *guest;
	struct input steps;
	atomic_bool stop;
	pthread_barrier_t ready;
};

static void *run_guest(void *argument)
{
	struct guest_thread *thread = argument;

	pthread_barrier_wait(&thread->ready);
	for (unsigned round = 0; round < GUEST_ROUNDS; round++) {
		struct input steps = thread->steps;

		while (steps.size > 0) {
			if (atomic_load_explicit(&thread->stop, memory_order_relaxed))
				return NULL;
			guest_step(thread->guest, &steps);
		}
	}
	return NULL;
}

void worker_race(const struct ring_guest *guest, struct input steps,
	void (*run)(struct input *input), struct input input)
{
	struct guest_thread thread = {.guest = guest, .steps = steps};

	while (steps.size > 0) /* once through, in peace */
		guest_step(guest, &steps);
	EXPECT(pthread_barrier_init(&thread.ready, NULL, 2) == 0);
	EXPECT(pthread_create(&thread.thread, NULL, run_guest, &thread) == 0);
	pthread_barrier_wait(&thread.ready);
	for (unsigned round = 0; round < WORKER_ROUNDS; round++) {
		struct input again = input;

		run(&again);
	}
	atomic_store_explicit(&thread.stop, true, memory_order_relaxed);
	EXPECT(pthread_join(thread.thread, NULL) == 0);
	pthread_barrier_destroy(&thread.ready);
}
