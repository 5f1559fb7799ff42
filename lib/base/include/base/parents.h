/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "base/error.h"

/**
 * Make the directories that a path leads through (0755), but not what it ends in.
 *
 * @param path   "/run/turnpike/control.sock" makes /run and /run/turnpike
 * @param error  the directory that cannot be made
 * @return 0 if they are there now, or negative errno with *error set. Threading: any.
 */
int tp_make_parents(const char *path, struct tp_error *error);
