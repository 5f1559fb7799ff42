/* SPDX-License-Identifier: BSD-3-Clause */
/* What a front-end says, and how: messages that are no messages. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frontend/channel.h"
#include "hostile.h"

/* Bytes of payload of each request; the others have none. */
static uint32_t payload_of(uint32_t request)
{
	switch (request) {
	case VHOST_USER_SET_VRING_NUM:
	case VHOST_USER_SET_VRING_BASE:
	case VHOST_USER_GET_VRING_BASE:
	case VHOST_USER_SET_VRING_ENABLE:
	case VHOST_USER_SET_FEATURES:
	case VHOST_USER_SET_PROTOCOL_FEATURES:
	case VHOST_USER_SET_VRING_KICK:
	case VHOST_USER_SET_VRING_CALL:
	case VHOST_USER_SET_VRING_ERR:
	case VHOST_USER_NET_SET_MTU:
	case VHOST_USER_SEND_RARP:
	case VHOST_USER_SET_STATUS:
		return sizeof(uint64_t);
	case VHOST_USER_SET_MEM_TABLE:
	case VHOST_USER_SET_VRING_ADDR:
	case VHOST_USER_ADD_MEM_REG:
	case VHOST_USER_REM_MEM_REG:
		return 40;
	default:
		return 0;
	}
}

/* All requests, or a few where each connection is dear. */
static uint32_t next_request(const struct hostile *hostile, uint32_t request)
{
	return request + (hostile->serve ? 7 : 1);
}

static void header_then_silence(struct hostile *hostile)
{
	int socket = hostile_open(hostile);

	hostile_say_raw(socket, VHOST_USER_SET_FEATURES, VHOST_USER_VERSION, 8, NULL, 0, NULL, 0);
	hostile_time_attach(hostile);
	hostile_expect_end(hostile, socket);
}

static void say_slowly(int socket, unsigned pause_us)
{
	const struct vhost_user_header header = {
		.request = VHOST_USER_GET_FEATURES, .flags = VHOST_USER_VERSION};

	for (size_t i = 0; i < sizeof(header); i++) {
		tp_channel_send_bytes(socket, (const uint8_t *)&header + i, 1, NULL, 0);
		usleep(pause_us);
	}
}

/* Within the time that a message may take it is answered, beyond it is not. */
static void header_byte_by_byte(struct hostile *hostile)
{
	struct vhost_user_message reply;
	int socket = hostile_open(hostile);

	say_slowly(socket, 20000);
	if (tp_channel_receive(socket, &reply, 1000) < 0)
		hostile_wrong(hostile, "a header that came in 0.24 s is not answered");
	say_slowly(socket, 120000);
	hostile_time_attach(hostile);
	hostile_expect_end(hostile, socket);
}

static void size_of_four_gib(struct hostile *hostile)
{
	for (uint32_t request = 1; request <= REQUEST_MAX;
		request = next_request(hostile, request)) {
		int socket = hostile_open(hostile);

		hostile_say_raw(socket, request, VHOST_USER_VERSION, UINT32_MAX, NULL, 0, NULL, 0);
		hostile_expect_end(hostile, socket);
	}
}

static void size_too_short_for_the_type(struct hostile *hostile)
{
	for (uint32_t request = 1; request <= REQUEST_MAX;
		request = next_request(hostile, request)) {
		uint32_t size = payload_of(request);
		uint8_t bytes[64] = {0};
		int socket;

		if (size == 0)
			continue;
		socket = hostile_open(hostile);
		hostile_say(socket, request, bytes, size - 1, NULL, 0);
		hostile_expect_end(hostile, socket);
	}
}

