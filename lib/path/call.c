/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_atomic.h>
#include <rte_cycles.h>

#include "base/branch.h"
#include "call.h"
#include "state/cycles.h"

static int open_costly(struct tp_costly_calls *costly, struct tp_error *error)
{
	costly->allowed = tp_cycles_of_ns(TP_COSTLY_ALLOWED_NS);
	costly->ours = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (costly->ours < 0)
		return tp_error_set(error, errno, "eventfd: %s", strerror(errno));
	return 0;
}

int tp_calls_open(struct tp_calls *calls, struct tp_error *error)
{
	int result;

	*calls = (struct tp_calls){.costly.ours = -1};
	result = tp_aio_open(&calls->aio, TP_CALLS, error);
	if (result == 0)
		result = open_costly(&calls->costly, error);
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
	if (calls->costly.ours > 0)
		close(calls->costly.ours);
	calls->costly.ours = -1;
}

static void send_due(struct tp_calls *calls)
{
	uint64_t began = rte_rdtsc();
	unsigned done = 0;
	uint64_t took;

	while (done < calls->count) {
		int sent;

		tp_aio_forget(&calls->aio); /* they say nothing that we want to know */
		sent = tp_aio_submit(&calls->aio, calls->order + done, calls->count - done);
		/* One that the kernel refuses (no memory) is left out: it cannot be had better. */
		done += sent > 0 ? (unsigned)sent : 1;
	}
	took = rte_rdtsc() - began;
	if (TP_UNLIKELY(tp_costly_suspicious(&calls->costly, calls->count, took)))
		tp_costly_suspect(calls, took);
	calls->count = 0;
}

void tp_calls_make(struct tp_calls *calls)
{
	rte_smp_mb(); /* between the used indices and the guests' wishes: virtio 1.2, 2.7.7.2 */
	for (unsigned i = 0; i < calls->pending_count; i++) {
		const struct tp_call *call = &calls->pending[i];
		uint16_t now = call->now;

		if (call->ring->baton == NULL) {
			call->ring->call_pending = false;
			now = call->ring->next_avail;
		}
		if (!tp_split_call_wanted(call->ring, call->before, now))
			continue;
		if (TP_UNLIKELY(calls->costly.count > 0) && tp_call_costly(calls, call))
			continue;
		calls->due[calls->count] = call;
		calls->request[calls->count++].aio_resfd = (uint32_t)call->ring->call_fd;
		tp_counter_add_among(&call->context->counters.value[TP_COUNTER_CALLS], 1);
	}
	calls->pending_count = 0;
	if (calls->count > 0)
		send_due(calls);
}
