/* SPDX-License-Identifier: BSD-3-Clause */
/* Front-ends as they should be: start, run, change under way, stop, come back. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "vhost_front_end.h"

#define BOTH (VHOST_F_VERSION_1 | VHOST_F_PROTOCOL_FEATURES)

static struct tp_vhost_status status_of(const struct scene *scene)
{
	struct tp_vhost_status status;

	tp_vhost_get_status(scene->endpoint, &status);
	return status;
}

/* One queue pair of QEMU 7.2: slots instead of a table, everything acknowledged. */
static void qemu_guest_boots_and_reboots(void **state)
{
	struct scene *scene = *state;
	struct vhost_memory_slot slot = {.region = {GUEST_ADDRESS, MEMORY_SIZE, USER_ADDRESS, 0}};

	front_connect(scene);
	front_send(scene, VHOST_GET_FEATURES, 0, NULL, 0, NULL, 0);
	assert_int_equal(
		front_reply(scene, VHOST_GET_FEATURES), OFFERED | VHOST_F_PROTOCOL_FEATURES);
	front_send(scene, VHOST_GET_PROTOCOL_FEATURES, 0, NULL, 0, NULL, 0);
	assert_int_equal(front_reply(scene, VHOST_GET_PROTOCOL_FEATURES), 0x1a01d);
	front_send_u64(scene, VHOST_SET_PROTOCOL_FEATURES, 0x1a01d);
	front_send(scene, VHOST_GET_QUEUE_NUM, 0, NULL, 0, NULL, 0);
	assert_int_equal(front_reply(scene, VHOST_GET_QUEUE_NUM), 2);
	front_send(scene, VHOST_GET_MAX_MEM_SLOTS, 0, NULL, 0, NULL, 0);
	assert_int_equal(front_reply(scene, VHOST_GET_MAX_MEM_SLOTS), TP_GUEST_REGIONS_MAX);
	front_send(scene, VHOST_SET_OWNER, 0, NULL, 0, NULL, 0);
	front_send_eventfd(scene, VHOST_SET_VRING_CALL, 0);
	front_send_eventfd(scene, VHOST_SET_VRING_CALL, 1);
	for (unsigned boot = 1; boot <= 2; boot++) {
		front_send_ring(scene, VHOST_SET_VRING_ENABLE, 0, 1);
		front_send_ring(scene, VHOST_SET_VRING_ENABLE, 1, 1);
		front_send_u64(scene, VHOST_SET_FEATURES, BOTH);
		front_send_u64(scene, VHOST_SET_STATUS, 0xb);
		front_send(scene, VHOST_ADD_MEM_REG, VHOST_NEED_REPLY, &slot, sizeof(slot),
			&scene->memory_fd, 1);
		assert_int_equal(front_reply(scene, VHOST_ADD_MEM_REG), 0);
		for (unsigned i = 0; i < 2; i++) {
			front_send_ring(scene, VHOST_SET_VRING_NUM, i, RING_SIZE);
			front_send_ring(scene, VHOST_SET_VRING_BASE, i, 0);
			front_send_addresses(scene, i);
			front_send_eventfd(scene, VHOST_SET_VRING_KICK, i);
			assert_true(scene->record.runs[i]);
		}
		front_send_u64(scene, VHOST_SET_STATUS, 0xf);
		/* Listen, connection, two calls, a kick. */
		assert_int_equal(status_of(scene).descriptors, 5);
		assert_int_equal(count_descriptors(), scene->descriptors + 5); /* and our end */
		front_send(scene, VHOST_GET_STATUS, 0, NULL, 0, NULL, 0);
		assert_int_equal(front_reply(scene, VHOST_GET_STATUS), 0xf);
		front_send_ring(scene, VHOST_GET_VRING_BASE, 0, 0);
		assert_int_equal(front_reply(scene, VHOST_GET_VRING_BASE), 77ull << 32);
		front_send_ring(scene, VHOST_GET_VRING_BASE, 1, 0);
		assert_int_equal(front_reply(scene, VHOST_GET_VRING_BASE), 77ull << 32 | 1);
		front_send_u64(scene, VHOST_SET_STATUS, 0);
		front_send(scene, VHOST_RESET_DEVICE, 0, NULL, 0, NULL, 0);
		/* The descriptor that QEMU passes here must be closed. */
		front_send(scene, VHOST_REM_MEM_REG, VHOST_NEED_REPLY, &slot, sizeof(slot),
			&scene->memory_fd, 1);
		assert_int_equal(front_reply(scene, VHOST_REM_MEM_REG), 0);
		assert_int_equal(scene->record.starts[0], boot);
		assert_int_equal(status_of(scene).rings_started, 0);
	}
	front_hang_up(scene);
	expect_end(scene, "front-end closed the connection");
}

