/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vhost_front_end.h"

#include "base/log.h"

static void on_connected(void *owner, const struct tp_unix_peer *peer)
{
	struct scene *scene = owner;

	assert_int_equal(peer->pid, getpid());
	assert_int_equal(peer->uid, getuid());
	assert_int_equal(peer->gid, getgid());
	assert_int_equal(
		strncmp(peer->program, program_invocation_short_name, sizeof(peer->program) - 1),
		0);
	scene->record.connected++;
	if (scene->record.condemn_in_connected)
		tp_vhost_condemn(scene->endpoint, "condemned when it came");
	/* It takes effect when control has returned from here. */
	assert_int_equal(scene->record.disconnected, scene->record.connected - 1);
}

static int on_ring_start(void *owner, unsigned ring_number, const struct tp_vhost_ring *ring,
	const struct tp_guest_memory *memory, uint64_t features, struct tp_error *error)
{
	struct record *record = &((struct scene *)owner)->record;

	if (record->refuse_start)
		return tp_error_set(error, EINVAL, "the owner does not like it");
	assert_false(record->runs[ring_number]);
	record->runs[ring_number] = true;
	record->starts[ring_number]++;
	record->ring[ring_number] = *ring;
	record->memory = memory;
	record->features = features;
	return 0;
}

static void on_rings_retire(void *owner, uint32_t rings)
{
	struct record *record = &((struct scene *)owner)->record;

	for (unsigned i = 0; i < TP_VHOST_RINGS_MAX; i++)
		assert_int_equal(record->runs[i], rings >> i & 1);
	record->retirements++;
	record->retired = rings;
}

static uint16_t on_ring_stop(void *owner, unsigned ring_number)
{
	struct record *record = &((struct scene *)owner)->record;
	const volatile uint8_t *desc =
		tp_guest_translate_user(record->memory, record->ring[ring_number].desc_address, 1);

	assert_true(record->runs[ring_number]);
	(void)*desc; /* must still be mapped */
	record->runs[ring_number] = false;
	record->stops[ring_number]++;
	return record->next_index;
}

static void on_mtu_set(void *owner, uint16_t mtu)
{
	struct scene *scene = owner;

	scene->record.mtu = mtu;
	if (scene->record.condemn_in_mtu_set)
		tp_vhost_condemn(scene->endpoint, "condemned for its MTU");
	assert_int_equal(scene->record.disconnected, scene->record.connected - 1);
}

static void on_announce(void *owner, const uint8_t mac[6])
{
	memcpy(((struct scene *)owner)->record.mac, mac, 6);
}

static void on_disconnected(void *owner, const char *reason)
{
	struct scene *scene = owner;

	scene->record.disconnected++;
	snprintf(scene->record.reason, sizeof(scene->record.reason), "%s", reason);
	for (unsigned i = 0; i < TP_VHOST_RINGS_MAX; i++)
		assert_false(scene->record.runs[i]);
	tp_vhost_condemn(scene->endpoint, "once more, which changes nothing");
}

static const struct tp_vhost_ops recording = {
	.connected = on_connected,
	.ring_start = on_ring_start,
	.rings_retire = on_rings_retire,
	.ring_stop = on_ring_stop,
	.mtu_set = on_mtu_set,
	.announce = on_announce,
	.disconnected = on_disconnected,
};

unsigned count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(directory);
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count;
}

void expect_descriptors(unsigned expected)
{
	uint64_t end = tp_loop_now_ms() + 5000;

	while (count_descriptors() != expected && tp_loop_now_ms() < end)
		usleep(100);
	assert_int_equal(count_descriptors(), expected);
}

