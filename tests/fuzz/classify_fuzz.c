/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames of any bytes, in any pieces, through the stage that reads their heads, in each vector
 * width that this CPU has. Each piece ends at a page that nobody may touch, and what comes out is
 * compared with a reading byte by byte.
 *
 *   input: whether the source is checked and has a further MAC, its MAC; then for each frame its
 * pieces: a byte each for how many, and their lengths, then the bytes
 */
#include "classify_variant.h"
#include "guarded.h"

#define FRAMES     4
#define PIECES     8 /* of a frame */
#define PIECE_SIZE 4096

static uint8_t *slots[FRAMES][PIECES];
static struct tp_burst burst;
static struct tp_interface source;
static struct tp_snapshot snapshot;

/* The real table needs an EAL. This one has one address, the source's own with its last bit
 * flipped. */
static uint64_t further_mac(void)
{
	return source.mac ^ UINT64_C(1) << 47;
}

uint32_t tp_mac_table_find(const struct tp_mac_table *table, uint64_t key)
{
	EXPECT(table == snapshot.macs);
	return key == tp_mac_key(source.tenant, further_mac()) ? burst.interface : TP_NO_INTERFACE;
}

static void set_up(void)
{
	for (unsigned i = 0; i < FRAMES; i++)
		for (unsigned n = 0; n < PIECES; n++)
			slots[i][n] = guarded_new(PIECE_SIZE);
	burst.source = &source;
	burst.snapshot = &snapshot;
}

static struct tp_piece take_piece(struct input *input, unsigned frame, unsigned number)
{
	uint8_t length = input_u8(input);
	/* Mostly short, so that heads are spread over several; some long. */
	struct tp_piece piece = {.length = length < 0xf0 ? length : 256u * (length & 15) + 240};

	if (piece.length == 0)
		piece.length = 1;
	piece.data = slots[frame][number] + PIECE_SIZE - piece.length;
	return piece;
}

static void take_frame(struct input *input, unsigned frame)
{
	struct tp_view *view = &burst.views.view[frame];
	uint8_t what = input_u8(input);
	unsigned pieces = what % (PIECES + 1);

	*view = (struct tp_view){
		.drop = what & 0x80 ? what % TP_DROP_COUNT : TP_DROP_NONE,
		.first_piece = burst.views.pieces_used,
	};
	for (unsigned n = 0; n < pieces; n++) {
		struct tp_piece piece = take_piece(input, frame, n);

		input_fill(input, piece.data, piece.length < 128 ? piece.length : 128);
		view->length += piece.length;
		if (n == 0) {
			view->data = piece.data;
			view->first_length = piece.length;
			continue;
		}
		burst.views.piece[burst.views.pieces_used++] = piece;
		view->pieces++;
	}
}

/* --- what it should be ------------------------------------------------------------------------ */

static uint8_t byte_at(const struct tp_view *view, uint32_t offset)
{
	const struct tp_piece *piece = &burst.views.piece[view->first_piece];

	if (offset < view->first_length)
		return view->data[offset];
	offset -= view->first_length;
	while (offset >= piece->length)
		offset -= (piece++)->length;
	return piece->data[offset];
}

static uint64_t mac_at(const struct tp_view *view, uint32_t offset)
{
	uint64_t mac = 0;

	for (unsigned i = 0; i < 6; i++)
		mac |= (uint64_t)byte_at(view, offset + i) << 8 * i;
	return mac;
}

static enum tp_drop judge(const struct tp_view *view, uint8_t drop)
{
	uint64_t mac;

	if (drop != TP_DROP_NONE)
		return drop;
	if (view->length < 14)
		return TP_DROP_RUNT;
	mac = mac_at(view, 6);
	if (source.further_macs && mac == further_mac())
		return TP_DROP_NONE;
	if (mac != source.mac && (source.source_mac_check || (mac & 1) != 0))
		return TP_DROP_SOURCE_MAC;
	return TP_DROP_NONE;
}

static void check_frame(unsigned i, uint8_t drop)
{
	const struct tp_view *view = &burst.views.view[i];

	EXPECT(view->drop == judge(view, drop));
	if (drop != TP_DROP_NONE || view->length < 14)
		return;
	EXPECT(burst.destination_mac[i] == mac_at(view, 0));
	for (uint32_t n = 0; n < view->length && n < TP_HEAD_BYTES; n++)
		EXPECT(burst.head[i][n] == byte_at(view, n));
}

static void try_variant(classify_variant *classify)
{
	uint8_t drops[FRAMES];

	for (unsigned i = 0; i < burst.count; i++)
		drops[i] = burst.views.view[i].drop;
	memset(burst.head, 0xee, sizeof(burst.head));
	memset(burst.destination_mac, 0xee, sizeof(burst.destination_mac));
	classify(&burst);
	for (unsigned i = 0; i < burst.count; i++) {
		check_frame(i, drops[i]);
		burst.views.view[i].drop = drops[i]; /* for the next variant */
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	uint8_t flags;

	if (burst.source == NULL)
		set_up();
	flags = input_u8(&input);
	source.source_mac_check = flags & 1;
	source.further_macs = flags & 2;
	source.mac = input_number(&input, 6);
	burst.views.pieces_used = 0;
	for (burst.count = 0; burst.count < FRAMES && input.size > 0; burst.count++)
		take_frame(&input, burst.count);
	try_variant(classify_sse);
	if (__builtin_cpu_supports("avx2"))
		try_variant(classify_avx2);
	if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("bmi2"))
		try_variant(classify_avx512);
	return 0;
}