/* DPDK's virtio-user: calls first, one table, no descriptor for polled rings. */
static void virtio_user_starts_stops_starts(void **state)
{
	struct scene *scene = *state;

	front_connect(scene);
	front_send(scene, VHOST_SET_OWNER, 0, NULL, 0, NULL, 0);
	front_send_u64(scene, VHOST_SET_PROTOCOL_FEATURES,
		VHOST_PROTOCOL_MQ | VHOST_PROTOCOL_REPLY_ACK | VHOST_PROTOCOL_STATUS);
	for (unsigned start = 1; start <= 2; start++) {
		front_send_eventfd(scene, VHOST_SET_VRING_CALL, 0);
		front_send_u64(scene, VHOST_SET_VRING_CALL, 1 | VHOST_NO_DESCRIPTOR);
		front_send_u64(scene, VHOST_SET_FEATURES, BOTH);
		front_send_memory(scene);
		for (unsigned i = 0; i < 2; i++) {
			front_send_ring(scene, VHOST_SET_VRING_NUM, i, RING_SIZE);
			front_send_ring(scene, VHOST_SET_VRING_BASE, i, 0);
			front_send_addresses(scene, i);
			front_send_u64(scene, VHOST_SET_VRING_KICK, i | VHOST_NO_DESCRIPTOR);
			assert_false(scene->record.runs[i]);
		}
		for (unsigned i = 0; i < 2; i++)
			front_send_ring(scene, VHOST_SET_VRING_ENABLE, i, 1);
		assert_true(scene->record.runs[0] && scene->record.runs[1]);
		assert_int_equal(scene->record.ring[1].kick_fd, -1);
		assert_int_equal(scene->record.ring[1].call_fd, -1);
		assert_int_equal(scene->record.ring[0].size, RING_SIZE);
		assert_int_equal(scene->record.ring[0].used_address, USER_ADDRESS + 0x8000);
		assert_int_equal(scene->record.features, BOTH);
		for (unsigned i = 0; i < 2; i++) {
			front_send_ring(scene, VHOST_SET_VRING_ENABLE, i, 0);
			assert_false(scene->record.runs[i]);
			front_send_ring(scene, VHOST_GET_VRING_BASE, i, 0);
			assert_int_equal(front_reply(scene, VHOST_GET_VRING_BASE), 77ull << 32 | i);
		}
	}
	front_hang_up(scene);
	expect_end(scene, "front-end closed the connection");
}

static void ring_without_protocol_features_is_enabled_by_its_kick(void **state)
{
	struct scene *scene = *state;

	front_connect(scene);
	front_send_u64(scene, VHOST_SET_FEATURES, VHOST_F_VERSION_1);
	front_send_memory(scene);
	front_send_ring(scene, VHOST_SET_VRING_NUM, 0, RING_SIZE);
	front_send_addresses(scene, 0);
	assert_false(scene->record.runs[0]);
	front_send_eventfd(scene, VHOST_SET_VRING_KICK, 0);
	assert_true(scene->record.runs[0]);
}

/* Only kicks of transmit rings are listened to; the other's descriptor is not kept. */
static void kicks_of_transmit_rings_are_kept(void **state)
{
	struct scene *scene = *state;

	front_connect(scene);
	front_send_u64(scene, VHOST_SET_FEATURES, VHOST_F_VERSION_1);
	front_send_memory(scene);
	for (unsigned i = 0; i < 2; i++) {
		front_send_ring(scene, VHOST_SET_VRING_NUM, i, RING_SIZE);
		front_send_addresses(scene, i);
		front_send_eventfd(scene, VHOST_SET_VRING_KICK, i);
		assert_true(scene->record.runs[i]);
	}
	assert_int_equal(scene->record.ring[0].kick_fd, -1);
	assert_true(scene->record.ring[1].kick_fd >= 0);
}

