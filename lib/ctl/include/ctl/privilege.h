/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "ctl/config.h"

/*
 * Least privilege. The appliance is started as root, or as the user that it is to run as; when it
 * serves its first guest it has the rights of that user and no more:
 *
 *   prepare  directories are made and given to the user; nothing can be gained by executing
 *            a program any more (no_new_privs, an empty bounding set)
 *   the EAL, uplinks  take memory and devices
 *   drop     groups, user, capabilities, then the filter of system calls; for all threads
 *
 * Sockets, the ledger and whatever else the appliance makes are made after that, so that what would
 * fail at run time fails at the start. Uplinks cannot come while it runs.
 */

/**
 * Check that this process can become what the configuration says, make the directories of its
 * sockets and of its ledger, and give up what executing a program could bring.
 *
 * @param config  after tp_config_check_machine
 * @param error   the JSON path, what was found, what to do
 * @return 0, or negative errno with *error set. Threading: before there are other threads.
 */
int tp_privilege_prepare(const struct tp_config *config, struct tp_error *error);

/**
 * Become the configured user for good, with its groups and those of sockets; drop capabilities; let
 * the kernel refuse the system calls that the appliance has no use for.
 *
 * @param made  the EAL's runtime directory, which goes to the user too; "": none
 * @return 0, or negative errno with *error set; the process should end then. Threading: any one
 * thread; it takes effect on all.
 */
int tp_privilege_drop(const struct tp_config *config, const char *made, struct tp_error *error);
