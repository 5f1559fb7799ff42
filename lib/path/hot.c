/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_ring_elem.h>

#include "announce.h"
#include "hot_ring.h"
#include "state/cycles.h"
#include "state/node_memory.h"

/* Entries compared when one has to go; a prime, so that every entry is compared in the end. */
#define SAMPLE 61

#define NS UINT64_C(1000000000)

#define SLEEP_NS    62500000u /* longest sleep when nobody is known to be silent */
#define PATIENCE_NS 10000u    /* of a rate may come together, where it is high */
#define AWAKE_NS    100000u   /* a shorter time is not slept through */
#define WAKING_NS   50000u    /* to get up before its end */

/* --- Tables --- */

static int open_table(struct tp_hot_table *table, uint32_t capacity, int node)
{
	table->capacity = table->places = capacity;
	if (capacity == 0)
		return 0;
	table->entry = tp_node_zalloc("hot entries", capacity * sizeof(table->entry[0]), node);
	return table->entry == NULL ? -ENOMEM : 0;
}

static int open_lists(struct tp_hot *hot, uint32_t rings, int node)
{
	uint32_t places = rte_align32pow2(rings + 1);

	hot->queue.mask = places - 1;
	hot->queue.id = tp_node_zalloc("hot queue", places * sizeof(hot->queue.id[0]), node);
	hot->silent = tp_node_zalloc("silent rings", places * sizeof(hot->silent[0]), node);
	return hot->queue.id == NULL || hot->silent == NULL ? -ENOMEM : 0;
}

int tp_hot_open(struct tp_hot *hot, const struct tp_dataplane_settings *settings, int node,
	struct tp_error *error)
{
	uint32_t room = settings->rings;

	*hot = (struct tp_hot){
		.caching = settings->hot_cache,
		.stay = tp_cycles_of_ns(settings->stay_hot_ns),
		.patience = tp_cycles_of_ns(PATIENCE_NS),
		.look_every = tp_cycles_of_ns(TP_HOT_LOOK_NS),
	};
	if (settings->hot_cache && room > settings->hot_contexts)
		room = RTE_MAX(settings->hot_contexts, 1u);
	if (open_table(&hot->table, room, node) == 0 && open_table(&hot->pinned, room, node) == 0 &&
		open_lists(hot, settings->rings, node) == 0 &&
		tp_wheel_open(&hot->wheel, settings->rings, rte_get_tsc_hz(), node) == 0)
		return 0;
	tp_hot_close(hot);
	return tp_error_set(error, ENOMEM,
		"hot-context cache: %u entries are more than the EAL's heap has room for; give "
		"it more with -m MEGABYTES before --",
		2 * room);
}

void tp_hot_close(struct tp_hot *hot)
{
	rte_free(hot->table.entry);
	rte_free(hot->pinned.entry);
	rte_free(hot->queue.id);
	rte_free(hot->silent);
	tp_wheel_close(&hot->wheel);
	*hot = (struct tp_hot){0};
}

static void want_arm(const struct tp_worker *worker, const struct tp_hot_entry *entry)
{
	struct tp_ring_pair *ring = entry->ring;
	struct tp_ring_id id = {
		.interface = entry->poll.interface,
		.pair = (uint8_t)entry->poll.pair,
		.generation = entry->generation,
	};

	/* Control arms, and then has been asked no more: in this order it is looked at again. */
	if (atomic_load_explicit(&ring->arming, memory_order_acquire) || tp_ring_armed(ring))
		return;
	atomic_store_explicit(&ring->arming, true, memory_order_relaxed);
	if (rte_ring_sp_enqueue_elem(worker->share->arms, &id, sizeof(id)) != 0)
		atomic_store_explicit(&ring->arming, false, memory_order_relaxed);
}

/* --- Out of the table --- */

/* What the entry alone knows goes into the context: nothing but where it stands, today; the ring's
 * indices are kept there at every burst. */
