/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>

/**
 * Sum charges up.
 *
 * @param charges  array of objects of "tenant", "interface", "class", "frames", "bytes",
 *                 "sixteenths"; what is no such object is left out
 * @param by       "tenant", "class", or "interface" (of a tenant, in a class)
 * @return a new array, ordered by name: objects of "tenant", "class", "interface" as far as `by`
 * tells them apart, "interfaces" (how many; not by interface), "frames", "bytes", "sixteenths"; or
 * NULL: no memory. Threading: any one thread.
 */
json_t *tp_bill_group(const json_t *charges, const char *by);

/** Sum up all charges: "interfaces", "frames", "bytes", "sixteenths". @return a new object, or
 * NULL.
 */
json_t *tp_bill_total(const json_t *charges);
