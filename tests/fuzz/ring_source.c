/* SPDX-License-Identifier: BSD-3-Clause */
#include "ring_worker.h"
#include "vring/split_source.h"

static struct tp_views views, again;

static void check_view(const struct ring_worker *worker, const struct tp_view *view)
{
	const struct ring_guest *guest = &worker->guest;
	uint64_t length = view->first_length;

	EXPECT(view->head < worker->ring.size && view->drop < TP_DROP_COUNT);
	if (view->drop != TP_DROP_NONE)
		return;
	EXPECT(view->length <= TP_FRAME_MAX && view->first_length <= view->length);
	EXPECT(view->length == 0 || guest_owns(guest, view->data, view->first_length));
	EXPECT(view->first_piece + view->pieces <= TP_PIECES);
	for (unsigned i = 0; i < view->pieces; i++) {
		const struct tp_piece *piece = &views.piece[view->first_piece + i];

		EXPECT(guest_owns(guest, piece->data, piece->length) && piece->length > 0);
		length += piece->length;
	}
	EXPECT(length == view->length);
}

/* A peek has consumed nothing, so the next one says the same. */
static void peek_again(struct ring_worker *worker, unsigned most, unsigned count)
{
	EXPECT(tp_split_peek(&worker->ring, &again, most) == count);
	for (unsigned i = 0; i < count; i++) {
		const struct tp_view *a = &views.view[i], *b = &again.view[i];

		EXPECT(a->head == b->head && a->drop == b->drop);
		EXPECT(a->drop != TP_DROP_NONE ||
			(a->data == b->data && a->length == b->length && a->pieces == b->pieces));
	}
}

static uint8_t touch(const uint8_t *data, uint32_t length)
{
	if (length == 0)
		return 0;
	return __atomic_load_n(data, __ATOMIC_RELAXED) ^
	       __atomic_load_n(data + length - 1, __ATOMIC_RELAXED);
}

/* What the copy would read. Whatever the guest does meanwhile, it is where it was judged to be. */
static void read_frames(unsigned count)
{
	uint8_t sum = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct tp_view *view = &views.view[i];

		if (view->drop != TP_DROP_NONE)
			continue;
		sum ^= touch(view->data, view->first_length);
		for (unsigned n = 0; n < view->pieces; n++)
			sum ^= touch(views.piece[view->first_piece + n].data,
				views.piece[view->first_piece + n].length);
	}
	__asm__ volatile("" : : "r"(sum));
}

/* Just those that were peeked go back, in order, and nothing else is written. */
static void complete(struct ring_worker *worker, unsigned count)
{
	struct tp_vring *ring = &worker->ring;
	uint16_t before = ring->next_avail;

	worker_note(worker);
	tp_split_complete(ring, views.view, count);
	EXPECT(ring->next_avail == (uint16_t)(before + count));
	for (unsigned i = 0; i < count && !worker->racing; i++) {
		struct vring_used_elem *used =
			&ring->used->ring[(uint16_t)(before + i) & (ring->size - 1)];

		EXPECT(used->id == views.view[i].head && used->len == 0);
		worker_allow(worker, used, sizeof(*used));
	}
	EXPECT(worker->racing || ring->used->idx == ring->next_avail);
	worker_allow(worker, &ring->used->idx, sizeof(ring->used->idx));
	EXPECT(worker_unchanged(worker));
	tp_split_call_wanted(ring, before, ring->next_avail);
}

void source_step(struct ring_worker *worker, struct input *input)
{
	struct tp_vring *ring = &worker->ring;
	unsigned most = 1 + input_u8(input) % (TP_BURST + 8);
	uint8_t share = input_u8(input);
	unsigned count;

	worker_note(worker);
	count = tp_split_peek(ring, &views, most);
	EXPECT(count <= most && count <= TP_BURST && count <= ring->size);
	EXPECT(count == 0 || tp_vring_fault(ring) == TP_VRING_SOUND);
	EXPECT(worker_unchanged(worker));
	for (unsigned i = 0; i < count; i++)
		check_view(worker, &views.view[i]);
	if (!worker->racing && tp_vring_fault(ring) == TP_VRING_SOUND)
		peek_again(worker, most, count);
	worker_interlude(worker, input);
	read_frames(count);
	count = share < count ? share : count;
	if (count > 0)
		complete(worker, count);
}
