/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <rte_cycles.h>

#include "announce.h"
#include "flood_share.h"
#include "latency.h"
#include "path/worker.h"
#include "shaper.h"
#include "turn.h"
#include "uplink_queue.h"

/*
 * A sweep over the rings that are polled: who may send, how much, and what it took.
 */

/* --- Before --- */

static void empty_cache(struct tp_worker *worker)
{
	/* Key 0 is tenant 0's MAC 00:00:00:00:00:00, which nobody has. */
	memset(worker->cache, 0, sizeof(worker->cache));
	for (unsigned i = 0; i < TP_CACHED_MACS; i++)
		worker->cache[i].interface = TP_NO_INTERFACE;
}

/* Take the present snapshot for the whole sweep; look-ups of an older one are forgotten. */
static void take_snapshot(struct tp_worker *worker)
{
	struct tp_dataplane *dataplane = worker->dataplane;
	/* acquire: partners are the release stores of tp_dataplane_publish_snapshot and of learning
	 */
	const struct tp_snapshot *snapshot =
		atomic_load_explicit(&dataplane->snapshot, memory_order_acquire);
	uint64_t learned =
		atomic_load_explicit(&dataplane->learned_generation, memory_order_acquire);

	/* Not by its address, which may be that of an older one whose memory was free again. */
	bool same = snapshot == worker->snapshot && snapshot->number == worker->snapshot_number;

	if (same && learned == worker->learned_generation)
		return;
	worker->snapshot = snapshot;
	worker->snapshot_number = snapshot->number;
	tp_uplinks_take(worker);
	worker->learned_generation = learned;
	if (!same) {
		tp_scheduler_price(&worker->scheduler, &snapshot->tariff);
		tp_hot_classify(worker);
	}
	empty_cache(worker);
}

/* How long the last sweep took, if it found frames. */
static void count_last_sweep(struct tp_worker *worker, uint64_t began)
{
	uint64_t took = worker->was_busy ? worker->hot.now - began : 0;

	if (took > 0) {
		tp_counter_add(&worker->share->busy_cycles, took);
		tp_times_add(&worker->share->sweep, took, 1);
	}
	tp_scheduler_begin(&worker->scheduler, took);
}

/* --- A ring that shows frames --- */

enum answer {
	SENDS,
	HOLDS, /* it has had its share, or it is another one's turn */
	WAITS, /* its rate does not pay */
};

/* A ring, and as whom it is served. */
struct visit {
	struct tp_hot_entry *entry;
	struct tp_ring_pair *ring;
	const struct tp_interface *source;
	const struct tp_class *class;
};

static enum answer ask(struct tp_worker *worker, const struct visit *visit)
{
	struct tp_ring_pair *ring = visit->ring;

	tp_latency_see(ring, tp_hot_available(visit->entry), worker->now);
	if (TP_UNLIKELY(ring->queues) &&
		tp_turn_waits(&worker->turns, ring, visit->class->bid, ring->blocked_at,
			worker->scheduler.sweep) &&
		tp_turn_may_wait(worker, ring, visit->class)) {
		tp_scheduler_pass(&worker->scheduler, ring, visit->class->weight);
		return HOLDS;
	}
	if (!tp_scheduler_admit(&worker->scheduler, ring, visit->class->weight))
		return HOLDS;
	if (TP_LIKELY(!tp_shaped(&visit->source->shape)))
		return SENDS;
	if (!tp_shaper_pays(&visit->entry->poll.context->bucket, worker->now) ||
		tp_shaper_gives_way(visit->entry->poll.context, ring))
		return WAITS;
	return SENDS;
}

static void limit_by_rate(
	const struct tp_worker *worker, const struct visit *visit, struct tp_limit *limit)
{
	const struct tp_shape *shape = &visit->source->shape;
	uint64_t frames;

	limit->units = tp_shaper_units(shape, &visit->entry->poll.context->bucket, worker->now);
	frames = tp_shaper_frames(shape, limit->units);
	if (frames < limit->frames)
		limit->frames = (unsigned)frames;
}

static void charge_rate(struct tp_worker *worker, const struct visit *visit, unsigned frames)
{
	struct tp_bucket *bucket = &visit->entry->poll.context->bucket;

	visit->ring->tried = ++bucket->tries;
	tp_shaper_charge(&visit->source->shape, bucket, worker->now, frames, worker->burst.bytes);
}

