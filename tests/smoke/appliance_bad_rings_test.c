/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest whose rings, memory or frames are wrong, beside two that exchange frames.
 *
 *   appliance_bad_rings_test PATH-OF-TURNPIKED
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "frontend/channel.h"
#include "misbehaving.h"

/* hostile case 14 */
static void shrinks_its_memory(void **state)
{
	struct scene *scene = with_neighbours(state);

	for (int i = 0; i < 20; i++) {
		struct tp_frontend *guest =
			come(scene, &(struct tp_frontend_settings){
					    .huge_pages = i % 2 == 1, .two_regions = i % 4 >= 2});

		guest_say(guest, 4, 3, 1);
		guest_hear(scene->guest[PEER], 4, 3, 1);
		assert_int_equal(ftruncate(guest->memory_fd, 0), 0);
		wait_thrown_out(scene, "shrank");
	}
	end_well(scene);
}

static void stop_ring(struct tp_frontend *guest, unsigned number)
{
	struct vhost_user_message message = {
		.header = {.request = VHOST_USER_GET_VRING_BASE,
			.size = sizeof(message.payload.state)},
		.payload.state = {.index = number},
	};

	assert_int_equal(tp_frontend_ask(guest, &message, NULL, 0, NULL), 0);
}

/* It is the switch's last word to the last ring that finds the memory gone: no ring runs then. */
static void shrinks_its_memory_and_stops(void **state)
{
	struct scene *scene = with_neighbours(state);

	for (int i = 0; i < 5; i++) {
		struct tp_frontend *guest = come(scene, NULL);

		stop_ring(guest, tp_transmit_ring(0));
		assert_int_equal(ftruncate(guest->memory_fd, 0), 0);
		stop_ring(guest, tp_receive_ring(0));
		wait_thrown_out(scene, "shrank");
	}
	end_well(scene);
}

/* hostile cases 33, 34 */
static void breaks_its_transmit_ring(void **state)
{
	struct scene *scene = with_neighbours(state);

	for (int i = 0; i < 20; i++) {
		struct tp_frontend *guest = come(scene, NULL);
		struct tp_frontend_ring *ring = &guest->ring[tp_transmit_ring(0)];
		bool jump = i % 2 == 0;

		if (jump)
			ring->available += 257;
		else
			tp_frontend_post(ring, 256);
		tp_frontend_publish(guest, ring);
		wait_thrown_out(scene,
			jump ? "moved by more than the ring's size" : "beyond the ring's size");
	}
	end_well(scene);
}

static int earlier(const void *a, const void *b)
{
	uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;

	return first < second ? -1 : first > second;
}

/* However many other interfaces there are. */
static void is_thrown_out_at_once_among_thousands(void **state)
{
	enum { TIMES = 11 };
	uint64_t took[TIMES];
	struct scene *scene = *state;

	scene_start(scene, NULL,
		"'acme': {'interfaces': {" INTERFACE("bad", "03",
			"") "}}, 'crowd': {'interfaces': "
			    "{'one': {'count': 4000, 'mac': '02:01:00:00:00:00', 'class': 'gold', "
			    "'socket': '@/one%d.sock'}}}");
	for (int i = 0; i < TIMES; i++) {
		struct tp_frontend *guest = come(scene, NULL);
		struct tp_frontend_ring *ring = &guest->ring[tp_transmit_ring(0)];
		uint64_t began = tp_now_ns();

		ring->available += 257;
		tp_frontend_publish(guest, ring);
		assert_int_equal(tp_channel_wait_closed(guest->socket, 5000), 0);
		took[i] = tp_now_ns() - began;
		scene_hang_up(scene, BAD);
	}
	qsort(took, TIMES, sizeof(took[0]), earlier);
	/* 20 ms at most; half of the times may fall on a machine that is busy otherwise. */
	assert_in_range(took[TIMES / 2], 0, 60000000);
	scene_end(scene);
}

/* A receive ring is looked at when a frame comes for it. */
static void breaks_its_receive_ring(void **state)
{
	static const char *const reasons[] = {"moved by more than", "beyond the ring's size",
		"not wholly inside", "loops, is read-only", "too short"};
	struct scene *scene = with_neighbours(state);

	for (unsigned i = 0; i < 20; i++) {
		struct tp_frontend *guest = come(scene, NULL);
		struct tp_frontend_ring *ring = &guest->ring[tp_receive_ring(0)];
		volatile struct vring_desc *desc = ring->vring.desc;

		if (i % 5 == 0)
			__atomic_store_n(&ring->vring.avail->idx, 1000, __ATOMIC_RELEASE);
		if (i % 5 == 1)
			ring->vring.avail->ring[0] = 300;
		if (i % 5 == 2)
			desc[0].addr = UINT64_MAX - 8;
		if (i % 5 == 3)
			desc[0].flags = 0;
		if (i % 5 == 4)
			desc[0].len = 11;
		__sync_synchronize();
		guest_say(scene->guest[PEER], 3, 4, 1);
		wait_thrown_out(scene, reasons[i % 5]);
	}
	end_well(scene);
}

