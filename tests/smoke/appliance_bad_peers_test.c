/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A front-end that comes, goes and talks wrongly, beside two guests that exchange frames.
 *
 *   appliance_bad_peers_test PATH-OF-TURNPIKED
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

#define REPEATS 500

static void hear_all(struct tp_frontend *guest)
{
	uint8_t frame[100];

	while (tp_frontend_receive(guest, 0, NULL, frame, sizeof(frame), 0, NULL) > 0)
		;
}

static void hangs_up_in_the_middle(void **state)
{
	struct scene *scene = with_neighbours(state);
	struct footprint before = {0};

	for (unsigned i = 0; i < REPEATS; i++) {
		struct tp_frontend *guest = come(scene, NULL);

		for (uint32_t seed = 0; seed < 20; seed++) {
			guest_say(guest, 4 + seed % 2, 3, seed);
			guest_say(scene->guest[PEER], 3, 4, seed);
		}
		scene_hang_up(scene, BAD);
		hear_all(scene->guest[PEER]);
		if (i == 20)
			before = footprint_of(scene);
	}
	expect_no_growth(scene, before);
	neighbours_expect_well();
	/* The switch may have taken frames of the last round until it noticed the end. */
	appliance_wait_text(&scene->appliance, "acme/bad", "state", "listening");
	guest_wait_completed(scene->guest[PEER]);
	hear_all(scene->guest[PEER]);
	end_well(scene);
}

/* hostile cases 3 to 7 */
static void sends_garbage(void **state)
{
	struct scene *scene = with_neighbours(state);
	struct footprint before = footprint_of(scene);
	unsigned random_state = 1;

	for (unsigned i = 0; i < REPEATS; i++) {
		uint8_t bytes[300];
		char path[64];
		struct tp_error error;
		int fds[8], socket;

		snprintf(path, sizeof(path), "%s/bad.sock", scene->appliance.directory);
		socket = tp_channel_connect(path, 5000, &error);
		assert_true(socket >= 0);
		for (size_t n = 0; n < sizeof(bytes); n++)
			bytes[n] = (uint8_t)rand_r(&random_state);
		if (i % 2 == 0) { /* a right header before it */
			struct vhost_user_header header = {
				.request = 1 + i % 40, .flags = 1, .size = i % 280};

			memcpy(bytes, &header, sizeof(header));
		}
		for (int n = 0; n < 8; n++)
			fds[n] = socket;
		tp_channel_send_bytes(socket, bytes, sizeof(bytes), fds, i % 9);
		if (i % 3 == 0)
			tp_channel_wait_closed(socket, 50);
		close(socket);
	}
	expect_no_growth(scene, before);
	end_well(scene);
}

/* hostile cases 15, 23: descriptors of the wrong kind. */
static void passes_wrong_descriptors(void **state)
{
	struct scene *scene = with_neighbours(state);
	struct footprint before = footprint_of(scene);
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	for (unsigned i = 0; i < 60; i++) {
		int wrong[] = {ends[0], ends[1], open("/", O_RDONLY), open("/dev/null", O_RDWR),
			open("/proc/self/exe", O_RDONLY)};
		uint32_t request = (uint32_t[]){VHOST_USER_SET_VRING_CALL,
			VHOST_USER_SET_VRING_KICK, VHOST_USER_SET_VRING_ERR}[i % 3];
		struct vhost_user_message message = {
			.header = {.request = request, .size = sizeof(uint64_t)}, .payload.u64 = 1};
		struct tp_frontend *guest = come(scene, NULL);
		struct tp_error error = {""};

		assert_int_equal(
			tp_frontend_request(guest, &message, &wrong[i % 5], 1, &error), -EPROTO);
		guest->pending_count = 0;
		guest_say(guest, 4, 3, i); /* refused, and changed nothing */
		guest_hear(scene->guest[PEER], 4, 3, i);
		for (int n = 2; n < 5; n++)
			close(wrong[n]);
		scene_hang_up(scene, BAD);
	}
	close(ends[0]);
	close(ends[1]);
	expect_no_growth(scene, before);
	end_well(scene);
}

static void share_memory(struct tp_frontend *guest)
{
	const int fds[] = {guest->memory_fd, guest->memory_fd};
	struct vhost_user_message message = {.header.request = VHOST_USER_SET_MEM_TABLE};
	struct tp_error error = {""};

	message.payload.memory.count = guest->region_count;
	memcpy(message.payload.memory.region, guest->region, sizeof(guest->region));
	message.header.size = (uint32_t)(offsetof(struct vhost_user_memory_table, region) +
					 guest->region_count * sizeof(guest->region[0]));
	if (tp_frontend_request(guest, &message, fds, guest->region_count, &error) < 0)
		fail_msg("memory table: %s", error.text);
}

