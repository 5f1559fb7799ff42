/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/drop.h"

/*
 * What the verbs of a ring hand to the switch: private descriptions of guest buffers, every address
 * already checked and translated.
 *
 *   view   a frame that lies in a source ring          place   room for a frame in a destination
 * ring
 *
 * The common frame is one piece and needs only the view or the place itself; what is longer lies in
 * a pool of pieces beside them.
 */

#define TP_BURST     64  /* frames taken from a ring at a time */
#define TP_PIECES    512 /* further pieces for all frames of a burst */
#define TP_FRAME_MAX 65535
#define TP_FRAME_MIN 14 /* an Ethernet header */

/** A contiguous range of guest memory, translated. */
struct tp_piece {
	uint8_t *data;
	uint32_t length; /* bytes */
	uint16_t head;   /* destination only: the chain that it belongs to */
	bool begins;     /* destination only: first piece of its chain */
};

/** A frame in a source ring, without its virtio-net header. */
struct tp_view {
	uint8_t *data;         /* first piece */
	uint32_t first_length; /* bytes in the first piece */
	uint32_t length;       /* bytes in the frame */
	uint16_t head;         /* descriptor that begins the chain */
	uint16_t pieces;       /* further pieces */
	uint16_t first_piece;  /* their place in the pool */
	uint8_t drop;          /* enum tp_drop: why the frame cannot be forwarded */
};

struct tp_views {
	struct tp_view view[TP_BURST];
	struct tp_piece piece[TP_PIECES];
	uint16_t pieces_used;
};

/** Room for one frame and its virtio-net header in a destination ring. */
struct tp_place {
	uint8_t *data;    /* first piece; the header goes here */
	uint32_t length;  /* bytes in the first piece */
	uint16_t head;    /* descriptor that begins the first chain */
	uint16_t buffers; /* chains used; more than one only with mergeable buffers */
	uint16_t pieces;  /* 0: all fits the first piece; else all pieces, the first among them */
	uint16_t first_piece; /* their place in the pool */
};

struct tp_places {
	struct tp_place place[TP_BURST];
	struct tp_piece piece[TP_PIECES];
	uint16_t pieces_used;
};
