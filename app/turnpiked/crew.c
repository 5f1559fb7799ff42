/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include <rte_launch.h>
#include <rte_lcore.h>

#include "crew.h"

/* A worker, and where it runs. What one thread has written is handed over to the other by the
 * semaphores, for lcores as well: of DPDK's own order ThreadSanitizer sees nothing. */
struct member {
	struct tp_worker *worker;
	const struct tp_worker_share *share;
	pthread_t thread;   /* if it has no lcore */
	bool forget_it;     /* it does not begin at all */
	sem_t may_begin;    /* a thread waits here until then, or for that */
	sem_t has_returned; /* from its lcore */
};

struct list {
	unsigned count;
	struct member member[TP_WORKERS_MAX];
};

struct tp_crew {
	struct tp_dataplane *dataplane;
	const char *vector;
	struct list list[2];
	struct list *at_work;
	struct list *next; /* made, not begun */
};

/* --- on an lcore ----------------------------------------------------------------------------- */

static void wait_for(sem_t *semaphore)
{
	while (sem_wait(semaphore) < 0)
		continue;
}

static int run_on_lcore(void *argument)
{
	struct member *member = argument;

	wait_for(&member->may_begin);
	tp_worker_run(member->worker);
	sem_post(&member->has_returned);
	return 0;
}

static void end_on_lcore(struct member *member)
{
	rte_eal_wait_lcore(member->share->lcore);
	wait_for(&member->has_returned);
}

/* --- in a thread of its own ------------------------------------------------------------------ */

static void *run_in_thread(void *argument)
{
	struct member *member = argument;

	wait_for(&member->may_begin);
	if (member->forget_it)
		return NULL;
	/* With an lcore's number DPDK's caches are its own; without one they are only slower. */
	rte_thread_register();
	tp_worker_run(member->worker);
	rte_thread_unregister();
	return NULL;
}

static int start_thread(struct member *member, struct tp_error *error)
{
	pthread_attr_t attributes;
	cpu_set_t cpu;
	int result;

	CPU_ZERO(&cpu);
	CPU_SET((size_t)member->share->core, &cpu);
	pthread_attr_init(&attributes);
	result = pthread_attr_setaffinity_np(&attributes, sizeof(cpu), &cpu);
	if (result == 0)
		result = pthread_create(&member->thread, &attributes, run_in_thread, member);
	pthread_attr_destroy(&attributes);
	if (result == 0)
		return 0;
	return tp_error_set(error, result, "worker: no thread for it on CPU %d: %s",
		member->share->core, strerror(result));
}

/* --- lists ----------------------------------------------------------------------------------- */

static bool has_thread(const struct member *member)
{
	return member->share->lcore == TP_NO_LCORE;
}

static void free_member(struct member *member)
{
	sem_destroy(&member->may_begin);
	sem_destroy(&member->has_returned);
	tp_worker_free(member->worker);
}

static int make_member(struct tp_crew *crew, unsigned index, struct tp_error *error)
{
	struct member *member = &crew->next->member[index];

	*member = (struct member){.share = crew->dataplane->worker[index]};
	member->worker = tp_worker_new(crew->dataplane, index, crew->vector, error);
	if (member->worker == NULL)
		return -ENOMEM;
	sem_init(&member->may_begin, 0, 0);
	sem_init(&member->has_returned, 0, 0);
	if (!has_thread(member) || start_thread(member, error) == 0)
		return 0;
	free_member(member);
	return -EAGAIN;
}

static void discard(void *owner)
{
	struct list *list = ((struct tp_crew *)owner)->next;

	for (unsigned i = 0; i < list->count; i++) {
		struct member *member = &list->member[i];

		if (has_thread(member)) {
			member->forget_it = true;
			sem_post(&member->may_begin);
			pthread_join(member->thread, NULL);
		}
		free_member(member);
	}
	list->count = 0;
}

static int make(void *owner, struct tp_error *error)
{
	struct tp_crew *crew = owner;

	for (unsigned i = 0; i < crew->dataplane->worker_count; i++) {
		int result = make_member(crew, i, error);

		if (result < 0) {
			discard(crew);
			return result;
		}
		crew->next->count++;
	}
	return 0;
}

static void end(void *owner)
{
	struct list *list = ((struct tp_crew *)owner)->at_work;

	for (unsigned i = 0; i < list->count; i++) {
		struct member *member = &list->member[i];

		if (has_thread(member))
			pthread_join(member->thread, NULL);
		else
			end_on_lcore(member);
		free_member(member);
	}
	list->count = 0;
}

/* An lcore that waits takes what it is given. */
static void begin(void *owner)
{
	struct tp_crew *crew = owner;
	struct list *list = crew->next;

	crew->next = crew->at_work;
	crew->at_work = list;
	for (unsigned i = 0; i < list->count; i++) {
		struct member *member = &list->member[i];

		sem_post(&member->may_begin);
		if (!has_thread(member))
			rte_eal_remote_launch(run_on_lcore, member, member->share->lcore);
	}
}

/* --- for main and the appliance -------------------------------------------------------------- */

struct tp_crew *tp_crew_new(
	struct tp_dataplane *dataplane, const char *vector, struct tp_error *error)
{
	struct tp_crew *crew = calloc(1, sizeof(*crew));

	if (crew == NULL) {
		tp_error_set(error, ENOMEM, "no memory");
		return NULL;
	}
	crew->dataplane = dataplane;
	crew->vector = vector;
	crew->at_work = &crew->list[0];
	crew->next = &crew->list[1];
	return crew;
}

int tp_crew_make(struct tp_crew *crew, struct tp_error *error)
{
	return make(crew, error);
}

void tp_crew_begin(struct tp_crew *crew)
{
	begin(crew);
}

struct tp_worker_ops tp_crew_ops(struct tp_crew *crew)
{
	return (struct tp_worker_ops){
		.owner = crew,
		.prepare = make,
		.discard = discard,
		.end = end,
		.begin = begin,
	};
}

void tp_crew_free(struct tp_crew *crew)
{
	if (crew == NULL)
		return;
	discard(crew);
	end(crew);
	free(crew);
}
