/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest_ring.h"
#include "vring/split_source.h"

/* Split rings: what peek and reserve accept, refuse and never touch. */

#define RING   16
#define MEMORY (1u << 20)

struct scene {
	struct guest guest;
	struct guest_ring ring;
	struct tp_vring vring;
	struct tp_views views;
	struct tp_places places;
	uint8_t *buffer;
	uint8_t *before; /* a copy of guest memory */
};

static struct scene scene;

static void begin(uint64_t features)
{
	struct tp_error error;

	memset(&scene, 0, sizeof(scene));
	guest_init(&scene.guest, MEMORY);
	guest_ring_init(&scene.ring, &scene.guest, RING, features);
	scene.buffer = guest_place(&scene.guest, 256 * 1024, 64);
	assert_int_equal(
		tp_vring_start(&scene.vring, &scene.ring.setup, scene.guest.memory, &error), 0);
	scene.before = malloc(MEMORY);
}

static void end(void)
{
	tp_vring_retire(&scene.vring);
	tp_vring_stop(&scene.vring);
	free(scene.before);
	guest_destroy(&scene.guest);
}

static unsigned peek_changing_nothing(void)
{
	unsigned count;

	memcpy(scene.before, scene.guest.base, MEMORY);
	count = tp_split_peek(&scene.vring, &scene.views, TP_BURST);
	assert_memory_equal(scene.before, scene.guest.base, MEMORY);
	return count;
}

/* One chain beginning at descriptor 0 is posted; it must be dropped for this reason. */
static void expect_drop(enum tp_drop drop)
{
	guest_post(&scene.ring, 0);
	assert_int_equal(peek_changing_nothing(), 1);
	assert_int_equal(scene.views.view[0].drop, drop);
	tp_split_complete(&scene.vring, scene.views.view, 1);
	assert_int_equal(guest_returned(&scene.ring), 1);
	assert_int_equal(guest_take(&scene.ring).id, 0);
}

static void test_peek_describes_one_buffer(void **state)
{
	(void)state;
	begin(0);
	guest_describe(&scene.ring, 3, scene.buffer, 12 + 60, 0, 0);
	guest_post(&scene.ring, 3);
	assert_int_equal(peek_changing_nothing(), 1);
	assert_int_equal(scene.views.view[0].drop, TP_DROP_NONE);
	assert_int_equal(scene.views.view[0].length, 60);
	assert_int_equal(scene.views.view[0].head, 3);
	scene.buffer[12] = 0xab; /* the view leads to the same memory */
	assert_int_equal(scene.views.view[0].data[0], 0xab);
	assert_int_equal(peek_changing_nothing(), 1); /* nothing was consumed */
	end();
}

static void test_peek_accepts_any_layout(void **state)
{
	const struct tp_view *view = &scene.views.view[0];

	(void)state;
	begin(0);
	/* header over three descriptors, the last of them shared with the frame, then two more */
	guest_describe(&scene.ring, 0, scene.buffer, 4, VRING_DESC_F_NEXT, 5);
	guest_describe(&scene.ring, 5, scene.buffer + 100, 4, VRING_DESC_F_NEXT, 6);
	guest_describe(&scene.ring, 6, scene.buffer + 200, 4 + 10, VRING_DESC_F_NEXT, 7);
	guest_describe(&scene.ring, 7, scene.buffer + 300, 20, VRING_DESC_F_NEXT, 8);
	guest_describe(&scene.ring, 8, scene.buffer + 400, 30, 0, 0);
	guest_post(&scene.ring, 0);
	assert_int_equal(peek_changing_nothing(), 1);
	assert_int_equal(view->drop, TP_DROP_NONE);
	assert_int_equal(view->length, 60);
	assert_int_equal(view->first_length, 10);
	assert_int_equal(view->pieces, 2);
	assert_int_equal(scene.views.piece[view->first_piece + 1].length, 30);
	end();
}

static void indirect_table(uint8_t *table, unsigned count, uint16_t flags)
{
	for (unsigned i = 0; i < count; i++) {
		struct vring_desc desc = {
			.addr = guest_address(&scene.guest, scene.buffer + 100 * i),
			.len = 50,
			.flags = i + 1 < count ? VRING_DESC_F_NEXT | flags : flags,
			.next = (uint16_t)(i + 1),
		};

		memcpy(table + i * sizeof(desc), &desc, sizeof(desc));
	}
}

