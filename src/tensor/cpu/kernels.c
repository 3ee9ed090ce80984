/* Compiled with -ffast-math: sums may be reordered, expf, erff and tanhf become libmvec's vector
 * functions. NF_ISA names the instruction set. */
#include "tensor/cpu/kernels.h"

#include <float.h>
#include <math.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
#define TEXT2(a) #a
#define TEXT(a) TEXT2(a)

typedef float v16 __attribute__((vector_size(64), aligned(4)));

/* ---------------------------------------------------------------- dropout */

enum { LANES = 16, MASK = 8 * LANES };

/* 64-bit lanes of the widest vectors there are, and the product of their lower halves: compilers do
 * not find this instruction for a loop over 32-bit numbers. */
#if defined(__AVX512F__)
typedef uint64_t lanes __attribute__((vector_size(64)));
#define MULTIPLY(a, b) ((lanes)_mm512_mul_epu32((__m512i)(a), (__m512i)(b)))
#elif defined(__AVX2__)
typedef uint64_t lanes __attribute__((vector_size(32)));
#define MULTIPLY(a, b) ((lanes)_mm256_mul_epu32((__m256i)(a), (__m256i)(b)))
#elif defined(__SSE2__)
typedef uint64_t lanes __attribute__((vector_size(16)));
#define MULTIPLY(a, b) ((lanes)_mm_mul_epu32((__m128i)(a), (__m128i)(b)))
#else
typedef uint64_t lanes __attribute__((vector_size(16)));
#define MULTIPLY(a, b) (((a)&0xFFFFFFFFu) * ((b)&0xFFFFFFFFu))
#endif
enum { WIDE = sizeof(lanes) / sizeof(uint64_t) };

/* The random numbers of 16 blocks of a stream, eight a block. Only the lower halves of the lanes
 * count; what the upper ones gather is never read. */
static void philox_numbers(const nf_dropout *d, const uint64_t blocks[LANES],
                           uint16_t numbers[MASK]) {
    const lanes zero = {0}, m0 = zero + 0xD2511F53u, m1 = zero + 0xCD9E8D57u;
    lanes c0[LANES / WIDE], c1[LANES / WIDE], c2[LANES / WIDE], c3[LANES / WIDE];
    for (int v = 0; v < LANES / WIDE; v++) {
        memcpy(&c0[v], blocks + v * WIDE, sizeof c0[v]);
        c1[v] = zero + d->stream;
        c2[v] = zero + (uint32_t)d->step;
        c3[v] = c0[v] >> 32 ^ (zero + (uint32_t)(d->step >> 32));
    }
    uint32_t k0 = (uint32_t)d->seed, k1 = (uint32_t)(d->seed >> 32);
    for (int round = 0; round < 10; round++) {
        for (int v = 0; v < LANES / WIDE; v++) {
            lanes p0 = MULTIPLY(c0[v], m0), p1 = MULTIPLY(c2[v], m1);
            c0[v] = p1 >> 32 ^ c1[v] ^ (zero + k0);
            c2[v] = p0 >> 32 ^ c3[v] ^ (zero + k1);
            c1[v] = p1;
            c3[v] = p0;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int v = 0; v < LANES / WIDE; v++) {
        lanes low = (c0[v] & 0xFFFFFFFFu) | c1[v] << 32, high = (c2[v] & 0xFFFFFFFFu) | c3[v] << 32;
        for (int i = 0; i < WIDE; i++) {
            uint64_t pair[2] = {low[i], high[i]}; /* little-endian, as all that we run on */
            memcpy(numbers + 8 * (v * WIDE + i), pair, sizeof pair);
        }
    }
}

/* The numbers of the elements first .. first+127, first a multiple of 8. */
static void numbers_from(const nf_dropout *d, uint64_t first, uint16_t numbers[MASK]) {
    uint64_t blocks[LANES];
    for (int i = 0; i < LANES; i++) blocks[i] = (d->first + first) / 8 + (uint64_t)i;
    philox_numbers(d, blocks, numbers);
}

static bool drops(const nf_dropout *d) {
    return d && d->p > 0.0;
}

static float keep_factor(const nf_dropout *d) {
    return (float)(1.0 / (1.0 - nf_dropout_threshold(d) / 65536.0));
}

static void dropout(float *y, const float *x, size_t from, size_t to, const nf_dropout *d) {
    if (!drops(d)) {
        if (y != x && to > from) memmove(y + from, x + from, (to - from) * sizeof *y);
        return;
    }
    uint16_t numbers[MASK];
    uint32_t threshold = nf_dropout_threshold(d);
    float keep = keep_factor(d);
    for (size_t at = from; at < to; at += MASK) {
        size_t n = to - at < MASK ? to - at : MASK;
        numbers_from(d, at, numbers);
        for (size_t i = 0; i < n; i++) y[at + i] = numbers[i] < threshold ? 0.0f : x[at + i] * keep;
    }
}

static void dropout_at(float *x, uint64_t first, size_t n, const nf_dropout *d) {
    uint16_t numbers[MASK];
    uint32_t threshold = nf_dropout_threshold(d);
    float keep = keep_factor(d);
    for (size_t at = 0; at < n; at += MASK) {
        size_t count = n - at < MASK ? n - at : MASK;
        numbers_from(d, first + at, numbers);
        for (size_t i = 0; i < count; i++) x[at + i] *= numbers[i] < threshold ? 0.0f : keep;
    }
}

static size_t dropped_elements(uint32_t *list, size_t from, size_t to, const nf_dropout *d) {
    uint16_t numbers[MASK];
    uint32_t threshold = nf_dropout_threshold(d);
    size_t count = 0;
    for (size_t at = from & ~(size_t)7; at < to; at += MASK) {
        size_t first = at < from ? from - at : 0, end = to - at < MASK ? to - at : MASK;
        numbers_from(d, at, numbers);
#if defined(__AVX512BW__)
        const __m512i most = _mm512_set1_epi16((short)(threshold - 1));
        for (size_t i = 0; i < end; i += 32) {
            __mmask32 bits = _mm512_cmple_epu16_mask(_mm512_loadu_si512(numbers + i), most);
            if (i < first) bits &= ~(uint32_t)0 << (first - i); /* first < 8 */
            if (end - i < 32) bits &= ((uint32_t)1 << (end - i)) - 1;
            for (; bits; bits &= bits - 1)
                list[count++] = (uint32_t)(at + i + (size_t)__builtin_ctz(bits) - from);
        }
#else
        for (size_t i = first; i < end; i++) {
            list[count] = (uint32_t)(at + i - from);
            count += numbers[i] < threshold;
        }
#endif
    }
    return count;
}

/* ---------------------------------------------------------------- elementwise */

static void to_bf16(uint16_t *y, const float *x, size_t n) {
    size_t i = 0;
#if defined(__AVX512F__) && defined(__AVX512BW__)
    /* as below, which GCC 12 turns into code three times as long */
    const __m512i half = _mm512_set1_epi32(0x7FFF), one = _mm512_set1_epi32(1);
    for (; i + 16 <= n; i += 16) {
        __m512i bits = _mm512_loadu_si512(x + i);
        __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), one);
        bits = _mm512_add_epi32(bits, _mm512_add_epi32(half, odd));
        _mm256_storeu_si256((__m256i *)(y + i), _mm512_cvtepi32_epi16(_mm512_srli_epi32(bits, 16)));
    }
