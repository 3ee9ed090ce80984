/* The cpu backend: oneDNN for matrix products (matmul.c), our own loops for the rest (kernels.c),
 * divided among OpenMP threads. Every sum is taken in an order that depends on the thread count at
 * most, never on timing. Small work is not divided: starting threads would cost more than it
 * saves. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <omp.h>

#include "tensor/backends.h"
#include "tensor/cpu/dropped.h"
#include "tensor/cpu/fork.h"
#include "tensor/cpu/gradient.h"
#include "tensor/cpu/kernels.h"
#include "tensor/cpu/matmul.h"
#include "tensor/cpu/memory.h"
#include "tensor/focal.h"
#include "tensor/pooling.h"

typedef struct cpu {
    const nf_kernels *kernels;
    nf_matmul *matmul;
    int threads;
    float *scratch; /* of one operation */
    size_t scratch_size;
} cpu;

enum {
    WORTH_DIVIDING = 32768, /* elements of cheap work */
    THIN = 32,              /* sides of products that are not oneDNN's strength: adapters' ranks */
};

#define CPU(be) ((cpu *)(be)->state)
#define K(be) (CPU(be)->kernels)
#define F(p) ((float *)(p))
#define CF(p) ((const float *)(p))

static int threads_for(const nf_backend *be, size_t work) {
    return work < WORTH_DIVIDING ? 1 : CPU(be)->threads;
}

/* The thread's share of n items, in whole grains. */
static void share(size_t n, size_t grain, size_t *from, size_t *to) {
    size_t parts = (size_t)omp_get_num_threads(), part = (size_t)omp_get_thread_num();
    size_t grains = (n + grain - 1) / grain;
    *from = grains * part / parts * grain;
    *to = grains * (part + 1) / parts * grain;
    if (*from > n) *from = n;
    if (*to > n) *to = n;
}

/* Scratch of `count` floats until the next call; NULL when out of memory. */
static float *scratch_of(nf_backend *be, size_t count) {
    cpu *c = CPU(be);
    if (count > c->scratch_size) {
        free(c->scratch);
        c->scratch = aligned_alloc(64, (count * sizeof(float) + 127) & ~(size_t)63);
        c->scratch_size = c->scratch ? count : 0;
        if (!c->scratch) be->failed = count * sizeof(float);
    }
    return c->scratch;
}

/* Of a product: 0, or the bytes that it had no memory for. */
static void note_missing(nf_backend *be, size_t bytes) {
    if (bytes) be->failed = bytes;
}

/* Runs the statement on each thread with from .. to as its share of n. */
#define DIVIDE(be, n, grain, work, ...)                                                            \
    do {                                                                                           \
        int threads_ = threads_for(be, work);                                                      \
        _Pragma("omp parallel num_threads(threads_) if (threads_ > 1)") {                          \
            size_t from, to;                                                                       \
            share(n, grain, &from, &to);                                                           \
            if (from < to) __VA_ARGS__;                                                            \
        }                                                                                          \
    } while (0)

/* ---------------------------------------------------------------- life and memory */

static void backend_free(nf_backend *be) {
    nf_matmul_free(CPU(be)->matmul);
    free(CPU(be)->scratch);
    free(be->state);
    free(be);
}

static nerfit_status make(nf_backend **out, const nf_matmul *parent, nf_precision precision,
                          int threads, nerfit_error *err);

static nerfit_status backend_fork(nf_backend *be, nf_backend **out, nerfit_error *err) {
    return make(out, CPU(be)->matmul, be->precision, CPU(be)->threads, err);
}

static nerfit_status backend_fork_alone(nf_backend *be, nf_backend **out, nerfit_error *err) {
    return make(out, CPU(be)->matmul, be->precision, 1, err);
}

static void backend_parallel(nf_backend *be, int count, void (*work)(void *user, int index),
                             void *user) {
    (void)be;
#pragma omp parallel for num_threads(count) schedule(static, 1) if (count > 1)
    for (int i = 0; i < count; i++) {
        work(user, i);
    }
}

static const nf_values *backend_adopt(nf_backend *be, const float *host, size_t n) {
    (void)be;
    (void)n;
    return (const nf_values *)host;
}

static void *backend_memory_new(nf_backend *be, size_t bytes) {
    (void)be;
    return nf_cpu_memory(bytes);
}

static void backend_memory_free(nf_backend *be, void *memory) {
    (void)be;
    free(memory);
}

static void zero(nf_backend *be, nf_values *y, size_t n) {
    DIVIDE(be, n, 1024, n, memset(F(y) + from, 0, (to - from) * sizeof(float)));
}

static void copy(nf_backend *be, nf_values *y, const nf_values *x, size_t n) {
    (void)be;
    if (n && (const void *)y != (const void *)x) memmove(y, x, n * sizeof(float));
}

static void from_f32(nf_backend *be, nf_values *y, const float *x, size_t n) {
    (void)be;
    if (n) memcpy(y, x, n * sizeof *x);
}

static void to_f32(nf_backend *be, float *y, const nf_values *x, size_t n) {
    (void)be;
    if (n) memcpy(y, x, n * sizeof *y);
}

static void from_f64(nf_backend *be, nf_values *y, const double *x, size_t n) {
    (void)be;
    for (size_t i = 0; i < n; i++) F(y)[i] = (float)x[i];
}

