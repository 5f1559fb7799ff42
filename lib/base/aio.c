/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/aio.h"

#define RING_MAGIC 0xa10a10a1u

static int set_up(struct tp_aio *aio, unsigned requests)
{
	if (syscall(SYS_io_setup, requests, &aio->context) < 0)
		return -errno;
	aio->ring = (struct tp_aio_ring *)(uintptr_t)aio->context;
	if (aio->ring->magic != RING_MAGIC || aio->ring->incompatible_features != 0 ||
		aio->ring->header_length != sizeof(struct tp_aio_ring))
		return -ENOTSUP;
	aio->nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return aio->nothing < 0 ? -errno : 0;
}

int tp_aio_open(struct tp_aio *aio, unsigned requests, struct tp_error *error)
{
	int result;

	*aio = (struct tp_aio){.nothing = -1};
	result = set_up(aio, requests);
	if (result == 0)
		return 0;
	tp_aio_close(aio);
	return tp_error_set(error, -result,
		"asynchronous I/O of this kernel (io_setup of %u requests, /dev/null): %s%s",
		requests, strerror(-result),
		result == -EAGAIN ? "; raise fs.aio-max-nr (sysctl)" : "");
}

void tp_aio_close(struct tp_aio *aio)
{
	if (aio->context != 0)
		syscall(SYS_io_destroy, aio->context);
	if (aio->nothing > 0)
		close(aio->nothing);
	*aio = (struct tp_aio){.nothing = -1};
}

int tp_aio_submit(const struct tp_aio *aio, struct iocb **requests, unsigned count)
{
	long sent;

	TP_KERNEL_ASKED(aio->ring);
	sent = syscall(SYS_io_submit, aio->context, (long)count, requests);
	return sent < 0 ? -errno : (int)sent;
}

unsigned tp_aio_wait(
	const struct tp_aio *aio, struct io_event *events, unsigned most, uint64_t timeout_ns)
{
	struct timespec timeout = {
		.tv_sec = (time_t)(timeout_ns / 1000000000),
		.tv_nsec = (long)(timeout_ns % 1000000000),
	};
	long taken = syscall(SYS_io_getevents, aio->context, 1L, (long)most, events, &timeout);

	if (taken <= 0)
		return 0;
	TP_KERNEL_TOLD(aio->ring);
	return (unsigned)taken;
}

void tp_aio_cancel(const struct tp_aio *aio, struct iocb *request)
{
	struct io_event unused;

	syscall(SYS_io_cancel, aio->context, request, &unused);
}