/* Control looks for it, and ends its connection. */
static void tell_of_broken(struct tp_worker *worker)
{
	worker->burst.broken = false;
	worker->calls.costly.broken = false;
	/* release: partner is control's acquire load before it looks at the rings' faults */
	__atomic_store_n(&worker->share->broken, worker->share->broken + 1, __ATOMIC_RELEASE);
}

/* One burst. @return frames completed. */
static unsigned take_burst(struct tp_worker *worker, const struct visit *visit)
{
	struct tp_ring_pair *ring = visit->ring;
	const struct tp_burst *burst = &worker->burst;
	uint64_t began = worker->now;
	uint16_t first = ring->tx.next_avail;
	struct tp_limit limit = {.cost = tp_scheduler_most(ring)};
	unsigned frames;

	limit.frames = tp_scheduler_frames(&worker->scheduler, limit.cost);
	if (TP_UNLIKELY(tp_shaped(&visit->source->shape)))
		limit_by_rate(worker, visit, &limit);
	frames = worker->forward(worker, &visit->entry->poll, &limit);
	if (TP_UNLIKELY(burst->broken))
		tell_of_broken(worker);
	if (TP_UNLIKELY(tp_shaped(&visit->source->shape)))
		charge_rate(worker, visit, frames);
	worker->now = rte_rdtsc();
	worker->scheduler.served += worker->now - began;
	visit->entry->next_avail = ring->tx.next_avail;
	tp_scheduler_charge(&worker->scheduler, ring, visit->class->weight, frames, burst->cost,
		burst->drained);
	tp_turn_note(worker, ring, visit->class->bid);
	if (frames == 0)
		return 0;
	tp_latency_count(&worker->share->latency[visit->entry->class], ring, first, frames,
		burst->dropped, began, worker->now);
	tp_counter_add(&worker->share->cache[visit->entry->class].hits, 1);
	return frames;
}

/* The next piece of a flooded frame, the ring's oldest: whatever it is asked, it goes on. */
static unsigned take_piece(struct tp_worker *worker, const struct visit *visit)
{
	tp_latency_see(visit->ring, tp_hot_available(visit->entry), worker->now);
	return take_burst(worker, visit);
}

static bool prepare(struct tp_worker *worker, struct tp_hot_entry *entry, struct visit *visit)
{
	if (!tp_vring_running(&entry->ring->tx))
		return false;
	visit->entry = entry;
	visit->ring = entry->ring;
	visit->source = &worker->snapshot->interfaces[entry->poll.interface];
	visit->class = tp_class_of(worker, visit->source);
	tp_hot_use(&worker->hot, entry, visit->class);
	return true;
}

/* --- Pinned rings --- */

static void count_gap(struct tp_worker *worker)
{
	if (worker->pins_polled_at != 0)
		tp_times_add(&worker->share->pinned_gap, worker->now - worker->pins_polled_at, 1);
	worker->pins_polled_at = worker->now;
}

/* Each once. @param flooding  who begins a flooded frame that has another piece */
static unsigned poll_pinned(struct tp_worker *worker, struct visit *flooding)
{
	const struct tp_hot_table *pinned = &worker->hot.pinned;
	unsigned frames = 0;

	count_gap(worker);
	for (uint32_t i = 0; i < pinned->count; i++) {
		struct visit visit;

		/* Who floods has its pieces in serve_pinned. */
		if (!tp_hot_has_frames(&pinned->entry[i]) ||
			tp_flood_of(worker, pinned->entry[i].ring) ||
			!prepare(worker, &pinned->entry[i], &visit) || ask(worker, &visit) != SENDS)
			continue;
		tp_flood_put_aside(worker);
		frames += take_burst(worker, &visit);
		if (TP_UNLIKELY(tp_flood_of(worker, visit.ring)))
			*flooding = visit;
	}
	return frames;
}

static unsigned serve_pinned(struct tp_worker *worker)
{
	const void *others = worker->flood.source; /* has a frame between two pieces, or nobody */
	struct visit flooding;
	unsigned frames;

	if (worker->hot.pinned.count == 0)
		return 0;
	frames = poll_pinned(worker, &flooding);
	while (TP_UNLIKELY(!tp_flood_of(worker, others)))
		frames += take_piece(worker, &flooding) + poll_pinned(worker, &flooding);
	return frames;
}

void tp_worker_serve_pinned(struct tp_worker *worker)
{
	worker->now = rte_rdtsc();
	tp_counter_add(&worker->share->frames, serve_pinned(worker));
}

/* --- The others --- */

static inline bool stays(const struct tp_hot *hot, const struct tp_hot_entry *entry)
{
	return !hot->caching || hot->now - entry->used_at <= hot->stay;
}

