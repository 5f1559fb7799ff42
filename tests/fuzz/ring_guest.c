/* SPDX-License-Identifier: BSD-3-Clause */
#include "ring_guest.h"
#include "guarded.h"

#define MASK (guest->setup.size - 1u)

#define COPIED 3 /* regions that are small enough to be compared at every step */

/* Region 1 follows region 0; region 2 ends with the last address there is. */
static const struct {
	uint64_t guest_address, user_address, size;
} regions[GUEST_REGIONS] = {
	{UINT64_C(0x40000000), UINT64_C(0x7f0000000000), 32768},
	{UINT64_C(0x40008000), UINT64_C(0x7e0000000000), 16384},
	{UINT64_C(0xffffffffffffe000), UINT64_C(0x10000), 8192},
	{UINT64_C(0x50000000), UINT64_C(0x20000), 131072},
};

/* What is nowhere, or almost; the first is where long buffers are. */
static const uint64_t odd_addresses[] = {UINT64_C(0x50000000), UINT64_C(0x3fffffff),
	UINT64_C(0x4000c000), UINT64_MAX, UINT64_C(1) << 63, UINT64_C(0xffffffffffffdfff),
	UINT64_C(0x40007fff), UINT64_C(0x4000bff4)};

/* --- places ---------------------------------------------------------------------------------- */

/* A place is 16 bits: an offset over all regions; beyond them one of the odd addresses. */
static bool find_place(uint16_t place, unsigned *region, uint64_t *offset)
{
	*offset = place;
	for (*region = 0; *region < COPIED; (*region)++) {
		if (*offset < regions[*region].size)
			return true;
		*offset -= regions[*region].size;
	}
	return false;
}

static uint64_t address_of(uint16_t place)
{
	unsigned region;
	uint64_t offset;

	if (!find_place(place, &region, &offset))
		return odd_addresses[offset % (sizeof(odd_addresses) / sizeof(uint64_t))];
	return regions[region].guest_address + offset;
}

static uint64_t user_address_of(uint16_t place)
{
	unsigned region;
	uint64_t offset;

	if (!find_place(place, &region, &offset))
		return odd_addresses[offset % (sizeof(odd_addresses) / sizeof(uint64_t))];
	return regions[region].user_address + offset;
}

/* @return how many bytes of `size` lie there; *host where. */
static size_t host_of(const struct ring_guest *guest, uint16_t place, size_t size, uint8_t **host)
{
	unsigned region;
	uint64_t offset;

	if (!find_place(place, &region, &offset))
		return 0;
	*host = guest->host[region] + offset;
	return size < regions[region].size - offset ? size : regions[region].size - offset;
}

bool guest_owns(const struct ring_guest *guest, const void *data, size_t size)
{
	for (unsigned i = 0; i < GUEST_REGIONS; i++) {
		uintptr_t offset = (uintptr_t)data - (uintptr_t)guest->host[i];

		if (offset < regions[i].size && size <= regions[i].size - offset)
			return true;
	}
	return false;
}

void guest_copy(const struct ring_guest *guest, uint8_t *copy)
{
	for (unsigned i = 0; i < COPIED; copy += regions[i++].size)
		memcpy(copy, guest->host[i], regions[i].size);
}

bool guest_equals(const struct ring_guest *guest, const uint8_t *copy)
{
	bool equal = true;

	for (unsigned i = 0; i < COPIED; copy += regions[i++].size)
		equal &= memcmp(copy, guest->host[i], regions[i].size) == 0;
	return equal;
}

uint8_t *guest_in_copy(const struct ring_guest *guest, uint8_t *copy, const void *data)
{
	for (unsigned i = 0; i < COPIED; copy += regions[i++].size) {
		uintptr_t offset = (uintptr_t)data - (uintptr_t)guest->host[i];

		if (offset < regions[i].size)
			return copy + offset;
	}
	EXPECT(!"a pointer into the guest's memory");
	return NULL;
}

/* --- memory and ring ------------------------------------------------------------------------- */

void guest_open(struct ring_guest *guest)
{
	guest->memory =
		calloc(1, sizeof(*guest->memory) + GUEST_REGIONS * sizeof(struct tp_guest_region));
	EXPECT(guest->memory != NULL);
	guest->memory->count = GUEST_REGIONS;
	for (unsigned i = 0; i < GUEST_REGIONS; i++) {
		guest->host[i] = guarded_new(regions[i].size);
		guest->memory->region[i] = (struct tp_guest_region){
			.guest_address = regions[i].guest_address,
			.size = regions[i].size,
			.host = guest->host[i],
			.user_address = regions[i].user_address,
		};
	}
}

static uint16_t at_end(uint16_t end, size_t size, uint16_t alignment)
{
	return (uint16_t)((end - size) / alignment * alignment);
}

static void choose_places(struct ring_guest *guest, struct input *input, uint8_t how)
{
	uint16_t size = guest->setup.size;
	/* Behind one another, or each at the end of a region. */
	uint16_t place[3] = {0x0000, 0x1000, 0x2000};

	if (how & 1) {
		place[0] = at_end(0x8000, 16u * size, 16);
		place[1] = at_end(0xc000, 6 + 2u * size, 2);
		place[2] = at_end(0xe000, 6 + 8u * size, 4);
	}
	for (unsigned i = 0; (how & 2) && i < 3; i++)
		place[i] ^= input_u16(input);
	guest->setup.desc_address = user_address_of(place[0]);
	guest->setup.avail_address = user_address_of(place[1]);
	guest->setup.used_address = user_address_of(place[2]);
}

static void *find_area(
	const struct ring_guest *guest, uint64_t address, uint64_t size, uint64_t alignment)
{
	return address % alignment == 0 ? tp_guest_translate_user(guest->memory, address, size)
					: NULL;
}

