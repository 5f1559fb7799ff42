/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>

#include "ctl/config.h"

/**
 * Open the devices of all uplinks, one after the other, and close them again.
 * @return a new object, a member an uplink: {"driver", "can": bits of TP_OFFLOADS and TP_CAN_...
 * (ctl/offloads.h)} or {"error"}. Threading: the main lcore, after rte_eal_init.
 */
json_t *tp_capabilities_probe(const struct tp_config *config);