/* Bursts of one ring, one after the other as long as they are full and paid for; the pinned rings
 * after each. */
static unsigned serve(struct tp_worker *worker, const struct visit *visit)
{
	unsigned frames = 0;
	unsigned done;

	do {
		done = take_burst(worker, visit);
		frames += done + serve_pinned(worker);
		while (TP_UNLIKELY(tp_flood_of(worker, visit->ring)))
			frames += take_piece(worker, visit) + serve_pinned(worker);
	} while (done == TP_BURST && !visit->ring->blocked &&
		 tp_scheduler_goes_on(&worker->scheduler, visit->ring, visit->class->weight) &&
		 tp_hot_has_frames(visit->entry) && ask(worker, visit) == SENDS);
	return frames;
}

/* An entry of the table that shows frames. @return true if it has left. */
static bool serve_entry(struct tp_worker *worker, uint32_t index, unsigned *frames)
{
	struct visit visit;

	if (!prepare(worker, &worker->hot.table.entry[index], &visit))
		return false;
	switch (ask(worker, &visit)) {
	case SENDS:
		*frames += serve(worker, &visit);
		return false;
	case HOLDS:
		return false;
	case WAITS:
		break;
	}
	return tp_hot_wait(worker, index,
		tp_shaper_back_at(&visit.source->shape, &visit.entry->poll.context->bucket,
			worker->hot.patience));
}

static unsigned serve_hot(struct tp_worker *worker)
{
	struct tp_hot *hot = &worker->hot;
	struct tp_hot_table *table = &hot->table;
	bool fresh = false; /* worker->now is of now */
	unsigned frames = 0;

	for (uint32_t i = 0; i < table->count;) {
		struct tp_hot_entry *entry = &table->entry[i];

		/* The next index is probably in its guest's cache: let it come meanwhile. */
		if (i + 1 < table->count)
			__builtin_prefetch(entry[1].available);
		if (tp_hot_has_frames(entry)) {
			if (!fresh)
				worker->now = rte_rdtsc();
			fresh = true;
			if (serve_entry(worker, i, &frames))
				continue;
		} else {
			fresh = false;
			if (!stays(hot, entry) && tp_hot_cool(worker, i))
				continue; /* another entry stands here now */
		}
		i++;
	}
	return frames;
}

/* Frames of the wire, then those that are to go there from other workers. */
static unsigned serve_uplinks(struct tp_worker *worker)
{
	unsigned frames = tp_uplinks_receive(worker);

	if (TP_UNLIKELY(worker->burst.broken))
		tell_of_broken(worker);
	if (frames > 0)
		worker->now = rte_rdtsc();
	return frames;
}

/* Rings whose calls take long: those that waited for their time, and those that are to be ended. */
__attribute__((noinline, cold)) static void settle_costly(struct tp_worker *worker)
{
	tp_calls_late(&worker->calls, false);
	if (worker->calls.costly.broken)
		tell_of_broken(worker);
}

/* Guests that have come from another host. */
static unsigned serve_announcements(struct tp_worker *worker)
{
	unsigned frames = tp_announce(worker);

	if (TP_UNLIKELY(worker->burst.broken))
		tell_of_broken(worker);
	worker->now = rte_rdtsc();
	return frames;
}

unsigned tp_worker_sweep(struct tp_worker *worker)
{
	uint64_t began = worker->hot.now;
	unsigned frames;

	take_snapshot(worker);
	tp_hot_begin(worker);
	tp_flood_begin_sweep(&worker->flooding);
	worker->now = worker->hot.now;
	count_last_sweep(worker, began);
	frames = serve_pinned(worker);
	if (TP_UNLIKELY(worker->uplinks.count > 0))
		frames += serve_uplinks(worker);
	if (TP_UNLIKELY(worker->announcements.count > 0))
		frames += serve_announcements(worker);
	frames += serve_hot(worker);
	if (TP_UNLIKELY(worker->uplinks.count > 0))
		tp_uplinks_drain(worker);
	tp_call_pending(&worker->calls);
	if (TP_UNLIKELY(worker->calls.costly.count > 0))
		settle_costly(worker);
	tp_counter_add(&worker->share->sweeps, 1);
	__atomic_store_n(&worker->share->hot, worker->hot.table.count + worker->hot.pinned.count,
		__ATOMIC_RELAXED);
	worker->was_busy = frames > 0;
	if (frames > 0) {
		tp_counter_add(&worker->share->busy_sweeps, 1);
		tp_counter_add(&worker->share->frames, frames);
	}
	return frames;
}
