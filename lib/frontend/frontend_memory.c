/* SPDX-License-Identifier: BSD-3-Clause */
#include <assert.h>
#include <errno.h>
#include <linux/memfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frontend_internal.h"

/* Guest addresses are far from any address of this process, so that a back-end which takes one for
 * the other is found out; two regions are not adjacent. */
#define GUEST_BASE 0x100000000ull
#define GUEST_GAP  0x40000000ull

#define LINE        64u
#define TABLE_BYTES ((size_t)16 * TP_FRONTEND_PIECES_MAX)
#define SMALL_MEM   4096u
#define HUGE_MEM    (2u << 20)

static size_t round_up(size_t value, size_t multiple)
{
	return (value + multiple - 1) / multiple * multiple;
}

static bool power_of_two(unsigned value)
{
	return value != 0 && (value & (value - 1)) == 0;
}

/* Buffers an odd number of cache lines apart do not all meet in the same few cache sets. */
static uint32_t odd_lines(uint32_t bytes)
{
	return (uint32_t)(round_up(bytes, LINE) / LINE | 1) * LINE;
}

static unsigned power_of_two_below(unsigned value)
{
	return value == 0 ? 0 : 1u << (31 - __builtin_clz(value));
}

static void cut_slot(struct tp_frontend *frontend, struct tp_frontend_ring *ring)
{
	const struct tp_frontend_settings *settings = &frontend->settings;
	uint32_t capacity = (settings->buffer_size + settings->segments - 1) / settings->segments;
	uint32_t offset = settings->frame_offset - TP_FRONTEND_HEADER_BYTES;
	struct tp_frontend_piece *piece = ring->piece;

	if (settings->header_apart) {
		*piece++ = (struct tp_frontend_piece){offset, TP_FRONTEND_HEADER_BYTES};
		*piece++ = (struct tp_frontend_piece){settings->frame_offset, capacity};
	} else {
		*piece++ = (struct tp_frontend_piece){offset, TP_FRONTEND_HEADER_BYTES + capacity};
	}
	/* One line between segments, so that a back-end which takes them for one is found out. */
	offset = settings->frame_offset + capacity;
	for (unsigned i = 1; i < settings->segments; i++) {
		offset = (uint32_t)round_up(offset, LINE) + LINE;
		*piece++ = (struct tp_frontend_piece){offset, capacity};
		offset += capacity;
	}
	ring->piece_count = (uint16_t)(piece - ring->piece);
	frontend->slot_stride = odd_lines(offset);
}

uint16_t tp_frontend_slots(const struct tp_frontend *frontend, unsigned pieces)
{
	if (frontend->settings.indirect_tables)
		return frontend->settings.ring_size;
	return (uint16_t)power_of_two_below(frontend->settings.ring_size / pieces);
}

static size_t ring_bytes(const struct tp_frontend *frontend)
{
	size_t size = frontend->settings.ring_size;
	size_t bytes = round_up(16 * size, LINE) + round_up(6 + 2 * size, 2 * LINE) +
		       round_up(6 + 8 * size, 2 * LINE);

	if (frontend->settings.indirect_tables)
		bytes += TABLE_BYTES * size;
	return round_up(bytes, 2 * LINE) + 4 * LINE;
}

static void *lay_out(struct tp_frontend *frontend, size_t bytes, size_t alignment)
{
	size_t offset = round_up(frontend->memory_used, alignment);

	frontend->memory_used = offset + bytes;
	return frontend->memory + offset;
}

/* The three parts begin on lines of their own: descriptors stay unwritten while the indices move.
 */
static void lay_out_ring(struct tp_frontend *frontend, struct tp_frontend_ring *ring)
{
	unsigned size = frontend->settings.ring_size;
	void *descriptors = lay_out(frontend, 16ull * size, LINE);
	void *driver = lay_out(frontend, 6 + 2ull * size, 2 * LINE);
	void *device = lay_out(frontend, 6 + 8ull * size, 2 * LINE);

	ring->vring.num = size;
	if (frontend->settings.features & 1ull << VIRTIO_F_RING_PACKED) {
		ring->packed = descriptors;
		ring->driver_event = driver;
		ring->device_event = device;
	} else {
		ring->vring.desc = descriptors;
		ring->vring.avail = driver;
		ring->vring.used = device;
	}
	if (frontend->settings.indirect_tables)
		ring->indirect = lay_out(frontend, TABLE_BYTES * size, LINE);
}

