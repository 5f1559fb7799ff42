/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest that acts between two reads of the worker, as the input says: the compiler calls us
 * before each load (clang, -fsanitize-coverage=trace-loads), and some of those that read guest
 * memory find it changed. So what a thread may meet once in a million times is met each time.
 *
 *   the guest's input: before each step a byte, after how many of the worker's reads it comes
 */
#include "ring_worker.h"

#define GAP_MASK 15

static const struct ring_guest *guest;
static struct input steps;
static unsigned gap;
static bool armed;

static void arm(void)
{
	armed = steps.size > 0;
	gap = input_u8(&steps) & GAP_MASK;
}

static void before_load(const void *address)
{
	if (!armed || !guest_owns(guest, address, 1) || gap-- > 0)
		return;
	armed = false; /* what the guest reads itself is nobody's business */
	guest_step(guest, &steps);
	arm();
}

#define BEFORE_LOAD(name, type)                                                                    \
	void name(const type *address);                                                            \
	void name(const type *address)                                                             \
	{                                                                                          \
		before_load(address);                                                              \
	}

BEFORE_LOAD(__sanitizer_cov_load1, uint8_t)
BEFORE_LOAD(__sanitizer_cov_load2, uint16_t)
BEFORE_LOAD(__sanitizer_cov_load4, uint32_t)
BEFORE_LOAD(__sanitizer_cov_load8, uint64_t)
BEFORE_LOAD(__sanitizer_cov_load16, __uint128_t)

void worker_race(const struct ring_guest *of, struct input guest_steps,
	void (*run)(struct input *input), struct input input)
{
	guest = of;
	steps = guest_steps;
	/* Some steps come first, so that there is something to read. */
	for (unsigned i = input_u8(&steps) & 7; i > 0; i--)
		guest_step(guest, &steps);
	arm();
	run(&input);
	armed = false;
}