static void write_back(struct tp_worker *worker, uint32_t index)
{
	struct tp_hot_table *table = &worker->hot.table;
	struct tp_hot_entry *entry = &table->entry[index];

	tp_counter_add(&tp_hot_counters(worker, &entry->poll)->write_backs, 1);
	tp_hot_move(entry->ring, TP_RESIDENCE_COLD);
	tp_hot_remove(table, index);
}

bool tp_hot_cool(struct tp_worker *worker, uint32_t index)
{
	struct tp_hot_entry *entry = &worker->hot.table.entry[index];
	struct tp_ring_pair *ring = entry->ring;

	if (tp_hot_residence(ring) == TP_RESIDENCE_HOT)
		tp_hot_move(ring, TP_RESIDENCE_DRAINING);
	if (tp_hot_silent(ring)) {
		tp_hot_list_silent(&worker->hot, &entry->poll, ring);
		write_back(worker, index);
		return true;
	}
	if (!tp_ring_armed(ring)) {
		want_arm(worker, entry);
		return false;
	}
	tp_vring_ask_for_kicks(&ring->tx);
	/* Between our wish and the last look, as between the guest's index and its look. */
	atomic_thread_fence(memory_order_seq_cst);
	if (tp_hot_has_frames(entry)) {
		tp_vring_suppress_kicks(&ring->tx);
		tp_hot_move(ring, TP_RESIDENCE_HOT);
		return false;
	}
	write_back(worker, index);
	return true;
}

static bool goes_before(const struct tp_hot_entry *a, const struct tp_hot_entry *b)
{
	return a->worth != b->worth ? a->worth < b->worth : (int32_t)(a->serial - b->serial) < 0;
}

/* The entry that is worth least, among some in a large table. @return its index, or the table's
 * count if it was loaded in this very sweep: each has its turn. */
static uint32_t find_victim(struct tp_hot *hot)
{
	const struct tp_hot_table *table = &hot->table;
	uint32_t victim = hot->hand % table->count;

	for (uint32_t n = 1; n < SAMPLE && n < table->count; n++) {
		uint32_t index = (hot->hand + n) % table->count;

		if (goes_before(&table->entry[index], &table->entry[victim]))
			victim = index;
	}
	hot->hand += SAMPLE;
	return table->entry[victim].used_at == hot->now ? table->count : victim;
}

/* @return true if there is room now. */
static bool evict(struct tp_worker *worker)
{
	struct tp_hot *hot = &worker->hot;
	uint32_t victim = find_victim(hot);
	struct tp_hot_entry entry;

	if (victim == hot->table.count)
		return false;
	entry = hot->table.entry[victim];
	hot->inflation = entry.worth;
	tp_counter_add(&tp_hot_counters(worker, &entry.poll)->evictions, 1);
	if (!tp_hot_has_frames(&entry) && tp_hot_cool(worker, victim))
		return true;
	/* It cannot wait for a kick: it waits for its turn. */
	if (tp_hot_residence(entry.ring) == TP_RESIDENCE_HOT)
		tp_hot_move(entry.ring, TP_RESIDENCE_DRAINING);
	write_back(worker, victim);
	tp_hot_enqueue(hot, &entry.poll, entry.ring);
	return true;
}

/* --- Into the table --- */

/* A ring that was cold, or that has waited for its rate. @return false if it has to wait for room.
 */
