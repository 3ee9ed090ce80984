/* Compiled for CPUs with AVX-512 and its bf16 extension, and called only there. */
#include "tensor/cpu/dropped.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* The sums of `blocks` times 32 outputs, two columns at a time: their values are interleaved, as
 * the product of pairs takes them. */
static inline __attribute__((always_inline)) void
block_sums(float *y, const float *known, const float *bias, const uint16_t *x,
           const uint16_t *columns, const nf_dropped_row *row, const size_t blocks) {
    const uint32_t *list = row->list;
    const size_t count = row->count, out = row->out;
    __m512 low[12], high[12];
#pragma GCC unroll 12
    for (size_t b = 0; b < blocks; b++) low[b] = high[b] = _mm512_setzero_ps();
    for (size_t i = 0; i < count; i += 2) {
        size_t j = list[i], k = i + 1 < count ? list[i + 1] : j;
        uint32_t other = i + 1 < count ? x[k] : 0;
        const uint16_t *first = columns + j * out, *second = columns + k * out;
        __m512bh weights = (__m512bh)_mm512_set1_epi32((int)(x[j] | other << 16));
#pragma GCC unroll 12
        for (size_t b = 0; b < blocks; b++) {
            __m512i u = _mm512_loadu_si512(first + 32 * b), v = _mm512_loadu_si512(second + 32 * b);
            low[b] = _mm512_dpbf16_ps(low[b], (__m512bh)_mm512_unpacklo_epi16(u, v), weights);
            high[b] = _mm512_dpbf16_ps(high[b], (__m512bh)_mm512_unpackhi_epi16(u, v), weights);
        }
    }
    /* interleaving left fours of neighbours in alternating registers */
    const __m512i front = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    const __m512i back =
        _mm512_setr_epi32(8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
    const __m512 factor = _mm512_set1_ps(row->keep);
#pragma GCC unroll 12
    for (size_t b = 0; b < blocks; b++)
#pragma GCC unroll 2
        for (size_t half = 0; half < 2; half++) {
            size_t at = 32 * b + 16 * half;
            __m512 sum = _mm512_permutex2var_ps(low[b], half ? back : front, high[b]);
            __m512 value = _mm512_sub_ps(_mm512_loadu_ps(known + at), sum);
            if (bias) value = _mm512_sub_ps(value, _mm512_loadu_ps(bias + at));
            _mm512_storeu_ps(y + at, _mm512_mul_ps(value, factor));
        }
}

void nf_dropped_forward(float *y, const float *known, const float *bias, const uint16_t *x,
                        const uint16_t *columns, const nf_dropped_row *row) {
    size_t at = 0, out = row->out;
    for (; at + 384 <= out; at += 384)
        block_sums(y + at, known + at, bias ? bias + at : NULL, x, columns + at, row, 12);
    for (; at + 128 <= out; at += 128)
        block_sums(y + at, known + at, bias ? bias + at : NULL, x, columns + at, row, 4);
    for (; at < out; at += 32)
        block_sums(y + at, known + at, bias ? bias + at : NULL, x, columns + at, row, 1);
}

void nf_dropped_backward(float *dx, const uint16_t *d, const uint16_t *columns,
                         const nf_dropped_row *row) {
    const uint32_t *list = row->list;
    size_t count = row->count, out = row->out;
    float keep = row->keep;
    for (size_t i = 0; i < count; i += 4) {
        const uint16_t *rows[4];
        size_t some = count - i < 4 ? count - i : 4;
        for (size_t k = 0; k < 4; k++)
            rows[k] = columns + (size_t)list[i + (k < some ? k : 0)] * out;
        __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
        for (size_t o = 0; o < out; o += 32) {
            __m512bh v = (__m512bh)_mm512_loadu_si512(d + o);
            s0 = _mm512_dpbf16_ps(s0, v, (__m512bh)_mm512_loadu_si512(rows[0] + o));
            s1 = _mm512_dpbf16_ps(s1, v, (__m512bh)_mm512_loadu_si512(rows[1] + o));
            s2 = _mm512_dpbf16_ps(s2, v, (__m512bh)_mm512_loadu_si512(rows[2] + o));
            s3 = _mm512_dpbf16_ps(s3, v, (__m512bh)_mm512_loadu_si512(rows[3] + o));
        }
        const __m512 sums[4] = {s0, s1, s2, s3};
        for (size_t k = 0; k < some; k++) dx[list[i + k]] -= keep * _mm512_reduce_add_ps(sums[k]);
    }
}
#endif
