/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device of the load generator, and a back-end that gives back what it likes. Whatever it writes,
 * the device keeps its books: each slot is in one place, and no more are out than there are.
 *
 *   input: what the device is like, then steps
 */
#include <errno.h>

#include "frontend/burst.h"
#include "input.h"

#define STEPS_MAX  256
#define RING_SIZE  8
#define BUFFER     256 /* bytes of frame in a buffer */
#define BURST      8
#define FRAME_MOST 4096

static struct tp_frontend *frontend;
static struct tp_error error;

/* --- the device ------------------------------------------------------------------------------ */

static bool open_device(uint8_t what)
{
	struct tp_frontend_settings settings = {
		.path = "fuzz",
		.ring_size = RING_SIZE,
		.buffer_size = BUFFER,
		.header_apart = what & 1,
		.segments = 1u + (what >> 1 & 1),
		.two_regions = what & 4,
	};

	if (what & 8)
		settings.features |= UINT64_C(1) << VIRTIO_NET_F_MRG_RXBUF;
	if (what & 16)
		settings.features |= UINT64_C(1) << VIRTIO_F_IN_ORDER;
	if (what & 32)
		settings.features |= UINT64_C(1) << VIRTIO_F_RING_PACKED;
	if (what & 64) {
		settings.features |= UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC;
		settings.indirect_tables = true;
	}
	frontend = tp_frontend_new(&settings, &error);
	if (frontend == NULL)
		return false; /* chains that do not fill the ring */
	frontend->features = settings.features | UINT64_C(1) << VIRTIO_F_VERSION_1;
	return true;
}

static void check_ring(const struct tp_frontend_ring *ring)
{
	uint64_t seen = 0;

	EXPECT(tp_burst_out(ring) <= ring->slots);
	EXPECT((uint16_t)(ring->available - ring->published) <= ring->slots);
	for (unsigned i = 0; i < ring->slots; i++) {
		EXPECT(ring->order[i] < ring->slots && ring->position[ring->order[i]] == i);
		seen |= UINT64_C(1) << ring->order[i];
	}
	EXPECT(seen == (UINT64_C(1) << ring->slots) - 1);
}

static void check_frame(const struct tp_frontend_ring *ring, const struct tp_burst_frame *frame)
{
	const uint8_t *end = ring->buffers + (size_t)ring->slots_max * frontend->slot_stride;

	EXPECT(frame->buffers >= 1 && frame->buffers <= ring->slots);
	EXPECT(frame->first <= frame->bytes);
	EXPECT(frame->frame >= ring->buffers && frame->frame + frame->first <= end);
}

/* --- the back-end ---------------------------------------------------------------------------- */

/* As it should: the oldest of those that are out. */
static void give_back(struct tp_frontend_ring *ring, uint32_t length)
{
	struct vring_used *used = ring->vring.used;
	uint16_t index = ring->packed == NULL ? used->idx : 0;

	if (ring->packed != NULL || (uint16_t)(ring->published - index) == 0)
		return;
	used->ring[index & (ring->vring.num - 1)] = (struct vring_used_elem){
		ring->order[index & (ring->slots - 1)] * (uint32_t)ring->head_step, length};
	used->idx = (uint16_t)(index + 1);
}

static void give_back_packed(struct tp_frontend_ring *ring, struct input *input)
{
	uint8_t where = input_u8(input);
	uint16_t place = where & 0x80 ? where % RING_SIZE : ring->last & 0x7fff;
	struct vring_packed_desc *desc = &ring->packed[place];
	bool wrap = ring->last >> 15;

	desc->id = where & 0x40 ? ring->order[ring->used & (ring->slots - 1)] : input_u16(input);
	desc->len = input_u16(input);
	desc->flags = input_u8(input);
	if (!(where & 0x20))
		desc->flags = (uint16_t)(wrap << 7 | wrap << 15);
}

