/* SPDX-License-Identifier: Apache-2.0
 * See crc32.h. 64 bytes are folded onto the next 64, until 16 are left that have the same remainder as all
 * before them; zlib does those and the rest. Method: Gopal et al., "Fast CRC Computation for Generic
 * Polynomials Using PCLMULQDQ Instruction" (Intel, 2009), bit-reflected.
 */
#include "net/crc32.h"

#include <string.h>
#include <zlib.h>

#ifdef __x86_64__
#include <immintrin.h>

#define FOLDED_BYTES 64u /* at once; shorter texts are zlib's */
#define WITH_CLMUL   JG_TARGET("pclmul,sse2")

static WITH_CLMUL __m128i fold(__m128i sum, __m128i by, __m128i next)
{
    __m128i low = _mm_clmulepi64_si128(sum, by, 0x00), high = _mm_clmulepi64_si128(sum, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

static WITH_CLMUL __m128i load(const uint8_t *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/** @param len at least FOLDED_BYTES. @return the checksum of the first len / 16 * 16 bytes */
static WITH_CLMUL uint32_t fold_all(uint32_t crc, const uint8_t *bytes, size_t len)
{
    /* x^(512+32), x^(512-32); x^(128+32), x^(128-32): modulo the polynomial, reflected */
    const __m128i by_64 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4);
    const __m128i by_16 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
    __m128i sums[4];
    uint8_t left[16];
    for (size_t i = 0; i < 4; i++)
        sums[i] = load(bytes + 16 * i);
    sums[0] = _mm_xor_si128(sums[0], _mm_cvtsi32_si128((int)~crc));
    for (bytes += FOLDED_BYTES, len -= FOLDED_BYTES; len >= FOLDED_BYTES; len -= FOLDED_BYTES) {
        for (size_t i = 0; i < 4; i++)
            sums[i] = fold(sums[i], by_64, load(bytes + 16 * i));
        bytes += FOLDED_BYTES;
    }
    for (size_t i = 1; i < 4; i++)
        sums[i] = fold(sums[i - 1], by_16, sums[i]);
    for (; len >= 16; len -= 16, bytes += 16)
        sums[3] = fold(sums[3], by_16, load(bytes));
    _mm_storeu_si128((__m128i *)(void *)left, sums[3]);
    return (uint32_t)crc32_z(UINT32_MAX, left, sizeof left); /* from a register of zeroes */
}

uint32_t jg_crc32(uint32_t crc, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    if (len >= FOLDED_BYTES && __builtin_cpu_supports("pclmul")) {
        crc = fold_all(crc, at, len);
        at += len / 16 * 16;
        len %= 16;
    }
    return (uint32_t)crc32_z(crc, at, len);
}
#else
uint32_t jg_crc32(uint32_t crc, const void *bytes, size_t len)
{
    return (uint32_t)crc32_z(crc, bytes, len);
}
#endif
