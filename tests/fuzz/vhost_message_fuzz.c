/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Front-ends that send any messages, with any descriptors, in any order, to two endpoints, whose
 * rings are then served. The input is a list of steps:
 *
 *   byte 0: bits 0-2 what happens, bit 3 at which endpoint, bits 4-7 how many descriptors go along
 *   a byte for each descriptor (passed_files.h), then what the step needs
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fault_guard.h"
#include "base/log.h"
#include "front_end.h"
#include "passed_files.h"
#include "request.h"

#define STEPS_MAX     256 /* of one input */
#define FDS_MAX       15  /* of one message */
#define PAYLOAD_MAX   512
#define PAUSE_MS      200 /* an endpoint looks away for less */
#define LOOKS_MAX     200000
#define FDS_LOOKED_AT 64 /* for descriptors that were not closed */

/* Bits of a message's flags byte; the byte is stored so that 0 is an ordinary message. */
#define FLAGS_BITS 0x0f
#define ODD_SIZE   0x80 /* a byte follows: how much longer the payload is than it should be */

/* --- messages -------------------------------------------------------------------------------- */

static void take_fds(struct input *input, int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fds[i] = passed_fd(input_u8(input));
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

static void step_message(struct front_end *front_end, struct input *input, size_t fd_count)
{
	struct vhost_header header = {.request = input_u8(input)};
	uint8_t bytes[sizeof(header) + PAYLOAD_MAX], flags = input_u8(input);
	size_t size;
	int fds[FDS_MAX];

	take_fds(input, fds, fd_count);
	header.flags = (flags & FLAGS_BITS) ^ VHOST_VERSION;
	header.size = (uint32_t)right_size(header.request, fd_count);
	if (flags & ODD_SIZE)
		header.size += input_u8(input) - 128u;
	size = header.size <= PAYLOAD_MAX ? header.size : 0;
	memcpy(bytes, &header, sizeof(header));
	input_fill(input, bytes + sizeof(header), size);
	front_end_send(front_end, bytes, sizeof(header) + size, fds, fd_count);
}

static void step_raw(struct front_end *front_end, struct input *input, size_t fd_count)
{
	const uint8_t *bytes;
	int fds[FDS_MAX];
	size_t size;

	take_fds(input, fds, fd_count);
	size = input_take(input, input_u8(input), &bytes);
	front_end_send(front_end, bytes, size, fds, fd_count);
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
	unsigned connected = front_end->owner.connected;
	bool first = front_end->fd < 0;
	int fd = front_end_dial(front_end);
	char byte;

	front_ends_pass(PAUSE_MS);
	if (fd < 0)
		return;
	EXPECT(first || front_end->owner.connected != connected || recv(fd, &byte, 1, 0) == 0 ||
		front_ends_closing());
	close(fd);
	front_ends_settle();
}

/* The next front-end is there before the end of the last one was seen. */
static void replace(struct front_end *front_end)
{
	int fd = front_end_dial(front_end);

	if (front_end->fd >= 0)
		close(front_end->fd);
	front_end->fd = fd;
	front_ends_settle();
}

static void half_close(struct front_end *front_end)
{
	if (front_end->fd >= 0)
		shutdown(front_end->fd, SHUT_WR);
	front_ends_settle();
}

static void step_event(struct front_end *front_end, struct input *input)
{
	uint8_t event = input_u8(input);

	switch (event % 10) {
	case 0:
		intrude(front_end);
		break;
	case 1:
		tp_vhost_condemn(front_end->owner.endpoint, "condemned");
		front_ends_settle();
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
	case 6:
		half_close(front_end);
		break;
	case 7:
		front_end_listen(front_end, false);
		break;
	case 8:
		front_ends_close_slowly();
		break;
	default:
		front_ends_pass(16u * input_u8(input));
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

	switch (what & 7) {
	case 0:
	case 1:
		step_message(front_end, input, what >> 4);
		break;
	case 2:
		step_raw(front_end, input, what >> 4);
		break;
	case 3:
		front_end_hang_up(front_end);
		break;
	case 4:
		step_resize(input);
		break;
	case 5:
		step_write(input);
		break;
	case 6:
		vhost_owner_poll(&front_end->owner);
		front_ends_settle();
		break;
	default:
		step_event(front_end, input);
	}
	check_memory(front_end);
}

/* --- one input ------------------------------------------------------------------------------- */

/* Which of the process's descriptors are open, bit by bit; but one that may get another number. */
static uint64_t open_fds(int lowest)
{
	uint64_t open = 0;

	for (int i = 0; i < FDS_LOOKED_AT; i++)
		if (lowest + i != front_ends[1].listener && fcntl(lowest + i, F_GETFD) >= 0)
			open |= UINT64_C(1) << i;
	return open;
}

/* Some are closed by a thread beside. */
static void expect_open_fds(int lowest, uint64_t open)
{
	for (unsigned i = 0; i < LOOKS_MAX && open_fds(lowest) != open; i++)
		usleep(10);
	EXPECT(open_fds(lowest) == open);
}

static int lowest_free_fd(void)
{
	int fd = fcntl(passed_fd(0), F_DUPFD_CLOEXEC, 0);

	close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	static int lowest;
	uint64_t open;

	if (lowest == 0) {
		tp_log_set_level(TP_LOG_ERROR);
		EXPECT(tp_fault_guard_install(-1) == 0);
		front_ends_open();
		passed_open();
		lowest = lowest_free_fd();
	}
	open = open_fds(lowest); /* also what the fuzzer itself has opened */
	for (unsigned i = 0; i < STEPS_MAX && input.size > 0; i++)
		step(&input);
	for (unsigned i = 0; i < FRONT_ENDS; i++)
		front_end_end(&front_ends[i]);
	expect_open_fds(lowest, open);
	passed_reset();
	return 0;
}
