/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include <rte_cycles.h>

/*
 * Times as the time-stamp counter counts them, which is what the dataplane reckons with.
 */

/** TSC cycles of so many nanoseconds. Threading: any, after the EAL has started. */
static inline uint64_t tp_cycles_of_ns(uint64_t ns)
{
	return (uint64_t)((double)ns * (double)rte_get_tsc_hz() / 1e9);
}

/** The reverse. */
static inline uint64_t tp_ns_of_cycles(uint64_t cycles)
{
	return (uint64_t)((double)cycles * 1e9 / (double)rte_get_tsc_hz());
}