static void to_f64(nf_backend *be, double *y, const nf_values *x, size_t n) {
    (void)be;
    for (size_t i = 0; i < n; i++) y[i] = (double)CF(x)[i];
}

static void ints_in(nf_backend *be, int32_t *y, const int32_t *x, size_t n) {
    (void)be;
    if (n) memcpy(y, x, n * sizeof *x);
}

static void ints_out(nf_backend *be, int32_t *y, const int32_t *x, size_t n) {
    (void)be;
    if (n) memcpy(y, x, n * sizeof *x);
}

/* ---------------------------------------------------------------- elementwise */

static void axpy(nf_backend *be, nf_values *y, double alpha, const nf_values *x, size_t n) {
    DIVIDE(be, n, 16, n, K(be)->axpy(F(y) + from, (float)alpha, CF(x) + from, to - from));
}

static void dropout(nf_backend *be, nf_values *y, const nf_values *x, size_t n,
                    const nf_dropout *d) {
    size_t work = d && d->p > 0.0 ? 4 * n : n;
    if (work == n && (const void *)y == (const void *)x) return;
    DIVIDE(be, n, 64, work, K(be)->dropout(F(y), CF(x), from, to, d));
}

static void activation_forward(nf_backend *be, nf_activation kind, nf_values *y, const nf_values *x,
                               size_t n) {
    DIVIDE(be, n, 16, 4 * n, K(be)->activation_forward(kind, F(y) + from, CF(x) + from, to - from));
}

static void activation_backward(nf_backend *be, nf_activation kind, nf_values *dx,
                                const nf_values *dy, const nf_values *x, size_t n) {
    DIVIDE(be, n, 16, 8 * n,
           K(be)->activation_backward(kind, F(dx) + from, CF(dy) + from, CF(x) + from, to - from));
}

static void gated_forward(nf_backend *be, nf_values *y, const nf_gated_operands *o) {
    size_t f = o->f;
    DIVIDE(be, o->n, 1, 4 * o->n * f, {
        for (size_t t = from; t < to; t++) {
            float *out = F(y) + t * f;
            K(be)->activation_forward(o->activation, out, CF(o->inputs) + t * o->stride, f);
            K(be)->scale_columns(out, out, CF(o->gates) + t * o->stride, 1.0f, 1, f, false);
        }
    });
}

static void gated_backward(nf_backend *be, nf_values *dinputs, nf_values *dgates,
                           const nf_values *dy, const nf_gated_operands *o) {
    size_t f = o->f;
    DIVIDE(be, o->n, 1, 12 * o->n * f, {
        for (size_t t = from; t < to; t++) {
            const float *in = CF(o->inputs) + t * o->stride, *g = CF(dy) + t * f;
            float *din = F(dinputs) + t * o->stride, *dgate = F(dgates) + t * o->stride;
            K(be)->scale_columns(din, g, CF(o->gates) + t * o->stride, 1.0f, 1, f, false);
            K(be)->activation_backward(o->activation, din, din, in, f);
            K(be)->activation_forward(o->activation, dgate, in, f);
            K(be)->scale_columns(dgate, dgate, g, 1.0f, 1, f, false);
        }
    });
}

static void scale_columns(nf_backend *be, nf_values *y, const nf_values *x, const nf_values *s,
                          size_t rows, size_t cols, bool accumulate) {
    DIVIDE(be, rows, 1, rows * cols,
           K(be)->scale_columns(F(y) + from * cols, CF(x) + from * cols, CF(s), 1.0f, to - from,
                                cols, accumulate));
}

static void add_rows(nf_backend *be, nf_values *y, const nf_values *b, size_t rows, size_t cols) {
    DIVIDE(be, rows, 1, rows * cols, {
        for (size_t r = from; r < to; r++) K(be)->axpy(F(y) + r * cols, 1.0f, CF(b), cols);
    });
}

static void divide(nf_backend *be, nf_values *y, const nf_values *a, const nf_values *b, size_t n) {
    (void)be;
    for (size_t i = 0; i < n; i++) F(y)[i] = CF(a)[i] / CF(b)[i];
}

/* ---------------------------------------------------------------- reductions */

static void column_sums(nf_backend *be, nf_values *y, const nf_values *x, size_t rows,
                        size_t cols) {
    DIVIDE(be, cols, 16, rows * cols, K(be)->column_sums(F(y), CF(x), rows, cols, from, to));
}

static void column_dots(nf_backend *be, nf_values *y, const nf_values *a, const nf_values *b,
                        size_t rows, size_t cols) {
    DIVIDE(be, cols, 16, rows * cols, K(be)->column_dots(F(y), CF(a), CF(b), rows, cols, from, to));
}

static void row_squares(nf_backend *be, nf_values *y, const nf_values *x, size_t rows,
                        size_t cols) {
    DIVIDE(be, rows, 1, rows * cols, {
        for (size_t r = from; r < to; r++)
            F(y)[r] = (float)K(be)->dot(CF(x) + r * cols, CF(x) + r * cols, cols);
    });
}