static bool load(struct tp_worker *worker, const struct tp_poll *poll, struct tp_ring_pair *ring)
{
	struct tp_hot *hot = &worker->hot;
	uint16_t class_index = worker->snapshot->interfaces[poll->interface].class;
	const struct tp_class *class = &worker->snapshot->classes[class_index];
	bool cold = tp_hot_residence(ring) == TP_RESIDENCE_COLD;
	bool pinned = class->pinned && cold;
	struct tp_hot_table *table = pinned ? &hot->pinned : &hot->table;
	struct tp_hot_entry *entry;

	if (table->count >= table->capacity && (pinned || !evict(worker)))
		return false;
	entry = &table->entry[table->count++];
	*entry = (struct tp_hot_entry){
		.available = &ring->tx.avail->idx,
		.ring = ring,
		.poll = *poll,
		.next_avail = ring->tx.next_avail,
		.generation = tp_hot_generation(ring),
		.class = class_index,
		.serial = hot->loads++,
	};
	tp_hot_use(hot, entry, class);
	tp_hot_move(ring, pinned ? TP_RESIDENCE_PINNED : TP_RESIDENCE_HOT);
	if (cold) {
		tp_vring_suppress_kicks(&ring->tx);
		tp_counter_add(&worker->share->cache[class_index].loads, 1);
	}
	return true;
}

static bool may_be_loaded(const struct tp_ring_pair *ring)
{
	enum tp_residence residence = tp_hot_residence(ring);

	return residence == TP_RESIDENCE_COLD || residence == TP_RESIDENCE_WAITING;
}

static void load_queued(struct tp_worker *worker)
{
	struct tp_hot_queue *queue = &worker->hot.queue;

	for (unsigned n = 0; n < TP_BELLS && queue->head != queue->tail; n++) {
		struct tp_poll poll;
		struct tp_ring_pair *ring =
			tp_hot_find(worker, &queue->id[queue->head & queue->mask], &poll);

		if (ring != NULL && tp_vring_running(&ring->tx)) {
			if (may_be_loaded(ring) && !load(worker, &poll, ring))
				return;
			ring->queued = false;
		}
		queue->head++;
	}
}

/* --- The doorbell --- */

/* What is meant for an earlier start of the ring comes late: it is over. */
static void hear(struct tp_worker *worker, const struct tp_ring_id *id)
{
	struct tp_poll poll;
	struct tp_ring_pair *ring;

	if (id->bell == TP_BELL_WAKE)
		return;
	ring = tp_hot_find(worker, id, &poll);
	if (ring == NULL || !tp_vring_running(&ring->tx) ||
		id->generation != tp_hot_generation(ring))
		return;
	if (id->bell == TP_BELL_KICK) {
		atomic_store_explicit(
			&ring->rang, (uint16_t)(ring->rang + 1), memory_order_relaxed);
		ring->unkicked = 0;
	}
	tp_announce_hear(worker, id, poll.context);
	if (tp_hot_residence(ring) != TP_RESIDENCE_COLD)
		return;
	if (id->bell == TP_BELL_KICK)
		tp_counter_add(&tp_hot_counters(worker, &poll)->misses, 1);
	tp_hot_enqueue(&worker->hot, &poll, ring);
}

static void listen(struct tp_worker *worker)
{
	struct tp_hot *hot = &worker->hot;

	if (hot->heard_count == 0)
		hot->heard_count = tp_doorbell_take(&worker->share->doorbell, hot->heard, TP_BELLS);
	for (unsigned i = 0; i < hot->heard_count; i++) {
		const struct tp_ring_id id = tp_doorbell_id(&hot->heard[i]);

		hear(worker, &id);
	}
	hot->heard_count = 0;
}

/* --- Departures --- */

static bool departed(const struct tp_worker *worker, const struct tp_hot_entry *entry)
{
	return !atomic_load_explicit(&entry->ring->tx.running, memory_order_acquire) ||
	       entry->generation != tp_hot_generation(entry->ring) ||
	       atomic_load_explicit(&entry->ring->worker, memory_order_relaxed) != worker->index;
}

/* What the rings are marked as is control's from now on. */
static void purge_table(const struct tp_worker *worker, struct tp_hot_table *table)
{
	for (uint32_t i = 0; i < table->count;) {
		const struct tp_hot_entry *entry = &table->entry[i];

		if (!departed(worker, entry)) {
			i++;
			continue;
		}
		tp_hot_remove(table, i);
	}
}

/* Forget rings that have stopped or that another worker serves now; what they are marked as is
 * control's then, which marks them anew at their start. @return how many are left. */