#endif
    for (; i < n; i++) { /* to nearest, ties to even; NaN stays NaN in what we store */
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        y[i] = (uint16_t)((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
    }
}

static void round_rows(uint8_t *y, float *scales, const float *x, size_t rows, size_t c) {
    for (size_t r = 0; r < rows; r++, x += c, y += c) {
        float most = 0.0f;
        for (size_t i = 0; i < c; i++) {
            float size = __builtin_fabsf(x[i]);
            most = size > most ? size : most;
        }
        float inverse = most > 0.0f ? 127.0f / most : 0.0f;
        scales[r] = most / 127.0f;
        for (size_t i = 0; i < c; i++) /* to nearest: what is cut off has a half added */
            y[i] = (uint8_t)(int32_t)(x[i] * inverse + 128.5f);
    }
}

static void from_sums(float *y, const float *row_scales, const float *scales, const int32_t *sums,
                      const float *bias, size_t rows, size_t n) {
    for (size_t r = 0; r < rows; r++, y += n) {
        const int32_t *given = (const int32_t *)y;
        float scale = row_scales[r];
        if (bias)
            for (size_t i = 0; i < n; i++)
                y[i] = (float)(given[i] - sums[i]) * (scale * scales[i]) + bias[i];
        else
            for (size_t i = 0; i < n; i++) y[i] = (float)(given[i] - sums[i]) * (scale * scales[i]);
    }
}

static void axpy(float *y, float alpha, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] += alpha * x[i];
}

#define SQRT_2_PI 0.7978845608028654f
#define INV_SQRT_2PI 0.3989422804014327f

/* e^x for x <= 0 (below -86 as at -86, which is nothing): 2^n times a polynomial of the rest
 * (relative error 2e-7); unlike a call of libmvec's, it leaves the loop's registers alone. */
static inline float exp_negative(float x) {
    x = x > -86.0f ? x : -86.0f;
    float scaled = x * 1.44269504f, whole = __builtin_floorf(scaled + 0.5f), f = scaled - whole;
    float p = 1.535336188e-4f;
    p = p * f + 1.339887440e-3f;
    p = p * f + 9.618437357e-3f;
    p = p * f + 5.550332471e-2f;
    p = p * f + 2.402264791e-1f;
    p = p * f + 6.931472028e-1f;
    p = p * f + 1.0f;
    /* unsigned: a diverging run has rows that are no numbers, whose x may be anything */
    union {
        uint32_t bits;
        float value;
    } power = {.bits = (uint32_t)((int32_t)whole + 127) << 23};
    return p * power.value;
}

/* The normal distribution's density (times sqrt(2 pi)) and the distribution at x, by Abramowitz and
 * Stegun's 7.1.26: the error function to 1.5e-7 from the same exponential. */
static inline float normal_cdf(float x, float *density) {
    float square = x * x, a = __builtin_fabsf(x) * 0.70710678f, t = 1.0f / (1.0f + 0.3275911f * a);
    float e = exp_negative(-0.5f * square);
    float tail = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t +
                  0.254829592f) *
                 t * (0.5f * e);
    *density = e;
    return x < 0.0f ? tail : 1.0f - tail;
}

static void activation_forward(nf_activation kind, float *y, const float *x, size_t n) {
    switch (kind) {
    case NF_ACTIVATION_GELU:
        for (size_t i = 0; i < n; i++) {
            float density;
            y[i] = x[i] * normal_cdf(x[i], &density);
        }
        break;
    case NF_ACTIVATION_GELU_TANH:
        for (size_t i = 0; i < n; i++)
            y[i] =
                0.5f * x[i] * (1.0f + tanhf(SQRT_2_PI * (x[i] + 0.044715f * x[i] * x[i] * x[i])));
        break;
    case NF_ACTIVATION_RELU:
        for (size_t i = 0; i < n; i++) y[i] = x[i] > 0.0f ? x[i] : 0.0f;
        break;
    case NF_ACTIVATION_TANH:
        for (size_t i = 0; i < n; i++) y[i] = tanhf(x[i]);
        break;
    case NF_ACTIVATION_SILU:
        for (size_t i = 0; i < n; i++) y[i] = x[i] / (1.0f + expf(-x[i]));
        break;
    case NF_ACTIVATION_NONE:
        if (y != x && n) memmove(y, x, n * sizeof *y);
        break;
    }
}

