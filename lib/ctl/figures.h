/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "appliance_private.h"

/*
 * Sums over counters, for `show` and telemetry alike. Counters are read while workers write them:
 * each figure is right for some moment, their sum need not be for the same one.
 */

/** Add the counters of one interface to a sum. */
void tp_sum_interface(struct tp_counters *sum, const struct tp_port *port);

/** Add those of all interfaces of a tenant, of a class, or of the appliance. */
void tp_sum_tenant(struct tp_counters *sum, const struct tp_appliance *appliance, uint32_t tenant);
void tp_sum_class(struct tp_counters *sum, const struct tp_appliance *appliance, uint32_t class);
void tp_sum_all(struct tp_counters *sum, const struct tp_appliance *appliance);

/** All drops of a sum. */
uint64_t tp_total_drops(const struct tp_counters *sum);
