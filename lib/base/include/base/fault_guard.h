/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/*
 * A guest can truncate the file behind its memory at any time; the next access then raises SIGBUS,
 * as it does when the file's system has no room for a page that was never touched, or when the page
 * is lost to a hardware error. The guard knows every guest mapping: its handler replaces the
 * mapping that faulted by zero pages, raises the owner's flag, and the access goes on, on whichever
 * thread it was. A SIGBUS elsewhere, or one that somebody sent, is nobody's guest and ends the
 * process as usual.
 */

/**
 * Install the SIGBUS handler for the process.
 * @param wake_fd  eventfd written when a mapping is condemned, or -1
 * @return 0, or negative errno. Threading: once, before workers start.
 */
int tp_fault_guard_install(int wake_fd);

/**
 * Put a mapping under guard.
 * @param base, length  the whole mapping, page-aligned as mmap returned it
 * @param condemned     set to true by the handler; must outlive the guard
 * @return a slot number >= 0, or -ENOSPC. Threading: control thread.
 */
int tp_fault_guard_add(void *base, size_t length, atomic_bool *condemned);

/** Take a mapping out again, after the last access and before munmap. Threading: control thread. */
void tp_fault_guard_remove(int slot);