static void type_version_and_reply_bits(struct hostile *hostile)
{
	static const struct vhost_user_header headers[] = {
		{0, VHOST_USER_VERSION, 0},
		{41, VHOST_USER_VERSION, 0},
		{UINT32_MAX, VHOST_USER_VERSION, 0},
		{VHOST_USER_GET_FEATURES, 0, 0},
		{VHOST_USER_GET_FEATURES, 3, 0},
		{VHOST_USER_GET_FEATURES, VHOST_USER_VERSION | VHOST_USER_REPLY, 0},
	};

	for (size_t i = 0; i < COUNT(headers); i++) {
		int socket = hostile_open(hostile);

		tp_channel_send_bytes(socket, &headers[i], sizeof(headers[i]), NULL, 0);
		hostile_expect_end(hostile, socket);
	}
}

static void descriptors_missing(struct hostile *hostile)
{
	struct vhost_user_memory_table table;
	uint32_t size;
	int socket;

	hostile_come(hostile, NULL);
	size = hostile_memory_table(hostile->bad, &table);
	hostile_say(hostile->bad->socket, VHOST_USER_SET_MEM_TABLE, &table, size, NULL, 0);
	hostile_expect_thrown_out(hostile);
	socket = hostile_open(hostile);
	hostile_say_u64(socket, VHOST_USER_SET_VRING_KICK, 0, -1);
	hostile_expect_end(hostile, socket);
	hostile_come(hostile, NULL);
	hostile_say_u64(hostile->bad->socket, VHOST_USER_SET_VRING_CALL, 1, -1);
	hostile_expect_thrown_out(hostile);
}

/* 100,000 with --times 50. */
static void descriptors_too_many_on_every_type(struct hostile *hostile)
{
	int fds[VHOST_USER_FDS_MAX];
	uint8_t bytes[64] = {0};

	fds[0] = eventfd(0, EFD_NONBLOCK);
	for (unsigned i = 1; i < VHOST_USER_FDS_MAX; i++)
		fds[i] = fds[0];
	for (unsigned i = 0; i < hostile_times(hostile, 2000); i++) {
		uint32_t request = 1 + i % REQUEST_MAX;
		int socket = hostile_open(hostile);

		hostile_say(socket, request, bytes, payload_of(request), fds,
			i % 2 ? 9 : 1 + i % VHOST_USER_FDS_MAX);
		/* A single one may be right. */
		shutdown(socket, SHUT_WR);
		hostile_expect_end(hostile, socket);
	}
	close(fds[0]);
}

/* More than any buffer for control data holds. */
static void control_data_truncated(struct hostile *hostile)
{
	int fds[VHOST_USER_FDS_MAX];

	for (unsigned i = 0; i < VHOST_USER_FDS_MAX; i++)
		fds[i] = eventfd(0, EFD_NONBLOCK);
	for (unsigned i = 0; i < hostile_times(hostile, 20); i++) {
		int socket = hostile_open(hostile);

		hostile_say_u64(socket, VHOST_USER_SET_VRING_CALL, 0, fds[0]);
		hostile_say(socket, VHOST_USER_SET_VRING_KICK, &(uint64_t){0}, 8, fds,
			VHOST_USER_FDS_MAX);
		hostile_expect_end(hostile, socket);
	}
	for (unsigned i = 0; i < VHOST_USER_FDS_MAX; i++)
		close(fds[i]);
}