void scene_open(struct scene *scene, bool client, unsigned queue_pairs)
{
	struct tp_vhost_settings settings = {
		.name = "test",
		.path = scene->path,
		.client = client,
		.queue_pairs = queue_pairs,
		.device_features = OFFERED,
		.ops = &recording,
		.owner = scene,
	};
	struct tp_error error;

	tp_vhost_close(scene->endpoint);
	scene->endpoint = tp_vhost_open(scene->loop, &settings, &error);
	if (scene->endpoint == NULL)
		fail_msg("%s", error.text);
	scene->descriptors = count_descriptors();
}

int scene_set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	tp_log_set_level(TP_LOG_ERROR);
	scene->record.next_index = 77;
	scene->fd = -1;
	scene->loop = tp_loop_new(NULL);
	snprintf(scene->directory, sizeof(scene->directory), "/tmp/vhost-test-XXXXXX");
	assert_non_null(mkdtemp(scene->directory));
	snprintf(scene->path, sizeof(scene->path), "%s/front.sock", scene->directory);
	scene->memory_fd = memfd_create("guest", MFD_CLOEXEC);
	assert_int_equal(ftruncate(scene->memory_fd, 4 * MEMORY_SIZE), 0);
	scene->kick_fd = eventfd(0, EFD_CLOEXEC);
	scene_open(scene, false, 2);
	*state = scene;
	return 0;
}

int scene_tear_down(void **state)
{
	struct scene *scene = *state;

	front_hang_up(scene);
	tp_vhost_close(scene->endpoint);
	tp_loop_free(scene->loop);
	close(scene->memory_fd);
	close(scene->kick_fd);
	unlink(scene->path);
	rmdir(scene->directory);
	free(scene);
	return 0;
}

void scene_settle(struct scene *scene)
{
	for (int i = 0; i < 10000; i++)
		if (tp_loop_step(scene->loop, 0) == 0)
			return;
	fail_msg("the loop does not come to rest");
}

void scene_wait(struct scene *scene, unsigned ms)
{
	uint64_t end = tp_loop_now_ms() + ms;

	while (tp_loop_now_ms() < end)
		tp_loop_step(scene->loop, 5);
}

void front_connect(struct scene *scene)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memcpy(address.sun_path, scene->path, sizeof(address.sun_path));
	scene->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(scene->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	scene_settle(scene);
}

void front_hang_up(struct scene *scene)
{
	if (scene->fd >= 0)
		close(scene->fd);
	scene->fd = -1;
	scene_settle(scene);
}

void front_send_raw(
	struct scene *scene, const void *bytes, size_t size, const int *fds, unsigned fd_count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(253 * sizeof(int))];
	struct iovec part = {(void *)(uintptr_t)bytes, size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (fd_count > 0) {
		struct cmsghdr *header = (struct cmsghdr *)control;

		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
	}
	if (sendmsg(scene->fd, &message, MSG_NOSIGNAL) < 0)
		assert_true(errno == EPIPE || errno == ECONNRESET);
}

void front_send(struct scene *scene, uint32_t request, uint32_t flags, const void *payload,
	uint32_t size, const int *fds, unsigned fd_count)
{
	struct vhost_header header = {request, VHOST_VERSION | flags, size};
	uint8_t bytes[sizeof(header) + 512];

	memcpy(bytes, &header, sizeof(header));
	if (size > 0)
		memcpy(bytes + sizeof(header), payload, size);
	front_send_raw(scene, bytes, sizeof(header) + size, fds, fd_count);
	scene_settle(scene);
}

void front_send_u64(struct scene *scene, uint32_t request, uint64_t value)
{
	front_send(scene, request, 0, &value, sizeof(value), NULL, 0);
}

void front_send_ring(struct scene *scene, uint32_t request, uint32_t ring, uint32_t value)
{
	struct vhost_ring_value payload = {ring, value};

	front_send(scene, request, 0, &payload, sizeof(payload), NULL, 0);
}

void front_send_eventfd(struct scene *scene, uint32_t request, unsigned ring)
{
	uint64_t value = ring;

	front_send(scene, request, 0, &value, sizeof(value), &scene->kick_fd, 1);
}

