/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Front-ends as they should not be: each one loses its own connection for a reason that names what
 * it did, gives every descriptor back, and the next front-end is served.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/log.h"
#include "lingering.h"
#include "vhost_front_end.h"

#define BOTH (VHOST_F_VERSION_1 | VHOST_F_PROTOCOL_FEATURES)

static const struct tp_guest_region_request good_region = {
	GUEST_ADDRESS, MEMORY_SIZE, USER_ADDRESS, 0};

/* Cases 10 to 13. */
static void bad_memory_tables(void **state)
{
	struct scene *scene = *state;
	struct vhost_memory_table table;
	const struct {
		uint32_t count;
		struct tp_guest_region_request first, second;
		const char *reason;
	} cases[] = {
		{0, {0}, {0}, "SET_MEM_TABLE: 0 regions; 1 to 8 are right"},
		{9, {0}, {0}, "SET_MEM_TABLE: 9 regions; 1 to 8 are right"},
		{0xffffffff, {0}, {0}, "SET_MEM_TABLE: 4294967295 regions"},
		{3, {0}, {0}, "payload of 72 bytes; 104 are right for 3 regions"},
		{2, good_region, good_region,
			"SET_MEM_TABLE: region 1: memory region: guest address 0x40000000 size "
			"0x100000 overlaps"},
		{2, good_region, {~0xfffull, 0x2000, 0, 0}, "size 0x2000 wraps"},
		{2, good_region, {0, 0x1000, 0x1000, ~0xfffull}, "size 0x1000 wraps"},
		{2, good_region, {0, 5 * MEMORY_SIZE, 0, 0}, "its file has 4194304 bytes"},
		{2, good_region, {0, 0, 0, 0}, "size is 0"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int two[2] = {scene->memory_fd, scene->memory_fd};

		front_connect(scene);
		front_start(scene, 1);
		table = (struct vhost_memory_table){.count = cases[i].count};
		table.region[0] = cases[i].first;
		table.region[1] = cases[i].second;
		front_send(scene, VHOST_SET_MEM_TABLE, 0, &table, 72, two, 2);
		expect_end(scene, cases[i].reason);
	}
}

/* Case 15. */
static void memory_must_be_a_writable_file(void **state)
{
	struct scene *scene = *state;
	struct vhost_memory_slot slot = {.region = good_region};
	char path[64];
	int pipe_fds[2], fds[3];

	assert_int_equal(pipe(pipe_fds), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", scene->memory_fd);
	fds[0] = pipe_fds[0];
	fds[1] = open("/", O_RDONLY | O_DIRECTORY);
	fds[2] = open(path, O_RDONLY);
	scene->descriptors = count_descriptors();
	for (unsigned i = 0; i < 3; i++) {
		front_connect(scene);
		front_send(scene, VHOST_ADD_MEM_REG, 0, &slot, sizeof(slot), &fds[i], 1);
		expect_end(scene, i < 2 ? "is not a regular file in memory"
					: "not open for reading and writing");
		close(fds[i]);
		scene->descriptors--;
	}
	close(pipe_fds[1]);
}

/* Case 16, answered when the front-end asks to know: the connection and its rings go on. */
static void refused_slots_leave_rings_running(void **state)
{
	struct scene *scene = *state;
	struct vhost_memory_slot live = {.region = good_region};
	struct vhost_memory_slot unknown = {.region = {0, 0x1000, 0, 0}};

	front_connect(scene);
	front_start(scene, 1);
	front_send(scene, VHOST_ADD_MEM_REG, VHOST_NEED_REPLY, &live, sizeof(live),
		&scene->memory_fd, 1);
	assert_int_equal(front_reply(scene, VHOST_ADD_MEM_REG), 1);
	front_send(scene, VHOST_REM_MEM_REG, VHOST_NEED_REPLY, &unknown, sizeof(unknown), NULL, 0);
	assert_int_equal(front_reply(scene, VHOST_REM_MEM_REG), 1);
	assert_true(scene->record.runs[0]);
	assert_int_equal(scene->record.stops[0], 0);
	front_send(scene, VHOST_REM_MEM_REG, 0, &unknown, sizeof(unknown), NULL, 0);
	expect_end(scene, "REM_MEM_REG: memory region: none at guest address 0x0 with size 0x1000");

	front_connect(scene);
	front_send(scene, VHOST_REM_MEM_REG, 0, &live, sizeof(live), NULL, 0);
	expect_end(scene, "REM_MEM_REG: there is no region to remove");
}

/* Cases 18 to 20 and 22. */
static void bad_ring_values(void **state)
{
	struct scene *scene = *state;
	const struct {
		uint32_t request, ring, value;
		const char *reason;
	} cases[] = {
		{VHOST_SET_VRING_NUM, 4, 256, "SET_VRING_NUM: ring 4; this interface has rings 0"},
		{VHOST_SET_VRING_BASE, 0xffffffff, 0, "SET_VRING_BASE: ring 4294967295"},
		{VHOST_GET_VRING_BASE, 256, 0, "GET_VRING_BASE: ring 256"},
		{VHOST_SET_VRING_ENABLE, 5, 1, "SET_VRING_ENABLE: ring 5"},
		{VHOST_SET_VRING_ENABLE, 0, 2, "SET_VRING_ENABLE: ring 0: 2; 0 or 1 is right"},
		{VHOST_SET_VRING_NUM, 0, 0, "size 0; a power of two from 2 to 32768 is right"},
		{VHOST_SET_VRING_NUM, 0, 1, "size 1; a power of two"},
		{VHOST_SET_VRING_NUM, 0, 3, "size 3; a power of two"},
		{VHOST_SET_VRING_NUM, 0, 65536, "size 65536; a power of two"},
		{VHOST_SET_VRING_BASE, 0, 65536, "base 65536; 0 to 65535 are right"},
		/* 32768 is legal, but then the ring does not fit where it lies. */
		{VHOST_SET_VRING_NUM, 0, 32768, "not each within one region"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vhost_memory_table small = {
			.count = 1, .region[0] = {GUEST_ADDRESS, 0x20000, USER_ADDRESS, 0}};

		front_connect(scene);
		front_start(scene, 1);
		front_send(scene, VHOST_SET_MEM_TABLE, 0, &small, 40, &scene->memory_fd, 1);
		front_send_ring(scene, cases[i].request, cases[i].ring, cases[i].value);
		expect_end(scene, cases[i].reason);
	}
}

/* Case 18 for the requests that have the number in a u64, and 23. */
static void bad_ring_descriptors(void **state)
{
	struct scene *scene = *state;
	const uint32_t requests[] = {
		VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR};

	for (size_t i = 0; i < 3; i++) {
		uint64_t ring = 0;

		front_connect(scene);
		front_start(scene, 1);
		front_send(scene, requests[i], 0, &ring, sizeof(ring), &scene->memory_fd, 1);
		expect_end(scene, "ring 0: its descriptor is not an eventfd");
		front_connect(scene);
		front_start(scene, 1);
		front_send_u64(scene, requests[i], 4 | VHOST_NO_DESCRIPTOR);
		expect_end(scene, "ring 4; this interface has rings 0 to 3");
		front_connect(scene);
		front_send_u64(scene, requests[i], 0x200);
		expect_end(scene, "0x200 is not a ring number");
	}
}

/* Case 21, as far as the protocol sees it. */
static void bad_ring_addresses(void **state)
{
	struct scene *scene = *state;
	uint64_t good = USER_ADDRESS, end = USER_ADDRESS + MEMORY_SIZE;
	const struct {
		struct vhost_ring_addresses addresses;
		const char *reason;
	} cases[] = {
		{{0, 1, good, good, good, 0}, "SET_VRING_ADDR: ring 0: flags 0x1 were not offered"},
		{{9, 0, good, good, good, 0}, "SET_VRING_ADDR: ring 9"},
		{{0, 0, good + 8, good, good, 0}, "multiples of 16, 2 and 4 are right"},
		{{0, 0, good, good + 2, good, 0}, "multiples of 16, 2 and 4 are right"},
		{{0, 0, good, good, good + 1, 0}, "multiples of 16, 2 and 4 are right"},
		{{0, 0, 0, good, good, 0}, "ring 0: descriptors at 0x0, "},
		{{0, 0, end - 16, good, good, 0}, "not each within one region"},
		{{0, 0, good, end - 64, good, 0}, "not each within one region"},
		{{0, 0, good, good, -16ull, 0}, "not each within one region"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		front_connect(scene);
		front_start(scene, 1);
		front_send(scene, VHOST_SET_VRING_ADDR, 0, &cases[i].addresses,
			sizeof(cases[i].addresses), NULL, 0);
		expect_end(scene, cases[i].reason);
	}
}

/* Cases 25 and 28. */
static void bad_features(void **state)
{
	struct scene *scene = *state;
	uint64_t packed = BOTH | 1ull << 34;

	front_connect(scene);
	front_start(scene, 2);
	front_send(scene, VHOST_SET_FEATURES, VHOST_NEED_REPLY, &packed, sizeof(packed), NULL, 0);
	assert_int_equal(front_reply(scene, VHOST_SET_FEATURES), 1);
	assert_int_equal(scene->record.stops[0], 0);
	front_send_u64(scene, VHOST_SET_FEATURES, packed);
	expect_end(scene, "SET_FEATURES: bits 0x400000000 were not offered");

	front_connect(scene);
	front_send_u64(scene, VHOST_SET_PROTOCOL_FEATURES, 2);
	expect_end(scene, "SET_PROTOCOL_FEATURES: bits 0x2 were not offered; 0x1a01d were");

	front_connect(scene);
	front_start(scene, 1);
	front_send_u64(scene, VHOST_SET_FEATURES, VHOST_F_PROTOCOL_FEATURES);
	expect_end(scene, "VIRTIO_F_VERSION_1 (bit 32) is required");

	front_connect(scene);
	front_send_ring(scene, VHOST_SET_VRING_ENABLE, 0, 1);
	front_send_eventfd(scene, VHOST_SET_VRING_KICK, 0);
	assert_int_equal(scene->record.disconnected, scene->record.connected - 1);
	front_hang_up(scene);

	front_connect(scene);
	front_send_u64(scene, VHOST_NET_SET_MTU, 65536);
	expect_end(scene, "NET_SET_MTU: MTU 65536; 68 to 65535 are right");
	front_connect(scene);
	front_send_u64(scene, VHOST_SET_STATUS, 0x100);
	expect_end(scene, "SET_STATUS: status 0x100 has more than 8 bits");
}

static void owner_refuses_a_ring(void **state)
{
	struct scene *scene = *state;

	scene->record.refuse_start = true;
	front_connect(scene);
	front_start(scene, 1);
	expect_end(scene, "SET_VRING_ENABLE: ring 0: the owner does not like it");
}

/* Case 30. */
static void thousands_come_and_go(void **state)
{
	struct scene *scene = *state;

	for (unsigned i = 1; i <= 3000; i++) {
		front_connect(scene);
		if (i % 3 == 0)
			front_start(scene, 4);
		front_hang_up(scene);
		assert_int_equal(scene->record.disconnected, i);
	}
	expect_end(scene, "front-end closed the connection");
}

/* Case 31. */
static void second_front_end_is_hung_up(void **state)
{
	struct scene *scene = *state;
	int first;

	front_connect(scene);
	front_start(scene, 2);
	first = scene->fd;
	for (unsigned i = 0; i < 100; i++) {
		front_connect(scene);
		assert_int_equal(recv(scene->fd, &(char){0}, 1, 0), 0);
		front_hang_up(scene);
	}
	assert_int_equal(scene->record.connected, 1);
	scene->fd = first;
	assert_int_equal(scene->record.stops[0], 0);
	front_send(scene, VHOST_GET_QUEUE_NUM, 0, NULL, 0, NULL, 0);
	assert_int_equal(front_reply(scene, VHOST_GET_QUEUE_NUM), 2);
}

/* Without descriptors left, the endpoint waits without spinning, and accepts when there are. */
static void no_descriptor_left_to_accept_with(void **state)
{
	struct scene *scene = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct rlimit normal, tight;
	unsigned steps = 0;
	uint64_t end;

	memcpy(address.sun_path, scene->path, sizeof(address.sun_path));
	scene->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	getrlimit(RLIMIT_NOFILE, &normal);
	tight = (struct rlimit){.rlim_cur = (rlim_t)scene->fd + 1, .rlim_max = normal.rlim_max};
	setrlimit(RLIMIT_NOFILE, &tight);
	assert_int_equal(connect(scene->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	for (end = tp_loop_now_ms() + 350; tp_loop_now_ms() < end;)
		steps += tp_loop_step(scene->loop, 50) > 0;
	setrlimit(RLIMIT_NOFILE, &normal);
	assert_int_equal(scene->record.connected, 0);
	assert_in_range(steps, 2, 10);
	scene_wait(scene, 150);
	assert_int_equal(scene->record.connected, 1);
	front_hang_up(scene);
	expect_end(scene, "front-end closed the connection");
}

/* A request that is refused, from one who has hung up before the answer is sent. */
static void who_does_not_wait_for_its_refusal(void **state)
{
	struct scene *scene = *state;
	struct {
		struct vhost_header header;
		struct vhost_memory_slot slot;
	} request = {{VHOST_REM_MEM_REG, VHOST_VERSION | VHOST_NEED_REPLY,
			     sizeof(struct vhost_memory_slot)},
		{.region = {0, 0x1000, 0, 0}}};

	front_connect(scene);
	front_send_u64(scene, VHOST_SET_PROTOCOL_FEATURES,
		VHOST_PROTOCOL_REPLY_ACK | VHOST_PROTOCOL_MEM_SLOTS);
	front_send_raw(scene, &request, sizeof(request), NULL, 0);
	front_hang_up(scene);
	expect_end(scene, "front-end closed the connection, refused: REM_MEM_REG: ");
}

/* The last descriptors are not for guests: neither their connections nor what they send. */
static void descriptors_are_kept_from_guests(void **state)
{
	enum { KEPT = 8 };
	struct scene *scene = *state;
	struct tp_vhost_status status;
	struct rlimit normal, tight;
	int lowest = dup(STDIN_FILENO);

	close(lowest);
	getrlimit(RLIMIT_NOFILE, &normal);
	tight = (struct rlimit){.rlim_cur = (rlim_t)lowest + 1 + KEPT, .rlim_max = normal.rlim_max};
	setrlimit(RLIMIT_NOFILE, &tight);
	tp_descriptors_keep(KEPT);
	front_connect(scene);
	assert_int_equal(recv(scene->fd, &(char){0}, 1, 0), 0);
	front_hang_up(scene);
	assert_int_equal(scene->record.connected, 0);
	tp_vhost_get_status(scene->endpoint, &status);
	assert_non_null(strstr(status.last_reason, "refused: no descriptor is left for guests"));
	/* One more: the connection, but nothing with it. */
	tight.rlim_cur++;
	setrlimit(RLIMIT_NOFILE, &tight);
	front_connect(scene);
	assert_int_equal(scene->record.connected, 1);
	front_send_u64(scene, VHOST_SET_FEATURES, BOTH);
	front_send_eventfd(scene, VHOST_SET_VRING_KICK, 0);
	setrlimit(RLIMIT_NOFILE, &normal);
	tp_descriptors_keep(0);
	expect_end(scene, "no descriptor is left for guests");
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, scene_set_up, scene_tear_down)

/* As a kick; the endpoint is the last to close it. */
static void pass_lingering(struct scene *scene, uint32_t flags, const struct lingering *lingering)
{
	const struct {
		struct vhost_header header;
		uint8_t ring[sizeof(uint64_t)];
	} message = {{VHOST_SET_VRING_KICK, VHOST_VERSION | flags, sizeof(uint64_t)}, {0}};

	front_send_raw(scene, &message, sizeof(message), &lingering->fd, 1);
	close(lingering->fd);
	scene_settle(scene);
}

/* Closing what it passed waits for itself: it waits alone, and until then nobody comes in its
 * place.
 */
static void passes_what_does_not_close(void **state)
{
	struct scene *scene = *state;
	struct lingering lingering = lingering_new();
	struct tp_vhost_status status;
	uint64_t began = tp_loop_now_ms();

	front_connect(scene);
	front_start(scene, 1);
	pass_lingering(scene, 0, &lingering);
	assert_string_equal(
		scene->record.reason, "SET_VRING_KICK: ring 0: its descriptor is not an eventfd");
	front_hang_up(scene);
	front_connect(scene);
	scene_wait(scene, 250);
	assert_int_equal(scene->record.connected, 1);
	tp_vhost_get_status(scene->endpoint, &status);
	assert_non_null(strstr(status.last_reason, "1 descriptors that a front-end passed are not "
						   "closed yet"));
	assert_in_range(tp_loop_now_ms() - began, 0, 3000);
	lingering_release(&lingering);
	scene_wait(scene, 250);
	assert_int_equal(scene->record.connected, 2);
	front_hang_up(scene);
	expect_descriptors(scene->descriptors);
}

/* Refused, but not ended: they do not pile up. */
static void passes_much_that_does_not_close(void **state)
{
	struct scene *scene = *state;
	struct lingering lingering = lingering_new();
	uint64_t ring = 0;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	front_connect(scene);
	front_start(scene, 1);
	pass_lingering(scene, VHOST_NEED_REPLY, &lingering);
	for (unsigned i = 0; i < 16; i++) {
		assert_int_equal(scene->record.disconnected, 0);
		front_send(scene, VHOST_SET_VRING_KICK, VHOST_NEED_REPLY, &ring, sizeof(ring),
			&ends[0], 1);
	}
	assert_int_equal(scene->record.disconnected, 1);
	assert_non_null(strstr(scene->record.reason, "descriptors that it passed are not closed"));
	lingering_release(&lingering);
	scene->descriptors += 2;
	front_hang_up(scene);
	expect_descriptors(scene->descriptors);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(bad_memory_tables),
		SCENE(memory_must_be_a_writable_file),
		SCENE(refused_slots_leave_rings_running),
		SCENE(who_does_not_wait_for_its_refusal),
		SCENE(bad_ring_values),
		SCENE(bad_ring_descriptors),
		SCENE(bad_ring_addresses),
		SCENE(bad_features),
		SCENE(owner_refuses_a_ring),
		SCENE(thousands_come_and_go),
		SCENE(second_front_end_is_hung_up),
		SCENE(no_descriptor_left_to_accept_with),
		SCENE(passes_what_does_not_close),
		SCENE(passes_much_that_does_not_close),
		SCENE(descriptors_are_kept_from_guests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