static void write_used(struct tp_frontend_ring *ring, struct input *input)
{
	uint8_t which = input_u8(input);
	struct vring_used *used = ring->vring.used;

	if (ring->packed != NULL) {
		give_back_packed(ring, input);
		return;
	}
	used->ring[which % RING_SIZE].id = (uint32_t)input_number(input, which & 0x40 ? 4 : 1);
	used->ring[which % RING_SIZE].len = (uint32_t)input_number(input, which & 0x40 ? 4 : 2);
	used->idx = (uint16_t)(used->idx + (int8_t)input_u8(input));
}

/* Anything anywhere, headers of received frames among it. */
static void write_memory(struct input *input)
{
	size_t place = input_number(input, 3) % frontend->memory_size;
	size_t size = input_u8(input) & 31;

	if (size > frontend->memory_size - place)
		size = frontend->memory_size - place;
	input_fill(input, frontend->memory + place, size);
}

static void write_header(struct tp_frontend_ring *ring, struct input *input)
{
	unsigned slot = ring->order[(ring->used + (input_u8(input) & 7)) & (ring->slots - 1)];
	struct virtio_net_hdr_v1 *header =
		(struct virtio_net_hdr_v1 *)(tp_frontend_frame(frontend, ring, slot) -
					     TP_FRONTEND_HEADER_BYTES);

	memset(header, 0, sizeof(*header));
	header->num_buffers = input_u16(input) & 0xff;
}

/* --- steps ----------------------------------------------------------------------------------- */

static void step_send(struct input *input)
{
	static const uint8_t frame[FRAME_MOST];
	int result =
		tp_frontend_send(frontend, 0, NULL, frame, input_u16(input) % FRAME_MOST, &error);

	EXPECT(result == 0 || result == -EAGAIN || result == -EMSGSIZE ||
		(result == -EPROTO && error.text[0] != '\0'));
}

static void step_receive(struct input *input)
{
	uint8_t frame[FRAME_MOST];
	struct virtio_net_hdr_v1 header;
	int result = tp_frontend_receive(
		frontend, 0, &header, frame, input_u16(input) % FRAME_MOST, 0, &error);

	EXPECT(result >= 0 || result == -EAGAIN || result == -EPROTO);
}

static void step_burst(struct tp_frontend_ring *ring, struct input *input)
{
	struct tp_burst_frame frames[BURST];
	uint8_t what = input_u8(input), bytes[FRAME_MOST];
	int count = what & 64 ? tp_burst_receive_sampled(frontend, ring, frames, &error)
			      : tp_burst_receive(frontend, ring, frames, 1 + what % BURST,
					what & 32, &error);

	EXPECT(count <= (int)ring->slots);
	if (count <= 0 || what & 64)
		return;
	EXPECT(count <= BURST);
	for (int i = 0; i < count; i++) {
		check_frame(ring, &frames[i]);
		tp_burst_gather(frontend, ring, &frames[i], bytes, sizeof(bytes));
	}
	tp_burst_release(frontend, ring);
}

static void step(struct input *input)
{
	uint8_t what = input_u8(input);
	struct tp_frontend_ring *rings = frontend->ring;

	switch (what % 8) {
	case 0:
		give_back(&rings[what >> 4 & 1], input_u16(input));
		break;
	case 1:
		write_used(&rings[what >> 4 & 1], input);
		break;
	case 2:
		write_memory(input);
		break;
	case 3:
		write_header(&rings[0], input);
		break;
	case 4:
		step_send(input);
		break;
	case 5:
		step_receive(input);
		break;
	case 6:
		step_burst(&rings[0], input);
		break;
	default:
		EXPECT(tp_frontend_reclaim(frontend, 0, &error) <= RING_SIZE);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};

	if (!open_device(input_u8(&input)))
		return 0;
	for (unsigned i = 0; i < STEPS_MAX && input.size > 0; i++) {
		step(&input);
		check_ring(&frontend->ring[0]);
		check_ring(&frontend->ring[1]);
	}
	tp_frontend_free(frontend);
	return 0;
}