/* Parts of a fixed size, added in order: the same for any number of threads. */
static double sum_of_squares(nf_backend *be, const nf_values *x, size_t n) {
    enum { PART = 1 << 16 };
    size_t parts = (n + PART - 1) / PART;
    double few[64], *sums = parts <= 64 ? few : malloc(parts * sizeof *sums), total = 0.0;
    if (!sums) return K(be)->dot(CF(x), CF(x), n);
    DIVIDE(be, parts, 1, n, {
        for (size_t p = from; p < to; p++) {
            size_t at = p * PART, size = n - at < PART ? n - at : PART;
            sums[p] = K(be)->dot(CF(x) + at, CF(x) + at, size);
        }
    });
    for (size_t p = 0; p < parts; p++) total += sums[p];
    if (sums != few) free(sums);
    return total;
}

static double sum_of_squares_rows(nf_backend *be, const nf_values *x, const int32_t *rows,
                                  size_t n_rows, size_t c) {
    double total = 0.0;
    for (size_t i = 0; i < n_rows; i++)
        total += sum_of_squares(be, nf_at_const(be, x, (size_t)rows[i] * c), c);
    return total;
}

/* ---------------------------------------------------------------- embeddings */

static void embedding_forward(nf_backend *be, nf_values *y, const nf_values *table,
                              const int32_t *ids, size_t n, size_t c, bool accumulate) {
    DIVIDE(be, n, 1, n * c, {
        for (size_t t = from; t < to; t++) {
            const float *row = CF(table) + (size_t)ids[t] * c;
            if (accumulate)
                K(be)->axpy(F(y) + t * c, 1.0f, row, c);
            else
                memcpy(F(y) + t * c, row, c * sizeof *row);
        }
    });
}

/* Threads divide the columns, so that rows met twice are added in order. */
static void embedding_backward(nf_backend *be, nf_values *dtable, const nf_values *dy,
                               const int32_t *ids, size_t n, size_t c, int32_t padding_id) {
    DIVIDE(be, c, 16, n * c, {
        for (size_t t = 0; t < n; t++)
            if (ids[t] != padding_id)
                K(be)->axpy(F(dtable) + (size_t)ids[t] * c + from, 1.0f, CF(dy) + t * c + from,
                            to - from);
    });
}

/* ---------------------------------------------------------------- norms */

static void norm_forward(nf_backend *be, nf_values *y, const nf_values *x,
                         const nf_values *residual, const nf_norm_operands *norm,
                         const nf_dropout *d) {
    DIVIDE(be, norm->n, 1, 2 * norm->n * norm->c,
           K(be)->norm_forward(F(y), CF(x), CF(residual), norm, d, from, to));
}

static void norm_backward(nf_backend *be, nf_values *dsum, nf_values *dgamma, nf_values *dbeta,
                          const nf_values *dy, const nf_norm_operands *norm) {
    if (dgamma || dbeta) /* before dsum, which may be dy */
        DIVIDE(be, norm->c, 16, norm->n * norm->c,
               K(be)->norm_backward_parameters(F(dgamma), F(dbeta), CF(dy), norm, from, to));
    DIVIDE(be, norm->n, 1, 2 * norm->n * norm->c,
           K(be)->norm_backward(F(dsum), CF(dy), norm, from, to));
}

/* ---------------------------------------------------------------- matrix products */

static nerfit_status backend_weight_new(nf_backend *be, nf_weight **w, const nf_values *values,
                                        const nf_weight_plan *plan, nerfit_error *err) {
    /* a head of a few labels gains nothing from less, and loses precision where it shows */
    static const nf_product_type types[] = {[NF_PRECISION_F32] = NF_PRODUCT_F32,
                                            [NF_PRECISION_BF16] = NF_PRODUCT_BF16,
                                            [NF_PRECISION_INT8] = NF_PRODUCT_INT8};
    nf_precision precision = plan->precision ? plan->precision : be->precision;
    bool large = plan->out >= 128 && plan->in >= 128;
    nf_product_type type = large ? types[precision] : NF_PRODUCT_F32;
    *w = NULL;
    if (type == NF_PRODUCT_INT8 && (plan->uses & ~(unsigned)NF_USE_FORWARD))
        return nf_fail(err, NERFIT_UNSUPPORTED,
                       "precision int8 is for tagging; train in bf16 or f32");
    return nf_matmul_weight_new(CPU(be)->matmul, w, CF(values), plan, type, err);
}

static nerfit_status weight_update(nf_backend *be, nf_weight *w, nerfit_error *err) {
    return nf_matmul_weight_update(CPU(be)->matmul, w, err);
}

static void backend_weight_free(nf_backend *be, nf_weight *w) {
    (void)be;
    nf_matmul_weight_free(w);
}

static void linear_forward(nf_backend *be, nf_values *y, const nf_values *x, const nf_weight *w,
                           size_t n, const nf_epilogue *epilogue) {
    static const nf_epilogue nothing = {0};
    const nf_epilogue *e = epilogue ? epilogue : &nothing;
    nf_values *out = e->pre ? e->pre : y;
    note_missing(be, nf_matmul_forward(CPU(be)->matmul, F(out), CF(x), w, CF(e->bias), n));
    if (e->activation != NF_ACTIVATION_NONE || e->pre)
        activation_forward(be, e->activation, y, out, n * nf_weight_out(w));
}