static void replies_never_read(struct hostile *hostile)
{
	const struct vhost_user_header header = {
		.request = VHOST_USER_GET_FEATURES, .flags = VHOST_USER_VERSION};
	int socket = hostile_open(hostile);

	for (unsigned quiet = 0; quiet < 20; quiet++) {
		while (send(socket, &header, sizeof(header), MSG_DONTWAIT | MSG_NOSIGNAL) ==
			sizeof(header))
			quiet = 0;
		if (errno != EAGAIN)
			break;
		usleep(1000);
	}
	hostile_time_attach(hostile);
	/* Not read here either: that it hung up shows in that nothing can be sent. */
	for (unsigned i = 0; i < 300; i++) {
		if (send(socket, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EPIPE) {
			hostile->ended++;
			close(socket);
			return;
		}
		usleep(10000);
	}
	hostile->open++;
	close(socket);
}

static void features_not_offered(struct hostile *hostile)
{
	uint64_t offered;

	hostile_come(hostile, NULL);
	offered = hostile->bad->offered;
	/* After the rings started: another layout, fewer bits, all bits. */
	hostile_say_u64(hostile->bad->socket, VHOST_USER_SET_FEATURES,
		hostile->bad->features ^ 1ull << VIRTIO_F_RING_PACKED, -1);
	hostile_say_u64(hostile->bad->socket, VHOST_USER_SET_FEATURES, offered & ~(1ull << 32), -1);
	hostile_say_u64(hostile->bad->socket, VHOST_USER_SET_FEATURES, UINT64_MAX, -1);
	hostile_expect_thrown_out(hostile);
	hostile_come(hostile, NULL);
	hostile_say_u64(hostile->bad->socket, VHOST_USER_SET_PROTOCOL_FEATURES, UINT64_MAX, -1);
	hostile_expect_thrown_out(hostile);
}

/* vhost-user, "Log description": size and offset of the log in its file. */
static void log_base_wraps(struct hostile *hostile)
{
	static const uint64_t logs[][2] = {{4096, UINT64_MAX - 100}, {UINT64_MAX, 4096}, {1, 0}};

	for (size_t i = 0; i < 2 * COUNT(logs); i++) {
		struct tp_frontend *bad = hostile_come(hostile, NULL);
		const struct tp_frontend_ring *ring = &bad->ring[tp_receive_ring(0)];
		struct vhost_vring_addr address = {.index = 0,
			.flags = 1u << VHOST_VRING_F_LOG,
			.desc_user_addr = (uintptr_t)ring->vring.desc,
			.used_user_addr = (uintptr_t)ring->vring.used,
			.avail_user_addr = (uintptr_t)ring->vring.avail,
			.log_guest_addr = UINT64_MAX - 8};

		/* Where logging is offered, it is switched on first. */
		if (i % 2 == 0)
			hostile_say_u64(bad->socket, VHOST_USER_SET_FEATURES,
				bad->features | 1ull << VHOST_F_LOG_ALL, -1);
		hostile_say(bad->socket, VHOST_USER_SET_LOG_BASE, logs[i / 2], sizeof(logs[0]),
			&bad->memory_fd, 1);
		hostile_say(
			bad->socket, VHOST_USER_SET_VRING_ADDR, &address, sizeof(address), NULL, 0);
		hostile_talk(hostile_peer(hostile, NULL), BAD_MAC, PEER_MAC, 1);
		hostile_expect_thrown_out(hostile);
	}
}

/* As vhost-user describes what tracks the descriptors that are in use. */
static void inflight_of_65535_queues(struct hostile *hostile)
{
	const struct {
		uint64_t size, offset;
		uint16_t queues, queue_size;
		uint32_t padding;
	} wrong[] = {{0, 0, 0xffff, 0xffff, 0}, {UINT64_MAX, 4096, 1, 256, 0}};

	for (size_t i = 0; i < 2 * COUNT(wrong); i++) {
		struct tp_frontend *bad = hostile_come(hostile, NULL);
		bool give = i % 2;

		hostile_say(bad->socket,
			give ? VHOST_USER_SET_INFLIGHT_FD : VHOST_USER_GET_INFLIGHT_FD,
			&wrong[i / 2], 20, &bad->memory_fd, give);
		hostile_expect_thrown_out(hostile);
	}
}

/* A third of them say something before they go. */
static void comes_and_goes_a_thousand_times(struct hostile *hostile)
{
	for (unsigned i = 0; i < hostile_times(hostile, 1000); i++) {
		int socket = hostile_open(hostile);

		if (i % 3 == 0)
			hostile_say(socket, VHOST_USER_SET_OWNER, NULL, 0, NULL, 0);
		if (i % 6 == 0)
			hostile_say(socket, VHOST_USER_GET_FEATURES, NULL, 0, NULL, 0);
		close(socket);
	}
	hostile_come(hostile, NULL);
	hostile_judge_served(hostile);
}

static void second_connection(struct hostile *hostile)
{
	hostile_come(hostile, NULL);
	for (unsigned i = 0; i < hostile_times(hostile, 200); i++) {
		int socket;

		if (hostile->serve)
			break; /* it is the switch that connects, and it does so once */
		socket = hostile_open(hostile);
		if (tp_channel_wait_closed(socket, 2000) < 0)
			hostile_wrong(hostile, "a second front-end is not hung up on");
		close(socket);
	}
	hostile_judge_served(hostile);
}

/* Also where there is a reply of its own, and where the answer is no. */
static void need_reply_on_everything(struct hostile *hostile)
{
	struct vhost_user_message reply;
	unsigned answers = 0;

	hostile_come(hostile, NULL);
	for (uint32_t request = 1; request <= VHOST_USER_GET_STATUS; request++) {
		uint8_t bytes[64];

		if (payload_of(request) == 0 && request != VHOST_USER_GET_FEATURES &&
			request != VHOST_USER_GET_PROTOCOL_FEATURES &&
			request != VHOST_USER_GET_QUEUE_NUM && request != VHOST_USER_SET_OWNER)
			continue;
		if (request == VHOST_USER_SET_STATUS || request == VHOST_USER_GET_VRING_BASE ||
			request == VHOST_USER_SET_MEM_TABLE || request == VHOST_USER_ADD_MEM_REG ||
			request == VHOST_USER_SEND_RARP)
			continue; /* stop the rings, or need a descriptor; an announcement is none
				   */
		memset(bytes, 0xff, sizeof(bytes));
		hostile_say_raw(hostile->bad->socket, request,
			VHOST_USER_VERSION | VHOST_USER_NEED_REPLY, payload_of(request), bytes,
			payload_of(request), NULL, 0);
		if (tp_channel_receive(hostile->bad->socket, &reply, 1000) == 0)
			answers++;
	}
	if (answers < 10)
		hostile_wrong(hostile, "%u requests that ask for a reply got one", answers);
	hostile_judge_served(hostile);
}

static const struct hostile_case cases[] = {
	{1, "header_then_silence", header_then_silence, .ends = "message incomplete after"},
	{2, "header_byte_by_byte", header_byte_by_byte, .ends = "message incomplete after"},
	{3, "size_of_four_gib", size_of_four_gib, .ends = "payload of 4294967295 bytes"},
	{4, "size_too_short_for_the_type", size_too_short_for_the_type, .ends = "payload of "},
	{5, "type_version_and_reply_bits", type_version_and_reply_bits, .ends = "mark a reply"},
	{6, "descriptors_missing", descriptors_missing, .ends = "0 descriptors came"},
	{7, "descriptors_too_many_on_every_type", descriptors_too_many_on_every_type,
		.ends = "more than 8 descriptors"},
	{8, "control_data_truncated", control_data_truncated, .ends = "more than 8 descriptors"},
	{9, "replies_never_read", replies_never_read, .ends = "did not read a reply"},
	{25, "features_not_offered", features_not_offered, .ends = "were not offered"},
	{26, "log_base_wraps", log_base_wraps, .ends = "SET_LOG_BASE: was not offered"},
	{27, "inflight_of_65535_queues", inflight_of_65535_queues,
		.ends = "INFLIGHT_FD: was not offered"},
	{30, "comes_and_goes_a_thousand_times", comes_and_goes_a_thousand_times},
	{31, "second_connection", second_connection},
	{32, "need_reply_on_everything", need_reply_on_everything},
};

const struct hostile_group hostile_protocol = {"protocol", cases, COUNT(cases)};
