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

/* A worker, and where it runs. */
struct member {
	struct tp_worker *worker;
	const struct tp_worker_share *share;
	pthread_t thread; /* if it has no lcore */
	sem_t may_begin;  /* ... it waits here until then, */
	bool forget_it;   /* or for this */
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

/* --- a thread of its own --------------------------------------------------------------------- */

static void *run_in_thread(void *argument)
{
	struct member *member = argument;

	while (sem_wait(&member->may_begin) < 0)
		continue;
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
	sem_init(&member->may_begin, 0, 0);
	pthread_attr_init(&attributes);
	result = pthread_attr_setaffinity_np(&attributes, sizeof(cpu), &cpu);
	if (result == 0)
		result = pthread_create(&member->thread, &attributes, run_in_thread, member);
	pthread_attr_destroy(&attributes);
	if (result == 0)
		return 0;
	sem_destroy(&member->may_begin);
	return tp_error_set(error, result, "worker: no thread for it on CPU %d: %s",
		member->share->core, strerror(result));
}

static void end_thread(struct member *member)
{
	pthread_join(member->thread, NULL);
	sem_destroy(&member->may_begin);
}

/* --- lists ----------------------------------------------------------------------------------- */

static bool has_thread(const struct member *member)
{
	return member->share->lcore == TP_NO_LCORE;
}

static int make_member(struct tp_crew *crew, unsigned index, struct tp_error *error)
{
	struct member *member = &crew->next->member[index];

	*member = (struct member){.share = crew->dataplane->worker[index]};
	member->worker = tp_worker_new(crew->dataplane, index, crew->vector, error);
	if (member->worker == NULL)
		return -ENOMEM;
	if (!has_thread(member) || start_thread(member, error) == 0)
		return 0;
	tp_worker_free(member->worker);
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
			end_thread(member);
		}
		tp_worker_free(member->worker);
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
			end_thread(member);
		else
			rte_eal_wait_lcore(member->share->lcore);
		tp_worker_free(member->worker);
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

		if (has_thread(member))
			sem_post(&member->may_begin);
		else
			rte_eal_remote_launch(tp_worker_run, member->worker, member->share->lcore);
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