static void linear_backward_input(nf_backend *be, nf_values *dx, const nf_values *dy,
                                  const nf_weight *w, size_t n, bool accumulate) {
    note_missing(be, nf_matmul_backward(CPU(be)->matmul, F(dx), CF(dy), w, n, accumulate));
}

/* b [k,n] as thin_product reads it: itself, or a copy with its columns rounded up to 16; NULL when
 * out of memory. */
static const float *thin_operand(nf_backend *be, const float *b, size_t n, size_t k, bool trans,
                                 size_t *stride) {
    *stride = n;
    if (!trans && n % 16 == 0) return b;
    *stride = (n + 15) & ~(size_t)15;
    float *copied = scratch_of(be, k * *stride);
    if (!copied) return NULL;
    for (size_t l = 0; l < k; l++) {
        float *row = copied + l * *stride;
        for (size_t j = 0; j < n; j++) row[j] = trans ? b[j * k + l] : b[l * n + j];
        for (size_t j = n; j < *stride; j++) row[j] = 0.0f;
    }
    return copied;
}

static void matmul(nf_backend *be, nf_values *c, const nf_values *a, const nf_values *b,
                   const nf_product *p) {
    size_t stride, m = p->m, n = p->n, k = p->k;
    bool small = m <= THIN || n <= THIN || k <= THIN;
    const float *operand = small ? thin_operand(be, CF(b), n, k, p->trans_b, &stride) : NULL;
    if (!operand) {
        note_missing(be, nf_matmul_plain(CPU(be)->matmul, F(c), CF(a), CF(b), p));
        return;
    }
    const nf_thin all = {.m = m,
                         .n = n,
                         .k = k,
                         .c_stride = n,
                         .a_row = p->trans_a ? 1 : k,
                         .a_col = p->trans_a ? m : 1,
                         .b_stride = stride,
                         .alpha = (float)p->alpha,
                         .accumulate = p->accumulate};
    if (m >= n) {
        DIVIDE(be, m, 8, m * n * k / 8, {
            nf_thin part = all;
            part.m = to - from;
            K(be)->thin_product(F(c) + from * n, CF(a) + from * all.a_row, operand, &part);
        });
    } else {
        DIVIDE(be, n, 16, m * n * k / 8, {
            nf_thin part = all;
            part.n = to - from;
            K(be)->thin_product(F(c) + from, CF(a), operand + from, &part);
        });
    }
}

#if defined(__x86_64__)
/* The dropped elements of row t go into `list`, [in + 128]. */
static size_t dropped_in_row(nf_backend *be, uint32_t *list, size_t t, size_t in,
                             const nf_dropout *d) {
    return K(be)->dropped_elements(list, t * in, (t + 1) * in, d);
}

/* What a row needs besides the operands, for each thread: a bf16 row, a list, two float rows. */
static size_t dropped_scratch(size_t in, size_t out) {
    size_t longest = in > out ? in : out;
    return (longest / 2 + in + 128 + 2 * longest + 63) & ~(size_t)15;
}

static float keep_factor(const nf_dropout *d) {
    return (float)(1.0 / (1.0 - nf_dropout_threshold(d) / 65536.0));
}

static bool linear_forward_dropped(nf_backend *be, nf_values *y,
                                   const nf_dropped_forward_operands *o) {
    const uint16_t *columns = nf_weight_columns(o->w);
    size_t in = nf_weight_in(o->w), out = nf_weight_out(o->w), each = dropped_scratch(in, out);
    const nf_dropout *d = o->dropout;
    if (!columns || d->p > NF_DROPPED_MOST) return false;
    float *scratch = scratch_of(be, each * (size_t)CPU(be)->threads);
    if (!scratch) return false;
    DIVIDE(be, o->n, 1, o->n * out * 16, {
        uint32_t *list = (uint32_t *)(scratch + each * (size_t)omp_get_thread_num());
        uint16_t *rounded = (uint16_t *)(list + in + 128);
        for (size_t t = from; t < to; t++) {
            size_t count = dropped_in_row(be, list, t, in, d);
            K(be)->to_bf16(rounded, CF(o->x) + t * in, in);
            const nf_dropped_row row = {list, count, out, keep_factor(d)};
            nf_dropped_forward(F(y) + t * out, CF(o->known) + t * out, CF(o->bias), rounded,
                               columns, &row);
        }
    });
    return true;
}

/* With k = 1/(1-p): dx = (dy + k (scaled - dy)) W + mask * (low a), then the dropped positions lose
 * what they got of k (scaled - dy) W. */