static int map_memory(
	struct tp_frontend *frontend, size_t rings, size_t buffers, struct tp_error *error)
{
	bool huge = frontend->settings.huge_pages;
	size_t page = huge ? HUGE_MEM : SMALL_MEM;
	size_t first = round_up(rings, frontend->settings.two_regions ? page : LINE);
	int fd = memfd_create("guest", MFD_CLOEXEC | (huge ? MFD_HUGETLB | MFD_HUGE_2MB : 0));
	int flags = MAP_SHARED | (huge ? MAP_POPULATE : 0);

	frontend->memory_size = round_up(first + buffers, page);
	frontend->memory_fd = fd;
	if (fd < 0 || ftruncate(fd, (off_t)frontend->memory_size) < 0)
		return tp_error_set(error, errno, "guest memory of %zu bytes: %s",
			frontend->memory_size, strerror(errno));
	frontend->memory = mmap(NULL, frontend->memory_size, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (frontend->memory == MAP_FAILED) {
		frontend->memory = NULL;
		return tp_error_set(error, errno, "guest memory of %zu bytes in %s pages: %s",
			frontend->memory_size, huge ? "2 MiB" : "4 KiB", strerror(errno));
	}
	frontend->region_count = frontend->settings.two_regions ? 2 : 1;
	frontend->region[0] = (struct vhost_user_region){.guest_address = GUEST_BASE,
		.size = frontend->region_count == 2 ? first : frontend->memory_size,
		.user_address = (uintptr_t)frontend->memory};
	frontend->region[1] =
		(struct vhost_user_region){.guest_address = GUEST_BASE + first + GUEST_GAP,
			.size = frontend->memory_size - first,
			.user_address = (uintptr_t)frontend->memory + first,
			.mmap_offset = first};
	return 0;
}

uint64_t tp_frontend_guest_address(const struct tp_frontend *frontend, const void *pointer)
{
	uint64_t user = (uintptr_t)pointer;
	const struct vhost_user_region *region = &frontend->region[0];

	if (user - region->user_address >= region->size && frontend->region_count == 2)
		region = &frontend->region[1];
	return user - region->user_address + region->guest_address;
}

static int check_settings(const struct tp_frontend_settings *settings, struct tp_error *error)
{
	unsigned pieces = settings->segments + settings->header_apart;

	if (settings->queue_pairs > TP_FRONTEND_QUEUE_PAIRS_MAX)
		return tp_error_set(error, EINVAL, "%u queue pairs: 1 to 8 are possible",
			settings->queue_pairs);
	if (!power_of_two(settings->ring_size) || settings->ring_size > 32768)
		return tp_error_set(error, EINVAL,
			"ring of %u descriptors: must be a power of two, at most 32768",
			settings->ring_size);
	if (settings->segments > TP_FRONTEND_SEGMENTS_MAX || pieces > settings->ring_size)
		return tp_error_set(
			error, EINVAL, "%u segments: 1 to 8 are possible", settings->segments);
	if (settings->frame_offset < TP_FRONTEND_HEADER_BYTES || settings->frame_offset > 4096)
		return tp_error_set(error, EINVAL, "frame offset %u: 12 to 4096 are possible",
			settings->frame_offset);
	if (settings->indirect_tables &&
		!(settings->features & 1ull << VIRTIO_RING_F_INDIRECT_DESC))
		return tp_error_set(
			error, EINVAL, "indirect tables need the feature INDIRECT_DESC");
	if (settings->no_calls && settings->interrupts)
		return tp_error_set(error, EINVAL, "interrupts need call descriptors");
	if (settings->features & 1ull << VIRTIO_F_IN_ORDER && !settings->indirect_tables &&
		settings->ring_size % pieces != 0)
		return tp_error_set(error, EINVAL,
			"in-order chains of %u descriptors do not fill a ring of %u", pieces,
			settings->ring_size);
	return 0;
}

static void fill_defaults(struct tp_frontend_settings *settings)
{
	if (settings->queue_pairs == 0)
		settings->queue_pairs = 1;
	if (settings->ring_size == 0)
		settings->ring_size = 256;
	if (settings->buffer_size == 0)
		settings->buffer_size = 2048;
	if (settings->frame_offset == 0)
		settings->frame_offset = 64;
	if (settings->segments == 0)
		settings->segments = 1;
	if (settings->timeout_ms == 0)
		settings->timeout_ms = 10000;
	settings->features |= 1ull << VIRTIO_F_VERSION_1;
}

static int make_ring(struct tp_frontend *frontend, unsigned number, struct tp_error *error)
{
	struct tp_frontend_ring *ring = &frontend->ring[number];

	ring->receive = number % 2 == 0;
	ring->slots = ring->slots_max = tp_frontend_slots(frontend, ring->piece_count);
	lay_out_ring(frontend, ring);
	ring->order = calloc(ring->slots, sizeof(*ring->order));
	ring->position = calloc(ring->slots, sizeof(*ring->position));
	ring->length = calloc(ring->slots, sizeof(*ring->length));
	ring->step = calloc(ring->slots, sizeof(*ring->step));
	ring->kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (!frontend->settings.no_calls)
		ring->call_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (ring->order == NULL || ring->position == NULL || ring->length == NULL ||
		ring->step == NULL)
		return tp_error_set(error, ENOMEM, "no memory for a ring");
	if (ring->kick_fd < 0 || (ring->call_fd < 0 && !frontend->settings.no_calls))
		return tp_error_set(error, errno, "eventfd: %s", strerror(errno));
	return 0;
}

static int make_rings(struct tp_frontend *frontend, struct tp_error *error)
{
	size_t buffers;
	int status;

	frontend->ring_count = 2 * frontend->settings.queue_pairs;
	for (unsigned i = 0; i < frontend->ring_count; i++) {
		frontend->ring[i].kick_fd = frontend->ring[i].call_fd = -1;
		cut_slot(frontend, &frontend->ring[i]);
	}
	buffers = (size_t)tp_frontend_slots(frontend, frontend->ring[0].piece_count) *
		  frontend->slot_stride;
	status = map_memory(frontend, frontend->ring_count * ring_bytes(frontend),
		frontend->ring_count * buffers, error);
	for (unsigned i = 0; status == 0 && i < frontend->ring_count; i++)
		status = make_ring(frontend, i, error);
	if (status < 0)
		return status;
	if (frontend->settings.two_regions)
		frontend->memory_used = frontend->region[1].mmap_offset;
	for (unsigned i = 0; i < frontend->ring_count; i++) {
		frontend->ring[i].buffers = lay_out(frontend, buffers, LINE);
		tp_frontend_fill_ring(frontend, &frontend->ring[i]);
	}
	assert(frontend->memory_used <= frontend->memory_size);
	return 0;
}

struct tp_frontend *tp_frontend_new(
	const struct tp_frontend_settings *settings, struct tp_error *error)
{
	struct tp_frontend *frontend = calloc(1, sizeof(*frontend));

	if (frontend == NULL) {
		tp_error_set(error, ENOMEM, "no memory for a front-end");
		return NULL;
	}
	frontend->settings = *settings;
	frontend->listener = frontend->socket = frontend->memory_fd = -1;
	fill_defaults(&frontend->settings);
	if (check_settings(&frontend->settings, error) < 0) {
		free(frontend);
		return NULL;
	}
	if (make_rings(frontend, error) < 0) {
		tp_frontend_free(frontend);
		return NULL;
	}
	return frontend;
}

static void close_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

void tp_frontend_free(struct tp_frontend *frontend)
{
	if (frontend == NULL)
		return;
	if (frontend->served)
		unlink(frontend->settings.path);
	close_open(frontend->listener);
	close_open(frontend->socket);
	close_open(frontend->memory_fd);
	if (frontend->memory != NULL)
		munmap(frontend->memory, frontend->memory_size);
	for (unsigned i = 0; i < frontend->ring_count; i++) {
		close_open(frontend->ring[i].kick_fd);
		close_open(frontend->ring[i].call_fd);
		free(frontend->ring[i].order);
		free(frontend->ring[i].position);
		free(frontend->ring[i].length);
		free(frontend->ring[i].step);
	}
	free(frontend);
}
