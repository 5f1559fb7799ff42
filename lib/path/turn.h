/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "burst.h"
#include "hold.h"

/*
 * turn: who is next at a destination that is full. The first ring that it refuses holds the turn
 * until it is refused no more: it has spent what the scheduler gave it, or has no frame for this
 * destination. Then it is the turn of the next one that is visited and refused. Those that queue
 * get nothing from the scheduler while it is another one's turn, so that each gets its share once a
 * round; and no one else takes the room, whoever is visited first. Higher bids do not wait for
 * lower ones. A turn that is not used in a sweep is lost. Nobody waits for a turn longer than its
 * class holds a frame.
 */

static inline struct tp_turn *tp_turn_at(struct tp_turns *turns, uint32_t destination)
{
	return &turns->turn[destination % TP_TURNS];
}

static inline bool tp_turn_stands(const struct tp_turn *turn, uint32_t sweep)
{
	return turn->holder != NULL && sweep - turn->sweep <= 1;
}

/** Does this ring have to wait for another one's turn at this destination? */
static inline bool tp_turn_waits(struct tp_turns *turns, const struct tp_ring_pair *ring,
	uint32_t bid, uint32_t destination, uint32_t sweep)
{
	const struct tp_turn *turn = tp_turn_at(turns, destination);

	return turn->holder != ring && turn->destination == destination && turn->bid >= bid &&
	       tp_turn_stands(turn, sweep);
}

/** May the oldest frame of a ring wait for another one's turn, or has it for too long? */
static inline bool tp_turn_may_wait(
	const struct tp_worker *worker, struct tp_ring_pair *ring, const struct tp_class *class)
{
	if (class->drop_when_full)
		return false;
	if (ring->hold_since == 0)
		ring->hold_since = worker->now;
	return worker->now - ring->hold_since < class->hold_cycles;
}

/* Does the n-th frame of a burst have to wait? */
static inline bool tp_turn_frame_waits(struct tp_worker *worker, unsigned n)
{
	struct tp_burst *burst = &worker->burst;
	struct tp_stand stand;

	if (burst->views.view[n].drop != TP_DROP_NONE || burst->destination[n] >= TP_TO_REMOTES ||
		!tp_turn_waits(&worker->turns, burst->pair, burst->class->bid,
			tp_resource_of(burst, burst->destination[n]), worker->scheduler.sweep))
		return false;
	stand = tp_stand_of(worker, n);
	/* It is dropped at once: one hold is enough for a deaf destination. */
	if (tp_stand_deaf(&stand, burst->class->bid))
		return false;
	if (n > 0)
		return !burst->class->drop_when_full;
	if (burst->pair->hold_since == 0)
		burst->pair->hold_index = stand.index;
	return tp_turn_may_wait(worker, burst->pair, burst->class);
}

/** End a burst before the first frame that has to wait. */
TP_RARE void tp_turn_wait(struct tp_worker *worker)
{
	struct tp_burst *burst = &worker->burst;

	for (unsigned i = 0; i < burst->count; i++) {
		if (!tp_turn_frame_waits(worker, i))
			continue;
		burst->count = i;
		burst->blocked_at = tp_resource_of(burst, burst->destination[i]);
		return;
	}
}

/** Is anybody waiting anywhere? */
static inline bool tp_turn_needed(const struct tp_worker *worker)
{
	return worker->scheduler.sweep - worker->turns.sweep <= 1;
}

static inline void tp_turn_release(struct tp_turns *turns, const struct tp_ring_pair *ring)
{
	struct tp_turn *turn = tp_turn_at(turns, ring->blocked_at);

	if (turn->holder == ring)
		turn->holder = NULL;
}

/* A ring that was refused before was not refused now. It queues on if it has had its turn and what
 * comes next is probably for the same destination. */
TP_RARE void tp_turn_pass_on(struct tp_worker *worker, struct tp_ring_pair *ring)
{
	const struct tp_burst *burst = &worker->burst;
	unsigned last = burst->accepted - 1;

	tp_turn_release(&worker->turns, ring);
	ring->blocked = false;
	ring->queues = burst->accepted > 0 && burst->accepted == burst->count && !burst->drained &&
		       burst->views.view[last].drop == TP_DROP_NONE &&
		       burst->destination[last] == ring->blocked_at;
}

TP_RARE void tp_turn_refused(struct tp_worker *worker, struct tp_ring_pair *ring, uint32_t bid)
{
	uint32_t destination = worker->burst.blocked_at;
	uint32_t sweep = worker->scheduler.sweep;
	struct tp_turn *turn = tp_turn_at(&worker->turns, destination);

	if (ring->queues && ring->blocked_at != destination)
		tp_turn_release(&worker->turns, ring);
	ring->blocked = ring->queues = true;
	ring->blocked_at = destination;
	worker->turns.sweep = sweep;
	if (turn->holder == ring || !tp_turn_stands(turn, sweep) ||
		(turn->destination == destination && turn->bid < bid))
		*turn = (struct tp_turn){
			.holder = ring, .destination = destination, .sweep = sweep, .bid = bid};
}

/** A burst of a ring has ended; burst->blocked_at says who refused it. */
static inline void tp_turn_note(struct tp_worker *worker, struct tp_ring_pair *ring, uint32_t bid)
{
	if (TP_UNLIKELY(worker->burst.blocked_at != TP_NO_INTERFACE))
		tp_turn_refused(worker, ring, bid);
	else if (TP_UNLIKELY(ring->queues))
		tp_turn_pass_on(worker, ring);
}
