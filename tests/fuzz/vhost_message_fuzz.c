/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Front-ends that send any messages, with any descriptors, in any order, to two endpoints, whose
 * rings are then served. The input is a list of steps:
 *
 *   byte 0: bits 0-2 what happens, bit 3 at which endpoint, bits 4-7 how many descriptors go along
 *   a byte for each descriptor (passed_files.h), then what the step needs
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fault_guard.h"
#include "base/log.h"
#include "passed_files.h"
#include "request.h"
#include "vhost_owner.h"

#define STEPS_MAX   256 /* of one input */
#define FDS_MAX     15  /* of one message */
#define RAW_MAX     255
#define PATIENCE_MS 2000

/* Bits of a message's flags byte; the byte is stored so that 0 is an ordinary message. */
#define FLAGS_BITS 0x0f
#define ODD_SIZE   0x80 /* a byte follows: how much longer the payload is than it should be */

struct front_end {
	struct vhost_owner owner;
	char path[108];
	int fd;    /* -1: not connected */
	bool deaf; /* does not read replies */
};

static struct tp_loop *loop;
static struct front_end front_ends[2];

static void open_endpoint(unsigned number, unsigned queue_pairs, uint64_t features)
{
	struct front_end *front_end = &front_ends[number];
	const char *directory = getenv("TMPDIR");
	struct tp_vhost_settings settings = {
		.name = "fuzz",
		.path = front_end->path,
		.queue_pairs = queue_pairs,
		.device_features = features,
		.ops = &vhost_owner_ops,
		.owner = &front_end->owner,
	};

	snprintf(front_end->path, sizeof(front_end->path), "%s/vhost-fuzz-%d-%u.sock",
		directory != NULL ? directory : "/tmp", getpid(), number);
	front_end->fd = -1;
	front_end->owner.endpoint = tp_vhost_open(loop, &settings, NULL);
	EXPECT(front_end->owner.endpoint != NULL);
}

static void close_endpoints(void)
{
	for (unsigned i = 0; i < 2; i++)
		tp_vhost_close(front_ends[i].owner.endpoint);
	tp_loop_free(loop);
}

static void set_up(void)
{
	tp_log_set_level(TP_LOG_ERROR);
	loop = tp_loop_new(NULL);
	EXPECT(loop != NULL && tp_fault_guard_install(-1) == 0);
	open_endpoint(0, 1, TP_DEVICE_FEATURES);
	open_endpoint(1, TP_VHOST_QUEUE_PAIRS_MAX, TP_FEATURE(VIRTIO_F_VERSION_1));
	passed_open();
	atexit(close_endpoints);
}

static void settle(void)
{
	for (unsigned i = 0; i < 10000; i++)
		if (tp_loop_step(loop, 0) == 0)
			return;
	EXPECT(!"the loop comes to rest");
}

/* --- the front-ends' side -------------------------------------------------------------------- */

/* What strange descriptors are closed by stands beside, and nobody is taken before it is done. */
static void wait_for_closer(void)
{
	tp_loop_step(loop, 1);
	settle();
}

static int dial(const struct front_end *front_end)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool done = false;

	memcpy(address.sun_path, front_end->path, sizeof(address.sun_path));
	for (unsigned i = 0; i < PATIENCE_MS && !done; i++) {
		done = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
		if (!done)
			wait_for_closer();
	}
	EXPECT(done);
	return fd;
}

static void hang_up(struct front_end *front_end)
{
	if (front_end->fd >= 0)
		close(front_end->fd);
	front_end->fd = -1;
	settle();
	EXPECT(front_end->owner.connected == front_end->owner.disconnected);
}

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
		settle();
	}
}

static size_t set_fds(struct input *input, struct cmsghdr *header, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int fd = passed_fd(input_u8(input));

		memcpy(CMSG_DATA(header) + i * sizeof(fd), &fd, sizeof(fd));
	}
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(count * sizeof(int));
	return count > 0 ? CMSG_SPACE(count * sizeof(int)) : 0;
}

struct message {
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(FDS_MAX * sizeof(int))];
	size_t control_size;
	uint8_t bytes[sizeof(struct vhost_header) + RAW_MAX + 256];
	size_t size;
};

static void send_message(struct front_end *front_end, struct message *message)
{
	struct iovec part = {message->bytes, message->size};
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = message->control_size > 0 ? message->control : NULL,
		.msg_controllen = message->control_size,
	};

	if (front_end->owner.connected == front_end->owner.disconnected)
		hang_up(front_end); /* so has the endpoint: begin anew */
	if (front_end->fd < 0) {
		front_end->fd = dial(front_end);
		settle();
	}
	if (message->size > 0)
		(void)!sendmsg(front_end->fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
	settle();
	if (!front_end->deaf)
		read_replies(front_end);
}

/* What the payload's size should be. A table has as many regions as descriptors come with it. */
static size_t right_size(uint32_t request, size_t fds)
{
	const struct vhost_request_type *type = vhost_request_type(request);

	if (request == VHOST_SET_MEM_TABLE)
		return offsetof(struct vhost_memory_table, region) +
		       (fds < 8 ? fds : 8) * sizeof(struct tp_guest_region_request);
	return type != NULL ? type->size_max : 8;
}

