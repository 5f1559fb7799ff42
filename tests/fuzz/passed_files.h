/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "input.h"

/*
 * Descriptors that a front-end may pass: memory files of many sizes, and everything else that a
 * descriptor can be. They are opened once; what an input did to them is undone before the next.
 */

#define PASSED_FILES 8  /* of these are memory, and come first */
#define PASSED_KINDS 24 /* in all */

/** Open them all. */
void passed_open(void);

/** A descriptor of a kind, modulo PASSED_KINDS. */
int passed_fd(uint8_t kind);

/** Change the size of a memory file (modulo PASSED_FILES), if its seals allow it. */
void passed_resize(uint8_t kind, uint64_t size);

/** Write to a memory file, as a guest would to its memory. */
void passed_write(uint8_t kind, uint64_t offset, const uint8_t *bytes, size_t size);

/** As they were opened. */
void passed_reset(void);
