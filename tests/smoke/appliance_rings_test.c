/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every way in which guests may lay out their rings, and when the appliance calls them.
 *
 *   appliance_rings_test PATH-OF-TURNPIKED
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "frontend/channel.h"
#include "guests.h"

#define MORE ", 'queue_pairs': 2"

/* clang-format off */
static const char one_tenant[] =
	"'acme': {'interfaces': {"
		INTERFACE("n1", "01", MORE) "," INTERFACE("n2", "02", MORE) ","
		INTERFACE("bad", "03", MORE) "," INTERFACE("peer", "04", MORE) "}}";
/* clang-format on */

static const char *const sockets[] = {"n1.sock", "n2.sock", "bad.sock", "peer.sock"};

struct layout {
	const char *name;
	struct tp_frontend_settings settings;
	size_t frame_max;
};

static const struct layout layouts[] = {
	{"plain", {.queue_pairs = 2}, 2048},
	{"mergeable, 64", {.features = MERGEABLE, .ring_size = 64}, 9018},
	{"mergeable, 32768", {.features = MERGEABLE, .ring_size = 32768, .buffer_size = 512}, 9018},
	{"plain, 32768", {.ring_size = 32768, .buffer_size = 512}, 512},
	{"plain, 16384, huge pages", {.ring_size = 16384, .buffer_size = 1600, .huge_pages = true},
		1600},
	{"header apart", {.header_apart = true, .queue_pairs = 2}, 2048},
	{"header apart, mergeable, 4 segments",
		{.features = MERGEABLE, .header_apart = true, .segments = 4}, 9018},
	{"indirect", {.features = INDIRECT, .indirect_tables = true, .ring_size = 1024}, 2048},
	{"indirect, header apart, mergeable, two regions",
		{.features = INDIRECT | MERGEABLE,
			.indirect_tables = true,
			.header_apart = true,
			.two_regions = true,
			.queue_pairs = 2},
		9018},
	{"event index", {.features = EVENT_INDEX | MERGEABLE}, 9018},
	{"event index, interrupts",
		{.features = EVENT_INDEX | MERGEABLE, .interrupts = true, .queue_pairs = 2}, 9018},
	{"interrupts by flag", {.interrupts = true}, 2048},
	{"small buffers", {.features = MERGEABLE, .buffer_size = 128, .ring_size = 512}, 9018},
};

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* What one sends as one chain, the other must be able to take. */
static size_t sendable(const struct layout *from, const struct layout *to)
{
	size_t buffer = from->settings.buffer_size != 0 ? from->settings.buffer_size : 2048;

	return smaller(buffer, to->frame_max);
}

/* Several frames on their way at a time, and more than a small ring holds in all. */
static void carry(struct tp_frontend *from, struct tp_frontend *to, unsigned to_mac,
	unsigned queue_pair, size_t most)
{
	static const size_t sizes[] = {14, 15, 60, 64, 65, 115, 116, 117, 128, 500, 1514, 2048};
	static uint8_t frame[9018];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (uint32_t seed = 0; seed < 80 && sizes[i] <= most; seed++) {
			frame_make(frame, sizes[i], to_mac, 3 - to_mac, seed);
			guest_send(from, queue_pair, frame, sizes[i]);
			if (seed % 4 != 3)
				continue;
			for (uint32_t old = seed - 3; old <= seed; old++) {
				frame_make(frame, sizes[i], to_mac, 3 - to_mac, old);
				guest_expect(to, queue_pair, frame, sizes[i]);
			}
		}
	}
	guest_expect_silence(to);
}

static void every_layout_carries_frames(void **state)
{
	const size_t count = sizeof(layouts) / sizeof(layouts[0]);
	struct scene *scene = *state;

	scene_start(scene, NULL, one_tenant);
	for (size_t i = 0; i < 2 * count; i++) {
		/* With its like, then with its neighbour in the table. */
		const struct layout *layout[2] = {
			&layouts[i / 2], &layouts[(i / 2 + i % 2) % count]};

		for (unsigned n = 0; n < 2; n++)
			scene_attach(scene, n, sockets[n], &layout[n]->settings);
		carry(scene->guest[0], scene->guest[1], 2, 0, sendable(layout[0], layout[1]));
		carry(scene->guest[1], scene->guest[0], 1, 0, sendable(layout[1], layout[0]));
		if (scene->guest[0]->settings.queue_pairs == 2 &&
			scene->guest[1]->settings.queue_pairs == 2)
			carry(scene->guest[0], scene->guest[1], 2, 1,
				sendable(layout[0], layout[1]));
		for (unsigned n = 0; n < 2; n++) {
			struct tp_error error = {""};

			if (tp_frontend_stop(scene->guest[n], &error) < 0)
				fail_msg("%s: %s", layout[n]->name, error.text);
			scene_hang_up(scene, n);
		}
	}
	scene_end(scene);
}

/* A guest with one pair takes what others send on their second. */
static void pairs_that_the_receiver_lacks(void **state)
{
	struct scene *scene = *state;
	uint8_t frame[100];

	scene_start(scene, NULL, one_tenant);
	scene_attach(scene, 0, sockets[0], &(struct tp_frontend_settings){.queue_pairs = 2});
	scene_attach(scene, 1, sockets[1], NULL);
	frame_make(frame, sizeof(frame), 2, 1, 7);
	guest_send(scene->guest[0], 1, frame, sizeof(frame));
	guest_expect(scene->guest[1], 0, frame, sizeof(frame));
	scene_end(scene);
}

