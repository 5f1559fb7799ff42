/* SPDX-License-Identifier: BSD-3-Clause */
/* What a front-end says of its rings: numbers, sizes, addresses, descriptors. */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frontend/channel.h"
#include "hostile.h"

#define THOUSANDS 15000

/* Each on a connection of its own, to a guest that runs. */
static void say_and_expect_end(
	struct hostile *hostile, uint32_t request, uint32_t ring, uint32_t value)
{
	hostile_come(hostile, NULL);
	hostile_say_ring(hostile->bad->socket, request, ring, value);
	hostile_expect_thrown_out(hostile);
}

static void ring_number_out_of_range(struct hostile *hostile)
{
	static const uint32_t requests[] = {VHOST_USER_SET_VRING_NUM, VHOST_USER_SET_VRING_BASE,
		VHOST_USER_GET_VRING_BASE, VHOST_USER_SET_VRING_ENABLE};
	static const uint32_t numbers[] = {2, 0xff, 0x100, 0x7fffffff, UINT32_MAX};

	for (size_t i = 0; i < COUNT(requests) * COUNT(numbers); i += hostile->serve ? 3 : 1)
		say_and_expect_end(
			hostile, requests[i % COUNT(requests)], numbers[i / COUNT(requests)], 256);
	for (size_t i = 0; i < COUNT(numbers); i++) {
		int fd = eventfd(0, EFD_NONBLOCK);

		hostile_come(hostile, NULL);
		hostile_say_u64(hostile->bad->socket,
			i % 2 ? VHOST_USER_SET_VRING_KICK : VHOST_USER_SET_VRING_CALL,
			i == 4 ? UINT64_MAX : numbers[i], fd);
		hostile_expect_thrown_out(hostile);
		close(fd);
	}
	say_and_expect_end(hostile, VHOST_USER_SET_VRING_ENABLE, 0xff, 1);
}

static void ring_size_impossible(struct hostile *hostile)
{
	static const uint32_t sizes[] = {0, 1, 3, 255, 32768, 65535, UINT32_MAX, 65536};

	for (size_t i = 0; i < COUNT(sizes); i++)
		say_and_expect_end(hostile, VHOST_USER_SET_VRING_NUM, 1, sizes[i]);
}

static void say_addresses(
	struct tp_frontend *guest, unsigned number, uint64_t desc, uint64_t avail, uint64_t used)
{
	const struct vhost_vring_addr address = {.index = number,
		.desc_user_addr = desc,
		.used_user_addr = used,
		.avail_user_addr = avail};

	hostile_say(guest->socket, VHOST_USER_SET_VRING_ADDR, &address, sizeof(address), NULL, 0);
}

/* The ring itself stays where it was: what is found elsewhere are bytes of frames. */
static void ring_changed_while_enabled(struct hostile *hostile)
{
	struct tp_frontend *bad = hostile_come(hostile, NULL);
	const struct tp_frontend_ring *ring = &bad->ring[tp_transmit_ring(0)];
	uint64_t buffers = (uintptr_t)ring->buffers / 4096 * 4096 + 4096;

	for (unsigned i = 0; i < hostile_times(hostile, 100); i++) {
		hostile_talk(bad, PEER_MAC, BAD_MAC, i);
		hostile_say_ring(bad->socket, VHOST_USER_SET_VRING_NUM, 1, i % 2 ? 256 : 64);
		hostile_say_ring(bad->socket, VHOST_USER_SET_VRING_NUM, 0, i % 2 ? 256 : 2);
		hostile_talk(hostile_peer(hostile, NULL), BAD_MAC, PEER_MAC, i);
		if (i % 10 == 9)
			say_addresses(bad, 1, buffers, buffers + 8192, buffers + 16384);
		usleep(500);
		if (i % 10 == 9)
			say_addresses(bad, 1, (uintptr_t)ring->vring.desc,
				(uintptr_t)ring->vring.avail, (uintptr_t)ring->vring.used);
	}
	hostile->ended = tp_channel_wait_closed(bad->socket, 100) == 0;
}

