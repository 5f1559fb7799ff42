/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "base/error.h"

/**
 * Have the kernel refuse, in all threads of this process and for good, the system calls that the
 * appliance has no use for (seccomp(2)). Those listed as useful work as before. Those by which a
 * taken-over process would go on (other programs, other processes, the machine's own state) end the
 * process. All others fail with EPERM, so that a library that tries something new is refused and
 * not a thousand guests with it; the kernel's audit log tells both kinds. clone3(2), whose flags a
 * filter cannot see, fails with ENOSYS, upon which C libraries use clone(2).
 *
 * A build with a sanitizer is not confined: its leak checker traces the process from a second one.
 *
 * @return 0, or negative errno with *error set. Threading: any; sets no_new_privs, too.
 */
int tp_system_calls_confine(struct tp_error *error);