static bool linear_backward_dropped(nf_backend *be, nf_values *dx,
                                    const nf_dropped_backward_operands *o, bool accumulate) {
    const uint16_t *columns = nf_weight_columns(o->w);
    size_t in = nf_weight_in(o->w), out = nf_weight_out(o->w), each = dropped_scratch(in, out);
    size_t threads = (size_t)CPU(be)->threads, n = o->n, r = o->r;
    const nf_dropout *d = o->dropout;
    const float *dy = CF(o->dy), *scaled = CF(o->scaled);
    if (!columns || d->p > NF_DROPPED_MOST || in % 16) return false;
    float *scratch = scratch_of(be, each * threads + n * out), *mixed = scratch + each * threads;
    if (!scratch) return false;
    float keep = keep_factor(d);
    DIVIDE(be, n * out, 16, n * out, {
        for (size_t i = from; i < to; i++) mixed[i] = dy[i] + keep * (scaled[i] - dy[i]);
    });
    note_missing(be, nf_matmul_backward(CPU(be)->matmul, F(dx), mixed, o->w, n, accumulate));
    const nf_thin low_rank = {.m = 1,
                              .n = in,
                              .k = r,
                              .c_stride = in,
                              .a_row = r,
                              .a_col = 1,
                              .b_stride = in,
                              .alpha = keep};
    DIVIDE(be, n, 1, n * out * 16, {
        uint32_t *list = (uint32_t *)(scratch + each * (size_t)omp_get_thread_num());
        uint16_t *rounded = (uint16_t *)(list + in + 128);
        float *row = (float *)(list + in + 128 + (in > out ? in : out) / 2), *change = row + in;
        for (size_t t = from; t < to; t++) {
            size_t count = dropped_in_row(be, list, t, in, d);
            K(be)->thin_product(row, CF(o->low) + t * r, CF(o->a), &low_rank);
            for (size_t i = 0; i < count; i++) row[list[i]] = 0.0f;
            K(be)->axpy(F(dx) + t * in, 1.0f, row, in);
            for (size_t j = 0; j < out; j++) change[j] = scaled[t * out + j] - dy[t * out + j];
            K(be)->to_bf16(rounded, change, out);
            const nf_dropped_row dropped = {list, count, out, keep};
            nf_dropped_backward(F(dx) + t * in, rounded, columns, &dropped);
        }
    });
    return true;
}
#endif

static void weight_gradient(nf_backend *be, nf_values *dw, const nf_values *dy, const nf_values *x,
                            const nf_weight *w, size_t n, bool accumulate) {
    size_t out = nf_weight_out(w), in = nf_weight_in(w);
#if defined(__x86_64__)
    size_t pairs = (n + 1) / 2;
    bool bf16 = nf_weight_type(w) == NF_PRODUCT_BF16 && in % NF_GRADIENT_COLUMNS == 0;
    uint32_t *dy_pairs = bf16 ? (uint32_t *)scratch_of(be, pairs * (out + in)) : NULL;
    if (dy_pairs) {
        uint32_t *x_pairs = dy_pairs + pairs * out;
        DIVIDE(be, pairs, 1, pairs * (out + in), {
            nf_gradient_pairs(dy_pairs, CF(dy), n, out, NF_GRADIENT_ROWS, from, to);
            nf_gradient_pairs(x_pairs, CF(x), n, in, NF_GRADIENT_STRIP, from, to);
        });
        const nf_gradient gradient = {F(dw), dy_pairs, x_pairs, pairs, out, in, accumulate};
        DIVIDE(be, out, 8, n * out * in / 16, nf_gradient_rows(&gradient, from, to));
        return;
    }
#endif
    const nf_product product = {
        .m = out, .n = in, .k = n, .trans_a = true, .alpha = 1.0, .accumulate = accumulate};
    matmul(be, dw, dy, x, &product);
}

static void dora_norms(nf_backend *be, nf_values *norms, const nf_dora_operands *o) {
    size_t out = o->out, r = o->r;
    double s = o->scaling;
    DIVIDE(be, out, 1, out * r * r, {
        for (size_t i = from; i < to; i++) {
            const float *row = CF(o->b) + i * r;
            double cross = 0.0, own = 0.0;
            for (size_t j = 0; j < r; j++) {
                cross += (double)row[j] * (double)CF(o->aw)[j * out + i];
                own += (double)row[j] * K(be)->dot(CF(o->aa) + j * r, row, r);
            }
            F(norms)[i] = (float)sqrt((double)CF(o->w_squares)[i] + 2.0 * s * cross + s * s * own);
        }
    });
}

/* ---------------------------------------------------------------- attention */

/* The kernels for an attention, and scratch for each of the threads that are to share it. */
typedef struct attention_plan {
    const nf_attention_kernels *kernels;
    int threads;
    size_t each;    /* floats of a thread's scratch */
    float *scratch; /* NULL: out of memory */
} attention_plan;

static attention_plan plan_attention(nf_backend *be, const nf_attention_operands *a, size_t cost) {
    int32_t longest = a->sequences->longest;
    bool terms = K(be)->attention_terms->needed(a->shape, longest);
    attention_plan plan = {.kernels = terms ? K(be)->attention_terms : K(be)->attention};
    plan.threads = threads_for(be, (size_t)a->sequences->n_tokens * (size_t)longest * cost);
    plan.each = plan.kernels->scratch(a->shape, longest);
    plan.scratch = scratch_of(be, plan.each * (size_t)plan.threads);
    return plan;
}

static void attention_forward(nf_backend *be, const nf_attention_operands *a) {
    nf_attention_assert(be, a);
    const attention_plan plan = plan_attention(be, a, 64);
    const nf_attention_job job = {.kernels = K(be), .operands = *a};
    int32_t heads = a->shape->n_heads, units = a->sequences->n_sequences * heads;
    if (!plan.scratch) return;
#pragma omp parallel for num_threads(plan.threads) schedule(dynamic, 1) if (plan.threads > 1)
    for (int32_t u = 0; u < units; u++) {
        plan.kernels->forward(&job, u / heads, u % heads,
                              plan.scratch + plan.each * (size_t)omp_get_thread_num());
    }
}