static void ring_stays_stopped_after_get_base_until_a_new_kick(void **state)
{
	struct scene *scene = *state;

	front_connect(scene);
	front_start(scene, 1);
	front_send_ring(scene, VHOST_GET_VRING_BASE, 0, 0);
	front_reply(scene, VHOST_GET_VRING_BASE);
	front_send_addresses(scene, 0);
	front_send_ring(scene, VHOST_SET_VRING_ENABLE, 0, 1);
	assert_false(scene->record.runs[0]);
	front_send_eventfd(scene, VHOST_SET_VRING_KICK, 0);
	assert_true(scene->record.runs[0]);
	assert_int_equal(scene->record.ring[0].base, 77);
}

/* Each of these stops the ring and starts it again where it was, or where it is told. */
static void change_under_a_running_ring(void **state)
{
	struct scene *scene = *state;
	struct record *record = &scene->record;

	front_connect(scene);
	front_start(scene, 2);
	front_send_ring(scene, VHOST_SET_VRING_NUM, 0, 2 * RING_SIZE);
	assert_int_equal(record->ring[0].size, 2 * RING_SIZE);
	assert_int_equal(record->ring[0].base, 77);
	record->next_index = 78;
	front_send_eventfd(scene, VHOST_SET_VRING_CALL, 0);
	assert_int_equal(record->ring[0].base, 78);
	front_send_ring(scene, VHOST_SET_VRING_BASE, 0, 5);
	assert_int_equal(record->ring[0].base, 5);
	front_send_addresses(scene, 0);
	front_send_eventfd(scene, VHOST_SET_VRING_KICK, 0);
	assert_int_equal(record->starts[0], 6);
	assert_int_equal(record->stops[0], 5);
	assert_int_equal(record->starts[1], 1); /* the other one has not noticed */

	front_send_u64(scene, VHOST_SET_FEATURES, BOTH); /* as before: nothing happens */
	assert_int_equal(record->starts[0], 6);
	front_send_u64(scene, VHOST_SET_FEATURES, BOTH | 1ull << 15);
	assert_int_equal(record->features, BOTH | 1ull << 15);
	assert_int_equal(record->starts[0], 7);
	assert_int_equal(record->starts[1], 2);
	front_send_memory(scene);
	assert_int_equal(record->starts[1], 3);
	assert_ptr_equal(record->memory, tp_vhost_memory(scene->endpoint));
	front_send_eventfd(scene, VHOST_SET_VRING_ERR, 0);
	assert_int_equal(record->starts[0], 8);
	assert_int_equal(status_of(scene).rings_started, 2);
}

/* QEMU cuts a region anew while rings run: remove, add, add. */
static void memory_changes_piece_by_piece(void **state)
{
	struct scene *scene = *state;
	struct vhost_memory_slot whole = {.region = {GUEST_ADDRESS, MEMORY_SIZE, USER_ADDRESS, 0}};
	struct vhost_memory_slot high = {
		.region = {GUEST_ADDRESS + MEMORY_SIZE / 2, MEMORY_SIZE / 2,
			USER_ADDRESS + MEMORY_SIZE / 2, MEMORY_SIZE / 2}};
	struct vhost_memory_slot low = {
		.region = {GUEST_ADDRESS, MEMORY_SIZE / 2, USER_ADDRESS, 0}};

	front_connect(scene);
	front_start(scene, 1);
	front_send(scene, VHOST_REM_MEM_REG, 0, &whole, sizeof(whole), NULL, 0);
	front_send(scene, VHOST_ADD_MEM_REG, 0, &high, sizeof(high), &scene->memory_fd, 1);
	assert_false(scene->record.runs[0]);
	front_send(scene, VHOST_ADD_MEM_REG, 0, &low, sizeof(low), &scene->memory_fd, 1);
	assert_true(scene->record.runs[0]);
	assert_int_equal(scene->record.ring[0].base, 77);
	assert_int_equal(tp_vhost_memory(scene->endpoint)->count, 2);
}

