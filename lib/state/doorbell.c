/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <sys/uio.h>

#include "state/doorbell.h"

/* Beside one armed bell and one ring by control for each ring: what is called off completes later,
 * when a thread of the kernel gets to it. */
#define BELLS_BESIDE 256

int tp_doorbell_open(struct tp_doorbell *bell, uint32_t rings, struct tp_error *error)
{
	uint32_t wanted = 2 * rings + BELLS_BESIDE;
	uint32_t requests = wanted;
	int result;

	/* What the machine has left (fs.aio-max-nr) is better than none: who finds no room waits.
	 */
	do {
		result = tp_aio_open(&bell->aio, requests, error);
		bell->complete = requests == wanted;
		requests /= 2;
	} while (result == -EAGAIN && requests >= BELLS_BESIDE);
	if (result < 0)
		tp_error_prefix(error, "doorbell for %u rings", rings);
	return result;
}

void tp_doorbell_close(struct tp_doorbell *bell)
{
	tp_aio_close(&bell->aio);
}

/*
 * An eventfd's counter back to zero. RWF_NOWAIT, since the guest can clear O_NONBLOCK in the open
 * file that it shares with us, and take the count away before us.
 */
static int forget_kicks(int kick_fd)
{
	uint64_t kicks;
	struct iovec into = {.iov_base = &kicks, .iov_len = sizeof(kicks)};

	if (preadv2(kick_fd, &into, 1, -1, RWF_NOWAIT) < 0 && errno != EAGAIN)
		return -errno;
	return 0;
}

static int submit(const struct tp_doorbell *bell, struct iocb *request)
{
	int result = tp_aio_submit(&bell->aio, &request, 1);

	return result < 0 ? result : 0;
}

int tp_doorbell_arm(const struct tp_doorbell *bell, struct iocb *request, int kick_fd,
	const struct tp_ring_id *id)
{
	int result = forget_kicks(kick_fd);

	if (result < 0)
		return result;
	*request = (struct iocb){
		.aio_lio_opcode = IOCB_CMD_POLL,
		.aio_fildes = (uint32_t)kick_fd,
		.aio_buf = POLLIN,
	};
	memcpy(&request->aio_data, id, sizeof(*id));
	return submit(bell, request);
}

void tp_doorbell_disarm(const struct tp_doorbell *bell, struct iocb *request)
{
	tp_aio_cancel(&bell->aio, request);
}

int tp_doorbell_ring(const struct tp_doorbell *bell, const struct tp_ring_id *id)
{
	struct iocb request = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = (uint32_t)bell->aio.nothing,
		.aio_buf = (uintptr_t)&request,
	};

	memcpy(&request.aio_data, id, sizeof(*id));
	return submit(bell, &request);
}

unsigned tp_doorbell_wait(
	const struct tp_doorbell *bell, struct io_event *events, unsigned most, uint64_t timeout_ns)
{
	return tp_aio_wait(&bell->aio, events, most, timeout_ns);
}
