/* SPDX-License-Identifier: BSD-3-Clause */
/* What a device gives back, and whether it makes sense. All that it writes is read once. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "frontend_internal.h"

#define WRAP 0x8000u

int tp_frontend_nonsense(const struct tp_frontend *frontend, const struct tp_frontend_ring *ring,
	struct tp_error *error, const char *format, ...)
{
	unsigned number = (unsigned)(ring - frontend->ring);
	char text[160];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return tp_error_set(error, EPROTO, "%s: the back-end wrote nonsense to %s ring %u: %s",
		frontend->settings.path, ring->receive ? "receive" : "transmit", number / 2, text);
}

/* Entries that the device was shown and has not given back. */
static unsigned out(const struct tp_frontend_ring *ring)
{
	return (uint16_t)(ring->published - ring->used);
}

/* virtio 1.2, 2.8.1: used when AVAIL and USED are both the wrap counter. Acquire: the partner is
 * the back-end's release of the flags. */
static bool packed_is_used(const struct tp_frontend_ring *ring, uint16_t place)
{
	uint16_t flags = __atomic_load_n(&ring->packed[place & ~WRAP].flags, __ATOMIC_ACQUIRE);
	bool available = flags >> VRING_PACKED_DESC_F_AVAIL & 1;
	bool used = flags >> VRING_PACKED_DESC_F_USED & 1;

	return available == used && used == place >> 15;
}

static uint16_t step_on(const struct tp_frontend_ring *ring, uint16_t place, unsigned descriptors)
{
	unsigned at = (place & ~WRAP) + descriptors;

	if (at < ring->vring.num)
		return (uint16_t)((place & WRAP) | at);
	return (uint16_t)((~place & WRAP) | (at - ring->vring.num));
}

/* As long as the device takes them in order; the first that is out of it ends the count. */
static int count_packed(const struct tp_frontend_ring *ring, unsigned most)
{
	unsigned limit = out(ring) < most ? out(ring) : most;
	uint16_t place = ring->last;
	unsigned count = 0;

	while (count < limit && packed_is_used(ring, place)) {
		unsigned slot = ring->order[(ring->used + count) & (ring->slots - 1u)];

		place = step_on(ring, place, ring->step[slot]);
		count++;
	}
	return (int)count;
}

int tp_frontend_count_split(const struct tp_frontend *frontend, const struct tp_frontend_ring *ring,
	struct tp_error *error)
{
	/* Acquire: the partner is the back-end's release of the used index. */
	uint16_t shown = __atomic_load_n(&ring->vring.used->idx, __ATOMIC_ACQUIRE);
	unsigned count = (uint16_t)(shown - ring->used);

	if (count > out(ring))
		return tp_frontend_nonsense(frontend, ring, error,
			"used index %u, but only %u buffers were out after index %u", shown,
			out(ring), ring->used);
	return (int)count;
}

int tp_frontend_count_used(const struct tp_frontend *frontend, const struct tp_frontend_ring *ring,
	unsigned most, struct tp_error *error)
{
	unsigned count;
	int shown;

	if (ring->packed != NULL)
		return count_packed(ring, most);
	shown = tp_frontend_count_split(frontend, ring, error);
	if (shown <= 0)
		return shown;
	count = (unsigned)shown < most ? (unsigned)shown : most;
	/* Eight entries in a line, all from the back-end's cache: ask for them together. */
	for (unsigned i = 0; i < count; i += 8)
		__builtin_prefetch(
			&ring->vring.used->ring[(ring->used + i) & (ring->vring.num - 1)]);
	return (int)count;
}

static inline uint32_t read_id(const struct tp_frontend_ring *ring, unsigned index)
{
	return *(volatile const uint32_t *)&ring->vring.used->ring[index & (ring->vring.num - 1)]
			.id;
}

bool tp_frontend_in_place(const struct tp_frontend_ring *ring, unsigned distance)
{
	unsigned index = ring->used + distance;

	return read_id(ring, index) ==
	       ring->order[index & (ring->slots - 1u)] * (uint32_t)ring->head_step;
}

