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
 * A slot is written by the control thread and read by the handler on whichever thread faulted, that
 * is perhaps while the slot is reused for another mapping. `version` is odd while it is written,
 * and never what it was before: what a reader found between two equal even versions belongs
 * together. The slot of the mapping that faulted itself stands still, since a mapping is only taken
 * out when nobody accesses it any more.
 */
struct guard_slot {
	_Atomic uint32_t version;         /* control: rw, handler: ro */
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
	/* acquire, all four: partners are the release stores in write_slot */
	uint32_t version = atomic_load_explicit(&slot->version, memory_order_acquire);

	guarded->base = (void *)atomic_load_explicit(&slot->base, memory_order_acquire);
	guarded->length = atomic_load_explicit(&slot->length, memory_order_acquire);
	guarded->condemned = atomic_load_explicit(&slot->condemned, memory_order_acquire);
	return guarded->base != NULL && version % 2 == 0 &&
	       atomic_load_explicit(&slot->version, memory_order_relaxed) == version;
}

/* release: a handler that sees one of these sees the odd version as well, or a later one */
static void write_slot(
	struct guard_slot *slot, uintptr_t base, size_t length, atomic_bool *condemned)
{
	uint32_t version = atomic_load_explicit(&slot->version, memory_order_relaxed);

	atomic_store_explicit(&slot->version, version + 1, memory_order_relaxed);
	atomic_store_explicit(&slot->base, base, memory_order_release);
	atomic_store_explicit(&slot->length, length, memory_order_release);
	atomic_store_explicit(&slot->condemned, condemned, memory_order_release);
	atomic_store_explicit(&slot->version, version + 2, memory_order_release);
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

static bool map_over(const struct guarded *guarded, int flags, int fd)
{
	return mmap(guarded->base, guarded->length, PROT_READ | PROT_WRITE,
		       flags | MAP_FIXED | MAP_NORESERVE, fd, 0) == guarded->base;
}

/* A file of its own: the kernel reckons only with those of its pages that are touched, even where
 * it promises no memory that it does not have (vm.overcommit_memory 2, RLIMIT_DATA). */
static bool map_empty_file(const struct guarded *guarded)
{
	int fd = memfd_create("turnpike-gone", MFD_CLOEXEC);
	bool mapped = fd >= 0 && ftruncate(fd, (off_t)guarded->length) == 0 &&
		      map_over(guarded, MAP_SHARED, fd);

	if (fd >= 0)
		close(fd);
	return mapped;
}

/*
 * The owner will unmap what the handler put there like the mapping it replaced. Two threads may
 * fault at once; then the second one's pages stay, and what the first one wrote meanwhile is lost,
 * which nobody misses.
 */
static bool put_zero_pages(const struct guarded *guarded)
{
	return map_over(guarded, MAP_PRIVATE | MAP_ANONYMOUS, -1) || map_empty_file(guarded);
}

/* As if there were no guard. A fault comes again when the access is repeated; a signal that was
 * sent (its si_addr means nothing) has to be sent again. */
static void end_process(int signal_number, const siginfo_t *info)
{
	signal(signal_number, SIG_DFL);
	if (info->si_code <= 0)
		raise(signal_number);
}

static void handle_sigbus(int signal_number, siginfo_t *info, void *context)
{
	int saved_errno = errno;
	uint64_t one = 1;
	struct guarded guarded;

	(void)context;
	if (info->si_code <= 0 || !find_guarded((uintptr_t)info->si_addr, &guarded) ||
		!put_zero_pages(&guarded)) {
		end_process(signal_number, info);
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
	write_slot(&slots[i], (uintptr_t)base, length, condemned);
	if (i == atomic_load_explicit(&slots_used, memory_order_relaxed))
		atomic_store_explicit(&slots_used, i + 1, memory_order_release);
	return i;
}

void tp_fault_guard_remove(int slot)
{
	if (slot >= 0)
		write_slot(&slots[slot], 0, 0, NULL);
}
