/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <sys/types.h>

#include "base/error.h"

/**
 * Make the directories that a path leads through (0755), but not what it ends in.
 *
 * @param path   "/run/turnpike/control.sock" makes /run and /run/turnpike
 * @param error  the directory that cannot be made
 * @return 0 if they are there now, or negative errno with *error set. Threading: any.
 */
int tp_make_parents(const char *path, struct tp_error *error);

/** The same; those that were not there belong to this user and group (-1: as made). */
int tp_make_parents_for(const char *path, uid_t uid, gid_t gid, struct tp_error *error);

/**
 * Make one directory if it is not there, and give it to a user and group (-1: as made).
 * @return 0 if it is there now, or negative errno with *error set. Threading: any.
 */
int tp_make_directory(const char *path, mode_t mode, uid_t uid, gid_t gid, struct tp_error *error);