static void test_peek_follows_indirect(void **state)
{
	uint8_t *table;

	(void)state;
	begin(TP_FEATURE(VIRTIO_RING_F_INDIRECT_DESC));
	table = scene.buffer + 65536 + 1; /* of any alignment */
	indirect_table(table, 3, 0);
	guest_describe(&scene.ring, 0, table, 48, VRING_DESC_F_INDIRECT, 0);
	/* a plain descriptor may stand before the indirect one: virtio 1.2, 2.7.5.3.2 */
	guest_describe(&scene.ring, 1, scene.buffer + 1000, 12, VRING_DESC_F_NEXT, 2);
	guest_describe(&scene.ring, 2, table, 48, VRING_DESC_F_INDIRECT, 0);
	guest_post(&scene.ring, 0);
	guest_post(&scene.ring, 1);
	assert_int_equal(peek_changing_nothing(), 2);
	assert_int_equal(scene.views.view[0].drop, TP_DROP_NONE);
	assert_int_equal(scene.views.view[0].length, 150 - 12);
	assert_int_equal(scene.views.view[1].drop, TP_DROP_NONE);
	assert_int_equal(scene.views.view[1].length, 150);
	end();
}

static void test_peek_drops_bad_indirect(void **state)
{
	uint8_t *table;

	(void)state;
	begin(TP_FEATURE(VIRTIO_RING_F_INDIRECT_DESC));
	table = scene.buffer + 65536;
	indirect_table(table, 3, 0);
	guest_describe(&scene.ring, 0, table, 0, VRING_DESC_F_INDIRECT, 0);
	expect_drop(TP_DROP_BAD_DESCRIPTOR);
	guest_describe(&scene.ring, 0, table, 47, VRING_DESC_F_INDIRECT, 0);
	expect_drop(TP_DROP_BAD_DESCRIPTOR);
	guest_describe(&scene.ring, 0, table, 16 * (RING + 1), VRING_DESC_F_INDIRECT, 0);
	expect_drop(TP_DROP_BAD_DESCRIPTOR);
	guest_describe(&scene.ring, 0, table, 48, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 1);
	expect_drop(TP_DROP_BAD_DESCRIPTOR);
	guest_describe(&scene.ring, 0, table, 48, VRING_DESC_F_INDIRECT, 0);
	indirect_table(table, 3, VRING_DESC_F_INDIRECT);
	expect_drop(TP_DROP_BAD_DESCRIPTOR);
	indirect_table(table, 3, 0);
	((struct vring_desc *)table)[2].flags = VRING_DESC_F_NEXT; /* next beyond the table */
	((struct vring_desc *)table)[2].next = 3;
	expect_drop(TP_DROP_BAD_CHAIN);
	((struct vring_desc *)table)[2].next = 0; /* loop */
	expect_drop(TP_DROP_BAD_CHAIN);
	scene.ring.desc[0].addr = GUEST_ADDRESS + MEMORY - 40; /* table ends outside */
	expect_drop(TP_DROP_BAD_ADDRESS);
	end();
}

static void test_indirect_needs_the_feature(void **state)
{
	(void)state;
	begin(0);
	indirect_table(scene.buffer + 65536, 2, 0);
	guest_describe(&scene.ring, 0, scene.buffer + 65536, 32, VRING_DESC_F_INDIRECT, 0);
	expect_drop(TP_DROP_BAD_DESCRIPTOR);
	end();
}

static void test_peek_drops_bad_chains(void **state)
{
	(void)state;
	begin(0);
	guest_describe(&scene.ring, 0, scene.buffer, 100, VRING_DESC_F_NEXT, 0); /* self */
	expect_drop(TP_DROP_BAD_CHAIN);
	guest_describe(&scene.ring, 0, scene.buffer, 100, VRING_DESC_F_NEXT, RING);
	expect_drop(TP_DROP_BAD_CHAIN);
	for (uint16_t i = 0; i < RING; i++) /* over the whole ring */
		guest_describe(&scene.ring, i, scene.buffer, 100, VRING_DESC_F_NEXT,
			(uint16_t)((i + 1) % RING));
	expect_drop(TP_DROP_BAD_CHAIN);
	guest_describe(&scene.ring, 0, scene.buffer, 100, VRING_DESC_F_WRITE, 0);
	expect_drop(TP_DROP_BAD_DESCRIPTOR);
	guest_describe(&scene.ring, 0, scene.buffer, 0, 0, 0);
	expect_drop(TP_DROP_BAD_DESCRIPTOR);
	guest_describe(&scene.ring, 0, scene.buffer, 11, 0, 0);
	expect_drop(TP_DROP_BAD_DESCRIPTOR);
	guest_describe(&scene.ring, 0, scene.buffer, 12 + 65536, 0, 0);
	expect_drop(TP_DROP_TOO_LONG);
	guest_describe(&scene.ring, 0, scene.buffer, UINT32_MAX, 0, 0);
	expect_drop(TP_DROP_BAD_ADDRESS);
	end();
}

