/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Files of lines, as the ledger needs them. Threading: any; a descriptor is one thread's. */

/** Write all of it. @return 0, or negative errno when part of it may have been written. */
int tp_text_write(int fd, const char *text, size_t length);

/** Is the last of `size` bytes a line's end? What cannot be read does not end one. */
bool tp_text_ends_line(int fd, off_t size);

/**
 * Read the last line, whether or not it has an end.
 * @param line  set to the bytes without the end, to be freed
 * @return 0, or negative errno; -ENODATA: the file is empty.
 */
int tp_text_last_line(int fd, char **line, size_t *length);

/** Count the line ends. @return how many, 0 if the file cannot be read. */
unsigned long tp_text_count_lines(int fd);

/**
 * Read a whole file of a directory, at most 1 GiB.
 * @param text  set to its bytes and a 0 behind them, to be freed
 * @return 0, or negative errno.
 */
int tp_text_read(int directory, const char *name, char **text, size_t *length);