static void ring_addresses_wrong(struct hostile *hostile)
{
	for (unsigned i = 0; i < 8; i++) {
		struct tp_frontend *bad = hostile_come(hostile, NULL);
		const struct vring *ring = &bad->ring[1].vring;
		uint64_t desc = (uintptr_t)ring->desc, avail = (uintptr_t)ring->avail;
		uint64_t used = (uintptr_t)ring->used;
		uint64_t end = (uintptr_t)bad->memory + bad->memory_size;
		const uint64_t wrong[][3] = {{desc + 8, avail, used}, {desc, avail + 1, used},
			{desc, avail, used + 2}, {0, avail, used}, {end - 64, avail, used},
			{desc, end - 6, used}, {desc, avail, UINT64_MAX - 15},
			{desc, desc + 16, used}};

		say_addresses(bad, 1, wrong[i][0], wrong[i][1], wrong[i][2]);
		hostile_talk(hostile_peer(hostile, NULL), BAD_MAC, PEER_MAC, i);
		hostile_expect_thrown_out(hostile);
	}
}

static void used_ring_over_descriptors(struct hostile *hostile)
{
	for (unsigned i = 0; i < 2; i++) {
		struct tp_frontend *bad = hostile_come(hostile, NULL);
		const struct vring *ring = &bad->ring[i].vring;

		say_addresses(bad, i, (uintptr_t)ring->desc, (uintptr_t)ring->avail,
			(uintptr_t)ring->desc);
		hostile_talk(bad, PEER_MAC, BAD_MAC, 1);
		hostile_talk(hostile_peer(hostile, NULL), BAD_MAC, PEER_MAC, 1);
		hostile_expect_thrown_out(hostile);
	}
}

/* An index runs freely over 16 bits, so 65535 is none of the ring's size; 65536 is no index. */
static void base_beyond_size(struct hostile *hostile)
{
	struct tp_frontend *bad = hostile_come(hostile, NULL);

	for (unsigned base = 257; base <= 65535; base += 16319) {
		unsigned number = base % 2;

		hostile_stop_ring(bad, number);
		hostile_start_ring(bad, number, base);
		hostile_talk(bad, PEER_MAC, BAD_MAC, base);
		hostile_talk(hostile_peer(hostile, NULL), BAD_MAC, PEER_MAC, base);
	}
	hostile_say_ring(bad->socket, VHOST_USER_SET_VRING_BASE, 0, 65536);
	hostile_expect_thrown_out(hostile);
}