static void activation_backward(nf_activation kind, float *dx, const float *dy, const float *x,
                                size_t n) {
    switch (kind) {
    case NF_ACTIVATION_GELU:
        for (size_t i = 0; i < n; i++) {
            float density, cdf = normal_cdf(x[i], &density);
            dx[i] = dy[i] * (cdf + x[i] * density * INV_SQRT_2PI);
        }
        break;
    case NF_ACTIVATION_GELU_TANH:
        for (size_t i = 0; i < n; i++) {
            float t = tanhf(SQRT_2_PI * (x[i] + 0.044715f * x[i] * x[i] * x[i]));
            dx[i] = dy[i] * (0.5f * (1.0f + t) + 0.5f * x[i] * (1.0f - t * t) * SQRT_2_PI *
                                                     (1.0f + 0.134145f * x[i] * x[i]));
        }
        break;
    case NF_ACTIVATION_RELU:
        for (size_t i = 0; i < n; i++) dx[i] = x[i] > 0.0f ? dy[i] : 0.0f;
        break;
    case NF_ACTIVATION_TANH:
        for (size_t i = 0; i < n; i++) dx[i] = dy[i] * (1.0f - tanhf(x[i]) * tanhf(x[i]));
        break;
    case NF_ACTIVATION_SILU:
        for (size_t i = 0; i < n; i++) {
            float s = 1.0f / (1.0f + expf(-x[i]));
            dx[i] = dy[i] * s * (1.0f + x[i] * (1.0f - s));
        }
        break;
    case NF_ACTIVATION_NONE:
        if (dx != dy && n) memmove(dx, dy, n * sizeof *dx);
        break;
    }
}

static void scale_columns(float *y, const float *x, const float *s, float alpha, size_t rows,
                          size_t cols, bool accumulate) {
    for (size_t r = 0; r < rows; r++) {
        float *out = y + r * cols;
        const float *in = x + r * cols;
        if (accumulate)
            for (size_t c = 0; c < cols; c++) out[c] += alpha * in[c] * s[c];
        else
            for (size_t c = 0; c < cols; c++) out[c] = alpha * in[c] * s[c];
    }
}

/* ---------------------------------------------------------------- reductions */

static void column_sums(float *restrict y, const float *restrict x, size_t rows, size_t cols,
                        size_t from, size_t to) {
    for (size_t r = 0; r < rows; r++)
        for (size_t c = from; c < to; c++) y[c] += x[r * cols + c];
}

static void column_dots(float *restrict y, const float *restrict a, const float *restrict b,
                        size_t rows, size_t cols, size_t from, size_t to) {
    for (size_t r = 0; r < rows; r++)
        for (size_t c = from; c < to; c++) y[c] += a[r * cols + c] * b[r * cols + c];
}

/* In float over short runs, the runs in double. */
static double dot(const float *a, const float *b, size_t n) {
    enum { RUN = 1024 };
    double total = 0.0;
    for (size_t at = 0; at < n; at += RUN) {
        size_t end = n - at < RUN ? n : at + RUN;
        float sum = 0.0f;
        for (size_t i = at; i < end; i++) sum += a[i] * b[i];
        total += (double)sum;
    }
    return total;
}

/* ---------------------------------------------------------------- thin products */

#if defined(__AVX512F__)
enum { TILE_ROWS = 8 }; /* sums that stay in registers */
#else
enum { TILE_ROWS = 4 };
#endif

static void store_tile_row(float *c, v16 sum, size_t n, float alpha, bool accumulate) {
    float values[16];
    if (n >= 16) {
        v16 *out = (v16 *)c;
        *out = accumulate ? *out + alpha * sum : alpha * sum;
        return;
    }
    *(v16 *)values = alpha * sum;
    for (size_t j = 0; j < n; j++) c[j] = accumulate ? c[j] + values[j] : values[j];
}

static void thin_product(float *c, const float *a, const float *b, const nf_thin *shape) {
    const size_t m = shape->m, n = shape->n, k = shape->k, c_stride = shape->c_stride;
    const size_t a_row = shape->a_row, a_col = shape->a_col, b_stride = shape->b_stride;
    const float alpha = shape->alpha;
    const bool accumulate = shape->accumulate;
    for (size_t j = 0; j < n; j += 16)
        for (size_t i = 0; i < m; i += TILE_ROWS) {
            v16 sums[TILE_ROWS] = {0};
            /* the last rows' tile begins earlier: a whole one is no dearer than a part of one */
            if (m - i < TILE_ROWS && m >= TILE_ROWS && !accumulate) i = m - TILE_ROWS;
            const float *x = a + i * a_row, *row = b + j;
            float *y = c + i * c_stride + j;
            size_t rows = m - i < TILE_ROWS ? m - i : TILE_ROWS;
            if (rows == TILE_ROWS) {
                for (size_t l = 0; l < k; l++, x += a_col, row += b_stride) {
                    v16 w = *(const v16 *)row;
#pragma GCC unroll 8
                    for (size_t t = 0; t < TILE_ROWS; t++) sums[t] += x[t * a_row] * w;
                }
#pragma GCC unroll 8
                for (size_t t = 0; t < TILE_ROWS; t++)
                    store_tile_row(y + t * c_stride, sums[t], n - j, alpha, accumulate);
                continue;
            }
            for (size_t t = 0; t < rows; t++) {
                v16 sum = {0};
                for (size_t l = 0; l < k; l++)
                    sum += x[t * a_row + l * a_col] * *(const v16 *)(row + l * b_stride);
                store_tile_row(y + t * c_stride, sum, n - j, alpha, accumulate);
            }
        }
}

/* ---------------------------------------------------------------- norms */

static void norm_forward(float *y, const float *x, const float *residual,
                         const nf_norm_operands *norm, const nf_dropout *d, size_t from,
                         size_t to) {
    const float *gamma = (const float *)norm->gamma, *beta = (const float *)norm->beta;
    float *sum = (float *)norm->sum, *mean = (float *)norm->mean, *rstd = (float *)norm->rstd;
    float epsilon = (float)norm->epsilon;
    size_t c = norm->c;
    bool dropping = drops(d);
    for (size_t t = from; t < to; t++) {
        float *out = y + t * c, m = 0.0f, v = 0.0f;
        const float *in = x + t * c;
        if (dropping) {
            /* element numbers run on over rows, so a row may begin inside a block of 8 */
            size_t start = t * c, aligned = start & ~(size_t)7;
            uint16_t numbers[MASK];
            uint32_t threshold = nf_dropout_threshold(d);
            float keep = keep_factor(d);
            for (size_t at = aligned; at < start + c; at += MASK) {
                numbers_from(d, at, numbers);
                size_t first = at < start ? start : at;
                size_t end = at + MASK < start + c ? at + MASK : start + c;
                for (size_t i = first; i < end; i++)
                    out[i - start] = numbers[i - at] < threshold ? 0.0f : in[i - start] * keep;
            }
            in = out;
        }
        if (residual)
            for (size_t i = 0; i < c; i++) out[i] = in[i] + residual[t * c + i];
        else if (in != out)
            memmove(out, in, c * sizeof *out);
        for (size_t i = 0; i < c && !norm->rms; i++) m += out[i];
        m /= (float)c;
        for (size_t i = 0; i < c; i++) v += (out[i] - m) * (out[i] - m);
        float r = 1.0f / sqrtf(v / (float)c + epsilon);
        if (sum) memcpy(sum + t * c, out, c * sizeof *out);
        if (mean) mean[t] = m;
        if (rstd) rstd[t] = r;
        if (beta)
            for (size_t i = 0; i < c; i++) out[i] = (out[i] - m) * r * gamma[i] + beta[i];
        else
            for (size_t i = 0; i < c; i++) out[i] = (out[i] - m) * r * gamma[i];
    }
}