static void test_peek_drops_bad_addresses(void **state)
{
	static const uint64_t addresses[] = {
		0,
		GUEST_ADDRESS - 1,
		GUEST_ADDRESS + MEMORY - 71, /* last byte outside */
		GUEST_ADDRESS + MEMORY,
		UINT64_MAX - 71,
		UINT64_MAX,
	};

	(void)state;
	begin(0);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		guest_describe(&scene.ring, 0, scene.buffer, 72, 0, 0);
		scene.ring.desc[0].addr = addresses[i];
		expect_drop(TP_DROP_BAD_ADDRESS);
		guest_describe(&scene.ring, 0, scene.buffer, 12, VRING_DESC_F_NEXT, 1);
		guest_describe(&scene.ring, 1, scene.buffer, 72, 0, 0);
		scene.ring.desc[1].addr = addresses[i];
		expect_drop(TP_DROP_BAD_ADDRESS);
	}
	end();
}

static void expect_broken(enum tp_vring_fault fault)
{
	assert_int_equal(peek_changing_nothing(), 0);
	assert_int_equal(tp_vring_fault(&scene.vring), fault);
	assert_non_null(tp_vring_fault_text(fault));
	assert_false(tp_vring_running(&scene.vring));
}

static void test_wild_available_index_breaks_the_ring(void **state)
{
	(void)state;
	begin(0);
	scene.ring.avail->idx = RING + 1;
	expect_broken(TP_VRING_AVAIL_INDEX);
	end();
	begin(0);
	scene.ring.avail->idx = (uint16_t)-1; /* backwards */
	expect_broken(TP_VRING_AVAIL_INDEX);
	end();
}

static void test_wild_head_breaks_the_ring(void **state)
{
	(void)state;
	begin(0);
	guest_post(&scene.ring, RING);
	expect_broken(TP_VRING_AVAIL_HEAD);
	end();
}

static void test_too_many_pieces_end_the_burst(void **state)
{
	unsigned total = 0;

	(void)state;
	/* RING chains of RING - 1 pieces behind the header need not fit the pool at once */
	begin(TP_FEATURE(VIRTIO_RING_F_INDIRECT_DESC));
	for (uint16_t i = 0; i < RING; i++) {
		indirect_table(scene.buffer + 65536, RING, 0);
		guest_describe(
			&scene.ring, i, scene.buffer + 65536, 16 * RING, VRING_DESC_F_INDIRECT, 0);
		guest_post(&scene.ring, i);
	}
	while (total < RING) {
		unsigned count = peek_changing_nothing();

		assert_in_range(count, 1, RING);
		for (unsigned i = 0; i < count; i++)
			assert_int_equal(scene.views.view[i].length, 50 * RING - 12);
		tp_split_complete(&scene.vring, scene.views.view, count);
		total += count;
	}
	end();
}

static void test_complete_returns_in_order(void **state)
{
	(void)state;
	begin(0);
	for (unsigned round = 0; round < 10000; round++) { /* the indices wrap at 65,536 */
		for (uint16_t i = 0; i < RING; i++) {
			uint16_t head = (uint16_t)((i * 7 + round) % RING);

			guest_describe(&scene.ring, head, scene.buffer, 72, 0, 0);
			guest_post(&scene.ring, head);
		}
		assert_int_equal(tp_split_peek(&scene.vring, &scene.views, TP_BURST), RING);
		tp_split_complete(&scene.vring, scene.views.view, RING);
		assert_int_equal(guest_returned(&scene.ring), RING);
		for (uint16_t i = 0; i < RING; i++)
			assert_int_equal(guest_take(&scene.ring).id, (i * 7 + round) % RING);
	}
	end();
}

static void test_stopped_ring_forgets_its_fault(void **state)
{
	(void)state;
	begin(0);
	scene.ring.avail->idx = RING + 1;
	assert_int_equal(tp_split_peek(&scene.vring, &scene.views, TP_BURST), 0);
	tp_vring_retire(&scene.vring);
	tp_vring_stop(&scene.vring);
	assert_int_equal(tp_vring_fault(&scene.vring), TP_VRING_SOUND);
	end();
}

/* ---- notifications ---- */

static void test_call_follows_the_flag(void **state)
{
	(void)state;
	begin(0);
	scene.vring.call_fd = 0;
	assert_true(tp_split_call_wanted(&scene.vring, 0, 1));
	scene.ring.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	assert_false(tp_split_call_wanted(&scene.vring, 0, 1));
	scene.vring.call_fd = -1;
	scene.ring.avail->flags = 0;
	assert_false(tp_split_call_wanted(&scene.vring, 0, 1));
	end();
}