/* A thread does the heads that share one of keys and values, whose gradients they add up; with
 * relative tables, to whose gradients all texts add, of all texts, else of one. */
static void attention_backward(nf_backend *be, nf_values *dq, nf_values *dk, nf_values *dv,
                               const nf_values *dout, const nf_attention_operands *a) {
    nf_attention_assert(be, a);
    const attention_plan plan = plan_attention(be, a, 128);
    const nf_attention_job job = {
        .kernels = K(be), .operands = *a, .dout = CF(dout), .dq = F(dq), .dk = F(dk), .dv = F(dv)};
    const nf_attention_shape *shape = a->shape;
    const nf_relative *r = shape->relative;
    int32_t texts = a->sequences->n_sequences, group = nf_attention_group(shape);
    size_t table = r ? (size_t)r->n_rows * (size_t)shape->n_heads * (size_t)shape->head_size : 0;
    if (!plan.scratch) return;
    if (r && r->dkeys) zero(be, r->dkeys, table);
    if (r && r->dqueries) zero(be, r->dqueries, table);
    int32_t together = r ? texts : 1, units = shape->n_kv_heads * (r ? 1 : texts);
#pragma omp parallel for num_threads(plan.threads) schedule(dynamic, 1) if (plan.threads > 1)
    for (int32_t u = 0; u < units; u++) {
        for (int32_t s = 0; s < together; s++)
            for (int32_t h = 0; h < group; h++)
                plan.kernels->backward(&job, r ? s : u / shape->n_kv_heads,
                                       u % shape->n_kv_heads * group + h,
                                       plan.scratch + plan.each * (size_t)omp_get_thread_num());
    }
}

static void rotate(nf_backend *be, nf_values *x, const nf_rotation *r, size_t n, bool inverse) {
    DIVIDE(be, n, 1, 2 * n * (size_t)r->n_heads * (size_t)r->head_size,
           K(be)->rotate(F(x), r, from, to, inverse));
}

/* ---------------------------------------------------------------- rows */

static void normalize_forward(nf_backend *be, nf_values *y, nf_values *norms, const nf_values *x,
                              size_t n, size_t c) {
    DIVIDE(be, n, 1, 2 * n * c, {
        for (size_t t = from; t < to; t++) {
            double norm = sqrt(K(be)->dot(CF(x) + t * c, CF(x) + t * c, c));
            if (norm < 1e-12) norm = 1e-12;
            float inverse = (float)(1.0 / norm);
            F(norms)[t] = (float)norm;
            for (size_t i = t * c; i < (t + 1) * c; i++) F(y)[i] = CF(x)[i] * inverse;
        }
    });
}

static void normalize_backward(nf_backend *be, nf_values *dx, const nf_values *dy,
                               const nf_values *y, const nf_values *norms, size_t n, size_t c) {
    DIVIDE(be, n, 1, 2 * n * c, {
        for (size_t t = from; t < to; t++) {
            float along = (float)K(be)->dot(CF(y) + t * c, CF(dy) + t * c, c);
            float inverse = 1.0f / CF(norms)[t];
            for (size_t i = t * c; i < (t + 1) * c; i++)
                F(dx)[i] = (CF(dy)[i] - CF(y)[i] * along) * inverse;
        }
    });
}

static void pool_rows(nf_backend *be, nf_pooling kind, float *out, const float *x, size_t before,
                      size_t n, size_t c) {
    if (kind == NF_POOLING_CLS || kind == NF_POOLING_MAX) memcpy(out, x, c * sizeof *out);
    if (kind == NF_POOLING_LAST) memcpy(out, x + (n - 1) * c, c * sizeof *out);
    for (size_t t = 1; t < n && kind == NF_POOLING_MAX; t++)
        for (size_t i = 0; i < c; i++)
            if (x[t * c + i] > out[i]) out[i] = x[t * c + i];
    float divisor = kind == NF_POOLING_MEAN_SQRT_LENGTH ? sqrtf((float)n) : (float)n;
    if (kind == NF_POOLING_MEAN || kind == NF_POOLING_MEAN_SQRT_LENGTH) {
        K(be)->column_sums(out, x, n, c, 0, c);
        for (size_t i = 0; i < c; i++) out[i] /= divisor;
    }
    if (kind == NF_POOLING_WEIGHTED_MEAN) {
        float weights = 0.0f;
        for (size_t t = 0; t < n; t++) {
            float weight = (float)(before + t + 1);
            weights += weight;
            for (size_t i = 0; i < c; i++) out[i] += weight * x[t * c + i];
        }
        for (size_t i = 0; i < c; i++) out[i] /= weights;
    }
}

static void pool(nf_backend *be, nf_values *y, const nf_values *x, const nf_sequences *sequences,
                 const nf_pooling_shape *shape) {
    nf_pooling kind = shape->kind;
    size_t c = shape->c;
    for (int32_t s = 0; s < sequences->n_sequences; s++) {
        size_t first = (size_t)sequences->cu_seqlens[s];
        size_t n = (size_t)sequences->cu_seqlens[s + 1] - first;
        size_t skipped = n > shape->skip ? shape->skip : kind == NF_POOLING_CLS ? 0 : n;
        float *out = F(y) + (size_t)s * shape->stride;
        memset(out, 0, c * sizeof *out);
        if (n > skipped)
            pool_rows(be, kind, out, CF(x) + (first + skipped) * c, skipped, n - skipped, c);
    }
}

