/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/*
 * Descriptors that guests may not have, however many come: they are for operators, bills and logs.
 *
 * A new descriptor is the lowest that is free (open(2)), so that one which is near the limit of the
 * process says that all below it are in use: nothing is counted, and a limit that is changed while
 * the process runs (prlimit) holds at once.
 */

/**
 * Keep the last `count` descriptors below the limit of the process; none are kept at first.
 * Threading: before all others that use them.
 */
void tp_descriptors_keep(unsigned count);

/**
 * Is this new descriptor one of those that are kept?
 * @return 0, or -EMFILE with *error saying what the limit is and what raises it (at most 150
 *         characters); the descriptor stays open. Threading: any.
 */
int tp_descriptor_check(int fd, struct tp_error *error);