static bool wanted_between(uint16_t before, uint16_t now, uint16_t event)
{
	scene.ring.avail->ring[RING] = event;
	return tp_split_call_wanted(&scene.vring, before, now);
}

static void test_call_follows_the_event_index(void **state)
{
	(void)state;
	begin(TP_FEATURE(VIRTIO_RING_F_EVENT_IDX));
	scene.vring.call_fd = 0;
	scene.ring.avail->flags = VRING_AVAIL_F_NO_INTERRUPT; /* ignored: virtio 1.2, 2.7.7.1 */
	assert_true(wanted_between(0, 1, 0));
	assert_false(wanted_between(1, 2, 0));
	assert_true(wanted_between(1, 4, 3));
	assert_false(wanted_between(1, 3, 3));
	assert_true(wanted_between(65534, 2, 65535));
	assert_true(wanted_between(65534, 2, 1));
	assert_false(wanted_between(65534, 2, 2));
	end();
}

static void test_kicks_are_suppressed_while_polled(void **state)
{
	(void)state;
	begin(0);
	assert_int_equal(scene.ring.used->flags, VRING_USED_F_NO_NOTIFY);
	tp_vring_retire(&scene.vring);
	tp_vring_stop(&scene.vring);
	assert_int_equal(scene.ring.used->flags, 0);
	end();
}

/* ---- start ---- */

static void expect_start_refused(struct tp_vring_setup setup, const char *words)
{
	struct tp_vring vring = {0};
	struct tp_error error;

	assert_true(tp_vring_start(&vring, &setup, scene.guest.memory, &error) < 0);
	assert_non_null(strstr(error.text, words));
	assert_false(tp_vring_running(&vring));
}

static void test_start_checks_the_areas(void **state)
{
	struct tp_vring_setup good;
	struct tp_vring_setup bad;

	(void)state;
	begin(0);
	good = scene.ring.setup;
	for (unsigned size = 0; size <= 65535; size = size * 2 + 1) { /* 0, 1, 3, 7, ... */
		bad = good;
		bad.size = (uint16_t)size;
		expect_start_refused(bad, "power of two");
	}
	bad = good;
	bad.desc_address += 8;
	expect_start_refused(bad, "descriptor table");
	bad = good;
	bad.avail_address += 1;
	expect_start_refused(bad, "available ring");
	bad = good;
	bad.used_address += 2;
	expect_start_refused(bad, "used ring");
	bad = good;
	bad.used_address = (uintptr_t)scene.guest.base + MEMORY - 64;
	expect_start_refused(bad, "not wholly inside");
	bad.used_address = 0;
	expect_start_refused(bad, "not wholly inside");
	bad = good;
	bad.used_address = good.desc_address;
	expect_start_refused(bad, "overlaps");
	bad = good;
	bad.avail_address = good.used_address + 8;
	expect_start_refused(bad, "overlaps");
	end();
}

static void test_start_takes_over_the_used_index(void **state)
{
	struct tp_error error;

	(void)state;
	begin(0);
	tp_vring_retire(&scene.vring);
	tp_vring_stop(&scene.vring);
	scene.ring.used->idx = 7;
	scene.ring.avail->idx = 9;
	assert_int_equal(
		tp_vring_start(&scene.vring, &scene.ring.setup, scene.guest.memory, &error), 0);
	assert_int_equal(tp_split_peek(&scene.vring, &scene.views, TP_BURST), 2);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peek_describes_one_buffer),
		cmocka_unit_test(test_peek_accepts_any_layout),
		cmocka_unit_test(test_peek_follows_indirect),
		cmocka_unit_test(test_peek_drops_bad_indirect),
		cmocka_unit_test(test_indirect_needs_the_feature),
		cmocka_unit_test(test_peek_drops_bad_chains),
		cmocka_unit_test(test_peek_drops_bad_addresses),
		cmocka_unit_test(test_wild_available_index_breaks_the_ring),
		cmocka_unit_test(test_wild_head_breaks_the_ring),
		cmocka_unit_test(test_too_many_pieces_end_the_burst),
		cmocka_unit_test(test_complete_returns_in_order),
		cmocka_unit_test(test_stopped_ring_forgets_its_fault),
		cmocka_unit_test(test_call_follows_the_flag),
		cmocka_unit_test(test_call_follows_the_event_index),
		cmocka_unit_test(test_kicks_are_suppressed_while_polled),
		cmocka_unit_test(test_start_checks_the_areas),
		cmocka_unit_test(test_start_takes_over_the_used_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
