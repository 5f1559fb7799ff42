/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two guests exchange frames throughout and lose none, while a third misbehaves. What it did is
 * seen in `show interfaces`, and its interface can be used again.
 *
 *   appliance_hostile_test PATH-OF-TURNPIKED
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

#include "channel.h"
#include "guests.h"

#define BAD  2 /* the guest that misbehaves: interface acme/bad, MAC 3 */
#define PEER 3 /* one that it talks to, MAC 4 */

#define REPEATS 500

/* clang-format off */
static const char one_tenant[] =
	"'acme': {'interfaces': {"
		INTERFACE("n1", "01", "") "," INTERFACE("n2", "02", "") ","
		INTERFACE("bad", "03", "") "," INTERFACE("peer", "04", "") "}}";
/* clang-format on */

static struct scene *with_neighbours(void **state)
{
	struct scene *scene = *state;

	scene_start(scene, NULL, one_tenant);
	scene_attach(scene, 0, "n1.sock", NULL);
	scene_attach(scene, 1, "n2.sock", NULL);
	scene_attach(scene, PEER, "peer.sock", NULL);
	neighbours_start(scene);
	return scene;
}

static struct tp_frontend *come(struct scene *scene, const struct tp_frontend_settings *settings)
{
	return scene_attach(scene, BAD, "bad.sock", settings);
}

/* Frames still pass to and from the interface. */
static void use_again(struct scene *scene)
{
	struct tp_frontend *guest = come(scene, NULL);

	for (uint32_t seed = 0; seed < 20; seed++) {
		guest_say(guest, 4, 3, seed);
		guest_hear(scene->guest[PEER], 4, 3, seed);
		guest_say(scene->guest[PEER], 3, 4, seed);
		guest_hear(guest, 3, 4, seed);
	}
}

static void wait_thrown_out(struct scene *scene, const char *reason)
{
	assert_int_equal(tp_channel_wait_closed(scene->guest[BAD]->socket, 5000), 0);
	appliance_wait_text(&scene->appliance, "acme/bad", "reason", reason);
	scene_hang_up(scene, BAD);
	neighbours_expect_well();
}

static void end_well(struct scene *scene)
{
	use_again(scene);
	neighbours_stop();
	scene_end(scene);
}

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

/* hostile case 52 */
static void sends_to_a_deaf_guest(void **state)
{
	struct scene *scene = with_neighbours(state);
	struct tp_frontend *guest = come(scene, NULL);

	for (uint32_t seed = 0; seed < 5000; seed++)
		guest_say(guest, 4, 3, seed);
	guest_wait_completed(guest);
	neighbours_expect_well();
	assert_int_equal(
		appliance_counter(&scene->appliance, "acme/bad", "destination_full") +
			appliance_counter(&scene->appliance, "acme/bad", "destination_deaf"),
		5000 - 256);
	/* What it took before it was deaf is in order and whole. */
	for (uint32_t seed = 0; seed < 256; seed++)
		guest_hear(scene->guest[PEER], 4, 3, seed);
	scene_hang_up(scene, BAD);
	end_well(scene);
}

struct footprint {
	unsigned descriptors;
	unsigned mappings;
};

/* The least of several looks: the answer to an earlier question may still hold a descriptor. */
static struct footprint footprint_of(const struct scene *scene)
{
	struct footprint least = {UINT32_MAX, UINT32_MAX};

	appliance_wait_text(&scene->appliance, "acme/bad", "state", "listening");
	for (int i = 0; i < 20; i++) {
		unsigned descriptors = appliance_descriptors(&scene->appliance);
		unsigned mappings = appliance_mappings(&scene->appliance);

		least.descriptors =
			descriptors < least.descriptors ? descriptors : least.descriptors;
		least.mappings = mappings < least.mappings ? mappings : least.mappings;
		usleep(2000);
	}
	return least;
}

static void expect_no_growth(const struct scene *scene, struct footprint before)
{
	struct footprint after = footprint_of(scene);

	assert_int_equal(after.descriptors, before.descriptors);
	assert_in_range(after.mappings, 0, before.mappings + 2); /* the heap may split once */
}

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
		SCENARIO(shrinks_its_memory),
		SCENARIO(breaks_its_transmit_ring),
		SCENARIO(breaks_its_receive_ring),
		SCENARIO(posts_bad_frames),
		SCENARIO(sends_to_a_deaf_guest),
		SCENARIO(hangs_up_in_the_middle),
		SCENARIO(sends_garbage),
		SCENARIO(passes_wrong_descriptors),
		SCENARIO(replaces_its_memory_table),
		SCENARIO(stops_and_starts_with_frames_in_flight),
		SCENARIO(is_killed),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: appliance_hostile_test PATH-OF-TURNPIKED\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	appliance_program(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
