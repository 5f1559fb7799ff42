/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/closer.h"
#include "base/receive.h"
#include "front_end.h"
#include "request.h"

#define FDS_MAX         15   /* of one message */
#define RECONNECT_MS    1000 /* the longest that an endpoint waits between two tries */
#define STEPS_TO_SETTLE 10000
#define ACCEPT_PAUSE_MS 100 /* the longest that an endpoint does not accept */
#define LOOKS_MAX       200000

struct front_end front_ends[FRONT_ENDS];

static struct tp_loop *loop;

/* --- time ------------------------------------------------------------------------------------ */

static uint64_t now_ms = 1000000;

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

/* The linker puts this in the place of clock_gettime. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	if (clock != CLOCK_MONOTONIC)
		return __real_clock_gettime(clock, now);
	now->tv_sec = (time_t)(now_ms / 1000);
	now->tv_nsec = (long)(now_ms % 1000 * 1000000);
	return 0;
}

/* --- closing --------------------------------------------------------------------------------- */

static bool closing_slowly;

unsigned __real_tp_closer_pending(struct tp_closer *closer);
unsigned __wrap_tp_closer_pending(struct tp_closer *closer);

/* The linker puts this in its place, so that nothing depends on when a thread gets its turn. */
unsigned __wrap_tp_closer_pending(struct tp_closer *closer)
{
	for (unsigned i = 0; i < LOOKS_MAX && __real_tp_closer_pending(closer) > 0; i++)
		usleep(10);
	EXPECT(__real_tp_closer_pending(closer) == 0);
	return closing_slowly ? TP_RECEIVE_FDS_MAX : 0;
}

void front_ends_close_slowly(void)
{
	closing_slowly = true;
}

bool front_ends_closing(void)
{
	return closing_slowly;
}

void front_ends_settle(void)
{
	for (unsigned i = 0; i < STEPS_TO_SETTLE; i++)
		if (tp_loop_step(loop, 0) == 0)
			return;
	EXPECT(!"the loop comes to rest");
}

/* An endpoint that connects does so by itself, and only when it has left: the last one counts. */
static void take_connections(struct front_end *front_end)
{
	int fd;

	while (front_end->listener >= 0 && (fd = accept4(front_end->listener, NULL, NULL,
						    SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		if (front_end->fd >= 0)
			close(front_end->fd);
		front_end->fd = fd;
	}
}

void front_ends_pass(unsigned milliseconds)
{
	now_ms += milliseconds;
	front_ends_settle();
	for (unsigned i = 0; i < FRONT_ENDS; i++)
		take_connections(&front_ends[i]);
}

/* --- opening --------------------------------------------------------------------------------- */

void front_end_listen(struct front_end *front_end, bool on)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (!front_end->serves || on == (front_end->listener >= 0))
		return;
	if (!on) {
		close(front_end->listener);
		unlink(front_end->path);
		front_end->listener = -1;
		return;
	}
	memcpy(address.sun_path, front_end->path, sizeof(address.sun_path));
	front_end->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	EXPECT(bind(front_end->listener, (struct sockaddr *)&address, sizeof(address)) == 0);
	EXPECT(listen(front_end->listener, 8) == 0);
}

static void open_endpoint(struct front_end *front_end, unsigned queue_pairs, uint64_t features)
{
	struct tp_vhost_settings settings = {
		.name = "fuzz",
		.path = front_end->path,
		.client = front_end->serves,
		.queue_pairs = queue_pairs,
		.device_features = features,
		.ops = &vhost_owner_ops,
		.owner = &front_end->owner,
	};
	const char *directory = getenv("TMPDIR");

	snprintf(front_end->path, sizeof(front_end->path), "%s/vhost-fuzz-%d-%d.sock",
		directory != NULL ? directory : "/tmp", getpid(), front_end->serves);
	front_end->fd = -1;
	front_end->listener = -1;
	front_end->owner.endpoint = tp_vhost_open(loop, &settings, NULL);
	EXPECT(front_end->owner.endpoint != NULL);
}

static void close_all(void)
{
	for (unsigned i = 0; i < FRONT_ENDS; i++) {
		front_end_listen(&front_ends[i], false);
		tp_vhost_close(front_ends[i].owner.endpoint);
	}
	tp_loop_free(loop);
}

void front_ends_open(void)
{
	loop = tp_loop_new(NULL);
	EXPECT(loop != NULL);
	open_endpoint(&front_ends[0], 1, TP_DEVICE_FEATURES);
	front_ends[1].serves = true;
	open_endpoint(&front_ends[1], TP_VHOST_QUEUE_PAIRS_MAX, TP_FEATURE(VIRTIO_F_VERSION_1));
	front_end_listen(&front_ends[1], true);
	front_ends_pass(0); /* the first try comes at once */
	front_end_hang_up(&front_ends[1]);
	atexit(close_all);
}

/* --- connections ----------------------------------------------------------------------------- */

int front_end_dial(struct front_end *front_end)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (front_end->serves)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	memcpy(address.sun_path, front_end->path, sizeof(address.sun_path));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	EXPECT(errno == EAGAIN && closing_slowly); /* many wait to be accepted */
	close(fd);
	return -1;
}

