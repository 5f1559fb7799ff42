/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "classify.h"

/** The stage as one CPU compiles it, from the same source as the worker's (classify_variant.c). */
typedef void classify_variant(struct tp_burst *burst);

classify_variant classify_sse, classify_avx2, classify_avx512;