/* hostile case 17: nothing is lost by it either. */
static void replaces_its_memory_table(void **state)
{
	struct scene *scene = with_neighbours(state);
	struct tp_frontend *guest =
		come(scene, &(struct tp_frontend_settings){.two_regions = true});
	unsigned mappings = appliance_mappings(&scene->appliance);

	for (unsigned i = 0; i < REPEATS; i++) {
		for (uint32_t seed = 0; seed < 10; seed++)
			guest_say(guest, 4, 3, 10 * i + seed);
		share_memory(guest);
		for (uint32_t seed = 0; seed < 10; seed++)
			guest_hear(scene->guest[PEER], 4, 3, 10 * i + seed);
	}
	assert_in_range(appliance_mappings(&scene->appliance), 0, mappings + 2);
	guest_expect_silence(scene->guest[PEER]);
	scene_hang_up(scene, BAD);
	end_well(scene);
}

/* @return the base that the switch tells. */
static unsigned stop_ring(struct tp_frontend *guest, unsigned number)
{
	struct vhost_user_message message = {.header = {.request = VHOST_USER_GET_VRING_BASE,
						     .size = sizeof(message.payload.state)},
		.payload.state = {.index = number}};
	struct tp_error error = {""};

	if (tp_frontend_ask(guest, &message, NULL, 0, &error) < 0)
		fail_msg("stop ring %u: %s", number, error.text);
	return message.payload.state.num;
}

static void start_ring(struct tp_frontend *guest, unsigned number, unsigned base)
{
	struct vhost_user_message place = {.header = {.request = VHOST_USER_SET_VRING_BASE,
						   .size = sizeof(place.payload.state)},
		.payload.state = {.index = number, .num = base}};
	struct vhost_user_message kick = {
		.header = {.request = VHOST_USER_SET_VRING_KICK, .size = sizeof(uint64_t)},
		.payload.u64 = number};
	struct tp_error error = {""};

	if (tp_frontend_request(guest, &place, NULL, 0, &error) < 0 ||
		tp_frontend_request(guest, &kick, &guest->ring[number].kick_fd, 1, &error) < 0)
		fail_msg("start ring %u: %s", number, error.text);
}

/* hostile case 29: what was on its way arrives once, in order. */
static void stops_and_starts_with_frames_in_flight(void **state)
{
	struct scene *scene = with_neighbours(state);
	struct tp_frontend *guest = come(scene, NULL);

	for (unsigned i = 0; i < REPEATS; i++) {
		unsigned number = i % 2 == 0 ? tp_transmit_ring(0) : tp_receive_ring(0);
		struct tp_frontend *from = i % 2 == 0 ? guest : scene->guest[PEER];
		struct tp_frontend *to = i % 2 == 0 ? scene->guest[PEER] : guest;
		unsigned to_mac = i % 2 == 0 ? 4 : 3;
		unsigned base;

		for (uint32_t seed = 0; seed < 30; seed++)
			guest_say(from, to_mac, 7 - to_mac, 30 * i + seed);
		if (i % 2 == 1) /* frames for a stopped ring are dropped; see them arrive first */
			guest_wait_completed(from);
		base = stop_ring(guest, number);
		assert_int_equal(base, guest->ring[number].vring.used->idx);
		start_ring(guest, number, base);
		for (uint32_t seed = 0; seed < 30; seed++)
			guest_hear(to, to_mac, 7 - to_mac, 30 * i + seed);
		guest_expect_silence(to);
	}
	scene_hang_up(scene, BAD);
	end_well(scene);
}

/* hostile case 30: a front-end process that is killed. */
static void is_killed(void **state)
{
	struct scene *scene = with_neighbours(state);
	struct footprint before = footprint_of(scene);

	for (unsigned i = 0; i < 50; i++) {
		int ready[2];
		char byte;
		pid_t process;

		assert_int_equal(pipe(ready), 0);
		process = fork();
		if (process == 0) {
			struct tp_frontend_settings settings = {.path = scene->path[BAD]};
			struct tp_frontend *guest;
			uint8_t frame[100];

			snprintf(scene->path[BAD], sizeof(scene->path[BAD]), "%.40s/bad.sock",
				scene->appliance.directory);
			guest = tp_frontend_attach(&settings, NULL);
			if (guest == NULL)
				_exit(1);
			for (uint32_t seed = 0;; seed++) {
				frame_make(frame, sizeof(frame), 0x66, 3, seed);
				tp_frontend_send(guest, 0, NULL, frame, sizeof(frame), NULL);
				if (seed == 100 && write(ready[1], "", 1) < 0)
					_exit(1);
			}
		}
		close(ready[1]);
		assert_int_equal(read(ready[0], &byte, 1), 1);
		kill(process, SIGKILL);
		waitpid(process, NULL, 0);
		close(ready[0]);
		appliance_wait_text(&scene->appliance, "acme/bad", "state", "listening");
	}
	expect_no_growth(scene, before);
	appliance_wait_text(&scene->appliance, "acme/bad", "reason", "closed the connection");
	end_well(scene);
}

#define SCENARIO(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		SCENARIO(hangs_up_in_the_middle),
		SCENARIO(sends_garbage),
		SCENARIO(passes_wrong_descriptors),
		SCENARIO(replaces_its_memory_table),
		SCENARIO(stops_and_starts_with_frames_in_flight),
		SCENARIO(is_killed),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: appliance_bad_peers_test PATH-OF-TURNPIKED\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	appliance_program(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
