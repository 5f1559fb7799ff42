/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>

#include "ctl/config.h"

/** Who does what of that which a configuration wishes of its uplinks. @return rows, an object each.
 */
json_t *tp_plan_wishes(const struct tp_config *config, const char *path);

/** The tenants' networks, and how long their guests' packets may be. @return rows. */
json_t *tp_plan_tenants(const struct tp_config *config);

/** Write both as tables; nothing for a configuration without uplinks. */
void tp_plan_write_networks(json_t *wishes, json_t *tenants);