/* --- calls --- */

static uint64_t calls_waiting(const struct tp_frontend_ring *ring)
{
	uint64_t count = 0;

	return read(ring->call_fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static void expect_called(const struct tp_frontend_ring *ring)
{
	struct pollfd call = {.fd = ring->call_fd, .events = POLLIN};

	if (poll(&call, 1, 5000) != 1)
		fail_msg("a call was asked for and did not come");
}

static void calls_come_when_asked_for(void **state)
{
	struct scene *scene = *state;

	scene_start(scene, NULL, one_tenant);
	scene_attach(scene, 0, sockets[0], NULL);
	for (unsigned event_index = 0; event_index < 2; event_index++) {
		struct tp_frontend_settings settings = {
			.interrupts = true, .features = event_index ? EVENT_INDEX : 0};
		struct tp_frontend *guest = scene_attach(scene, 1, sockets[1], &settings);
		uint64_t before = appliance_counter(&scene->appliance, "acme/n2", "calls");
		uint64_t received = 0;

		for (uint32_t seed = 0; seed < 50; seed++) {
			calls_waiting(&guest->ring[0]);
			guest_say(scene->guest[0], 2, 1, seed);
			expect_called(&guest->ring[0]);
			guest_hear(guest, 2, 1, seed);
			guest_say(guest, 1, 2, seed);
			expect_called(&guest->ring[1]);
			received += calls_waiting(&guest->ring[1]);
			guest_hear(scene->guest[0], 1, 2, seed);
		}
		assert_in_range(received, 1, 50);
		assert_in_range(appliance_counter(&scene->appliance, "acme/n2", "calls") - before,
			50 + received, 110);
		scene_hang_up(scene, 1);
	}
	scene_end(scene);
}

static void no_calls_when_not_asked_for(void **state)
{
	struct scene *scene = *state;

	scene_start(scene, NULL, one_tenant);
	scene_attach(scene, 0, sockets[0], NULL);
	for (unsigned event_index = 0; event_index < 2; event_index++) {
		struct tp_frontend_settings settings = {.features = event_index ? EVENT_INDEX : 0};
		struct tp_frontend *guest = scene_attach(scene, 1, sockets[1], &settings);

		for (uint32_t seed = 0; seed < 300; seed++) {
			guest_say(scene->guest[0], 2, 1, seed);
			guest_hear(guest, 2, 1, seed);
			guest_say(guest, 1, 2, seed);
			guest_hear(scene->guest[0], 1, 2, seed);
		}
		assert_int_equal(calls_waiting(&guest->ring[0]), 0);
		assert_int_equal(calls_waiting(&guest->ring[1]), 0);
		scene_hang_up(scene, 1);
	}
	assert_int_equal(appliance_counter(&scene->appliance, "acme/n2", "calls"), 0);
	scene_end(scene);
}

/* hostile case 24: the open file of an eventfd is shared, so its flags are the guest's as well. */
static void full_and_blocking_call_descriptors(void **state)
{
	struct scene *scene = *state;
	const uint64_t full = UINT64_MAX - 1;
	struct tp_frontend *guest;

	scene_start(scene, NULL, one_tenant);
	scene_attach(scene, 0, sockets[0], NULL);
	scene_attach(scene, 1, sockets[1], NULL);
	scene_attach(scene, 3, sockets[3], NULL);
	neighbours_start(scene);
	guest = scene_attach(scene, 2, sockets[2],
		&(struct tp_frontend_settings){.interrupts = true, .features = EVENT_INDEX});
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(fcntl(guest->ring[i].call_fd, F_SETFL, 0), 0);
		assert_int_equal(write(guest->ring[i].call_fd, &full, sizeof(full)), sizeof(full));
	}
	for (uint32_t seed = 0; seed < 100; seed++) {
		guest_say(scene->guest[3], 3, 4, seed);
		guest_hear(guest, 3, 4, seed);
		guest_say(guest, 4, 3, seed);
		guest_hear(scene->guest[3], 4, 3, seed);
		if (seed % 10 == 0)
			neighbours_expect_well();
		/* guest_hear may have emptied it to wait */
		fcntl(guest->ring[0].call_fd, F_SETFL, O_NONBLOCK);
		(void)!write(guest->ring[0].call_fd, &full, sizeof(full));
		fcntl(guest->ring[0].call_fd, F_SETFL, 0);
	}
	assert_in_range(appliance_counter(&scene->appliance, "acme/bad", "calls"), 1, UINT32_MAX);
	for (unsigned i = 0; i < 2; i++)
		fcntl(guest->ring[i].call_fd, F_SETFL, O_NONBLOCK);
	neighbours_stop();
	scene_end(scene);
}

#define SCENARIO(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		SCENARIO(every_layout_carries_frames),
		SCENARIO(pairs_that_the_receiver_lacks),
		SCENARIO(calls_come_when_asked_for),
		SCENARIO(no_calls_when_not_asked_for),
		SCENARIO(full_and_blocking_call_descriptors),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: appliance_rings_test PATH-OF-TURNPIKED\n");
		return 2;
	}
	appliance_program(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