void front_end_connect(struct front_end *front_end)
{
	if (front_end->fd >= 0)
		return;
	closing_slowly = false;
	if (front_end->serves) {
		front_end_listen(front_end, true);
		front_ends_pass(RECONNECT_MS);
		EXPECT(front_end->fd >= 0);
		return;
	}
	front_ends_pass(ACCEPT_PAUSE_MS); /* if it was looking away */
	front_end->fd = front_end_dial(front_end);
	front_ends_settle();
	EXPECT(front_end->owner.connected > 0);
}

void front_end_hang_up(struct front_end *front_end)
{
	if (front_end->fd >= 0)
		close(front_end->fd);
	front_end->fd = -1;
	front_ends_settle();
	EXPECT(front_end->owner.connected == front_end->owner.disconnected);
}

void front_end_end(struct front_end *front_end)
{
	const struct tp_vhost_endpoint *endpoint = front_end->owner.endpoint;
	struct tp_vhost_status status;

	front_end_hang_up(front_end);
	front_end_listen(front_end, true);
	closing_slowly = false;
	tp_vhost_get_status(endpoint, &status);
	EXPECT(status.state == (front_end->serves ? TP_VHOST_CONNECTING : TP_VHOST_LISTENING));
	EXPECT(status.descriptors == (front_end->serves ? 0 : 1));
	EXPECT(status.rings_started == 0 && status.features == 0);
	EXPECT(tp_vhost_memory(endpoint) == NULL);
	front_end->deaf = false;
	front_end->owner.refuse_mtu = false;
	front_end->owner.refuse_presence = false;
}

/* --- messages -------------------------------------------------------------------------------- */

/* Every reply has 8 bytes and answers a request that has one, or was to be acknowledged. */
static void read_replies(const struct front_end *front_end)
{
	struct {
		struct vhost_header header;
		uint8_t payload[8];
	} reply;
	ssize_t got;

	while ((got = recv(front_end->fd, &reply, sizeof(reply), 0)) > 0) {
		EXPECT(got == sizeof(reply) && reply.header.size == sizeof(reply.payload));
		EXPECT(reply.header.flags == (VHOST_VERSION | VHOST_REPLY));
		EXPECT(vhost_request_type(reply.header.request) != NULL);
		front_ends_settle();
	}
}

void front_end_send(struct front_end *front_end, const void *bytes, size_t size, const int *fds,
	size_t fd_count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(FDS_MAX * sizeof(int))] = {0};
	struct cmsghdr *header = (struct cmsghdr *)control;
	struct iovec part = {(void *)(uintptr_t)bytes, size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (front_end->owner.connected == front_end->owner.disconnected)
		front_end_hang_up(front_end); /* so has the endpoint */
	front_end_connect(front_end);
	if (fd_count > 0) {
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
	}
	if (size > 0)
		(void)!sendmsg(front_end->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	front_ends_settle();
	if (!front_end->deaf)
		read_replies(front_end);
}