static void owner_is_told_mtu_and_announcement(void **state)
{
	struct scene *scene = *state;
	uint64_t mac = 0x665544332202; /* 02:22:33:44:55:66 */

	front_connect(scene);
	front_start(scene, 1);
	front_send_u64(scene, VHOST_NET_SET_MTU, 1500);
	assert_int_equal(scene->record.mtu, 1500);
	front_send_u64(scene, VHOST_SEND_RARP, mac);
	assert_memory_equal(scene->record.mac, "\x02\x22\x33\x44\x55\x66", 6);
	front_send(scene, VHOST_RESET_OWNER, 0, NULL, 0, NULL, 0);
	assert_false(scene->record.runs[0]);
	assert_int_equal(scene->record.disconnected, 0);
}

static void need_reply_counts_only_when_negotiated(void **state)
{
	struct scene *scene = *state;

	front_connect(scene);
	front_send(scene, VHOST_SET_OWNER, VHOST_NEED_REPLY, NULL, 0, NULL, 0);
	assert_true(front_nothing_to_read(scene));
	front_send_u64(scene, VHOST_SET_PROTOCOL_FEATURES, VHOST_PROTOCOL_REPLY_ACK);
	front_send(scene, VHOST_SET_OWNER, VHOST_NEED_REPLY, NULL, 0, NULL, 0);
	assert_int_equal(front_reply(scene, VHOST_SET_OWNER), 0);
	/* What has a reply of its own gets no second one. */
	front_send(scene, VHOST_GET_QUEUE_NUM, VHOST_NEED_REPLY, NULL, 0, NULL, 0);
	assert_int_equal(front_reply(scene, VHOST_GET_QUEUE_NUM), 2);
	assert_true(front_nothing_to_read(scene));
}

static void stale_socket_is_replaced_and_removed(void **state)
{
	struct scene *scene = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct stat file;

	tp_vhost_close(scene->endpoint);
	scene->endpoint = NULL;
	assert_int_equal(lstat(scene->path, &file), -1);
	memcpy(address.sun_path, scene->path, sizeof(address.sun_path));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	scene_open(scene, false, 1);
	front_connect(scene);
	assert_int_equal(scene->record.connected, 1);
}

static void open_refuses(const struct scene *scene, const char *path, const char *reason)
{
	unsigned descriptors = count_descriptors();
	struct tp_vhost_settings settings = {.name = "second", .path = path, .queue_pairs = 1};
	struct tp_error error;

	assert_null(tp_vhost_open(scene->loop, &settings, &error));
	if (strstr(error.text, reason) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", error.text, reason);
	assert_int_equal(count_descriptors(), descriptors);
}

static void bad_paths_are_refused(void **state)
{
	struct scene *scene = *state;
	char path[200], *end;
	int fd;

	open_refuses(scene, scene->path, "is served by process ");
	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	open_refuses(scene, path, "has 199 bytes; a UNIX socket allows 107");
	end = stpcpy(path, scene->directory);
	memcpy(end, "/file", 6);
	fd = open(path, O_CREAT | O_RDWR, 0600);
	close(fd);
	open_refuses(scene, path, "exists and is not a socket");
	memcpy(end, "/file/x", 8);
	open_refuses(scene, path, "Not a directory");
	memcpy(end, "/file", 6);
	unlink(path);
	scene_settle(scene); /* the probe of the live socket came and went */
	front_connect(scene);
	assert_int_not_equal(scene->record.connected, 0);
}

static void missing_directories_are_made(void **state)
{
	struct scene *scene = *state;
	char path[108];
	struct tp_vhost_settings settings = {.name = "deep", .path = path, .queue_pairs = 1};
	struct tp_vhost_endpoint *endpoint;

	memcpy(stpcpy(path, scene->directory), "/a/b/x.sock", 12);
	endpoint = tp_vhost_open(scene->loop, &settings, NULL);
	assert_non_null(endpoint);
	tp_vhost_close(endpoint);
	memcpy(path + strlen(scene->directory), "/a/b", 5);
	assert_int_equal(rmdir(path), 0);
	memcpy(path + strlen(scene->directory), "/a", 3);
	assert_int_equal(rmdir(path), 0);
}

static int serve(const struct scene *scene)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path, scene->path, sizeof(address.sun_path));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static void client_connects_and_reconnects(void **state)
{
	struct scene *scene = *state;
	int server;

	scene_open(scene, true, 1);
	assert_int_equal(status_of(scene).state, TP_VHOST_CONNECTING);
	scene_wait(scene, 150); /* nobody serves: two tries */
	server = serve(scene);
	for (unsigned time = 1; time <= 3; time++) {
		scene_wait(scene, 450);
		assert_int_equal(scene->record.connected, time);
		scene->fd = accept4(server, NULL, NULL, SOCK_NONBLOCK);
		front_start(scene, 2);
		assert_int_equal(status_of(scene).rings_started, 2);
		front_hang_up(scene);
		assert_int_equal(scene->record.disconnected, time);
		assert_int_equal(status_of(scene).state, TP_VHOST_CONNECTING);
	}
	close(server);
	scene_wait(scene, 250);
	assert_int_equal(scene->record.connected, 3);
	assert_int_equal(count_descriptors(), scene->descriptors);
}