unsigned tp_frontend_skip_ordered(
	const struct tp_frontend *frontend, struct tp_frontend_ring *ring, unsigned count)
{
	unsigned done = 0;

	if (ring->packed != NULL)
		return 0;
	if (tp_frontend_has(frontend, VIRTIO_F_IN_ORDER))
		done = count;
	while (done < count && tp_frontend_in_place(ring, done))
		done++;
	ring->used = (uint16_t)(ring->used + done);
	return done;
}

/* The slot is not the next one: they change places, if it is out at all. */
static int take_out_of_order(const struct tp_frontend *frontend, struct tp_frontend_ring *ring,
	uint32_t id, uint32_t slot, struct tp_error *error)
{
	unsigned mask = ring->slots - 1u;
	unsigned here = ring->used & mask, there;

	if (slot >= ring->slots || ((ring->position[slot] - ring->used) & mask) >= out(ring))
		return tp_frontend_nonsense(frontend, ring, error,
			"used entry %u names descriptor %u, which is not out", ring->used, id);
	there = ring->position[slot];
	ring->order[there] = ring->order[here];
	ring->position[ring->order[there]] = (uint16_t)there;
	ring->order[here] = (uint16_t)slot;
	ring->position[slot] = (uint16_t)here;
	return 0;
}

static int take_split(
	const struct tp_frontend *frontend, struct tp_frontend_ring *ring, struct tp_error *error)
{
	volatile const struct vring_used_elem *entry =
		&ring->vring.used->ring[ring->used & (ring->vring.num - 1)];
	unsigned slot = ring->order[ring->used & (ring->slots - 1u)];
	uint32_t id;

	/* virtio 1.2, 2.7.9: in order, one entry may stand for all up to it, and none is written
	 * for the others. The lengths of received frames must be written all the same. */
	if (!ring->receive && tp_frontend_has(frontend, VIRTIO_F_IN_ORDER)) {
		ring->used++;
		return 1;
	}
	id = entry->id;
	if (id != slot * ring->head_step) {
		slot = id % ring->head_step == 0 ? id / ring->head_step : UINT16_MAX + 1u;
		if (take_out_of_order(frontend, ring, id, slot, error) < 0)
			return -EPROTO;
	}
	if (ring->receive)
		ring->length[slot] = entry->len;
	ring->used++;
	return 1;
}

/* virtio 1.2, 2.8.9: in order, the descriptor names the last buffer of those that it stands for. */
static int skip_in_order(struct tp_frontend_ring *ring, uint16_t id)
{
	unsigned slot;
	int count = 0;

	do {
		slot = ring->order[ring->used & (ring->slots - 1u)];
		ring->last = step_on(ring, ring->last, ring->step[slot]);
		ring->used++;
		count++;
	} while (slot != id);
	return count;
}

static int take_packed(
	const struct tp_frontend *frontend, struct tp_frontend_ring *ring, struct tp_error *error)
{
	volatile const struct vring_packed_desc *desc = &ring->packed[ring->last & ~WRAP];
	unsigned slot = ring->order[ring->used & (ring->slots - 1u)];
	uint16_t id = desc->id;

	if (!ring->receive && tp_frontend_has(frontend, VIRTIO_F_IN_ORDER) && id < ring->slots &&
		((ring->position[id] - ring->used) & (ring->slots - 1u)) < out(ring))
		return skip_in_order(ring, id);
	if (id != slot && take_out_of_order(frontend, ring, id, id, error) < 0)
		return -EPROTO;
	if (ring->receive)
		ring->length[id] = desc->len;
	ring->last = step_on(ring, ring->last, ring->step[id]);
	ring->used++;
	return 1;
}

int tp_frontend_take_used(
	const struct tp_frontend *frontend, struct tp_frontend_ring *ring, struct tp_error *error)
{
	return ring->packed != NULL ? take_packed(frontend, ring, error)
				    : take_split(frontend, ring, error);
}
