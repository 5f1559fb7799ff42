/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "burst.h"
#include "classify.h"
#include "copy_bytes.h"

/*
 * copy: once, from the source guest's memory into the destination guest's memory. The first
 * TP_HEAD_BYTES come from the private copy that was judged. Before the frame goes its virtio-net
 * header: nothing but the number of buffers, since no offload is offered (virtio 1.2, 5.1.6.4).
 */

/** Where in the pieces of a place the next byte goes. */
struct tp_cursor {
	const struct tp_piece *piece;
	uint32_t used; /* bytes of this piece that are filled */
};

static inline void tp_pour(struct tp_cursor *cursor, const uint8_t *from, uint32_t length)
{
	while (length > 0) {
		uint32_t room = cursor->piece->length - cursor->used;
		uint32_t part = length < room ? length : room;

		tp_copy_bytes(cursor->piece->data + cursor->used, from, part);
		from += part;
		length -= part;
		cursor->used += part;
		if (cursor->used == cursor->piece->length)
			*cursor = (struct tp_cursor){.piece = cursor->piece + 1};
	}
}

/* Pour a frame's bytes behind the private head, skipping that many in the source's pieces. */
static inline void tp_pour_tail(
	struct tp_cursor *cursor, const struct tp_view *view, const struct tp_piece *piece)
{
	uint32_t skip = tp_head_length(view);
	struct tp_piece part = {.data = view->data, .length = view->first_length};

	for (unsigned i = 0;; i++) {
		uint32_t skipped = skip < part.length ? skip : part.length;

		tp_pour(cursor, part.data + skipped, part.length - skipped);
		skip -= skipped;
		if (i == view->pieces)
			return;
		part = piece[i];
	}
}

/* Frames or places of several pieces. */
TP_RARE void tp_copy_pieces(const struct tp_views *views, const struct tp_view *view,
	const uint8_t *head, const struct tp_places *places, const struct tp_place *place)
{
	struct virtio_net_hdr_v1 header = {.num_buffers = place->buffers};
	struct tp_piece whole = {.data = place->data, .length = place->length};
	struct tp_cursor cursor = {
		.piece = place->pieces == 0 ? &whole : &places->piece[place->first_piece],
	};

	tp_pour(&cursor, (const uint8_t *)&header, sizeof(header));
	tp_pour(&cursor, head, tp_head_length(view));
	tp_pour_tail(&cursor, view, &views->piece[view->first_piece]);
}

TP_FAST void tp_copy_frame(const struct tp_views *views, const struct tp_view *view,
	const uint8_t *head, const struct tp_places *places, const struct tp_place *place)
{
	const struct virtio_net_hdr_v1 header = {.num_buffers = 1};
	uint32_t in_head = tp_head_length(view);
	uint8_t *frame = place->data + sizeof(header);

	if (TP_UNLIKELY(place->pieces != 0 || view->pieces != 0)) {
		tp_copy_pieces(views, view, head, places, place);
		return;
	}
	memcpy(place->data, &header, sizeof(header));
	tp_copy_bytes(frame, head, in_head);
	if (view->length > TP_HEAD_BYTES)
		tp_copy_bytes(frame + TP_HEAD_BYTES, view->data + TP_HEAD_BYTES,
			view->length - TP_HEAD_BYTES);
}

static inline void tp_copy(struct tp_burst *burst)
{
	for (unsigned i = 0; i < burst->accepted; i++)
		if (TP_LIKELY(burst->views.view[i].drop == TP_DROP_NONE))
			tp_copy_frame(&burst->views, &burst->views.view[i], burst->head[i],
				&burst->places, &burst->places.place[i]);
}