static void pool_backward(nf_backend *be, nf_values *dx, const nf_values *dy, const nf_values *x,
                          const nf_sequences *sequences, const nf_pooling_shape *shape) {
    (void)be;
    size_t c = shape->c;
    memset(dx, 0, (size_t)sequences->n_tokens * c * sizeof(float));
    for (int32_t s = 0; s < sequences->n_sequences; s++) {
        size_t first, end, start = (size_t)sequences->cu_seqlens[s];
        const float *d = CF(dy) + (size_t)s * shape->stride;
        nf_pooling_range(sequences, shape, s, &first, &end);
        for (size_t t = first; t < end && shape->kind != NF_POOLING_MAX; t++) {
            float share = (float)nf_pooling_share(shape->kind, t, start, first, end);
            for (size_t i = 0; i < c && share != 0; i++) F(dx)[t * c + i] = share * d[i];
        }
        for (size_t i = 0; i < c && shape->kind == NF_POOLING_MAX && first < end; i++) {
            size_t most = first;
            for (size_t t = first + 1; t < end; t++)
                if (CF(x)[t * c + i] > CF(x)[most * c + i]) most = t;
            F(dx)[most * c + i] = d[i];
        }
    }
}

/* ---------------------------------------------------------------- recurrence */

static void lstm_forward(nf_backend *be, const nf_lstm_operands *o) {
    int32_t texts = o->sequences->n_sequences;
    int32_t groups = (texts + NF_LSTM_TEXTS - 1) / NF_LSTM_TEXTS, threads = be->threads;
    if (groups < threads) groups = texts < threads ? texts : threads;
    size_t work = (size_t)o->sequences->n_tokens * 4 * o->hidden * o->hidden;
    DIVIDE(
        be, (size_t)groups, 1, work, for (size_t g = from; g < to; g++) {
            int32_t first = (int32_t)(g * (size_t)texts / (size_t)groups);
            K(be)->lstm_forward(o, first, (int32_t)((g + 1) * (size_t)texts / (size_t)groups));
        });
}

static void lstm_backward(nf_backend *be, nf_values *dgates, nf_values *dw, const nf_values *dy,
                          const nf_lstm_operands *o) {
    size_t h = o->hidden, texts = (size_t)o->sequences->n_sequences;
    size_t work = (size_t)o->sequences->n_tokens * 4 * h * h;
    float *scratch = scratch_of(be, (size_t)be->threads * 2 * h);
    if (!scratch) return;
    DIVIDE(be, texts, 1, work,
           for (size_t s = from; s < to; s++) K(be)->lstm_backward(
               F(dgates), CF(dy), o, (int32_t)s, scratch + (size_t)omp_get_thread_num() * 2 * h));
    if (dw) DIVIDE(be, 4 * h, 1, work, K(be)->lstm_weight_gradient(F(dw), CF(dgates), o, from, to));
}

/* ---------------------------------------------------------------- losses */

/* The losses of a text's pairs; its rows of dz are written by one thread only. */
static double contrastive_text(nf_backend *be, float *dz, const float *z,
                               const nf_sequences *sequences, const nf_entities *entities,
                               int32_t s, double grad_scale) {
    int32_t first = sequences->cu_seqlens[s], length = sequences->cu_seqlens[s + 1] - first;
    size_t p = entities->size;
    double loss = 0.0;
    for (int32_t e = entities->cu_entities[s]; e < entities->cu_entities[s + 1]; e++) {
        const float *row = CF(entities->embeddings) + (size_t)entities->types[e] * p;
        for (int32_t t = 0; t < length; t++) {
            size_t at = (size_t)(first + t) * p;
            double x = K(be)->dot(z + at, row, p);
            double y = t >= entities->starts[e] && t < entities->ends[e], weight = 1.0;
            if (entities->weights && y == 0.0) weight = (double)CF(entities->weights)[e];
            if (entities->token_weights) weight *= (double)CF(entities->token_weights)[first + t];
            loss += weight * (fmax(x, 0.0) - x * y + log1p(exp(-fabs(x))));
            double g = grad_scale * weight * (1.0 / (1.0 + exp(-x)) - y);
            if (dz) K(be)->axpy(dz + at, (float)g, row, p);
        }
    }
    return loss;
}

static double contrastive_loss(nf_backend *be, nf_values *dz, const nf_values *z,
                               const nf_sequences *sequences, const nf_entities *entities,
                               double grad_scale) {
    if (dz) zero(be, dz, (size_t)sequences->n_tokens * entities->size);
    double loss = 0.0;
    for (int32_t s = 0; s < sequences->n_sequences; s++)
        loss += contrastive_text(be, F(dz), CF(z), sequences, entities, s, grad_scale);
    return loss;
}

