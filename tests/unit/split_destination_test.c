/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest_ring.h"
#include "vring/split_destination.h"

/*
 * Split rings as destinations: what is accepted, refused and never touched, at what price, and in
 * which order it is seen. What holds for a single writer holds for one of many: those tests run
 * twice.
 */

#define RING   16
#define MEMORY (1u << 20)
#define RICH   16000 /* a bid that no price is above */

struct scene {
	struct guest guest;
	struct guest_ring ring;
	struct tp_vring vring;
	struct tp_places places;
	uint8_t *buffer;
	uint8_t *before; /* a copy of guest memory */
	uint16_t baton[RING];
	uint8_t age;
};

static struct scene scene;
static bool shared; /* the ring has many writers */

static void begin(uint64_t features)
{
	struct tp_error error;

	memset(&scene, 0, sizeof(scene));
	guest_init(&scene.guest, MEMORY);
	guest_ring_init(&scene.ring, &scene.guest, RING, features);
	if (shared)
		scene.ring.setup.baton = scene.baton;
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

static enum tp_reserve claim_begin(struct tp_claim *claim, uint32_t bid)
{
	return tp_claim_begin(&scene.vring, claim, tp_price_threshold(bid), scene.age, true);
}

/* One frame in an attempt of its own. */
static enum tp_reserve reserve_changing_nothing(uint32_t length, unsigned place)
{
	struct tp_claim claim;
	enum tp_reserve result;

	memcpy(scene.before, scene.guest.base, MEMORY);
	result = claim_begin(&claim, RICH);
	if (result == TP_RESERVE_ACCEPTED)
		result = tp_split_reserve(
			&scene.vring, &claim, length, &scene.places, &scene.places.place[place]);
	if (result == TP_RESERVE_ACCEPTED)
		assert_true(tp_claim_commit(&scene.vring, &claim));
	assert_memory_equal(scene.before, scene.guest.base, MEMORY);
	return result;
}

static uint64_t published(void)
{
	return shared ? scene.vring.writers.published : scene.vring.next_avail;
}

static void put_and_publish(unsigned places, const uint32_t *lengths)
{
	uint64_t first = published();
	uint16_t buffers = 0;

	for (unsigned i = 0; i < places; i++)
		buffers += tp_split_put(&scene.vring, (uint16_t)(first + buffers), &scene.places,
			&scene.places.place[i], lengths[i]);
	assert_int_equal(tp_split_publish(&scene.vring, first, buffers), buffers);
}

static void post_buffer(uint16_t index, uint32_t length)
{
	guest_describe(
		&scene.ring, index, scene.buffer + index * 4096, length, VRING_DESC_F_WRITE, 0);
	guest_post(&scene.ring, index);
}

static void test_reserve_put_publish(void **state)
{
	const uint32_t lengths[] = {60, 1500};
	struct vring_used_elem element;

	(void)state;
	begin(0);
	post_buffer(4, 2048);
	post_buffer(2, 2048);
	assert_int_equal(reserve_changing_nothing(60, 0), TP_RESERVE_ACCEPTED);
	assert_int_equal(reserve_changing_nothing(1500, 1), TP_RESERVE_ACCEPTED);
	assert_int_equal(reserve_changing_nothing(60, 2), TP_RESERVE_FULL);
	assert_int_equal(guest_returned(&scene.ring), 0);
	put_and_publish(2, lengths);
	assert_int_equal(guest_returned(&scene.ring), 2);
	element = guest_take(&scene.ring);
	assert_int_equal(element.id, 4);
	assert_int_equal(element.len, 72);
	element = guest_take(&scene.ring);
	assert_int_equal(element.id, 2);
	assert_int_equal(element.len, 1512);
	end();
}

static void test_attempt_that_is_not_committed_leaves_no_trace(void **state)
{
	struct tp_claim claim;
	struct tp_vring before;

	(void)state;
	begin(TP_FEATURE(VIRTIO_NET_F_MRG_RXBUF));
	for (uint16_t i = 0; i < 4; i++)
		post_buffer(i, 100);
	claim_begin(&claim, RICH); /* looks at the guest's index, and notes it */
	before = scene.vring;
	assert_int_equal(reserve_changing_nothing(389, 0), TP_RESERVE_FULL);
	assert_memory_equal(&before, &scene.vring, sizeof(before));
	assert_int_equal(scene.places.pieces_used, 0);
	assert_int_equal(claim_begin(&claim, RICH), TP_RESERVE_ACCEPTED);
	assert_int_equal(
		tp_split_reserve(&scene.vring, &claim, 388, &scene.places, &scene.places.place[0]),
		TP_RESERVE_ACCEPTED);
	assert_int_equal(claim.buffers, 4);
	assert_memory_equal(&before, &scene.vring, sizeof(before));
	end();
}

static void test_mergeable_frame_over_many_buffers(void **state)
{
	const uint32_t length = 1000;
	uint32_t written = 0;

	(void)state;
	begin(TP_FEATURE(VIRTIO_NET_F_MRG_RXBUF));
	for (uint16_t i = 0; i < RING; i++)
		post_buffer((uint16_t)(RING - 1 - i), 100);
	assert_int_equal(reserve_changing_nothing(length, 0), TP_RESERVE_ACCEPTED);
	assert_int_equal(scene.places.place[0].buffers, 11); /* 1,012 bytes */
	put_and_publish(1, &length);
	assert_int_equal(guest_returned(&scene.ring), 11);
	for (uint16_t i = 0; i < 11; i++) {
		struct vring_used_elem element = guest_take(&scene.ring);

		assert_int_equal(element.id, RING - 1 - i);
		assert_int_equal(element.len, i < 10 ? 100 : 12);
		written += element.len;
	}
	assert_int_equal(written, 12 + length);
	end();
}

static void test_same_head_posted_twice_counts_twice(void **state)
{
	const uint32_t length = 150;

	(void)state;
	begin(TP_FEATURE(VIRTIO_NET_F_MRG_RXBUF));
	post_buffer(1, 100);
	guest_post(&scene.ring, 1);
	assert_int_equal(reserve_changing_nothing(length, 0), TP_RESERVE_ACCEPTED);
	put_and_publish(1, &length);
	assert_int_equal(guest_returned(&scene.ring), 2);
	end();
}

static void test_frame_too_long_for_plain_buffers(void **state)
{
	(void)state;
	begin(0);
	post_buffer(0, 1000);
	post_buffer(1, 4096);
	assert_int_equal(reserve_changing_nothing(989, 0), TP_RESERVE_TOO_SMALL);
	assert_int_equal(reserve_changing_nothing(988, 0), TP_RESERVE_ACCEPTED);
	end();
}

static void test_receive_chain_is_read_no_further_than_needed(void **state)
{
	(void)state;
	begin(0);
	guest_describe(
		&scene.ring, 0, scene.buffer, 2048, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1);
	guest_describe(&scene.ring, 1, scene.buffer, 1, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1);
	guest_post(&scene.ring, 0);
	assert_int_equal(reserve_changing_nothing(60, 0), TP_RESERVE_ACCEPTED);
	assert_int_equal(scene.places.place[0].pieces, 1);
	end();
}

static void test_available_index_set_back_breaks_the_ring(void **state)
{
	(void)state;
	begin(0);
	for (uint16_t i = 0; i < 8; i++)
		post_buffer(i, 2048);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(reserve_changing_nothing(60, i), TP_RESERVE_ACCEPTED);
	scene.ring.avail->idx = 3;
	assert_int_equal(reserve_changing_nothing(60, 6), TP_RESERVE_BROKEN);
	assert_int_equal(tp_vring_fault(&scene.vring), TP_VRING_AVAIL_INDEX);
	end();
}

static void test_chained_receive_buffer(void **state)
{
	const uint32_t length = 70;
	struct vring_used_elem element;

	(void)state;
	begin(0);
	/* the header in a buffer of its own, as older drivers post it */
	guest_describe(&scene.ring, 0, scene.buffer, 12, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1);
	guest_describe(&scene.ring, 1, scene.buffer + 64, 1514, VRING_DESC_F_WRITE, 0);
	guest_post(&scene.ring, 0);
	assert_int_equal(reserve_changing_nothing(length, 0), TP_RESERVE_ACCEPTED);
	assert_int_equal(scene.places.place[0].pieces, 2);
	put_and_publish(1, &length);
	element = guest_take(&scene.ring);
	assert_int_equal(element.id, 0);
	assert_int_equal(element.len, 82);
	end();
}

/* A chain that begins with a short piece has room for a header all the same. */
static void test_the_last_few_bytes_go_into_a_short_piece(void **state)
{
	const uint32_t length = 95; /* with its header 7 more than the first buffer holds */

	(void)state;
	begin(TP_FEATURE(VIRTIO_NET_F_MRG_RXBUF));
	post_buffer(0, 100);
	guest_describe(
		&scene.ring, 1, scene.buffer + 4096, 10, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 2);
	guest_describe(&scene.ring, 2, scene.buffer + 8192, 1500, VRING_DESC_F_WRITE, 0);
	guest_post(&scene.ring, 1);
	assert_int_equal(reserve_changing_nothing(length, 0), TP_RESERVE_ACCEPTED);
	put_and_publish(1, &length);
	assert_int_equal(guest_take(&scene.ring).len, 100);
	assert_int_equal(guest_take(&scene.ring).len, 7);
	end();
}

/* Pieces of all frames of a burst share a pool: who finds it used up is not refused for good. */
static void test_a_crowded_pool_is_not_a_full_ring(void **state)
{
	struct tp_claim claim;

	(void)state;
	begin(0);
	guest_describe(&scene.ring, 0, scene.buffer, 12, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1);
	guest_describe(&scene.ring, 1, scene.buffer + 64, 1514, VRING_DESC_F_WRITE, 0);
	guest_post(&scene.ring, 0);
	scene.places.pieces_used = TP_PIECES - 1;
	assert_int_equal(claim_begin(&claim, RICH), TP_RESERVE_ACCEPTED);
	assert_int_equal(
		tp_split_reserve(&scene.vring, &claim, 60, &scene.places, &scene.places.place[0]),
		TP_RESERVE_CROWDED);
	assert_int_equal(scene.places.pieces_used, TP_PIECES - 1);
	end();
}

static void expect_receive_broken(enum tp_vring_fault fault)
{
	assert_int_equal(reserve_changing_nothing(60, 0), TP_RESERVE_BROKEN);
	assert_int_equal(tp_vring_fault(&scene.vring), fault);
	end();
	begin(0);
}

static void test_bad_receive_buffers_break_the_ring(void **state)
{
	(void)state;
	begin(0);
	guest_describe(&scene.ring, 0, scene.buffer, 2048, 0, 0); /* read-only */
	guest_post(&scene.ring, 0);
	expect_receive_broken(TP_VRING_RECEIVE_CHAIN);
	guest_describe(&scene.ring, 0, scene.buffer, 4, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 0);
	guest_post(&scene.ring, 0);
	expect_receive_broken(TP_VRING_RECEIVE_CHAIN);
	post_buffer(0, 2048);
	scene.ring.desc[0].addr = GUEST_ADDRESS + MEMORY - 100;
	expect_receive_broken(TP_VRING_RECEIVE_ADDRESS);
	post_buffer(0, 11);
	expect_receive_broken(TP_VRING_RECEIVE_HEADER);
	guest_post(&scene.ring, RING);
	expect_receive_broken(TP_VRING_AVAIL_HEAD);
	scene.ring.avail->idx = RING + 1;
	expect_receive_broken(TP_VRING_AVAIL_INDEX);
	end();
}

/* ---- price ---- */

/* @return how many frames a bidder can reserve, one after the other, at most. */
static unsigned affords(uint32_t bid)
{
	struct tp_claim claim;
	unsigned count = 0;

	if (claim_begin(&claim, bid) != TP_RESERVE_ACCEPTED)
		return 0;
	while (count < RING && tp_split_reserve(&scene.vring, &claim, 60, &scene.places,
				       &scene.places.place[count]) == TP_RESERVE_ACCEPTED)
		count++;
	return count;
}

static void test_a_bid_reaches_as_far_as_it_pays(void **state)
{
	(void)state;
	begin(0);
	for (uint16_t i = 0; i < RING; i++)
		post_buffer(i, 2048);
	/* 16 posted. Admitted while capacity / free <= bid: from 16 free down to 16 / bid. */
	assert_int_equal(affords(1 * TP_PRICE_ONE), 1);
	assert_int_equal(affords(2 * TP_PRICE_ONE), 9);
	assert_int_equal(affords(4 * TP_PRICE_ONE), 13);
	assert_int_equal(affords(16 * TP_PRICE_ONE), 16);
	assert_int_equal(affords(RICH), 16);
	end();
}

static void test_the_price_of_the_moment(void **state)
{
	const uint32_t expected[] = {
		16, 17, 18, 19, 21, 23, 25, 28, 32, 36, 42, 51, 64, 85, 128, 256};
	struct tp_claim claim;

	(void)state;
	begin(0);
	for (uint16_t i = 0; i < RING; i++)
		post_buffer(i, 2048);
	for (unsigned i = 0; i < RING; i++) {
		assert_int_equal(claim_begin(&claim, RICH), TP_RESERVE_ACCEPTED);
		assert_int_equal(claim.price, expected[i]);
		if (expected[i] > 2 * TP_PRICE_ONE)
			assert_int_equal(
				claim_begin(&claim, 2 * TP_PRICE_ONE), TP_RESERVE_TOO_DEAR);
		assert_int_equal(reserve_changing_nothing(60, i), TP_RESERVE_ACCEPTED);
	}
	assert_int_equal(claim_begin(&claim, RICH), TP_RESERVE_FULL);
	end();
}

/* A boot loader that posts 4 buffers in a ring of 16 has an empty ring, not a full one. */
static void test_capacity_is_what_the_guest_posts(void **state)
{
	(void)state;
	begin(0);
	for (uint16_t i = 0; i < 4; i++)
		post_buffer(i, 2048);
	assert_int_equal(affords(2 * TP_PRICE_ONE), 3);
	end();
}

static void test_capacity_decays_with_time(void **state)
{
	struct tp_claim claim;

	(void)state;
	begin(0);
	for (uint16_t i = 0; i < RING; i++)
		post_buffer(i, 2048);
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(reserve_changing_nothing(60, i), TP_RESERVE_ACCEPTED);
	put_and_publish(12, (const uint32_t[12]){60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60});
	/* It posts no more than 4 from now on. */
	assert_int_equal(claim_begin(&claim, 2 * TP_PRICE_ONE), TP_RESERVE_TOO_DEAR);
	for (unsigned i = 0; i < 12; i++, scene.age++)
		claim_begin(&claim, RICH);
	assert_int_equal(scene.vring.capacity, 4 + 1);
	scene.age++;
	assert_int_equal(claim_begin(&claim, 2 * TP_PRICE_ONE), TP_RESERVE_ACCEPTED);
	assert_int_equal(scene.vring.capacity, 4);
	end();
}

/* ---- many writers ---- */

/* Reserve a number of frames in one attempt. */
static void claim_frames(struct tp_claim *claim, unsigned frames)
{
	assert_int_equal(claim_begin(claim, RICH), TP_RESERVE_ACCEPTED);
	for (unsigned i = 0; i < frames; i++)
		assert_int_equal(tp_split_reserve(&scene.vring, claim, 60, &scene.places,
					 &scene.places.place[i]),
			TP_RESERVE_ACCEPTED);
}

/* @return how many the guest sees because of it. */
static uint16_t publish_claim(const struct tp_claim *claim)
{
	for (uint16_t i = 0; i < claim->buffers; i++) {
		struct tp_place place = {.head = (uint16_t)(claim->first + i), .buffers = 1};

		tp_split_put(&scene.vring, (uint16_t)(claim->first + i), &scene.places, &place, 60);
	}
	return tp_split_publish(&scene.vring, claim->first, claim->buffers);
}

static void begin_with_many(void)
{
	begin(0);
	for (uint16_t i = 0; i < RING; i++)
		post_buffer(i, 2048);
}

static void test_who_is_overtaken_tries_again(void **state)
{
	struct tp_claim slow, fast;

	(void)state;
	begin_with_many();
	claim_frames(&slow, 2);
	claim_frames(&fast, 3);
	assert_true(tp_claim_commit(&scene.vring, &fast));
	assert_false(tp_claim_commit(&scene.vring, &slow));
	claim_frames(&slow, 2);
	assert_int_equal(slow.first, 3);
	assert_true(tp_claim_commit(&scene.vring, &slow));
	end();
}

static void test_published_in_the_order_of_reservation(void **state)
{
	struct tp_claim claim[4];

	(void)state;
	begin_with_many();
	for (unsigned i = 0; i < 4; i++) {
		claim_frames(&claim[i], i + 1);
		assert_true(tp_claim_commit(&scene.vring, &claim[i]));
	}
	assert_int_equal(publish_claim(&claim[2]), 0);
	assert_int_equal(publish_claim(&claim[1]), 0);
	assert_int_equal(guest_returned(&scene.ring), 0);
	/* The oldest publishes itself and what is complete behind it. */
	assert_int_equal(publish_claim(&claim[0]), 1 + 2 + 3);
	assert_int_equal(guest_returned(&scene.ring), 6);
	assert_int_equal(publish_claim(&claim[3]), 4);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(guest_take(&scene.ring).id, i);
	end();
}

/* A writer that stands still holds up what is behind it; the others fill the ring and are refused.
 */
static void test_a_stalled_writer_stops_nobody(void **state)
{
	struct tp_claim stalled, other;
	unsigned frames = 0;

	(void)state;
	begin_with_many();
	claim_frames(&other, 2);
	assert_true(tp_claim_commit(&scene.vring, &other));
	claim_frames(&stalled, 1);
	assert_true(tp_claim_commit(&scene.vring, &stalled));
	assert_int_equal(publish_claim(&other), 2);
	while (claim_begin(&other, RICH) == TP_RESERVE_ACCEPTED) {
		claim_frames(&other, 1);
		assert_true(tp_claim_commit(&scene.vring, &other));
		assert_int_equal(publish_claim(&other), 0);
		frames++;
	}
	assert_int_equal(frames, RING - 3);
	assert_int_equal(claim_begin(&other, RICH), TP_RESERVE_FULL);
	assert_int_equal(guest_returned(&scene.ring), 2);
	assert_int_equal(publish_claim(&stalled), RING - 2);
	end();
}

/* What is read of a buffer that another has taken meanwhile says nothing about the guest. */
static void test_overtaken_is_not_broken(void **state)
{
	struct tp_claim slow, fast;

	(void)state;
	begin_with_many();
	assert_int_equal(claim_begin(&slow, RICH), TP_RESERVE_ACCEPTED);
	claim_frames(&fast, 1);
	assert_true(tp_claim_commit(&scene.vring, &fast));
	scene.ring.desc[0].flags = 0; /* the guest has it back and uses it for something else */
	assert_int_equal(
		tp_split_reserve(&scene.vring, &slow, 60, &scene.places, &scene.places.place[0]),
		TP_RESERVE_OVERTAKEN);
	assert_int_equal(tp_vring_fault(&scene.vring), TP_VRING_SOUND);
	end();
}

/* One writer, many, one: nothing is lost of where the ring stands. */
static void test_writers_come_and_go(void **state)
{
	const uint32_t length = 60;
	uint16_t *baton;

	(void)state;
	begin_with_many();
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(reserve_changing_nothing(length, 0), TP_RESERVE_ACCEPTED);
		put_and_publish(1, &length);
		baton = tp_vring_unshare(&scene.vring);
		assert_ptr_equal(baton, scene.baton);
		shared = false;
		assert_int_equal(reserve_changing_nothing(length, 0), TP_RESERVE_ACCEPTED);
		put_and_publish(1, &length);
		tp_vring_share(&scene.vring, baton);
		shared = true;
	}
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(guest_take(&scene.ring).id, i);
	end();
}

