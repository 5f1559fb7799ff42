/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fault_guard.h"

/* Linux allows a process 65,530 mappings, so there can be no more guards than this. */
#define GUARD_SLOTS 65536

/*
 * A slot is filled by the control thread and read by the handler on whichever thread faulted.
 * `base` is the key: it is stored last and cleared first, so that a slot with a base is whole.
 */
struct guard_slot {
	_Atomic uintptr_t base;           /* control: rw, handler: ro; 0 when free */
	_Atomic size_t length;            /* control: rw, handler: ro */
	_Atomic(atomic_bool *) condemned; /* control: rw, handler: ro */
};

static struct guard_slot slots[GUARD_SLOTS];
static _Atomic int slots_used; /* high-water mark; control: rw, handler: ro */
static int wake_descriptor = -1;

/** What the handler needs of a slot, read while the control thread may be reusing it. */
struct guarded {
	void *base;
	size_t length;
	atomic_bool *condemned;
};

static bool read_slot(const struct guard_slot *slot, struct guarded *guarded)
{
	/* acquire: partner is the release store in tp_fault_guard_add */
	uintptr_t base = atomic_load_explicit(&slot->base, memory_order_acquire);

	guarded->base = (void *)base;
	guarded->length = atomic_load_explicit(&slot->length, memory_order_acquire);
	guarded->condemned = atomic_load_explicit(&slot->condemned, memory_order_acquire);
	/* The base is cleared first and stored last: if it is the same, all belongs together. */
	return base != 0 && atomic_load_explicit(&slot->base, memory_order_relaxed) == base;
}

static bool find_guarded(uintptr_t address, struct guarded *guarded)
{
	int used = atomic_load_explicit(&slots_used, memory_order_acquire);

	for (int i = 0; i < used; i++)
		if (read_slot(&slots[i], guarded) && address >= (uintptr_t)guarded->base &&
			address - (uintptr_t)guarded->base < guarded->length)
			return true;
	return false;
}

/* The owner will unmap what the handler put there like the mapping it replaced. */
static bool put_zero_pages(const struct guarded *guarded)
{
	return mmap(guarded->base, guarded->length, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
		       0) == guarded->base;
}

static void handle_sigbus(int signal_number, siginfo_t *info, void *context)
{
	int saved_errno = errno;
	uint64_t one = 1;
	struct guarded guarded;

	(void)context;
	if (!find_guarded((uintptr_t)info->si_addr, &guarded) || !put_zero_pages(&guarded)) {
		signal(signal_number,
			SIG_DFL); /* returning repeats the access and ends the process */
		return;
	}
	atomic_store_explicit(guarded.condemned, true, memory_order_release);
	if (wake_descriptor >= 0 && write(wake_descriptor, &one, sizeof(one)) < 0)
		(void)0; /* a saturated eventfd is already readable */
	errno = saved_errno;
}

int tp_fault_guard_install(int wake_fd)
{
	struct sigaction action = {.sa_sigaction = handle_sigbus, .sa_flags = SA_SIGINFO};

	wake_descriptor = wake_fd;
	sigemptyset(&action.sa_mask);
	return sigaction(SIGBUS, &action, NULL) == 0 ? 0 : -errno;
}

static int free_slot(void)
{
	int used = atomic_load_explicit(&slots_used, memory_order_relaxed);

	for (int i = 0; i < used; i++)
		if (atomic_load_explicit(&slots[i].base, memory_order_relaxed) == 0)
			return i;
	return used < GUARD_SLOTS ? used : -ENOSPC;
}

int tp_fault_guard_add(void *base, size_t length, atomic_bool *condemned)
{
	int i = free_slot();

	if (i < 0)
		return i;
	/* release: a handler that sees one of these sees the slot's base cleared before */
	atomic_store_explicit(&slots[i].length, length, memory_order_release);
	atomic_store_explicit(&slots[i].condemned, condemned, memory_order_release);
	atomic_store_explicit(&slots[i].base, (uintptr_t)base, memory_order_release);
	if (i == atomic_load_explicit(&slots_used, memory_order_relaxed))
		atomic_store_explicit(&slots_used, i + 1, memory_order_release);
	return i;
}

void tp_fault_guard_remove(int slot)
{
	if (slot >= 0)
		atomic_store_explicit(&slots[slot].base, 0, memory_order_release);
}
