/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest_ring.h"
#include "vring/split_destination.h"

/*
 * Many writers on one receive ring, as threads, each of which stands still at random points between
 * the steps; and a guest that takes what it sees and posts the buffers anew. Each writer's frames
 * arrive in its order, each exactly once; nobody waits for anybody. Run under ThreadSanitizer too.
 */

#define RING    64
#define MEMORY  (1u << 20)
#define BUFFER  64
#define WRITERS 4
#define FRAMES  30000u /* of each writer */
#define MOST    7      /* frames in an attempt */
#define SECONDS 60     /* for a whole scene; it takes one or two */

/** What a writer puts into a buffer, behind the header. */
struct frame {
	uint32_t writer;
	uint32_t number;
};

struct writer {
	pthread_t thread;
	uint32_t index;
	uint32_t sent;    /* the writer's */
	uint64_t refused; /* the same */
	uint64_t overtaken;
	unsigned seed;
	atomic_bool stall; /* test: w; writer: r, before it publishes */
	atomic_bool stalled;
	struct tp_places places;
};

static struct {
	struct guest guest;
	struct guest_ring ring;
	struct tp_vring vring;
	uint8_t *buffer;
	uint16_t baton[RING];
	struct writer writer[WRITERS];
	uint32_t next[WRITERS]; /* number that the guest expects of each */
	uint32_t frames;        /* that each writer sends */
	atomic_bool stop;
} scene;

static uint8_t *buffer_at(uint32_t index)
{
	return scene.buffer + (size_t)index * BUFFER;
}

static void begin(uint32_t frames)
{
	struct tp_error error;

	memset(&scene, 0, sizeof(scene));
	guest_init(&scene.guest, MEMORY);
	guest_ring_init(&scene.ring, &scene.guest, RING, 0);
	scene.buffer = guest_place(&scene.guest, (size_t)RING * BUFFER, 64);
	scene.frames = frames;
	for (uint16_t i = 0; i < RING; i++) {
		guest_describe(&scene.ring, i, buffer_at(i), BUFFER, VRING_DESC_F_WRITE, 0);
		guest_post(&scene.ring, i);
	}
	scene.ring.setup.baton = scene.baton;
	assert_int_equal(
		tp_vring_start(&scene.vring, &scene.ring.setup, scene.guest.memory, &error), 0);
}

static void end(void)
{
	tp_vring_retire(&scene.vring);
	tp_vring_unshare(&scene.vring);
	tp_vring_stop(&scene.vring);
	guest_destroy(&scene.guest);
}

/* --- A writer --- */

/* Now and then a worker loses its CPU, for a little or for long. */
static void perhaps_stand_still(struct writer *writer)
{
	int chance = rand_r(&writer->seed) % 1000;

	if (chance < 50)
		sched_yield();
	else if (chance < 52)
		usleep(200);
}

static void stand_still_if_wanted(struct writer *writer)
{
	while (atomic_load(&writer->stall) && !atomic_load(&scene.stop)) {
		atomic_store(&writer->stalled, true);
		usleep(100);
	}
	atomic_store(&writer->stalled, false);
}

static bool reserve(struct writer *writer, struct tp_claim *claim, uint32_t wanted)
{
	enum tp_reserve result = tp_claim_begin(
		&scene.vring, claim, tp_price_threshold(1000 * TP_PRICE_ONE), 0, false);

	perhaps_stand_still(writer);
	while (result == TP_RESERVE_ACCEPTED && claim->buffers < wanted)
		result = tp_split_reserve(&scene.vring, claim, sizeof(struct frame),
			&writer->places, &writer->places.place[claim->buffers]);
	/* Whatever it saw while it was overtaken, it never takes the guest for broken. */
	if (result == TP_RESERVE_BROKEN || result == TP_RESERVE_TOO_SMALL)
		abort();
	if (result == TP_RESERVE_OVERTAKEN)
		writer->overtaken++;
	else if (claim->buffers == 0)
		__atomic_store_n(&writer->refused, writer->refused + 1, __ATOMIC_RELAXED);
	perhaps_stand_still(writer);
	if (result == TP_RESERVE_OVERTAKEN || claim->buffers == 0)
		return false;
	if (tp_claim_commit(&scene.vring, claim))
		return true;
	writer->overtaken++;
	return false;
}

