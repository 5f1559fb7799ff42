/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <sched.h>

#include "base/error.h"
#include "ctl/config.h"

/**
 * The CPUs of this machine that are online.
 *
 * @param cpus   set on success, never empty
 * @param error  why the machine does not tell
 * @return 0, or negative errno. Threading: any.
 * Source: /sys/devices/system/cpu/online, "0-3,8"; without sysfs the CPUs this process may use.
 */
int tp_cpus_online(cpu_set_t *cpus, struct tp_error *error);

/** Write a set as "0-3,8". @return buffer. Threading: any. */
const char *tp_cpus_format(const cpu_set_t *cpus, char *buffer, size_t size);

/**
 * Check that the CPUs which a configuration names are on this machine.
 * @return 0, -ENODEV with *error set, or another negative errno if the machine does not tell.
 * Threading: any.
 */
int tp_cpus_check(const struct tp_config *config, struct tp_error *error);