/* hostile cases 35 to 41: these cost the frame, not the connection. */
static void posts_bad_frames(void **state)
{
	static const struct {
		struct vring_desc desc;
		const char *drop;
	} cases[] = {
		{{.addr = 0, .len = 100}, "bad_address"},
		{{.addr = UINT64_MAX - 20, .len = 100}, "bad_address"},
		{{.addr = 1ull << 32, .len = UINT32_MAX}, "bad_address"},
		{{.addr = 1ull << 32, .len = 0}, "bad_descriptor"},
		{{.addr = 1ull << 32, .len = 12}, "runt"},
		{{.addr = 1ull << 32, .len = 5}, "bad_descriptor"},
		{{.addr = 1ull << 32, .len = 100, .flags = VRING_DESC_F_WRITE}, "bad_descriptor"},
		{{.addr = 1ull << 32, .len = 100, .flags = VRING_DESC_F_NEXT, .next = 0},
			"bad_chain"},
		{{.addr = 1ull << 32, .len = 100, .flags = VRING_DESC_F_NEXT, .next = 9999},
			"bad_chain"},
		{{.addr = 1ull << 32, .len = 64, .flags = VRING_DESC_F_INDIRECT}, "bad_descriptor"},
	};
	struct scene *scene = with_neighbours(state);
	struct tp_frontend *guest = come(scene, NULL);
	struct tp_frontend_ring *ring = &guest->ring[tp_transmit_ring(0)];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t before = appliance_counter(&scene->appliance, "acme/bad", cases[i].drop);

		for (unsigned n = 0; n < 100; n++) {
			ring->vring.desc[0] = cases[i].desc;
			tp_frontend_post(ring, 0);
			tp_frontend_publish(guest, ring);
			while (__atomic_load_n(&ring->vring.used->idx, __ATOMIC_ACQUIRE) !=
				ring->available)
				usleep(10);
		}
		if (appliance_counter(&scene->appliance, "acme/bad", cases[i].drop) != before + 100)
			fail_msg("case %zu is not dropped as %s", i, cases[i].drop);
	}
	assert_string_equal(appliance_text(&scene->appliance, "acme/bad", "state"), "running");
	scene_hang_up(scene, BAD);
	end_well(scene);
}

/* So many frames of bad's are in order and whole, though some may have been dropped between them.
 */
static void hear_in_order(struct tp_frontend *guest, unsigned count, uint32_t seeds)
{
	uint8_t received[SAID_BYTES + 1], expected[SAID_BYTES];
	uint32_t seed = 0;

	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(
			tp_frontend_receive(guest, 0, NULL, received, sizeof(received), 5000, NULL),
			SAID_BYTES);
		do
			frame_make(expected, sizeof(expected), 4, 3, seed);
		while (memcmp(received, expected, SAID_BYTES) != 0 && ++seed < seeds);
		assert_true(seed++ < seeds);
	}
}

/* hostile case 52 */
static void sends_to_a_deaf_guest(void **state)
{
	struct scene *scene = with_neighbours(state);
	struct tp_frontend *guest = come(scene, NULL);
	uint64_t dropped;

	for (uint32_t seed = 0; seed < 5000; seed++)
		guest_say(guest, 4, 3, seed);
	guest_wait_completed(guest);
	neighbours_expect_well();
	/* A bid of 16 reaches as far as 1/16 of what the guest keeps posted, which is taken to be
	 * less than 256 as time goes by. */
	dropped = appliance_counter(&scene->appliance, "acme/bad", "destination_dear") +
		  appliance_counter(&scene->appliance, "acme/bad", "destination_full") +
		  appliance_counter(&scene->appliance, "acme/bad", "destination_deaf");
	assert_in_range(5000 - dropped, 256 - 256 / 16 + 1, 256);
	hear_in_order(scene->guest[PEER], 5000 - (unsigned)dropped, 5000);
	scene_hang_up(scene, BAD);
	end_well(scene);
}

#define SCENARIO(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		SCENARIO(shrinks_its_memory),
		SCENARIO(shrinks_its_memory_and_stops),
		SCENARIO(breaks_its_transmit_ring),
		SCENARIO(is_thrown_out_at_once_among_thousands),
		SCENARIO(breaks_its_receive_ring),
		SCENARIO(posts_bad_frames),
		SCENARIO(sends_to_a_deaf_guest),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: appliance_bad_rings_test PATH-OF-TURNPIKED\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	appliance_program(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
