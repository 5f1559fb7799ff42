/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages as they arrive: in pieces, too long, too short, with too many descriptors, too many at
 * once, and replies that are not read.
 */
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "vhost_front_end.h"

/* The loop's clock is the test's, however long it takes: linked with --wrap=clock_gettime. */
static unsigned now_ms;

int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	*now = (struct timespec){
		.tv_sec = 1000000 + now_ms / 1000, .tv_nsec = (long)(now_ms % 1000) * 1000000};
	return 0;
}

/* So much time passes, in which the loop looks often; none of it in here. */
static void let_pass(struct scene *scene, unsigned ms)
{
	for (unsigned i = 0; i < ms; i += 10) {
		now_ms += 10;
		scene_settle(scene);
	}
}

static const struct tp_guest_region_request good_region = {
	GUEST_ADDRESS, MEMORY_SIZE, USER_ADDRESS, 0};

static void send_header(struct scene *scene, uint32_t request, uint32_t flags, uint32_t size)
{
	struct vhost_header header = {request, flags, size};

	front_send_raw(scene, &header, sizeof(header), NULL, 0);
	scene_settle(scene);
}

/* Cases 1 and 2: silence after a part of a message, and one byte at a time. */
static void unfinished_messages_meet_a_deadline(void **state)
{
	struct scene *scene = *state;

	front_connect(scene);
	front_start(scene, 2);
	send_header(scene, VHOST_SET_FEATURES, VHOST_VERSION, 8);
	let_pass(scene, 900);
	assert_int_equal(scene->record.disconnected, 0);
	let_pass(scene, 200);
	expect_end(
		scene, "SET_FEATURES: message incomplete after 1000 ms: 0 of 8 payload bytes came");

	front_connect(scene);
	front_send_raw(scene, "\x01\x00", 2, &scene->kick_fd, 1);
	let_pass(scene, 1100);
	expect_end(scene, "message incomplete after 1000 ms: 2 of 12 header bytes came");
}

static void byte_by_byte_is_slow_but_legal(void **state)
{
	struct scene *scene = *state;
	struct {
		struct vhost_header header;
		struct vhost_ring_value value;
	} message = {{VHOST_GET_VRING_BASE, VHOST_VERSION, 8}, {1, 0}};

	front_connect(scene);
	for (size_t i = 0; i < sizeof(message); i++) {
		front_send_raw(scene, (const char *)&message + i, 1, NULL, 0);
		scene_settle(scene);
	}
	assert_int_equal(front_reply(scene, VHOST_GET_VRING_BASE), 1);
	let_pass(scene, 1100); /* the deadline went with the message */
	assert_int_equal(scene->record.disconnected, 0);
}

