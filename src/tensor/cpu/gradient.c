/* Compiled for CPUs with AVX-512 and its bf16 extension, and called only there. */
#include "tensor/cpu/gradient.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* Eight rows of dW and three vectors of columns stay in registers while the tokens pass by. */
enum { ROWS = 8, VECTORS = 3 };

static uint32_t pair_of(float even, float odd) {
    __m128bh both = _mm_cvtneps_pbh(_mm_setr_ps(even, odd, 0.0f, 0.0f));
    return (uint32_t)_mm_cvtsi128_si32((__m128i)both);
}

void nf_gradient_pairs(uint32_t *pairs, const float *x, size_t n, size_t c, size_t from,
                       size_t to) {
    for (size_t p = from; p < to; p++) {
        const float *even = x + 2 * p * c, *odd = 2 * p + 1 < n ? even + c : NULL;
        size_t i = 0;
        for (; i + 16 <= c; i += 16) {
            __m512 a = _mm512_loadu_ps(even + i);
            __m512 b = odd ? _mm512_loadu_ps(odd + i) : _mm512_setzero_ps();
            __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(a));
            __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(b));
            _mm512_storeu_si512(pairs + p * c + i,
                                _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
        }
        for (; i < c; i++) pairs[p * c + i] = pair_of(even[i], odd ? odd[i] : 0.0f);
    }
}

static inline __attribute__((always_inline)) void
tile(float *dw, const uint32_t *dy, const uint32_t *x, size_t count, size_t out, size_t in,
     const size_t rows, const size_t vectors) {
    __m512 sums[ROWS][VECTORS];
#pragma GCC unroll 8
    for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 3
        for (size_t v = 0; v < vectors; v++) sums[r][v] = _mm512_setzero_ps();
    for (size_t p = 0; p < count; p++, dy += out, x += in) {
        __m512bh columns[VECTORS];
#pragma GCC unroll 3
        for (size_t v = 0; v < vectors; v++)
            columns[v] = (__m512bh)_mm512_loadu_si512(x + 16 * v);
#pragma GCC unroll 8
        for (size_t r = 0; r < rows; r++) {
            __m512bh row = (__m512bh)_mm512_set1_epi32((int)dy[r]);
#pragma GCC unroll 3
            for (size_t v = 0; v < vectors; v++)
                sums[r][v] = _mm512_dpbf16_ps(sums[r][v], columns[v], row);
        }
    }
#pragma GCC unroll 8
    for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 3
        for (size_t v = 0; v < vectors; v++) {
            float *place = dw + r * in + 16 * v;
            _mm512_storeu_ps(place, _mm512_add_ps(_mm512_loadu_ps(place), sums[r][v]));
        }
}

void nf_gradient_rows(float *dw, const uint32_t *dy, const uint32_t *x, size_t count, size_t out,
                      size_t in, size_t from, size_t to) {
    for (size_t i = 0; i < in;) { /* a strip of x stays in the cache while the rows pass by */
        size_t vectors = in - i >= 16 * VECTORS ? VECTORS : 1;
        for (size_t o = from; o < to;) {
            float *place = dw + o * in + i;
            size_t rows = to - o >= ROWS ? ROWS : 1;
            if (rows == ROWS && vectors == VECTORS)
                tile(place, dy + o, x + i, count, out, in, ROWS, VECTORS);
            else if (rows == ROWS) tile(place, dy + o, x + i, count, out, in, ROWS, 1);
            else if (vectors == VECTORS) tile(place, dy + o, x + i, count, out, in, 1, VECTORS);
            else tile(place, dy + o, x + i, count, out, in, 1, 1);
            o += rows;
        }
        i += 16 * vectors;
    }
}
#endif