static double cross_entropy(nf_backend *be, nf_values *dlogits, const nf_values *logits,
                            const nf_targets *targets, double grad_scale) {
    nf_targets_assert(be, targets);
    enum { MOST = 256 };
    double sums[MOST] = {0}, loss = 0.0;
    DIVIDE(be, targets->n, 1, 4 * targets->n * targets->l, {
        int thread = omp_get_thread_num();
        double sum =
            K(be)->cross_entropy(F(dlogits), CF(logits), targets, from, to, (float)grad_scale);
        sums[thread] = sum;
    });
    for (int i = 0; i < MOST; i++) loss += sums[i];
    return loss;
}

static double focal_loss(nf_backend *be, nf_values *dlogits, const nf_values *logits,
                         const nf_focal_targets *targets, double grad_scale) {
    enum { MOST = 256 };
    double sums[MOST] = {0}, loss = 0.0;
    DIVIDE(be, targets->n, 16, 32 * targets->n, {
        int thread = omp_get_thread_num();
        double sum = 0.0;
        for (size_t i = from; i < to; i++) {
            double gradient = 0.0;
            if (targets->labels[i] >= 0)
                sum +=
                    nf_focal_loss_of(targets, targets->labels[i], (double)CF(logits)[i], &gradient);
            if (dlogits) F(dlogits)[i] = (float)(grad_scale * gradient);
        }
        sums[thread] = sum;
    });
    for (int i = 0; i < MOST; i++) loss += sums[i];
    return loss;
}

static void softmax(nf_backend *be, nf_values *y, const nf_values *x, size_t n, size_t l) {
    DIVIDE(be, n, 1, 4 * n * l, K(be)->softmax(F(y) + from * l, CF(x) + from * l, to - from, l));
}

static nf_adamw_arrays arrays_at(nf_backend *be, const nf_adamw_arrays *a, size_t at) {
    return (nf_adamw_arrays){nf_at(be, a->values, at), nf_at_const(be, a->grads, at),
                             nf_at(be, a->m, at), nf_at(be, a->v, at)};
}

static void adamw(nf_backend *be, const nf_adamw_arrays *a, size_t n, const nf_adamw *o) {
    DIVIDE(be, n, 64, 2 * n, {
        const nf_adamw_arrays part = arrays_at(be, a, from);
        K(be)->adamw(&part, to - from, o);
    });
}

static void adamw_rows(nf_backend *be, const nf_adamw_arrays *a, const int32_t *rows, size_t n_rows,
                       size_t c, const nf_adamw *o) {
    DIVIDE(be, n_rows, 1, 2 * n_rows * c, {
        for (size_t i = from; i < to; i++) {
            const nf_adamw_arrays row = arrays_at(be, a, (size_t)rows[i] * c);
            K(be)->adamw(&row, c, o);
        }
    });
}

static void decay(nf_backend *be, nf_values *values, size_t n, const double *rates,
                  size_t n_rates) {
    DIVIDE(be, n, 64, n * n_rates, K(be)->decay(F(values) + from, to - from, rates, n_rates));
}

/* ---------------------------------------------------------------- construction */

static bool multiplies_bf16(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512bf16"); /* AMX machines have it too */
#else
    return false;
#endif
}

static bool multiplies_int8(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

static const nf_backend operations = {
    .name = "cpu",
    .real_size = sizeof(float),
    .is_host = true,
#define NF_HANDLE(result, name, ...) .name = backend_##name,
#define NF_OPERATION(result, name, ...) .name = name,
#define NF_ANSWER(result, name, ...) .name = name,
#if defined(__x86_64__)
#define NF_SHORTCUT(result, name, ...) .name = name,
#endif
#include "tensor/operations.h"
};

static nerfit_status make(nf_backend **out, const nf_matmul *parent, nf_precision precision,
                          int threads, nerfit_error *err) {
    *out = NULL;
    nf_backend *be = malloc(sizeof *be);
    cpu *state = calloc(1, sizeof *state);
    if (!be || !state) {
        free(be);
        free(state);
        return nf_no_memory(err, sizeof *be);
    }
    *state = (cpu){.kernels = nf_kernels_best(), .threads = threads};
    nf_fork_prepare();
    *be = operations;
    be->precision = precision;
    be->threads = threads;
    be->state = state;
    nerfit_status status = nf_matmul_new(&state->matmul, parent, state->kernels, threads, err);
    if (status == NERFIT_OK)
        *out = be;
    else
        backend_free(be);
    return status;
}

nerfit_status nf_backend_cpu(nf_backend **out, nf_precision precision, int threads,
                             nerfit_error *err) {
    if (precision == NF_PRECISION_BF16 && !multiplies_bf16()) {
        *out = NULL;
        return nf_fail(err, NERFIT_UNSUPPORTED,
                       "precision bf16: this CPU has no bf16 products; use auto or f32");
    }
    if (precision == NF_PRECISION_INT8 && !multiplies_int8()) {
        *out = NULL;
        return nf_fail(err, NERFIT_UNSUPPORTED,
                       "precision int8: this CPU has no int8 products (AVX-512 VNNI); use auto");
    }
    if (precision == NF_PRECISION_AUTO)
        precision = multiplies_bf16() ? NF_PRECISION_BF16 : NF_PRECISION_F32;
    if (threads <= 0) threads = omp_get_num_procs();
    return make(out, NULL, precision, threads < 256 ? threads : 256, err);
}