/* Somebody who looked in and left, as a port scan does, does not cost the next one its connection.
 */
static void front_end_comes_before_the_last_ones_end_is_read(void **state)
{
	struct scene *scene = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int passer_by = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, scene->path, sizeof(address.sun_path));
	assert_int_equal(connect(passer_by, (struct sockaddr *)&address, sizeof(address)), 0);
	close(passer_by);
	front_connect(scene);
	assert_int_equal(scene->record.connected, 2);
	assert_int_equal(scene->record.disconnected, 1);
	front_start(scene, 2);
	assert_int_equal(status_of(scene).rings_started, 2);
}

static void condemned_at_any_time(void **state)
{
	struct scene *scene = *state;

	tp_vhost_condemn(scene->endpoint, "nobody is there");
	assert_int_equal(scene->record.disconnected, 0);
	front_connect(scene);
	front_start(scene, 2);
	tp_vhost_condemn(scene->endpoint, "its ring is broken");
	assert_int_equal(recv(scene->fd, &(char){0}, 1, 0), 0);
	expect_end(scene, "its ring is broken");

	scene->record.condemn_in_mtu_set = true;
	front_connect(scene);
	front_start(scene, 2);
	front_send_u64(scene, VHOST_NET_SET_MTU, 1500);
	expect_end(scene, "condemned for its MTU");

	scene->record.condemn_in_connected = true;
	front_connect(scene);
	scene->record.condemn_in_connected = false;
	expect_end(scene, "condemned when it came");
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, scene_set_up, scene_tear_down)

/* The owner waits for its workers once, not once a ring. */
static void all_rings_are_retired_together(void **state)
{
	struct scene *scene = *state;

	front_connect(scene);
	front_start(scene, 3);
	front_send_ring(scene, VHOST_GET_VRING_BASE, 1, 0);
	assert_int_equal(scene->record.retirements, 0); /* one alone */
	front_send_eventfd(scene, VHOST_SET_VRING_KICK, 1);
	front_send_memory(scene);
	assert_int_equal(scene->record.retirements, 1);
	assert_int_equal(scene->record.retired, 7);
	assert_int_equal(scene->record.stops[2], 1);
	front_hang_up(scene);
	assert_int_equal(scene->record.retirements, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(qemu_guest_boots_and_reboots),
		SCENE(virtio_user_starts_stops_starts),
		SCENE(ring_without_protocol_features_is_enabled_by_its_kick),
		SCENE(kicks_of_transmit_rings_are_kept),
		SCENE(ring_stays_stopped_after_get_base_until_a_new_kick),
		SCENE(change_under_a_running_ring),
		SCENE(memory_changes_piece_by_piece),
		SCENE(owner_is_told_mtu_and_announcement),
		SCENE(need_reply_counts_only_when_negotiated),
		SCENE(stale_socket_is_replaced_and_removed),
		SCENE(bad_paths_are_refused),
		SCENE(missing_directories_are_made),
		SCENE(client_connects_and_reconnects),
		SCENE(front_end_comes_before_the_last_ones_end_is_read),
		SCENE(condemned_at_any_time),
		SCENE(all_rings_are_retired_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