static void fill(struct writer *writer, const struct tp_claim *claim)
{
	for (uint16_t i = 0; i < claim->buffers; i++) {
		const struct tp_place *place = &writer->places.place[i];
		struct frame frame = {writer->index, writer->sent++};

		memcpy(place->data + TP_NET_HEADER, &frame, sizeof(frame));
		tp_split_put(&scene.vring, (uint16_t)(claim->first + i), &writer->places, place,
			sizeof(frame));
	}
}

static void *write_frames(void *argument)
{
	struct writer *writer = argument;

	while (writer->sent < scene.frames && !atomic_load(&scene.stop)) {
		uint32_t left = scene.frames - writer->sent;
		uint32_t wanted = 1 + (uint32_t)rand_r(&writer->seed) % MOST;
		struct tp_claim claim;

		if (!reserve(writer, &claim, wanted < left ? wanted : left)) {
			sched_yield();
			continue;
		}
		perhaps_stand_still(writer);
		fill(writer, &claim);
		stand_still_if_wanted(writer);
		tp_split_publish(&scene.vring, claim.first, claim.buffers);
	}
	return NULL;
}

static void start_writers(void)
{
	for (uint32_t i = 0; i < WRITERS; i++) {
		struct writer *writer = &scene.writer[i];

		writer->index = i;
		writer->seed = 1 + i;
		assert_int_equal(pthread_create(&writer->thread, NULL, write_frames, writer), 0);
	}
}

static void join_writers(void)
{
	for (uint32_t i = 0; i < WRITERS; i++)
		pthread_join(scene.writer[i].thread, NULL);
}

/* --- The guest --- */

/* Take a frame if there is one, check it, post its buffer anew. */
static bool take_frame(void)
{
	struct vring_used_elem element;
	struct frame frame;

	if (guest_returned(&scene.ring) == 0)
		return false;
	element = guest_take(&scene.ring);
	assert_in_range(element.id, 0, RING - 1);
	assert_int_equal(element.len, TP_NET_HEADER + sizeof(frame));
	memcpy(&frame, buffer_at(element.id) + TP_NET_HEADER, sizeof(frame));
	assert_in_range(frame.writer, 0, WRITERS - 1);
	assert_int_equal(frame.number, scene.next[frame.writer]++);
	guest_post(&scene.ring, (uint16_t)element.id);
	return true;
}

static void expect_frames(uint32_t wanted)
{
	time_t give_up = time(NULL) + SECONDS;

	for (uint32_t taken = 0; taken < wanted;) {
		if (take_frame())
			taken++;
		else if (time(NULL) > give_up)
			fail_msg("%u of %u frames came", taken, wanted);
		else
			sched_yield();
	}
}

static void test_each_frame_once_and_in_order(void **state)
{
	uint64_t overtaken = 0;

	(void)state;
	begin(FRAMES);
	start_writers();
	expect_frames(WRITERS * FRAMES);
	join_writers();
	assert_false(take_frame());
	for (unsigned i = 0; i < WRITERS; i++) {
		assert_int_equal(scene.next[i], FRAMES);
		overtaken += scene.writer[i].overtaken;
	}
	assert_true(overtaken > 0); /* else nothing was tried here */
	end();
}

/* One stands still between reserve and publish, for good as the others see it: they fill the ring,
 * and then are refused again and again instead of waiting. */
static void test_a_stalled_writer_stops_nobody(void **state)
{
	struct writer *stalled = &scene.writer[0];
	uint64_t before[WRITERS];
	time_t give_up = time(NULL) + SECONDS;
	bool refused_all = false;

	(void)state;
	begin(FRAMES);
	atomic_store(&stalled->stall, true);
	start_writers();
	while (!atomic_load(&stalled->stalled) && time(NULL) < give_up)
		take_frame();
	assert_true(atomic_load(&stalled->stalled));
	while (take_frame())
		;
	for (unsigned i = 1; i < WRITERS; i++)
		before[i] = __atomic_load_n(&scene.writer[i].refused, __ATOMIC_RELAXED);
	while (!refused_all && time(NULL) < give_up) {
		refused_all = true;
		usleep(1000);
		for (unsigned i = 1; i < WRITERS; i++)
			refused_all &= __atomic_load_n(&scene.writer[i].refused, __ATOMIC_RELAXED) >
				       before[i] + 10;
	}
	assert_true(refused_all);
	atomic_store(&stalled->stall, false);
	expect_frames(
		WRITERS * FRAMES - scene.next[0] - scene.next[1] - scene.next[2] - scene.next[3]);
	join_writers();
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_frame_once_and_in_order),
		cmocka_unit_test(test_a_stalled_writer_stops_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
