/* Compiled for CPUs with AVX-512 and its bf16 extension, and called only there. */
#include "tensor/cpu/gradient.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* Eight rows of dW and three vectors of columns stay in registers while the tokens pass by. */
enum { ROWS = NF_GRADIENT_ROWS, VECTORS = NF_GRADIENT_STRIP / 16 };

static uint32_t pair_of(float even, float odd) {
    __m128bh both = _mm_cvtneps_pbh(_mm_setr_ps(even, odd, 0.0f, 0.0f));
    return (uint32_t)_mm_cvtsi128_si32((__m128i)both);
}

/* Where the words of column i begin, and how far apart a column's words are. */
static size_t strip_of(size_t i, size_t c, size_t width, size_t count, size_t *step) {
    size_t begin = i / width * width;
    *step = c - begin < width ? c - begin : width;
    return begin * count + (i - begin);
}

void nf_gradient_pairs(uint32_t *pairs, const float *x, size_t n, size_t c, size_t width,
                       size_t from, size_t to) {
    size_t count = (n + 1) / 2, step;
    for (size_t p = from; p < to; p++) {
        const float *even = x + 2 * p * c, *odd = 2 * p + 1 < n ? even + c : NULL;
        size_t i = 0;
        for (; i + 16 <= c; i += 16) {
            __m512 a = _mm512_loadu_ps(even + i);
            __m512 b = odd ? _mm512_loadu_ps(odd + i) : _mm512_setzero_ps();
            __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(a));
            __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(b));
            __m512i words = _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
            if (width % 16 == 0) {
                size_t at = strip_of(i, c, width, count, &step);
                _mm512_storeu_si512(pairs + at + p * step, words);
            } else { /* two strips of eight */
                size_t at = strip_of(i, c, width, count, &step);
                _mm256_storeu_si256((__m256i *)(pairs + at + p * step),
                                    _mm512_castsi512_si256(words));
                at = strip_of(i + 8, c, width, count, &step);
                _mm256_storeu_si256((__m256i *)(pairs + at + p * step),
                                    _mm512_extracti64x4_epi64(words, 1));
            }
        }
        for (; i < c; i++) {
            size_t at = strip_of(i, c, width, count, &step);
            pairs[at + p * step] = pair_of(even[i], odd ? odd[i] : 0.0f);
        }
    }
}

/* Words of a few columns, pair by pair `step` of them apart. */
typedef struct strip {
    const uint32_t *words;
    size_t step;
} strip;

static inline __attribute__((always_inline)) void
tile(float *dw, const nf_gradient *g, strip dy, strip x, const size_t rows, const size_t vectors) {
    __m512 sums[ROWS][VECTORS];
#pragma GCC unroll 8
    for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 3
        for (size_t v = 0; v < vectors; v++) sums[r][v] = _mm512_setzero_ps();
    for (size_t p = 0; p < g->count; p++, dy.words += dy.step, x.words += x.step) {
        __m512bh columns[VECTORS];
#pragma GCC unroll 3
        for (size_t v = 0; v < vectors; v++)
            columns[v] = (__m512bh)_mm512_loadu_si512(x.words + 16 * v);
#pragma GCC unroll 8
        for (size_t r = 0; r < rows; r++) {
            __m512bh row = (__m512bh)_mm512_set1_epi32((int)dy.words[r]);
#pragma GCC unroll 3
            for (size_t v = 0; v < vectors; v++)
                sums[r][v] = _mm512_dpbf16_ps(sums[r][v], columns[v], row);
        }
    }
#pragma GCC unroll 8
    for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 3
        for (size_t v = 0; v < vectors; v++) {
            float *place = dw + r * g->in + 16 * v;
            _mm512_storeu_ps(place, g->accumulate
                                        ? _mm512_add_ps(_mm512_loadu_ps(place), sums[r][v])
                                        : sums[r][v]);
        }
}

void nf_gradient_rows(const nf_gradient *g, size_t from, size_t to) {
    for (size_t o = from; o < to;) {
        strip dy, x;
        dy.words = g->dy + strip_of(o, g->out, ROWS, g->count, &dy.step);
        size_t rows = to - o >= ROWS && dy.step == ROWS ? ROWS : 1;
        for (size_t i = 0; i < g->in;) {
            x.words = g->x + strip_of(i, g->in, NF_GRADIENT_STRIP, g->count, &x.step);
            size_t vectors = x.step == NF_GRADIENT_STRIP ? VECTORS : 1;
            float *place = g->dw + o * g->in + i;
            if (rows == ROWS && vectors == VECTORS)
                tile(place, g, (strip){dy.words, ROWS}, (strip){x.words, NF_GRADIENT_STRIP}, ROWS,
                     VECTORS);
            else if (rows == ROWS)
                tile(place, g, (strip){dy.words, ROWS}, x, ROWS, 1);
            else if (vectors == VECTORS)
                tile(place, g, dy, (strip){x.words, NF_GRADIENT_STRIP}, 1, VECTORS);
            else
                tile(place, g, dy, x, 1, 1);
            i += 16 * vectors;
        }
        o += rows;
    }
}
#endif