static void norm_backward(float *dsum, const float *dy, const nf_norm_operands *norm, size_t from,
                          size_t to) {
    const float *gamma = (const float *)norm->gamma, *sum = (const float *)norm->sum;
    const float *mean = (const float *)norm->mean, *rstd = (const float *)norm->rstd;
    size_t c = norm->c;
    for (size_t t = from; t < to; t++) {
        const float *g = dy + t * c, *s = sum + t * c;
        float *out = dsum + t * c, m = norm->rms ? 0.0f : mean[t], r = rstd[t];
        float g_mean = 0.0f, gx_mean = 0.0f;
        for (size_t i = 0; i < c; i++) {
            float weighted = g[i] * gamma[i];
            g_mean += weighted;
            gx_mean += weighted * (s[i] - m) * r;
        }
        g_mean = norm->rms ? 0.0f : g_mean / (float)c;
        gx_mean /= (float)c;
        for (size_t i = 0; i < c; i++)
            out[i] = r * (g[i] * gamma[i] - g_mean - (s[i] - m) * r * gx_mean);
    }
}

static void norm_backward_parameters(float *restrict dgamma, float *restrict dbeta,
                                     const float *restrict dy, const nf_norm_operands *norm,
                                     size_t from, size_t to) {
    const float *mean = (const float *)norm->mean, *rstd = (const float *)norm->rstd;
    const float *restrict sum = (const float *)norm->sum;
    size_t c = norm->c;
    for (size_t t = 0; t < norm->n; t++) {
        float m = norm->rms ? 0.0f : mean[t], r = rstd[t];
        const float *g = dy + t * c, *s = sum + t * c;
        if (dgamma)
            for (size_t i = from; i < to; i++) dgamma[i] += g[i] * (s[i] - m) * r;
        if (dbeta)
            for (size_t i = from; i < to; i++) dbeta[i] += g[i];
    }
}

/* ---------------------------------------------------------------- attention */

typedef struct head_view {
    const float *q, *k, *v;              /* of the text's first row and this head */
    ptrdiff_t q_stride, kv_stride, flat; /* of q; of k and v; of out and its gradient */
    ptrdiff_t q_at, kv_at, flat_at;      /* of the text's first row and this head in them */
    int32_t first, length, head, heads, d;
    size_t width; /* length rounded up to 16 */
    float scale;
} head_view;

