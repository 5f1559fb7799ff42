/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>

/**
 * What the devices of a configuration's uplinks can: asked of turnpiked --capabilities, a process
 * of its own, because this command needs no DPDK. It is looked for beside this program, in the
 * build directory's place, and then by PATH.
 * @return an object, a member an uplink: {"driver", "can"} or {"error"}; NULL if nobody tells.
 */
json_t *tp_ask_capabilities(const char *path);