void guest_begin(struct ring_guest *guest, struct input *input)
{
	uint8_t what = input_u8(input);

	for (unsigned i = 0; i < COPIED; i++)
		memset(guest->host[i], 0, regions[i].size);
	guest->setup = (struct tp_vring_setup){
		.size = (uint16_t)(2u << (what & 7)),
		.features = TP_FEATURE(VIRTIO_F_VERSION_1),
		.call_fd = 0, /* asked about, never written to */
	};
	if (what & 0x20)
		guest->setup.features |= TP_FEATURE(VIRTIO_RING_F_EVENT_IDX);
	if (what & 0x40)
		guest->setup.features |= TP_FEATURE(VIRTIO_RING_F_INDIRECT_DESC);
	if (what & 0x80)
		guest->setup.features |= TP_FEATURE(VIRTIO_NET_F_MRG_RXBUF);
	choose_places(guest, input, what >> 3 & 3);
	guest->desc = find_area(guest, guest->setup.desc_address, 16u * guest->setup.size, 16);
	guest->avail = find_area(guest, guest->setup.avail_address, 6 + 2u * guest->setup.size, 2);
	guest->used = find_area(guest, guest->setup.used_address, 6 + 8u * guest->setup.size, 4);
}

/* --- steps ----------------------------------------------------------------------------------- */

/* Byte by byte, so that whoever reads meanwhile may see any mixture. */
static void put_bytes(void *to, const void *from, size_t size)
{
	volatile uint8_t *bytes = to;

	for (size_t i = 0; to != NULL && i < size; i++)
		bytes[i] = ((const uint8_t *)from)[i];
}

static void put_u16(void *to, uint16_t value)
{
	put_bytes(to, &value, sizeof(value));
}

static uint16_t available(const struct ring_guest *guest)
{
	uint16_t index;

	memcpy(&index, &guest->avail->idx, sizeof(index));
	return index;
}

static void post(const struct ring_guest *guest, uint16_t head)
{
	uint16_t index = available(guest);

	put_u16(&guest->avail->ring[index & MASK], head);
	put_u16(&guest->avail->idx, (uint16_t)(index + 1));
}

/* Short ones as they are, then some about as long as the longest frame, then some huge ones. */
static uint32_t length_of(uint16_t length)
{
	if (length < 0xfe00)
		return length;
	if (length < 0xff00)
		return 65536 + 257u * (length & 0xff);
	return UINT32_MAX - ((uint32_t)(length & 0xff) << 16);
}

static struct vring_desc take_desc(struct input *input)
{
	struct vring_desc desc = {.addr = address_of(input_u16(input))};

	desc.len = length_of(input_u16(input));
	desc.flags = input_u8(input);
	desc.next = input_u8(input);
	return desc;
}

static void step_describe(const struct ring_guest *guest, struct input *input)
{
	uint8_t index = input_u8(input);
	struct vring_desc desc = take_desc(input);

	put_bytes(&guest->desc[index & MASK], &desc, sizeof(desc));
	if (index & 0x80 && guest->setup.size <= 128)
		post(guest, index & MASK);
}

/* Many descriptors alike, chained as `flags` says, all posted or only the first. */
static void step_fill(const struct ring_guest *guest, struct input *input)
{
	uint8_t first = input_u8(input), count = input_u8(input), stride = input_u8(input);
	struct vring_desc desc = take_desc(input);
	bool only_first = desc.flags & 0x80;

	desc.flags &= 0x7f;
	for (unsigned i = 0; i < count; i++) {
		uint16_t index = (uint16_t)((first + i) & MASK);

		desc.next = (uint16_t)((first + i + 1) & MASK);
		put_bytes(&guest->desc[index], &desc, sizeof(desc));
		if (i == 0 || !only_first)
			post(guest, index);
		desc.addr += stride;
	}
}

static void step_write(const struct ring_guest *guest, struct input *input)
{
	uint16_t place = input_u16(input);
	const uint8_t *bytes;
	size_t size = input_take(input, input_u8(input) & 63, &bytes);
	uint8_t *host = NULL;

	size = host_of(guest, place, size, &host);
	put_bytes(host, bytes, size);
}

/* An indirect table, at any alignment. */
static void step_table(const struct ring_guest *guest, struct input *input)
{
	uint16_t place = input_u16(input);

	for (unsigned i = input_u8(input) & 15; i > 0; i--, place += 16) {
		struct vring_desc desc = take_desc(input);
		uint8_t *host = NULL;
		size_t size = host_of(guest, place, sizeof(desc), &host);

		put_bytes(host, &desc, size);
	}
}

static void step_index(const struct ring_guest *guest, struct input *input)
{
	uint8_t how = input_u8(input);

	if (how & 1)
		put_u16(&guest->avail->idx, (uint16_t)(available(guest) + (int8_t)input_u8(input)));
	else if (how & 2)
		put_u16(&guest->avail->ring[input_u8(input) & MASK], input_u16(input));
	else if (how & 4)
		put_u16(&guest->avail->ring[guest->setup.size], input_u16(input));
	else
		put_u16(how & 8 ? &guest->used->idx : &guest->avail->flags, input_u16(input));
}

void guest_step(const struct ring_guest *guest, struct input *input)
{
	uint8_t what = input_u8(input);

	if (guest->desc == NULL || guest->avail == NULL || guest->used == NULL)
		return;
	switch (what % 6) {
	case 0:
		step_describe(guest, input);
		break;
	case 1:
		step_fill(guest, input);
		break;
	case 2:
		step_write(guest, input);
		break;
	case 3:
		step_table(guest, input);
		break;
	case 4:
		step_index(guest, input);
		break;
	default:
		post(guest, input_u8(input));
	}
}