static int use_one(void **state)
{
	(void)state;
	shared = false;
	return 0;
}

static int use_many(void **state)
{
	(void)state;
	shared = true;
	return 0;
}

#define EITHER(test) cmocka_unit_test_setup(test, use_one), cmocka_unit_test_setup(test, use_many)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EITHER(test_reserve_put_publish),
		EITHER(test_attempt_that_is_not_committed_leaves_no_trace),
		EITHER(test_mergeable_frame_over_many_buffers),
		EITHER(test_same_head_posted_twice_counts_twice),
		EITHER(test_frame_too_long_for_plain_buffers),
		EITHER(test_chained_receive_buffer),
		EITHER(test_the_last_few_bytes_go_into_a_short_piece),
		EITHER(test_a_crowded_pool_is_not_a_full_ring),
		EITHER(test_receive_chain_is_read_no_further_than_needed),
		EITHER(test_available_index_set_back_breaks_the_ring),
		EITHER(test_bad_receive_buffers_break_the_ring),
		EITHER(test_a_bid_reaches_as_far_as_it_pays),
		EITHER(test_the_price_of_the_moment),
		EITHER(test_capacity_is_what_the_guest_posts),
		EITHER(test_capacity_decays_with_time),
		cmocka_unit_test_setup(test_who_is_overtaken_tries_again, use_many),
		cmocka_unit_test_setup(test_published_in_the_order_of_reservation, use_many),
		cmocka_unit_test_setup(test_a_stalled_writer_stops_nobody, use_many),
		cmocka_unit_test_setup(test_overtaken_is_not_broken, use_many),
		cmocka_unit_test_setup(test_writers_come_and_go, use_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
