/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <rte_eal.h>

/** Start the EAL for a test: small, without huge pages. @return did it? */
static inline bool start_eal(void)
{
	char *arguments[] = {"unit", "--no-huge", "--no-pci", "--no-telemetry", "--no-shconf",
		"-m64", "-l0", "--log-level=*:error", NULL};

	return rte_eal_init(8, arguments) >= 0;
}
