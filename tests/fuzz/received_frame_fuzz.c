/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames of any bytes as a guest receives them: whether they are its own is judged, and what it
 * would send back is made of them. The frame ends at a page that nobody may touch.
 *
 *   input: how the guest forwards, then the frame
 */
#include "guarded.h"
#include "traffic/rewrite.h"
#include "traffic/size.h"
#include "traffic/stamp.h"

#define MEMORY 12288 /* more than TP_SIZE_MOST */

static uint8_t *memory;

static void judge(const uint8_t *frame, uint32_t length)
{
	static const uint8_t source[6] = {2, 0, 0, 0, 0, 1}, destination[6] = {2, 0, 0, 0, 0, 2};
	struct tp_stamp_headers headers;
	struct tp_stamp stamp;

	if (length < TP_STAMP_LEAST)
		return;
	tp_stamp_headers(&headers, source, destination, 1, 2, length);
	tp_stamp_get(frame, &stamp);
	EXPECT(stamp.tsc <= TP_STAMP_TSC);
	/* Headers that are right are ours. */
	EXPECT(!tp_stamp_headers_right(frame, length, &headers) || tp_stamp_looks_ours(frame));
	(void)tp_stamp_right(frame, length);
	(void)tp_stamp_payload_right(frame, length, &stamp);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t own[6] = {2, 0, 0, 0, 0, 9}, peer[6] = {2, 0, 0, 0, 0, 8};
	struct input input = {data, size};
	enum tp_mode mode = input_u8(&input) % TP_MODE_COUNT;
	uint32_t length = (uint32_t)(input.size < TP_SIZE_MOST ? input.size : TP_SIZE_MOST);
	uint8_t *frame;

	if (memory == NULL)
		memory = guarded_new(MEMORY);
	frame = memory + MEMORY - length;
	input_fill(&input, frame, length);
	judge(frame, length);
	if (!tp_rewrite(mode, frame, length, own, peer))
		return 0;
	EXPECT(mode != TP_MODE_MAC || length < 14 || memcmp(frame + 6, own, 6) == 0);
	judge(frame, length);
	return 0;
}