/* Cases 3 to 5. */
static void bad_headers_end_it_before_any_payload(void **state)
{
	struct scene *scene = *state;
	const struct {
		uint32_t request, flags, size;
		const char *reason;
	} cases[] = {
		{VHOST_SET_FEATURES, 1, 0xffffffff,
			"SET_FEATURES: payload of 4294967295 bytes; 8 is right"},
		{VHOST_SET_VRING_ADDR, 1, 8, "SET_VRING_ADDR: payload of 8 bytes; 40 is right"},
		{VHOST_SET_MEM_TABLE, 1, 296,
			"SET_MEM_TABLE: payload of 296 bytes; 40 to 264 are right"},
		{0, 1, 0, "request 0 is unknown"},
		{41, 1, 0, "request 41 is unknown"},
		{0xffffffff, 1, 0, "request 4294967295 is unknown"},
		{VHOST_SET_OWNER, 0, 0, "SET_OWNER: protocol version 0; 1 is right"},
		{VHOST_SET_OWNER, 2, 0, "SET_OWNER: protocol version 2; 1 is right"},
		{VHOST_SET_OWNER, 5, 0, "SET_OWNER: flags 0x5 mark a reply"},
		{VHOST_SET_LOG_BASE, 1, 16, "SET_LOG_BASE: was not offered"},
		{VHOST_GET_INFLIGHT_FD, 1, 24, "GET_INFLIGHT_FD: was not offered"},
		{VHOST_POSTCOPY_ADVISE, 1, 0, "POSTCOPY_ADVISE: was not offered"},
		{VHOST_IOTLB_MSG, 1, 32, "IOTLB_MSG: was not offered"},
		{VHOST_CREATE_CRYPTO_SESSION, 1, 0, "CREATE_CRYPTO_SESSION: was not offered"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		front_connect(scene);
		front_start(scene, 1);
		send_header(scene, cases[i].request, cases[i].flags, cases[i].size);
		expect_end(scene, cases[i].reason);
	}
}

/* Cases 6 and 7. */
static void wrong_numbers_of_descriptors(void **state)
{
	struct scene *scene = *state;
	struct vhost_memory_table table = {.count = 2, .region = {good_region, good_region}};
	struct vhost_memory_slot slot = {.region = good_region};
	int two[2] = {scene->memory_fd, scene->memory_fd};
	uint64_t ring = 0, polled_ring = VHOST_NO_DESCRIPTOR;
	const struct {
		uint32_t request;
		const void *payload;
		uint32_t size, fds;
		const char *reason;
	} cases[] = {
		{VHOST_SET_MEM_TABLE, &table, 72, 0, "SET_MEM_TABLE: 0 descriptors"},
		{VHOST_SET_MEM_TABLE, &table, 72, 1, "1 descriptors came with 2 regions"},
		{VHOST_ADD_MEM_REG, &slot, 40, 0, "ADD_MEM_REG: 0 descriptors"},
		{VHOST_ADD_MEM_REG, &slot, 40, 2, "ADD_MEM_REG: 2 descriptors"},
		{VHOST_REM_MEM_REG, &slot, 40, 2, "REM_MEM_REG: 2 descriptors"},
		{VHOST_SET_VRING_KICK, &ring, 8, 0, "ring 0: 0 descriptors came although bit 8"},
		{VHOST_SET_VRING_CALL, &polled_ring, 8, 1, "ring 0: 1 descriptors came although"},
		{VHOST_SET_VRING_ERR, &ring, 8, 2, "SET_VRING_ERR: 2 descriptors"},
		{VHOST_GET_FEATURES, NULL, 0, 1, "GET_FEATURES: 1 descriptors came with it"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		front_connect(scene);
		front_send(scene, cases[i].request, 0, cases[i].payload, cases[i].size, two,
			cases[i].fds);
		expect_end(scene, cases[i].reason);
	}
}

/* Case 7, on every request with 1 to 9 descriptors, many times; 8: more than the control buffer
 * holds. */
static void floods_of_descriptors_leak_nothing(void **state)
{
	struct scene *scene = *state;
	static const uint8_t zeros[512];
	int fds[253];

	for (size_t i = 0; i < 253; i++)
		fds[i] = scene->kick_fd;
	for (unsigned i = 0; i < 20 * 42 * 9; i++) {
		uint32_t request = i % 42;
		unsigned count = 1 + (i / 42) % 9;
		uint32_t size = request == VHOST_SET_VRING_ADDR ? 40 : i % 3 * 8;

		front_connect(scene);
		front_send(scene, request, 0, zeros, size, fds, count);
		front_send(scene, VHOST_SET_OWNER, 0, NULL, 0, fds, count);
		front_hang_up(scene);
		assert_int_equal(scene->record.connected, scene->record.disconnected);
	}
	assert_int_equal(count_descriptors(), scene->descriptors);
	for (unsigned count = 9; count <= 253; count += 61) {
		front_connect(scene);
		front_send(scene, VHOST_SET_OWNER, 0, NULL, 0, fds, count);
		expect_end(scene, "SET_OWNER: more than 8 descriptors came with it");
	}
	front_connect(scene); /* eight in pieces, then one more */
	front_send_raw(scene, "\x03", 1, fds, 4);
	scene_settle(scene);
	front_send_raw(scene, "\x00", 1, fds, 4);
	scene_settle(scene);
	front_send_raw(scene, "\x00", 1, fds, 1);
	scene_settle(scene);
	expect_end(scene, "more than 8 descriptors came with it");
}

/* Case 9. */
static void replies_that_nobody_reads_meet_a_deadline(void **state)
{
	struct scene *scene = *state;
	struct vhost_header ask = {VHOST_GET_FEATURES, VHOST_VERSION, 0};
	struct tp_vhost_status status;
	int small = 1;
	unsigned asked = 0;

	front_connect(scene);
	front_start(scene, 1);
	setsockopt(scene->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (; asked < 100000; asked++) {
		if (send(scene->fd, &ask, sizeof(ask), MSG_NOSIGNAL) < 0)
			break;
		tp_loop_step(scene->loop, 0);
	}
	assert_true(asked < 100000);
	tp_vhost_get_status(scene->endpoint, &status);
	assert_true(status.messages < asked);
	let_pass(scene, 1100);
	expect_end(scene, "front-end did not read a reply within 1000 ms");
}

/* A reader that is late, but not too late, gets every reply. */
static void replies_wait_for_a_slow_reader(void **state)
{
	struct scene *scene = *state;
	struct vhost_header ask = {VHOST_GET_QUEUE_NUM, VHOST_VERSION, 0};
	unsigned asked = 0, answered = 0;
	uint8_t bytes[20];

	front_connect(scene);
	while (asked < 100000 && send(scene->fd, &ask, sizeof(ask), MSG_NOSIGNAL) > 0) {
		asked++;
		tp_loop_step(scene->loop, 0);
	}
	for (unsigned i = 0; i < 4 * asked && answered < asked; i++) {
		answered += recv(scene->fd, bytes, sizeof(bytes), 0) == sizeof(bytes);
		tp_loop_step(scene->loop, 0);
	}
	assert_int_equal(answered, asked);
	let_pass(scene, 1100);
	assert_int_equal(scene->record.disconnected, 0);
}

/* A flood from one front-end is handled a few messages at a time. */
static void flood_is_handled_in_turns(void **state)
{
	struct scene *scene = *state;
	struct vhost_header owner = {VHOST_SET_OWNER, VHOST_VERSION, 0};
	struct tp_vhost_status status;

	front_connect(scene);
	for (unsigned i = 0; i < 100; i++)
		front_send_raw(scene, &owner, sizeof(owner), NULL, 0);
	tp_loop_step(scene->loop, 0);
	tp_vhost_get_status(scene->endpoint, &status);
	assert_in_range(status.messages, 1, 16);
	scene_settle(scene);
	tp_vhost_get_status(scene->endpoint, &status);
	assert_int_equal(status.messages, 100);
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, scene_set_up, scene_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(unfinished_messages_meet_a_deadline),
		SCENE(byte_by_byte_is_slow_but_legal),
		SCENE(bad_headers_end_it_before_any_payload),
		SCENE(wrong_numbers_of_descriptors),
		SCENE(floods_of_descriptors_leak_nothing),
		SCENE(replies_that_nobody_reads_meet_a_deadline),
		SCENE(replies_wait_for_a_slow_reader),
		SCENE(flood_is_handled_in_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