void front_send_addresses(struct scene *scene, unsigned ring)
{
	uint64_t place = USER_ADDRESS + ring * 0x10000ull;
	struct vhost_ring_addresses addresses = {
		.index = ring, .desc = place, .avail = place + 0x4000, .used = place + 0x8000};

	front_send(scene, VHOST_SET_VRING_ADDR, 0, &addresses, sizeof(addresses), NULL, 0);
}

void front_send_memory(struct scene *scene)
{
	struct vhost_memory_table table = {
		.count = 1,
		.region[0] = {GUEST_ADDRESS, MEMORY_SIZE, USER_ADDRESS, 0},
	};

	front_send(scene, VHOST_SET_MEM_TABLE, 0, &table, 40, &scene->memory_fd, 1);
}

uint64_t front_reply(struct scene *scene, uint32_t request)
{
	struct {
		struct vhost_header header;
		uint8_t payload[8];
	} reply;
	uint64_t value;

	scene_settle(scene);
	assert_int_equal(recv(scene->fd, &reply, sizeof(reply), 0), sizeof(reply));
	assert_int_equal(reply.header.request, request);
	assert_int_equal(reply.header.flags, VHOST_VERSION | VHOST_REPLY);
	assert_int_equal(reply.header.size, 8);
	memcpy(&value, reply.payload, sizeof(value));
	return value;
}

bool front_nothing_to_read(struct scene *scene)
{
	char byte;

	scene_settle(scene);
	return recv(scene->fd, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

void front_start(struct scene *scene, unsigned rings)
{
	front_send(scene, VHOST_SET_OWNER, 0, NULL, 0, NULL, 0);
	front_send_u64(scene, VHOST_SET_PROTOCOL_FEATURES,
		VHOST_PROTOCOL_MQ | VHOST_PROTOCOL_REPLY_ACK | VHOST_PROTOCOL_STATUS);
	front_send_u64(scene, VHOST_SET_FEATURES, VHOST_F_VERSION_1 | VHOST_F_PROTOCOL_FEATURES);
	front_send_memory(scene);
	for (unsigned i = 0; i < rings; i++) {
		front_send_eventfd(scene, VHOST_SET_VRING_CALL, i);
		front_send_ring(scene, VHOST_SET_VRING_NUM, i, RING_SIZE);
		front_send_ring(scene, VHOST_SET_VRING_BASE, i, 0);
		front_send_addresses(scene, i);
		front_send_eventfd(scene, VHOST_SET_VRING_KICK, i);
		front_send_ring(scene, VHOST_SET_VRING_ENABLE, i, 1);
	}
}

void expect_end(struct scene *scene, const char *reason)
{
	unsigned disconnected = scene->record.disconnected;
	struct tp_vhost_status status;

	assert_int_equal(disconnected, scene->record.connected);
	if (strstr(scene->record.reason, reason) == NULL)
		fail_msg("ended because of \"%s\", not \"%s\"", scene->record.reason, reason);
	tp_vhost_get_status(scene->endpoint, &status);
	assert_string_equal(status.last_reason, scene->record.reason);
	assert_int_equal(status.state, TP_VHOST_LISTENING);
	assert_int_equal(status.descriptors, 1);
	assert_int_equal(status.rings_started, 0);
	front_hang_up(scene);
	expect_descriptors(scene->descriptors);

	front_connect(scene);
	front_send(scene, VHOST_GET_FEATURES, 0, NULL, 0, NULL, 0);
	assert_int_equal(
		front_reply(scene, VHOST_GET_FEATURES), OFFERED | VHOST_F_PROTOCOL_FEATURES);
	front_hang_up(scene);
	assert_int_equal(scene->record.disconnected, disconnected + 1);
	assert_string_equal(scene->record.reason, "front-end closed the connection");
	assert_int_equal(count_descriptors(), scene->descriptors);
}
