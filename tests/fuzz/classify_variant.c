/* SPDX-License-Identifier: BSD-3-Clause */
/* Compiled once for each vector width, as lib/path/forward.c is. */
#include "classify_variant.h"

void CLASSIFY(struct tp_burst *burst)
{
	tp_classify(burst);
}
