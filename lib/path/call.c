/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "call.h"

int tp_calls_open(struct tp_calls *calls, struct tp_error *error)
{
	int result;

	*calls = (struct tp_calls){0};
	result = tp_aio_open(&calls->aio, TP_CALLS, error);
	if (result < 0) {
		tp_error_prefix(error, "guests cannot be notified");
		return result;
	}
	for (unsigned i = 0; i < TP_CALLS; i++) {
		calls->request[i] = (struct iocb){
			.aio_lio_opcode = IOCB_CMD_PREAD,
			.aio_fildes = (uint32_t)calls->aio.nothing,
			.aio_buf = (uintptr_t)calls,
			.aio_flags = IOCB_FLAG_RESFD,
		};
		calls->order[i] = &calls->request[i];
	}
	return 0;
}

void tp_calls_close(struct tp_calls *calls)
{
	tp_aio_close(&calls->aio);
}

void tp_calls_send(struct tp_calls *calls)
{
	unsigned done = 0;

	while (done < calls->count) {
		int sent;

		tp_aio_forget(&calls->aio); /* they say nothing that we want to know */
		sent = tp_aio_submit(&calls->aio, calls->order + done, calls->count - done);
		/* One that the kernel refuses (no memory) is left out: it cannot be had better. */
		done += sent > 0 ? (unsigned)sent : 1;
	}
	calls->count = 0;
}
