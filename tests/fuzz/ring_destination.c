/* SPDX-License-Identifier: BSD-3-Clause */
#include "ring_worker.h"
#include "vring/split_destination.h"

/*
 * Attempts to reserve, some of them at the same time; what was committed is filled and published,
 * in any order where the ring is shared, in its own order where it is not.
 */

#define FRAMES_MAX 16 /* of an attempt */
#define OPEN_MAX   4  /* attempts that were committed and are not published */

struct attempt {
	struct tp_claim claim;
	struct tp_places places;
	uint32_t length[FRAMES_MAX];
	unsigned frames; /* reserved */
	bool open, done;
};

static struct attempt attempts[OPEN_MAX];
static uint64_t published; /* position up to which the guest may see */

/* --- reserving ------------------------------------------------------------------------------- */

static void check_place(const struct ring_worker *worker, const struct attempt *attempt,
	const struct tp_place *place, uint32_t length)
{
	uint64_t room = place->length;

	EXPECT(place->buffers >= 1 && place->buffers <= worker->ring.size);
	EXPECT(place->buffers == 1 || worker->ring.mergeable);
	if (place->pieces == 0) {
		EXPECT(guest_owns(&worker->guest, place->data, place->length));
		EXPECT(place->head < worker->ring.size);
	}
	for (unsigned i = 0; i < place->pieces; i++) {
		const struct tp_piece *piece = &attempt->places.piece[place->first_piece + i];

		EXPECT(guest_owns(&worker->guest, piece->data, piece->length));
		EXPECT(piece->head < worker->ring.size);
		room = (i > 0 ? room : 0) + piece->length;
	}
	EXPECT(room >= TP_NET_HEADER + length);
}

static void reserve_frames(
	struct ring_worker *worker, struct attempt *attempt, struct input *input, unsigned wanted)
{
	for (unsigned i = 0; i < wanted; i++) {
		uint32_t length = input_u16(input);
		struct tp_place *place = &attempt->places.place[i];
		enum tp_reserve result = tp_split_reserve(
			&worker->ring, &attempt->claim, length, &attempt->places, place);

		if (result != TP_RESERVE_ACCEPTED)
			return;
		check_place(worker, attempt, place, length);
		attempt->length[i] = length;
		attempt->frames++;
	}
}

/* How much is there, and what does it cost? @return how many frames to try, 0: refused. */
static unsigned begin(struct ring_worker *worker, struct attempt *attempt, struct input *input)
{
	uint8_t how = input_u8(input), bid = input_u8(input), age = input_u8(input);
	struct tp_vring *ring = &worker->ring;
	struct tp_claim *claim = &attempt->claim;
	enum tp_reserve result;

	attempt->frames = 0;
	attempt->places.pieces_used = 0;
	worker_note(worker);
	result = tp_claim_begin(
		ring, claim, tp_price_threshold(TP_PRICE_ONE + 4u * bid), age, how & 0x80);
	EXPECT((result == TP_RESERVE_BROKEN) <= (tp_vring_fault(ring) != TP_VRING_SOUND));
	EXPECT(worker_unchanged(worker));
	if (result != TP_RESERVE_ACCEPTED)
		return 0;
	EXPECT(claim->free >= 1 && claim->free <= ring->size);
	EXPECT(claim->limit >= 1 && claim->limit <= claim->free);
	EXPECT(claim->price >= TP_PRICE_ONE && claim->price <= TP_PRICE_ONE + 4u * bid);
	return 1 + how % FRAMES_MAX;
}

/* @return whether anything was reserved, which nobody but the worker knows. */
static bool reserve(
	struct ring_worker *worker, struct attempt *attempt, struct input *input, unsigned wanted)
{
	worker_note(worker);
	reserve_frames(worker, attempt, input, wanted);
	EXPECT(attempt->claim.buffers <= attempt->claim.free);
	EXPECT(worker_unchanged(worker)); /* giving up now has left no trace */
	return attempt->frames > 0;
}

/* --- filling and publishing ------------------------------------------------------------------ */

static void fill(const struct attempt *attempt, const struct tp_place *place, uint32_t length)
{
	uint32_t left = (uint32_t)TP_NET_HEADER + length;
	const struct tp_piece *piece = &attempt->places.piece[place->first_piece];

	if (place->pieces == 0)
		memset(place->data, 0x5a, left);
	for (unsigned i = 0; i < place->pieces && left > 0; i++) {
		uint32_t part = piece[i].length < left ? piece[i].length : left;

		memset(piece[i].data, 0x5a, part);
		left -= part;
	}
}

/* The used entries of a place name its chains and add up to its frame. */
static void check_used(struct ring_worker *worker, const struct attempt *attempt, uint16_t index,
	const struct tp_place *place, uint32_t length)
{
	const struct tp_piece *piece = &attempt->places.piece[place->first_piece];
	uint64_t sum = 0;

	for (unsigned i = 0; i < place->buffers; i++, piece++) {
		struct vring_used_elem *used =
			&worker->ring.used->ring[(uint16_t)(index + i) & (worker->ring.size - 1)];

		while (place->pieces > 0 && !piece->begins)
			piece++;
		EXPECT(used->id == (place->pieces > 0 ? piece->head : place->head));
		sum += used->len;
		worker_allow(worker, used, sizeof(*used));
	}
	EXPECT(sum == TP_NET_HEADER + length);
}