static uint32_t purge_ids(const struct tp_worker *worker, struct tp_ring_id *id, uint32_t first,
	uint32_t count, uint32_t mask)
{
	uint32_t left = 0;

	for (uint32_t n = 0; n < count; n++) {
		const struct tp_ring_id one = id[(first + n) & mask];
		struct tp_poll poll;
		const struct tp_ring_pair *ring = tp_hot_find(worker, &one, &poll);

		if (ring != NULL && atomic_load_explicit(&ring->tx.running, memory_order_acquire))
			id[(first + left++) & mask] = one;
	}
	return left;
}

/* Control has taken rings away; it waits for this. */
static void purge(struct tp_worker *worker)
{
	struct tp_hot *hot = &worker->hot;
	/* acquire: partner is the release in tp_dataplane_leave */
	uint64_t departures =
		atomic_load_explicit(&worker->share->departures, memory_order_acquire);

	if (departures == hot->departures)
		return;
	hot->departures = departures;
	purge_table(worker, &hot->pinned);
	purge_table(worker, &hot->table);
	tp_hot_purge_waiting(worker);
	hot->queue.tail =
		hot->queue.head + purge_ids(worker, hot->queue.id, hot->queue.head,
					  hot->queue.tail - hot->queue.head, hot->queue.mask);
	hot->silent_count = purge_ids(worker, hot->silent, 0, hot->silent_count, UINT32_MAX);
}

/* --- The sweep --- */

/* Those of interfaces that are gone have left before the snapshot came. */
static void classify(const struct tp_snapshot *snapshot, struct tp_hot_table *table)
{
	for (uint32_t i = 0; i < table->count; i++)
		table->entry[i].class = snapshot->interfaces[table->entry[i].poll.interface].class;
}

void tp_hot_classify(struct tp_worker *worker)
{
	struct tp_hot *hot = &worker->hot;
	uint32_t pinned = RTE_MIN(worker->snapshot->pinned_rings, hot->pinned.places);

	classify(worker->snapshot, &hot->pinned);
	classify(worker->snapshot, &hot->table);
	/* All pinned rings may meet here; what is above goes when the next one comes. */
	if (hot->caching && hot->table.places > 0)
		hot->table.capacity = RTE_MAX(hot->table.places - pinned, 1u);
}

void tp_hot_begin(struct tp_worker *worker)
{
	struct tp_hot *hot = &worker->hot;

	hot->now = rte_rdtsc();
	purge(worker);
	listen(worker);
	tp_hot_come_back(worker);
	tp_hot_look_around(worker);
	load_queued(worker);
}

bool tp_hot_all_cold(const struct tp_worker *worker)
{
	const struct tp_hot *hot = &worker->hot;

	return hot->caching && hot->table.count == 0 && hot->pinned.count == 0 &&
	       hot->queue.head == hot->queue.tail;
}

uint64_t tp_hot_rest(const struct tp_worker *worker)
{
	const struct tp_hot *hot = &worker->hot;
	uint64_t most = hot->silent_count > 0 ? TP_HOT_LOOK_NS : SLEEP_NS;
	uint64_t next, now, left;

	if (!tp_hot_all_cold(worker))
		return 0;
	next = tp_wheel_next(&hot->wheel);
	now = rte_rdtsc();
	left = next > now ? next - now : 0;
	if (left > tp_cycles_of_ns(SLEEP_NS))
		return most;
	left = left * NS / rte_get_tsc_hz();
	if (left < AWAKE_NS)
		return 0;
	return RTE_MIN(left - WAKING_NS, most);
}

void tp_hot_sleep(struct tp_worker *worker, uint64_t ns)
{
	struct tp_hot *hot = &worker->hot;

	tp_counter_add(&worker->share->sleeps, 1);
	hot->heard_count = tp_doorbell_wait(&worker->share->doorbell, hot->heard, TP_BELLS, ns);
}