#if defined(__AVX512F__)
/* out [16 rows, stride] = the transpose of in [16] */
static void transpose_tile(float *out, size_t stride, v16 in[16]) {
    __m512 a[16], b[16];
    for (int i = 0; i < 16; i += 2) {
        a[i] = _mm512_unpacklo_ps((__m512)in[i], (__m512)in[i + 1]);
        a[i + 1] = _mm512_unpackhi_ps((__m512)in[i], (__m512)in[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int k = 0; k < 2; k++) {
            __m512d low = (__m512d)a[i + k], high = (__m512d)a[i + 2 + k];
            b[i + 2 * k] = (__m512)_mm512_unpacklo_pd(low, high);
            b[i + 2 * k + 1] = (__m512)_mm512_unpackhi_pd(low, high);
        }
    for (int i = 0; i < 4; i++) { /* quarters of rows i, 4+i, 8+i, 12+i become rows i+4q */
        __m512 low = _mm512_shuffle_f32x4(b[i], b[4 + i], 0x88);
        __m512 high = _mm512_shuffle_f32x4(b[8 + i], b[12 + i], 0x88);
        __m512 low2 = _mm512_shuffle_f32x4(b[i], b[4 + i], 0xDD);
        __m512 high2 = _mm512_shuffle_f32x4(b[8 + i], b[12 + i], 0xDD);
        _mm512_storeu_ps(out + (size_t)i * stride, _mm512_shuffle_f32x4(low, high, 0x88));
        _mm512_storeu_ps(out + (size_t)(i + 8) * stride, _mm512_shuffle_f32x4(low, high, 0xDD));
        _mm512_storeu_ps(out + (size_t)(i + 4) * stride, _mm512_shuffle_f32x4(low2, high2, 0x88));
        _mm512_storeu_ps(out + (size_t)(i + 12) * stride, _mm512_shuffle_f32x4(low2, high2, 0xDD));
    }
}
#endif

/* xt [d, width] from rows of x, zeros past the length */
static void transpose(float *xt, const float *x, const head_view *h) {
    int32_t done = 0;
#if defined(__AVX512F__)
    for (; done + 16 <= h->d; done += 16)
        for (int32_t j = 0; j < h->length; j += 16) {
            v16 rows[16] = {0};
            int32_t count = h->length - j < 16 ? h->length - j : 16;
            for (int32_t i = 0; i < count; i++)
                rows[i] = *(const v16 *)(x + (j + i) * h->kv_stride + done);
            transpose_tile(xt + (size_t)done * h->width + (size_t)j, h->width, rows);
        }
#endif
    for (int32_t l = done; l < h->d; l++) {
        float *row = xt + (size_t)l * h->width;
        for (int32_t j = 0; j < h->length; j++) row[j] = x[j * h->kv_stride + l];
        for (size_t j = (size_t)h->length; j < h->width; j++) row[j] = 0.0f;
    }
}

/* out[t*width + j] = scale * a_t . x_j for `count` rows a_t (at most 4) and all j of the width, x
 * given transposed */
static void row_products(float *out, const float *a, ptrdiff_t a_stride, int32_t count,
                         const float *xt, const head_view *h, float scale) {
    for (size_t at = 0; at < h->width; at += 16) {
        const float *column = xt + at;
        float *y = out + at;
        if (count == 4) {
            v16 s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
            for (int32_t l = 0; l < h->d; l++, column += h->width) {
                v16 x = *(const v16 *)column;
                s0 += a[l] * x;
                s1 += a[a_stride + l] * x;
                s2 += a[2 * a_stride + l] * x;
                s3 += a[3 * a_stride + l] * x;
            }
            *(v16 *)y = scale * s0;
            *(v16 *)(y + h->width) = scale * s1;
            *(v16 *)(y + 2 * h->width) = scale * s2;
            *(v16 *)(y + 3 * h->width) = scale * s3;
            continue;
        }
        for (int32_t t = 0; t < count; t++) {
            v16 sum = {0};
            for (int32_t l = 0; l < h->d; l++)
                sum += a[t * a_stride + l] * *(const v16 *)(column + (size_t)l * h->width);
            *(v16 *)(y + (size_t)t * h->width) = scale * sum;
        }
    }
}

/* Weights w[t*across + j*along] of the rows j < n of x, `d` wide, for the outputs t < count, at most
 * four. */
typedef struct weighting {
    const float *w;
    size_t across, along;
    int32_t n, d, count;
    bool add; /* to the outputs, which are else written */
} weighting;

/* out_t[l] (+)= sum_j w[t*across + j*along] x_j[l] */
static void weighted_rows(float *out, ptrdiff_t out_stride, const float *x, ptrdiff_t x_stride,
                          const weighting *by) {
    const float *w = by->w;
    const size_t across = by->across, along = by->along;
    const int32_t n = by->n, d = by->d, count = by->count;
    int32_t l = 0;
    for (; l + 16 <= d; l += 16) {
        v16 s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
        if (count == 4) {
            for (int32_t j = 0; j < n; j++) {
                v16 row = *(const v16 *)(x + j * x_stride + l);
                const float *p = w + (size_t)j * along;
                s0 += p[0] * row;
                s1 += p[across] * row;
                s2 += p[2 * across] * row;
                s3 += p[3 * across] * row;
            }
            if (by->add) {
                s0 += *(v16 *)(out + l);
                s1 += *(v16 *)(out + out_stride + l);
                s2 += *(v16 *)(out + 2 * out_stride + l);
                s3 += *(v16 *)(out + 3 * out_stride + l);
            }
            *(v16 *)(out + l) = s0;
            *(v16 *)(out + out_stride + l) = s1;
            *(v16 *)(out + 2 * out_stride + l) = s2;
            *(v16 *)(out + 3 * out_stride + l) = s3;
            continue;
        }
        for (int32_t t = 0; t < count; t++) {
            v16 s = {0};
            for (int32_t j = 0; j < n; j++)
                s += w[(size_t)t * across + (size_t)j * along] *
                     *(const v16 *)(x + j * x_stride + l);
            if (by->add) s += *(v16 *)(out + t * out_stride + l);
            *(v16 *)(out + t * out_stride + l) = s;
        }
    }
    for (; l < d; l++)
        for (int32_t t = 0; t < count; t++) {
            float s = 0.0f;
            for (int32_t j = 0; j < n; j++)
                s += w[(size_t)t * across + (size_t)j * along] * x[j * x_stride + l];
            out[t * out_stride + l] = by->add ? out[t * out_stride + l] + s : s;
        }
}

/* Factors of the probabilities of `count` queries from the text's `query` on, [count, width]. Blocks of
 * eight keys of all these queries are drawn together: texts are mostly shorter than 16 blocks. */
static void mask_rows(float *factors, const head_view *h, const nf_dropout *d, int32_t query,
                      int32_t count, int32_t longest) {
    uint16_t numbers[MASK];
    uint32_t threshold = nf_dropout_threshold(d);
    float keep = keep_factor(d);
    int32_t blocks_a_row = (h->length + 7) / 8, total = count * blocks_a_row;
    uint64_t blocks[LANES] = {0};
    float *places[LANES];
    for (int32_t done = 0; done < total;) {
        int32_t n = total - done < LANES ? total - done : LANES;
        for (int32_t i = 0; i < n; i++) {
            int32_t t = (done + i) / blocks_a_row, block = (done + i) % blocks_a_row;
            blocks[i] = (d->first + nf_attention_element(h->first + query + t, 8 * block, h->head,
                                                         h->heads, longest)) /
                        8;
            places[i] = factors + (size_t)t * h->width + 8 * (size_t)block;
        }
        philox_numbers(d, blocks, numbers);
        for (int32_t i = 0; i < n; i++)
            for (int w = 0; w < 8; w++) places[i][w] = numbers[8 * i + w] < threshold ? 0.0f : keep;
        done += n;
    }
}

/* Loops run over the whole width, in whole vectors; what lies past the length is never added up. */
static void clear_factors(float *factors, const head_view *h, const nf_dropout *d) {
    if (drops(d)) memset(factors, 0, 4 * h->width * sizeof *factors);
}

static head_view view(const nf_attention_job *job, int32_t sequence, int32_t head) {
    const nf_attention_operands *a = &job->operands;
    const nf_attention_shape *shape = a->shape;
    int32_t first = a->sequences->cu_seqlens[sequence], d = shape->head_size;
    int32_t length = a->sequences->cu_seqlens[sequence + 1] - first;
    head_view h = {.q_stride = shape->q_stride,
                   .kv_stride = shape->kv_stride,
                   .flat = (ptrdiff_t)shape->n_heads * d,
                   .first = first,
                   .length = length,
                   .head = head,
                   .heads = shape->n_heads,
                   .d = d,
                   .width = ((size_t)length + 15) & ~(size_t)15,
                   .scale = (float)shape->scale};
    h.q_at = first * h.q_stride + (ptrdiff_t)head * d;
    h.kv_at = first * h.kv_stride + (ptrdiff_t)(head / nf_attention_group(shape)) * d;
    h.flat_at = first * h.flat + (ptrdiff_t)head * d;
    h.q = (const float *)a->q + h.q_at;
    h.k = (const float *)a->k + h.kv_at;
    h.v = (const float *)a->v + h.kv_at;
    return h;
}

static size_t attention_scratch(const nf_attention_shape *shape, int32_t longest) {
    size_t width = ((size_t)longest + 15) & ~(size_t)15, d = (size_t)shape->head_size;
    return (2 * d * width + 2 * (size_t)longest * width + 8 * width + 79) & ~(size_t)15;
}

static void attention_forward(const nf_attention_job *job, int32_t sequence, int32_t head,
                              float *scratch) {
    const nf_attention_operands *a = &job->operands;
    const nf_dropout *d = a->dropout;
    head_view h = view(job, sequence, head);
    float *kt = scratch, *p = kt + (size_t)h.d * h.width, *factors = p + 4 * h.width;
    float *lse = (float *)a->lse, *out = (float *)a->out + h.flat_at;
    transpose(kt, h.k, &h);
    clear_factors(factors, &h, d);
    for (int32_t i = 0; i < h.length; i += 4) {
        int32_t count = h.length - i < 4 ? h.length - i : 4;
        if (drops(d)) mask_rows(factors, &h, d, i, count, a->sequences->longest);
        row_products(p, h.q + i * h.q_stride, h.q_stride, count, kt, &h, h.scale);
        for (int32_t t = 0; t < count; t++) {
            float *row = p + (size_t)t * h.width, most = -FLT_MAX, sum = 0.0f;
            for (size_t j = (size_t)h.length; j < h.width; j++) row[j] = -FLT_MAX;
            for (size_t j = 0; j < h.width; j++) most = row[j] > most ? row[j] : most;
            for (size_t j = 0; j < h.width; j++) {
                row[j] = exp_negative(row[j] - most);
                sum += row[j];
            }
            float inverse = 1.0f / sum;
            for (size_t j = 0; j < h.width; j++) row[j] *= inverse;
            if (lse) lse[(h.first + i + t) * h.heads + head] = most + logf(sum);
            if (drops(d)) {
                const float *factor = factors + (size_t)t * h.width;
                for (size_t j = 0; j < h.width; j++) row[j] *= factor[j];
            }
        }
        const weighting by = {p, h.width, 1, h.length, h.d, count, false};
        weighted_rows(out + i * h.flat, h.flat, h.v, h.kv_stride, &by);
    }
}

static void attention_backward(const nf_attention_job *job, int32_t sequence, int32_t head,
                               float *scratch) {
    const nf_attention_operands *a = &job->operands;
    const nf_dropout *d = a->dropout;
    head_view h = view(job, sequence, head);
    float *kt = scratch, *vt = kt + (size_t)h.d * h.width, *p = vt + (size_t)h.d * h.width;
    float *ds = p + (size_t)h.length * h.width, *dp = ds + (size_t)h.length * h.width;
    float *factors = dp + 4 * h.width;
    const float *g = job->dout + h.flat_at, *y = (const float *)a->out + h.flat_at;
    const float *lse = (const float *)a->lse;
    transpose(kt, h.k, &h);
    transpose(vt, h.v, &h);
    clear_factors(factors, &h, d);
    for (int32_t i = 0; i < h.length; i += 4) {
        int32_t count = h.length - i < 4 ? h.length - i : 4;
        if (drops(d)) mask_rows(factors, &h, d, i, count, a->sequences->longest);
        row_products(p + (size_t)i * h.width, h.q + i * h.q_stride, h.q_stride, count, kt, &h,
                     h.scale);
        row_products(dp, g + i * h.flat, h.flat, count, vt, &h, 1.0f);
        for (int32_t t = 0; t < count; t++) {
            size_t place = (size_t)(i + t) * h.width;
            float *row = p + place, *drow = ds + place, own = 0.0f;
            const float *dprow = dp + (size_t)t * h.width, *factor = factors + (size_t)t * h.width;
            float total = lse[(h.first + i + t) * h.heads + head];
            for (int32_t l = 0; l < h.d; l++)
                own += g[(i + t) * h.flat + l] * y[(i + t) * h.flat + l];
            for (size_t j = 0; j < h.width; j++) row[j] = exp_negative(row[j] - total);
            if (drops(d)) {
                for (size_t j = 0; j < h.width; j++) {
                    drow[j] = row[j] * (factor[j] * dprow[j] - own) * h.scale;
                    row[j] *= factor[j];
                }
            } else {
                for (size_t j = 0; j < h.width; j++) drow[j] = row[j] * (dprow[j] - own) * h.scale;
            }
        }
    }
    bool add = head % nf_attention_group(a->shape) != 0;
    for (int32_t i = 0; i < h.length; i += 4) {
        int32_t count = h.length - i < 4 ? h.length - i : 4;
        const weighting by_keys = {
            ds + (size_t)i * h.width, h.width, 1, h.length, h.d, count, false};
        const weighting by_queries = {ds + i, 1, h.width, h.length, h.d, count, add};
        const weighting by_outputs = {p + i, 1, h.width, h.length, h.d, count, add};
        ptrdiff_t key = h.kv_at + i * h.kv_stride;
        weighted_rows(job->dq + h.q_at + i * h.q_stride, h.q_stride, h.k, h.kv_stride, &by_keys);
        weighted_rows(job->dk + key, h.kv_stride, h.q, h.q_stride, &by_queries);
        weighted_rows(job->dv + key, h.kv_stride, g, h.flat, &by_outputs);
    }
}

static const nf_attention_kernels plain_attention = {
    .scratch = attention_scratch, .forward = attention_forward, .backward = attention_backward};

static void rotate(float *x, const nf_rotation *r, size_t from, size_t to, bool inverse) {
    const int32_t n_heads = r->n_heads, head_size = r->head_size, half = head_size / 2;
    float sign = inverse ? -1.0f : 1.0f;
    for (size_t t = from; t < to; t++) {
        const float *restrict cosines =
            (const float *)r->cos_sin + (ptrdiff_t)r->positions[t] * head_size;
        const float *restrict sines = cosines + half;
        for (int32_t h = 0; h < n_heads; h++) {
            float *restrict a = x + (ptrdiff_t)t * r->stride + h * head_size;
            float *restrict b = a + half;
            for (int32_t l = 0; l < half; l++) {
                float c = cosines[l], s = sign * sines[l], first = a[l] * c - b[l] * s;
                b[l] = b[l] * c + a[l] * s;
                a[l] = first;
            }
        }
    }
}

/* ---------------------------------------------------------------- rows */

static float row_max(const float *x, size_t n) {
    float most = -FLT_MAX;
    for (size_t i = 0; i < n; i++) most = x[i] > most ? x[i] : most;
    return most;
}

static void softmax(float *y, const float *x, size_t rows, size_t l) {
    for (size_t r = 0; r < rows; r++) {
        float most = row_max(x + r * l, l), sum = 0.0f, *out = y + r * l;
        for (size_t i = 0; i < l; i++) {
            out[i] = expf(x[r * l + i] - most);
            sum += out[i];
        }
        for (size_t i = 0; i < l; i++) out[i] /= sum;
    }
}

/* A row whose softmax is over some of the labels; returns its loss without the weight. */
static double cross_entropy_among(float *dx, const float *x, const nf_targets *targets, size_t t,
                                  float grad_scale) {
    size_t l = targets->l, n = 0;
    const int32_t *allowed = targets->allowed + (size_t)targets->sets[t] * l;
    float most = -FLT_MAX, sum = 0.0f, all = 0.0f, smoothing = (float)targets->smoothing;
    for (size_t i = 0; i < l; i++)
        if (allowed[i] && x[i] > most) most = x[i];
    for (size_t i = 0; i < l; i++) {
        if (!allowed[i]) continue;
        sum += expf(x[i] - most);
        all += x[i];
        n++;
    }
    float lse = most + logf(sum), spread = smoothing / (float)n, own = x[targets->labels[t]];
    for (size_t i = 0; dx && i < l; i++)
        dx[i] = allowed[i] ? grad_scale * (expf(x[i] - lse) - spread) : 0.0f;
    if (dx) dx[targets->labels[t]] -= grad_scale * (1.0f - smoothing);
    return (double)((1.0f - smoothing) * (lse - own) + smoothing * lse - spread * all);
}

static double cross_entropy(float *dlogits, const float *logits, const nf_targets *targets,
                            size_t from, size_t to, float grad_scale) {
    const int32_t *labels = targets->labels;
    float smoothing = (float)targets->smoothing;
    size_t l = targets->l;
    double loss = 0.0;
    for (size_t t = from; t < to; t++) {
        const float *x = logits + t * l;
        float *dx = dlogits ? dlogits + t * l : NULL;
        float weight = targets->weights ? ((const float *)targets->weights)[t] : 1.0f;
        float scale = grad_scale * weight;
        if (labels[t] < 0) {
            if (dx) memset(dx, 0, l * sizeof *dx);
            continue;
        }
        if (targets->allowed) {
            loss += (double)weight * cross_entropy_among(dx, x, targets, t, scale);
            continue;
        }
        float most = row_max(x, l), sum = 0.0f, all = 0.0f;
        for (size_t i = 0; i < l; i++) {
            sum += expf(x[i] - most);
            all += x[i];
        }
        float lse = most + logf(sum), spread = smoothing / (float)l;
        float row = (1.0f - smoothing) * (lse - x[labels[t]]) + smoothing * lse - spread * all;
        loss += (double)weight * (double)row;
        if (!dx) continue;
        for (size_t i = 0; i < l; i++) dx[i] = scale * (expf(x[i] - lse) - spread);
        dx[labels[t]] -= scale * (1.0f - smoothing);
    }
    return loss;
}

/* ---------------------------------------------------------------- recurrence */

static size_t lstm_length(const nf_lstm_operands *o, int32_t s) {
    return (size_t)(o->sequences->cu_seqlens[s + 1] - o->sequences->cu_seqlens[s]);
}

static size_t lstm_row(const nf_lstm_operands *o, int32_t s, size_t step) {
    size_t first = (size_t)o->sequences->cu_seqlens[s];
    return first + (o->reverse ? lstm_length(o, s) - 1 - step : step);
}

/* z += W h of the step before, for `n` texts: z [n] and h [n] point to rows. */
static void lstm_product(float *const *z, const float *const *h, int n, const float *w,
                         size_t hidden) {
    for (size_t g = 0; g < 4 * hidden; g++)
        for (int k = 0; k < n; k++) {
            const float *a = w + g * hidden, *b = h[k];
            float sum = 0.0f;
            for (size_t i = 0; i < hidden; i++) sum += a[i] * b[i];
            z[k][g] += sum;
        }
}

/* The gates' activations, the cell and the output of one token; `before`: the cell of the step
 * before, NULL: 0. */
static void lstm_cell(float *restrict z, float *restrict c, float *restrict y,
                      const float *restrict before, const float *restrict bias, size_t h) {
    for (size_t i = 0; i < 4 * h; i++) z[i] += bias[i];
    for (size_t i = 0; i < 2 * h; i++) z[i] = 1.0f / (1.0f + expf(-z[i]));
    for (size_t i = 2 * h; i < 3 * h; i++) z[i] = tanhf(z[i]);
    for (size_t i = 3 * h; i < 4 * h; i++) z[i] = 1.0f / (1.0f + expf(-z[i]));
    for (size_t i = 0; i < h; i++) c[i] = z[i] * z[2 * h + i];
    if (before)
        for (size_t i = 0; i < h; i++) c[i] += z[h + i] * before[i];
    for (size_t i = 0; i < h; i++) y[i] = z[3 * h + i] * tanhf(c[i]);
}

static void lstm_forward(const nf_lstm_operands *o, int32_t from, int32_t to) {
    size_t h = o->hidden, longest = 0;
    float *gates = (float *)o->gates, *cells = (float *)o->cells, *y = (float *)o->y;
    for (int32_t s = from; s < to; s++)
        if (lstm_length(o, s) > longest) longest = lstm_length(o, s);
    for (size_t t = 0; t < longest; t++) {
        float *z[NF_LSTM_TEXTS];
        const float *before[NF_LSTM_TEXTS];
        int n = 0;
        for (int32_t s = from; s < to && t; s++) {
            if (t >= lstm_length(o, s)) continue;
            z[n] = gates + lstm_row(o, s, t) * 4 * h;
            before[n++] = y + lstm_row(o, s, t - 1) * o->stride;
        }
        lstm_product(z, before, n, (const float *)o->recurrent, h);
        for (int32_t s = from; s < to; s++) {
            if (t >= lstm_length(o, s)) continue;
            size_t row = lstm_row(o, s, t);
            lstm_cell(gates + row * 4 * h, cells + row * h, y + row * o->stride,
                      t ? cells + lstm_row(o, s, t - 1) * h : NULL, (const float *)o->bias, h);
        }
    }
}

static void lstm_backward(float *dgates, const float *dy, const nf_lstm_operands *o, int32_t text,
                          float *scratch) {
    size_t h = o->hidden;
    const float *cells = (const float *)o->cells, *w = (const float *)o->recurrent;
    float *restrict dh = scratch, *restrict dc = scratch + h;
    memset(scratch, 0, 2 * h * sizeof *scratch);
    for (size_t t = lstm_length(o, text); t-- > 0;) {
        size_t row = lstm_row(o, text, t), last = t ? lstm_row(o, text, t - 1) : row;
        const float *z = (const float *)o->gates + row * 4 * h;
        float *restrict dz = dgates + row * 4 * h;
        float follows = t ? 1.0f : 0.0f;
        for (size_t i = 0; i < h; i++) {
            float in = z[i], forget = z[h + i], g = z[2 * h + i], out = z[3 * h + i];
            float c = tanhf(cells[row * h + i]), kept = follows * cells[last * h + i];
            float d = dh[i] + dy[row * o->stride + i];
            float dcell = dc[i] + d * out * (1.0f - c * c);
            dz[i] = dcell * g * in * (1.0f - in);
            dz[h + i] = dcell * kept * forget * (1.0f - forget);
            dz[2 * h + i] = dcell * in * (1.0f - g * g);
            dz[3 * h + i] = d * c * out * (1.0f - out);
            dc[i] = dcell * forget;
        }
        memset(dh, 0, h * sizeof *dh);
        for (size_t k = 0; k < 4 * h; k++)
            for (size_t i = 0; i < h; i++) dh[i] += dz[k] * w[k * h + i];
    }
}

static void lstm_weight_gradient(float *dw, const float *dgates, const nf_lstm_operands *o,
                                 size_t from, size_t to) {
    size_t h = o->hidden;
    for (int32_t s = 0; s < o->sequences->n_sequences; s++)
        for (size_t t = 1; t < lstm_length(o, s); t++) {
            const float *dz = dgates + lstm_row(o, s, t) * 4 * h;
            const float *before = (const float *)o->y + lstm_row(o, s, t - 1) * o->stride;
            for (size_t k = from; k < to; k++)
                for (size_t i = 0; i < h; i++) dw[k * h + i] += dz[k] * before[i];
        }
}

/* ---------------------------------------------------------------- optimizer */

static void decay(float *values, size_t n, const double *rates, size_t n_rates) {
    enum { FEW = 1024 };
    for (size_t at = 0; at < n; at += FEW) { /* stays in the first cache for all rates */
        size_t end = n - at < FEW ? n : at + FEW;
        for (size_t r = 0; r < n_rates; r++) {
            float factor = (float)(1.0 - rates[r]);
            for (size_t i = at; i < end; i++) values[i] *= factor;
            __asm__ volatile("" ::: "memory"); /* each product is rounded, as a step's is */
        }
    }
}

static void adamw(const nf_adamw_arrays *arrays, size_t n, const nf_adamw *o) {
    float *restrict values = (float *)arrays->values, *restrict m = (float *)arrays->m;
    float *restrict v = (float *)arrays->v;
    const float *restrict grads = (const float *)arrays->grads;
    float correction1 = (float)(1.0 - pow(o->beta1, (double)o->step));
    float correction2 = (float)sqrt(1.0 - pow(o->beta2, (double)o->step));
    float beta1 = (float)o->beta1, beta2 = (float)o->beta2, scale = (float)o->grad_scale;
    float decay = (float)(1.0 - o->learning_rate * o->weight_decay), epsilon = (float)o->epsilon;
    float rate = (float)o->learning_rate / correction1, inverse2 = 1.0f / correction2;
    for (size_t i = 0; i < n; i++) {
        float g = grads[i] * scale;
        m[i] = beta1 * m[i] + (1.0f - beta1) * g;
        v[i] = beta2 * v[i] + (1.0f - beta2) * g * g;
        values[i] = values[i] * decay - rate * m[i] / (sqrtf(v[i]) * inverse2 + epsilon);
    }
}

extern const nf_attention_kernels JOIN(nf_attention_terms_, NF_ISA);
extern const nf_kernels JOIN(nf_kernels_, NF_ISA);
const nf_kernels JOIN(nf_kernels_, NF_ISA) = {
    .isa = TEXT(NF_ISA),
    .attention = &plain_attention,
    .attention_terms = &JOIN(nf_attention_terms_, NF_ISA),
    .to_bf16 = to_bf16,
    .round_rows = round_rows,
    .from_sums = from_sums,
    .axpy = axpy,
    .dropout = dropout,
    .dropout_at = dropout_at,
    .dropped_elements = dropped_elements,
    .activation_forward = activation_forward,
    .activation_backward = activation_backward,
    .scale_columns = scale_columns,
    .thin_product = thin_product,
    .column_sums = column_sums,
    .column_dots = column_dots,
    .dot = dot,
    .norm_forward = norm_forward,
    .norm_backward = norm_backward,
    .norm_backward_parameters = norm_backward_parameters,
    .rotate = rotate,
    .lstm_forward = lstm_forward,
    .lstm_backward = lstm_backward,
    .lstm_weight_gradient = lstm_weight_gradient,
    .softmax = softmax,
    .cross_entropy = cross_entropy,
    .decay = decay,
    .adamw = adamw,
};
