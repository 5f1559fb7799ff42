/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call.h"

/* What lies at the address that is the context's id: Linux, fs/aio.c, struct aio_ring. */
struct completions {
	uint32_t id;
	uint32_t count;
	uint32_t head; /* of the events not yet taken: ours */
	uint32_t tail; /* the kernel's */
	uint32_t magic;
};

#define COMPLETIONS_MAGIC 0xa10a10a1u

static struct completions *completions_of(const struct tp_calls *calls)
{
	return (struct completions *)(uintptr_t)calls->context;
}

/* They say nothing that we want to know, but must not fill their ring. */
static void forget_completions(const struct tp_calls *calls)
{
	struct completions *done = completions_of(calls);
	uint32_t tail = __atomic_load_n(&done->tail, __ATOMIC_ACQUIRE);

	__atomic_store_n(&done->head, tail, __ATOMIC_RELEASE);
}

static int set_up(struct tp_calls *calls)
{
	if (syscall(SYS_io_setup, TP_CALLS, &calls->context) < 0)
		return -errno;
	if (completions_of(calls)->magic != COMPLETIONS_MAGIC)
		return -ENOTSUP;
	calls->nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return calls->nothing < 0 ? -errno : 0;
}

int tp_calls_open(struct tp_calls *calls, struct tp_error *error)
{
	int result;

	*calls = (struct tp_calls){.nothing = -1};
	result = set_up(calls);
	if (result < 0) {
		tp_calls_close(calls);
		return tp_error_set(error, -result,
			"guests cannot be notified: asynchronous I/O of this kernel (io_setup, "
			"/dev/null): %s; fs.aio-max-nr may be too low",
			strerror(-result));
	}
	for (unsigned i = 0; i < TP_CALLS; i++) {
		calls->request[i] = (struct iocb){
			.aio_lio_opcode = IOCB_CMD_PREAD,
			.aio_fildes = (uint32_t)calls->nothing,
			.aio_buf = (uintptr_t)calls,
			.aio_flags = IOCB_FLAG_RESFD,
		};
		calls->order[i] = &calls->request[i];
	}
	return 0;
}

void tp_calls_close(struct tp_calls *calls)
{
	if (calls->context != 0)
		syscall(SYS_io_destroy, calls->context);
	if (calls->nothing > 0)
		close(calls->nothing);
	*calls = (struct tp_calls){.nothing = -1};
}

void tp_calls_send(struct tp_calls *calls)
{
	unsigned done = 0;

	while (done < calls->count) {
		long sent;

		forget_completions(calls);
		sent = syscall(SYS_io_submit, calls->context, (long)(calls->count - done),
			calls->order + done);
		/* One that the kernel refuses (no memory) is left out: it cannot be had better. */
		done += sent > 0 ? (unsigned)sent : 1;
	}
	calls->count = 0;
}
