/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "ledger_files.h"

/* What earlier runs left: half a line, a record that was not finished. */

/** Close the last line of the newest ledger; what is torn of it is told once, with file and line.
 * Threading: control thread, since it logs. */
void tp_ledger_mend(const struct tp_ledger_files *files);

/**
 * Append what the current files of other runs hold to the ledger, unless it is there, and remove
 * them; one that holds no record is removed as well. What could not be is counted in
 * files->unfolded.
 * @param tell  takes messages, or NULL: nobody listens
 * Threading: as tp_ledger_append.
 */
void tp_ledger_fold(struct tp_ledger_files *files, void (*tell)(const struct tp_error *error));

/** Log a message. Threading: control thread. */
void tp_ledger_tell(const struct tp_error *error);
