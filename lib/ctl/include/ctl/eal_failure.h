/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "base/error.h"

/**
 * Say why rte_eal_init has failed and what an operator can do: the EAL's own messages name neither
 * the limit nor the setting.
 *
 * @param code   rte_errno
 * @param error  filled in
 * @return -code. Threading: any.
 */
int tp_eal_explain(int code, struct tp_error *error);
