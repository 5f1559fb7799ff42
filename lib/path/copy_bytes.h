/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

/*
 * Copy bytes between guest memories, as wide as the file that includes this is compiled for. The
 * ranges do not overlap. AVX-512 has byte masks, so that every length takes the same straight way.
 */

#if defined(__AVX512BW__) && defined(__BMI2__)

static inline void tp_copy_bytes(uint8_t *to, const uint8_t *from, uint32_t length)
{
	__mmask64 rest;

	for (; length > 64; length -= 64, to += 64, from += 64)
		_mm512_storeu_si512(to, _mm512_loadu_si512(from));
	rest = _bzhi_u64(~UINT64_C(0), length);
	_mm512_mask_storeu_epi8(to, rest, _mm512_maskz_loadu_epi8(rest, from));
}

#elif defined(__AVX2__)

static inline void tp_copy_bytes(uint8_t *to, const uint8_t *from, uint32_t length)
{
	uint32_t offset = 0;

	if (length < 32) {
		memcpy(to, from, length);
		return;
	}
	for (; offset + 32 < length; offset += 32)
		_mm256_storeu_si256((__m256i *)(to + offset),
			_mm256_loadu_si256((const __m256i *)(from + offset)));
	/* the last 32 bytes, some of them perhaps a second time */
	_mm256_storeu_si256((__m256i *)(to + length - 32),
		_mm256_loadu_si256((const __m256i *)(from + length - 32)));
}

#else

static inline void tp_copy_bytes(uint8_t *to, const uint8_t *from, uint32_t length)
{
	memcpy(to, from, length);
}

#endif
