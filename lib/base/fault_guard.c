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
	_Atomic uintptr_t base; /* control: rw, handler: ro; 0 when free */
	size_t length;          /* control: rw, handler: ro */
	atomic_bool *condemned; /* control: rw, handler: ro */
};

static struct guard_slot slots[GUARD_SLOTS];
static _Atomic int slots_used; /* high-water mark; control: rw, handler: ro */
static int wake_descriptor = -1;

static const struct guard_slot *find_slot(uintptr_t address)
{
	int used = atomic_load_explicit(&slots_used, memory_order_acquire);

	for (int i = 0; i < used; i++) {
		/* acquire: partner is the release store in tp_fault_guard_add */
		uintptr_t base = atomic_load_explicit(&slots[i].base, memory_order_acquire);

		if (base != 0 && address >= base && address - base < slots[i].length)
			return &slots[i];
	}
	return NULL;
}

/* The owner will unmap what the handler put there like the mapping it replaced. */
static bool put_zero_pages(const struct guard_slot *slot)
{
	void *base = (void *)atomic_load_explicit(&slot->base, memory_order_relaxed);

	return mmap(base, slot->length, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == base;
}

static void handle_sigbus(int signal_number, siginfo_t *info, void *context)
{
	const struct guard_slot *slot = find_slot((uintptr_t)info->si_addr);
	int saved_errno = errno;
	uint64_t one = 1;

	(void)context;
	if (slot == NULL || !put_zero_pages(slot)) {
		signal(signal_number,
			SIG_DFL); /* returning repeats the access and ends the process */
		return;
	}
	atomic_store_explicit(slot->condemned, true, memory_order_release);
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
	slots[i].length = length;
	slots[i].condemned = condemned;
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