static void put(struct ring_worker *worker, struct attempt *attempt)
{
	uint16_t index = (uint16_t)attempt->claim.first;

	for (unsigned i = 0; i < attempt->frames; i++)
		fill(attempt, &attempt->places.place[i], attempt->length[i]);
	worker_note(worker);
	for (unsigned i = 0; i < attempt->frames; i++) {
		const struct tp_place *place = &attempt->places.place[i];
		uint16_t written = tp_split_put(
			&worker->ring, index, &attempt->places, place, attempt->length[i]);

		EXPECT(written == place->buffers);
		if (!worker->racing)
			check_used(worker, attempt, index, place, attempt->length[i]);
		index += written;
	}
	EXPECT(index == (uint16_t)(attempt->claim.first + attempt->claim.buffers));
}

/* Up to the first one that is not finished. */
static void note_published(void)
{
	for (unsigned i = 0; i < OPEN_MAX; i++) {
		if (!attempts[i].done || attempts[i].claim.first != published)
			continue;
		published += attempts[i].claim.buffers;
		attempts[i].done = false;
		i = UINT32_MAX; /* from the first one again */
	}
}

static void finish(struct ring_worker *worker, struct attempt *attempt)
{
	struct tp_vring *ring = &worker->ring;
	uint64_t before = published;
	uint16_t seen;

	put(worker, attempt);
	seen = tp_split_publish(ring, attempt->claim.first, attempt->claim.buffers);
	attempt->open = false;
	attempt->done = true;
	note_published();
	EXPECT(published - before == seen);
	EXPECT(ring->baton == NULL || ring->writers.published == published);
	EXPECT(ring->baton != NULL || ring->next_avail == (uint16_t)published);
	if (seen > 0)
		worker_allow(worker, &ring->used->idx, sizeof(ring->used->idx));
	EXPECT(worker->racing || seen == 0 || ring->used->idx == (uint16_t)published);
	EXPECT(worker_unchanged(worker));
	tp_split_call_wanted(ring, (uint16_t)before, (uint16_t)published);
}

/* --- steps ----------------------------------------------------------------------------------- */

static struct attempt *find_free(void)
{
	for (unsigned i = 0; i < OPEN_MAX; i++)
		if (!attempts[i].open && !attempts[i].done)
			return &attempts[i];
	return NULL;
}

/* The one that was committed first, or any: the ring's only writer publishes in order. */
static struct attempt *find_open(const struct ring_worker *worker, unsigned which)
{
	for (unsigned i = 0; i < OPEN_MAX; i++) {
		struct attempt *attempt = &attempts[(i + which) % OPEN_MAX];

		if (attempt->open && (worker->ring.baton != NULL ||
					     attempt->claim.first % 65536 == published % 65536))
			return attempt;
	}
	return NULL;
}

static void commit(struct ring_worker *worker, struct attempt *attempt, bool overtaken)
{
	bool committed = tp_claim_commit(&worker->ring, &attempt->claim);

	EXPECT(committed == !overtaken);
	attempt->open = committed;
	/* What is reserved and not published fits the ring. */
	if (committed && worker->ring.baton != NULL)
		EXPECT(worker->ring.writers.reserved - published <= worker->ring.size);
}

/* Another worker, which began later, and is faster. @return whether it got anything. */
static bool rival_commits(struct ring_worker *worker, struct attempt *attempt, struct input *input)
{
	struct attempt *rival;
	unsigned wanted;

	attempt->done = true; /* not free */
	rival = worker->ring.baton != NULL ? find_free() : NULL;
	attempt->done = false;
	wanted = rival != NULL ? begin(worker, rival, input) : 0;
	if (wanted == 0 || !reserve(worker, rival, input, wanted))
		return false;
	commit(worker, rival, false);
	return true;
}

static void step_attempt(struct ring_worker *worker, struct input *input, uint8_t what)
{
	struct attempt *attempt = find_free();
	unsigned wanted = attempt != NULL ? begin(worker, attempt, input) : 0;
	bool overtaken = false;

	if (wanted > 0 && (what & 32))
		overtaken = rival_commits(worker, attempt, input);
	if (wanted == 0 || !reserve(worker, attempt, input, wanted))
		return;
	worker_interlude(worker, input);
	if (what & 8)
		overtaken |= rival_commits(worker, attempt, input);
	if (!(what & 16))
		commit(worker, attempt, overtaken);
}

void destination_settle(struct ring_worker *worker)
{
	struct attempt *attempt;

	while ((attempt = find_open(worker, 0)) != NULL)
		finish(worker, attempt);
	for (unsigned i = 0; i < OPEN_MAX; i++)
		EXPECT(!attempts[i].open && !attempts[i].done);
	EXPECT(worker->ring.baton == NULL ? worker->ring.next_avail == worker->ring.reserved
					  : worker->ring.writers.reserved == published);
}

/* Workers are gone, the ring too: what they reserved is forgotten with it. */
void destination_share(struct ring_worker *worker, bool shared)
{
	if (worker->ring.baton != NULL)
		EXPECT(tp_vring_unshare(&worker->ring) == worker->baton);
	if (shared)
		tp_vring_share(&worker->ring, worker->baton);
	published = worker->ring.next_avail;
}

void destination_step(struct ring_worker *worker, struct input *input)
{
	uint8_t what = input_u8(input);
	struct attempt *attempt = find_open(worker, what >> 3);

	if ((what & 7) == 7) {
		destination_settle(worker);
		destination_share(worker, what & 8);
	} else if ((what & 1) && attempt != NULL) {
		finish(worker, attempt);
	} else {
		step_attempt(worker, input, what);
	}
}
