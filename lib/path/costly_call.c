/* SPDX-License-Identifier: BSD-3-Clause */
#include <time.h>

#include <rte_common.h>
#include <rte_cycles.h>

#include "call.h"
#include "state/cycles.h"

#define NS 1000000000u

#define SHARE      20     /* a costly ring may have one part in so many of the time ... */
#define DEAR_SHARE 10     /* ... and those that are dear, together, one in so many */
#define MEMORY     64     /* calls over which the average goes, about */
#define LONGEST_NS NS     /* that a call is postponed */
#define SUSPECT_NS 250000 /* of what others may have caused: most that counts */
#define DEAR_NS    (SUSPECT_NS / MEMORY) /* an average that no suspicion alone explains */
#define FORGIVEN   (2 * MEMORY)          /* an average that postpones by microseconds */
#define SLOW_NS    200000       /* what no honest guest's call takes, not twice in 64 ... */
#define SLOW_MOST  (8 * MEMORY) /* ... and so many more than one in 64 break the ring ... */
#define SLOWER     16           /* ... unless ours are as slow as that, too */
#define OURS       3            /* of which the quickest counts */

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
}

/* @return nanoseconds of CPU time that it took; 0 if it was quick. */
static uint64_t call_alone(struct tp_calls *calls, int fd)
{
	struct iocb alone = calls->request[0];
	struct iocb *request = &alone;
	uint64_t before = cpu_ns();
	uint64_t began = rte_rdtsc();

	alone.aio_resfd = (uint32_t)fd;
	tp_aio_forget(&calls->aio);
	tp_aio_submit(&calls->aio, &request, 1);
	if (rte_rdtsc() - began <= calls->costly.allowed)
		return 0;
	return cpu_ns() - before;
}

/* Is it the machine that is slow? */
static bool ours_are_slow(struct tp_calls *calls, uint64_t took)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < OURS; i++)
		least = RTE_MIN(least, call_alone(calls, calls->costly.ours));
	return least > took / SLOWER;
}

static void set_late(struct tp_costly_calls *costly, struct tp_costly_ring *one, bool late)
{
	costly->late += (unsigned)late - (unsigned)one->late;
	one->late = late;
}

static void forget(struct tp_costly_calls *costly, struct tp_costly_ring *one)
{
	set_late(costly, one, false);
	*one = costly->ring[--costly->count];
}

/* @return the TSC when a call that took so much longer than is allowed has been paid for. */
static uint64_t paid_at(uint64_t excess, unsigned share)
{
	return rte_rdtsc() + tp_cycles_of_ns(RTE_MIN(excess * share, (uint64_t)LONGEST_NS));
}

static void postpone(struct tp_costly_ring *one)
{
	one->not_before = paid_at(one->excess, SHARE);
}

static bool is_dear(const struct tp_costly_ring *one)
{
	return one->excess > DEAR_NS;
}

static void judge(struct tp_calls *calls, struct tp_costly_ring *one, uint64_t took)
{
	uint64_t excess = took > TP_COSTLY_ALLOWED_NS ? took - TP_COSTLY_ALLOWED_NS : 0;

	if (is_dear(one))
		calls->costly.dear_not_before = paid_at(excess, DEAR_SHARE);
	one->excess += excess / MEMORY;
	one->excess -= one->excess / MEMORY;
	postpone(one);
	if (took >= SLOW_NS)
		one->slow += MEMORY;
	else if (one->slow > 0)
		one->slow--;
	if (one->slow >= SLOW_MOST && !ours_are_slow(calls, took)) {
		one->slow = 0;
		tp_vring_break(one->ring, TP_VRING_CALL_COSTLY);
		calls->costly.broken = true;
	}
	if (excess == 0 && one->slow == 0 && one->excess <= FORGIVEN)
		forget(&calls->costly, one);
}

static void call_costly(struct tp_calls *calls, struct tp_costly_ring *one)
{
	set_late(&calls->costly, one, false);
	tp_counter_add_among(&one->context->counters.value[TP_COUNTER_CALLS], 1);
	judge(calls, one, call_alone(calls, one->ring->call_fd));
}

static struct tp_costly_ring *find(struct tp_costly_calls *costly, const struct tp_vring *ring)
{
	for (unsigned i = 0; i < costly->count; i++)
		if (costly->ring[i].ring == ring)
			return &costly->ring[i];
	return NULL;
}

bool tp_call_costly(struct tp_calls *calls, const struct tp_call *call)
{
	struct tp_costly_ring *one = find(&calls->costly, call->ring);

	if (one == NULL)
		return false;
	if (is_dear(one) || rte_rdtsc() < one->not_before)
		set_late(&calls->costly, one, true);
	else
		call_costly(calls, one);
	return true;
}

/* Of those that are dear, the one that has waited longest, if they have their time again. */
static void call_dear(struct tp_calls *calls)
{
	struct tp_costly_calls *costly = &calls->costly;
	struct tp_costly_ring *first = NULL;
	uint64_t now = rte_rdtsc();

	if (costly->late == 0 || now < costly->dear_not_before)
		return;
	for (unsigned i = 0; i < costly->count; i++) {
		struct tp_costly_ring *one = &costly->ring[i];

		if (one->late && is_dear(one) && now >= one->not_before &&
			(first == NULL || one->not_before < first->not_before))
			first = one;
	}
	if (first != NULL)
		call_costly(calls, first);
}

void tp_calls_late(struct tp_calls *calls, bool all)
{
	struct tp_costly_calls *costly = &calls->costly;

	/* From the last one on, since a ring that is forgotten leaves its place to that one. */
	for (unsigned i = costly->count; costly->late > 0 && i-- > 0;) {
		struct tp_costly_ring *one = &costly->ring[i];

		if (!one->late)
			continue;
		if (!tp_vring_running(one->ring) || one->ring->call_fd < 0)
			set_late(costly, one, false);
		else if (all || (!is_dear(one) && rte_rdtsc() >= one->not_before))
			call_costly(calls, one);
	}
	call_dear(calls);
}

/* How much worse it would be to forget this one than others. Those that are stopped may come back.
 */
static uint64_t worth(const struct tp_costly_ring *one)
{
	if (one->late)
		return UINT64_MAX;
	return tp_vring_running(one->ring) ? one->excess + 1 : 0;
}

/* A place for one more: the last, or that of the one that is missed least. NULL: there is none. */
static struct tp_costly_ring *place(struct tp_costly_calls *costly)
{
	struct tp_costly_ring *least = &costly->ring[0];

	if (costly->count < TP_COSTLY_RINGS)
		return &costly->ring[costly->count++];
	for (unsigned i = 1; i < costly->count; i++)
		if (worth(&costly->ring[i]) < worth(least))
			least = &costly->ring[i];
	return least->late ? NULL : least;
}

void tp_costly_suspect(struct tp_calls *calls, uint64_t took)
{
	uint64_t each = tp_ns_of_cycles(took) / calls->count;
	uint64_t excess = each > TP_COSTLY_ALLOWED_NS ? each - TP_COSTLY_ALLOWED_NS : 0;

	for (unsigned i = 0; i < calls->count; i++) {
		const struct tp_call *call = calls->due[i];
		struct tp_costly_ring *one;

		if (find(&calls->costly, call->ring) != NULL)
			continue; /* several bursts for a ring of several workers are several calls
				   */
		one = place(&calls->costly);
		if (one == NULL)
			return;
		*one = (struct tp_costly_ring){
			.ring = call->ring,
			.context = call->context,
			.excess = RTE_MIN(excess, (uint64_t)SUSPECT_NS) / MEMORY,
		};
		postpone(one);
	}
}