static void kick_and_call_descriptors_wrong(struct hostile *hostile)
{
	static const uint32_t requests[] = {
		VHOST_USER_SET_VRING_KICK, VHOST_USER_SET_VRING_CALL, VHOST_USER_SET_VRING_ERR};
	int ends[2], pair[2];
	int wrong[4];

	if (pipe(ends) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		hostile_fail("no pipe or socket");
	wrong[0] = ends[1];
	wrong[1] = pair[0];
	wrong[2] = open("/", O_RDONLY | O_DIRECTORY);
	wrong[3] = open("/dev/full", O_RDWR);
	for (unsigned i = 0; i < COUNT(requests) * COUNT(wrong); i++) {
		hostile_come(hostile, NULL);
		/* Ring 0's, with none and with one that this process has closed. */
		hostile_say_u64(hostile->bad->socket, requests[i % COUNT(requests)], 0x100, -1);
		hostile_say_u64(hostile->bad->socket, requests[i % COUNT(requests)], 1,
			wrong[i / COUNT(requests)]);
		hostile_talk(hostile_peer(hostile, NULL), BAD_MAC, PEER_MAC, i);
		hostile_expect_thrown_out(hostile);
	}
	for (unsigned i = 0; i < 4; i++)
		close(wrong[i]);
	close(ends[0]);
	close(pair[1]);
}

/* TCP that lingers for a minute, with more sent than this process reads. */
static int socket_that_lingers(int *reader)
{
	static const char bytes[65536];
	const struct linger linger = {.l_onoff = 1, .l_linger = 60};
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int writer = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int));
	if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 1) < 0 ||
		getsockname(listener, (struct sockaddr *)&address, &size) < 0 ||
		connect(writer, (struct sockaddr *)&address, size) < 0)
		hostile_fail("no TCP over the loopback");
	*reader = accept(listener, NULL, NULL);
	close(listener);
	setsockopt(writer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	for (unsigned full = 0; full < 5; full++) {
		while (send(writer, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
			full = 0;
		usleep(2000);
	}
	return writer;
}

/* In a message that has one, in one that has none, and in one that nobody reads. */
static void descriptor_whose_close_waits(struct hostile *hostile)
{
	for (unsigned i = 0; i < 3; i++) {
		int reader, writer = socket_that_lingers(&reader);
		int socket = hostile_open(hostile);

		if (i == 2)
			hostile_say_raw(socket, UINT32_MAX, 0, 0, NULL, 0, NULL, 0);
		hostile_say_u64(socket,
			i == 0 ? VHOST_USER_SET_VRING_KICK : VHOST_USER_SET_FEATURES, 0, writer);
		close(writer);
		hostile_time_attach(hostile);
		hostile_expect_end(hostile, socket);
		close(reader);
	}
}

/* A write to it would block for ever. */
static void call_eventfd_full_and_blocking(struct hostile *hostile)
{
	static const struct tp_frontend_settings settings = {.interrupts = true};
	struct tp_frontend *bad = hostile_come(hostile, &settings);

	for (unsigned i = 0; i < bad->ring_count; i++) {
		int fd = bad->ring[i].call_fd;

		if (write(fd, &(uint64_t){UINT64_MAX - 1}, 8) != 8 && i > 0)
			hostile_fail("the eventfd takes no count");
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	}
	for (unsigned i = 0; i < 200; i++) {
		hostile_talk(bad, PEER_MAC, BAD_MAC, i);
		hostile_talk(hostile_peer(hostile, NULL), BAD_MAC, PEER_MAC, i);
		hostile_drain(bad);
		hostile_drain(hostile->peer);
		usleep(500);
	}
	hostile_judge_served(hostile);
}

/* @return how many wait for the eventfd: epoll instances, noted in *waiting. */
static unsigned let_thousands_wait(int fd, int waiting[THOUSANDS])
{
	struct rlimit limit;
	unsigned count = 0;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (; count < THOUSANDS; count++) {
		struct epoll_event event = {.events = EPOLLIN | EPOLLET};

		waiting[count] = epoll_create1(EPOLL_CLOEXEC);
		if (waiting[count] < 0)
			break;
		epoll_ctl(waiting[count], EPOLL_CTL_ADD, fd, &event);
	}
	return count;
}

/* Each signal of an eventfd visits all who wait for it, in the time of the one who signals. It
 * comes back and does it again. */
static void call_eventfd_with_thousands_waiting(struct hostile *hostile)
{
	static const struct tp_frontend_settings settings = {.interrupts = true};
	static int waiting[THOUSANDS];

	for (unsigned times = 0; times < 3; times++) {
		struct tp_frontend *bad = hostile_come(hostile, &settings);
		unsigned count = let_thousands_wait(bad->ring[0].call_fd, waiting);
		uint64_t end = tp_now_ns() + 2000000000;

		if (count < THOUSANDS / 2)
			hostile_wrong(hostile,
				"this process may open too few descriptors: only %u can wait",
				count);
		hostile_peer(hostile, NULL);
		for (unsigned i = 0; !tp_frontend_hung_up(bad) && tp_now_ns() < end; i++) {
			hostile_talk(hostile->peer, BAD_MAC, PEER_MAC, i);
			hostile_drain(bad);
			usleep(200);
		}
		hostile_expect_thrown_out(hostile);
		while (count > 0)
			close(waiting[--count]);
	}
}

static void enabled_before_addresses(struct hostile *hostile)
{
	int socket = hostile_open(hostile);
	struct vhost_user_message reply;
	int fd = eventfd(0, EFD_NONBLOCK);

	for (unsigned i = 0; i < 2; i++) {
		hostile_say_ring(socket, VHOST_USER_SET_VRING_ENABLE, i, 1);
		hostile_say_u64(socket, VHOST_USER_SET_VRING_KICK, i, fd);
		hostile_say_ring(socket, VHOST_USER_SET_VRING_NUM, i, 256);
		hostile_say_ring(socket, VHOST_USER_SET_VRING_BASE, i, 0);
	}
	hostile_say_u64(socket, VHOST_USER_SET_FEATURES, 1ull << 32, -1);
	if (write(fd, &(uint64_t){1}, 8) != 8)
		hostile_fail("no kick");
	hostile_say(socket, VHOST_USER_GET_FEATURES, NULL, 0, NULL, 0);
	hostile->served = tp_channel_receive(socket, &reply, 2000) == 0;
	hostile->judged = true;
	close(fd);
	close(socket);
}

static void ring_stopped_with_frames_in_flight(struct hostile *hostile)
{
	struct tp_frontend *bad = hostile_come(hostile, NULL);
	struct tp_frontend *peer = hostile_peer(hostile, NULL);

	for (unsigned i = 0; i < hostile_times(hostile, 200); i++) {
		unsigned number = i % 2, base;

		for (uint32_t n = 0; n < 20; n++)
			hostile_talk(number == 1 ? bad : peer, number == 1 ? PEER_MAC : BAD_MAC,
				number == 1 ? BAD_MAC : PEER_MAC, n);
		base = hostile_stop_ring(bad, number);
		if (base != bad->ring[number].vring.used->idx)
			hostile_wrong(hostile, "ring %u stopped at %u, its used index is %u",
				number, base, bad->ring[number].vring.used->idx);
		hostile_start_ring(bad, number, base);
		hostile_drain(number == 1 ? peer : bad);
	}
	hostile_judge_served(hostile);
}

/* None of its rings is ever set up; then those of pairs that it does not have. */
static void queue_pairs_none_and_too_many(struct hostile *hostile)
{
	int socket = hostile_open(hostile);
	struct vhost_user_message reply;

	hostile_say(socket, VHOST_USER_SET_OWNER, NULL, 0, NULL, 0);
	hostile_say_u64(socket, VHOST_USER_SET_FEATURES, 1ull << 32, -1);
	hostile_say(socket, VHOST_USER_GET_FEATURES, NULL, 0, NULL, 0);
	if (tp_channel_receive(socket, &reply, 2000) < 0)
		hostile_wrong(hostile, "a guest without queues is not answered");
	close(socket);
	for (unsigned pair = 1; pair < 1024; pair = pair * 8 + 1)
		say_and_expect_end(hostile, VHOST_USER_SET_VRING_ENABLE, tp_transmit_ring(pair), 1);
}

static const struct hostile_case cases[] = {
	{18, "ring_number_out_of_range", ring_number_out_of_range,
		.ends = "this interface has rings 0 to 1"},
	{19, "ring_size_impossible", ring_size_impossible, .ends = "size 65536; a power of two"},
	{20, "ring_changed_while_enabled", ring_changed_while_enabled, .ends = "ring",
		.either = true},
	{21, "ring_addresses_wrong", ring_addresses_wrong, .ends = "overlaps"},
	{22, "base_beyond_size", base_beyond_size, .ends = "base 65536; 0 to 65535 are right"},
	{23, "kick_and_call_descriptors_wrong", kick_and_call_descriptors_wrong,
		.ends = "its descriptor is not an eventfd"},
	{24, "call_eventfd_full_and_blocking", call_eventfd_full_and_blocking},
	{62, "descriptor_whose_close_waits", descriptor_whose_close_waits,
		.ends = "request 4294967295 is unknown"},
	{63, "call_eventfd_with_thousands_waiting", call_eventfd_with_thousands_waiting,
		.ends = "so many wait for its call descriptor"},
	{28, "enabled_before_addresses", enabled_before_addresses},
	{29, "ring_stopped_with_frames_in_flight", ring_stopped_with_frames_in_flight},
	{54, "used_ring_over_descriptors", used_ring_over_descriptors, .ends = "overlaps"},
	{55, "queue_pairs_none_and_too_many", queue_pairs_none_and_too_many,
		.ends = "this interface has rings 0 to 1"},
};

const struct hostile_group hostile_setup = {"setup", cases, COUNT(cases)};