static void step_message(struct front_end *front_end, struct input *input, size_t fds)
{
	struct message message = {.control_size = 0};
	struct vhost_header header = {.request = input_u8(input)};
	uint8_t flags = input_u8(input);

	message.control_size = set_fds(input, (struct cmsghdr *)message.control, fds);
	header.flags = (flags & FLAGS_BITS) ^ VHOST_VERSION;
	header.size = (uint32_t)right_size(header.request, fds);
	if (flags & ODD_SIZE)
		header.size += input_u8(input) - 128u;
	memcpy(message.bytes, &header, sizeof(header));
	message.size = sizeof(header) + (header.size < 512 ? header.size : 0);
	input_fill(input, message.bytes + sizeof(header), message.size - sizeof(header));
	send_message(front_end, &message);
}

static void step_raw(struct front_end *front_end, struct input *input, size_t fds)
{
	struct message message = {.size = 0};
	const uint8_t *bytes;

	message.control_size = set_fds(input, (struct cmsghdr *)message.control, fds);
	message.size = input_take(input, input_u8(input), &bytes);
	if (message.size > 0)
		memcpy(message.bytes, bytes, message.size);
	send_message(front_end, &message);
}

/* --- what else can happen -------------------------------------------------------------------- */

static void step_resize(struct input *input)
{
	uint8_t kind = input_u8(input);

	passed_resize(kind, input_number(input, 3));
}

static void step_write(struct input *input)
{
	uint8_t kind = input_u8(input);
	uint64_t offset = input_number(input, 3);
	const uint8_t *bytes;
	size_t size = input_take(input, input_u8(input), &bytes);

	if (size > 0)
		passed_write(kind, offset, bytes, size);
}

/* A second front-end is turned away and changes nothing. */
static void intrude(struct front_end *front_end)
{
	bool first = front_end->fd < 0;
	unsigned connected = front_end->owner.connected;
	int fd = dial(front_end);
	bool done = false;
	char byte;

	settle();
	for (unsigned i = 0; i < PATIENCE_MS && !done; i++) {
		done = first || front_end->owner.connected != connected ||
		       recv(fd, &byte, 1, 0) == 0;
		if (!done)
			wait_for_closer();
	}
	EXPECT(done);
	close(fd);
	settle();
}

/* The next front-end is there before the end of the last one was seen. */
static void replace(struct front_end *front_end)
{
	int fd = dial(front_end);

	if (front_end->fd >= 0)
		close(front_end->fd);
	front_end->fd = fd;
	settle();
}

static void step_event(struct front_end *front_end, struct input *input)
{
	uint8_t event = input_u8(input);

	switch (event % 7) {
	case 0:
		intrude(front_end);
		break;
	case 1:
		tp_vhost_condemn(front_end->owner.endpoint, "condemned");
		settle();
		break;
	case 2:
		front_end->deaf = !front_end->deaf;
		break;
	case 3:
		front_end->owner.refuse_mtu = true;
		break;
	case 4:
		front_end->owner.refuse_presence = true;
		break;
	case 5:
		replace(front_end);
		break;
	default:
		if (front_end->fd >= 0)
			shutdown(front_end->fd, SHUT_WR);
		settle();
	}
}

static void check_memory(const struct front_end *front_end)
{
	const struct tp_guest_memory *memory = tp_vhost_memory(front_end->owner.endpoint);

	EXPECT(memory == NULL || memory->count <= TP_GUEST_REGIONS_MAX);
}

static void step(struct input *input)
{
	uint8_t what = input_u8(input);
	struct front_end *front_end = &front_ends[what >> 3 & 1];

	check_memory(front_end);
	switch (what & 7) {
	case 0:
	case 1:
		step_message(front_end, input, what >> 4);
		break;
	case 2:
		step_raw(front_end, input, what >> 4);
		break;
	case 3:
		hang_up(front_end);
		break;
	case 4:
		step_resize(input);
		break;
	case 5:
		step_write(input);
		break;
	case 6:
		vhost_owner_poll(&front_end->owner);
		settle();
		break;
	default:
		step_event(front_end, input);
	}
}

/* --- one input ------------------------------------------------------------------------------- */

#define FDS_LOOKED_AT 64

static int lowest_free_fd(void)
{
	int fd = fcntl(passed_fd(0), F_DUPFD_CLOEXEC, 0);

	close(fd);
	return fd;
}

/* Descriptors that were closed by the time the first front-end came are closed again. */
static void expect_closed(int lowest)
{
	bool closed = false;

	for (unsigned i = 0; i < PATIENCE_MS && !closed; i++) {
		closed = true;
		for (int fd = lowest; fd < lowest + FDS_LOOKED_AT; fd++)
			closed &= fcntl(fd, F_GETFD) < 0;
		if (!closed)
			wait_for_closer();
	}
	EXPECT(closed);
}

/* It is as it was before the first front-end came. */
static void end(struct front_end *front_end)
{
	struct tp_vhost_status status;

	hang_up(front_end);
	tp_vhost_get_status(front_end->owner.endpoint, &status);
	EXPECT(status.state == TP_VHOST_LISTENING && status.rings_started == 0);
	EXPECT(status.descriptors == 1 && status.features == 0);
	EXPECT(tp_vhost_memory(front_end->owner.endpoint) == NULL);
	front_end->deaf = false;
	front_end->owner.refuse_mtu = false;
	front_end->owner.refuse_presence = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	static int lowest;

	if (loop == NULL) {
		set_up();
		lowest = lowest_free_fd();
	}
	for (unsigned i = 0; i < STEPS_MAX && input.size > 0; i++)
		step(&input);
	end(&front_ends[0]);
	end(&front_ends[1]);
	expect_closed(lowest);
	passed_reset();
	return 0;
}
