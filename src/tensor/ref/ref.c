/* The reference backend: every operation of the table in plain loops, over `real`. Compiled as
 * float (the fallback on any machine) and as double (for gradient checks by finite differences).
 * Sums are taken in double. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/focal.h"
#include "tensor/pooling.h"
#include "tensor/ref/ref.h"

#ifdef NF_REAL_f64
typedef double real;
#define NAME "ref-f64"
#define CONSTRUCTOR nf_backend_ref_f64
#else
typedef float real;
#define NAME "ref-f32"
#define CONSTRUCTOR nf_backend_ref_f32
#endif

#define R(p) ((real *)(p))
#define CR(p) ((const real *)(p))

/* ---------------------------------------------------------------- memory */

static void backend_free(nf_backend *be) {
    free(be);
}

static nerfit_status backend_fork(nf_backend *be, nf_backend **out, nerfit_error *err) {
    return nf_backend_ref(out, be->real_size, err);
}

static nerfit_status backend_fork_alone(nf_backend *be, nf_backend **out, nerfit_error *err) {
    return backend_fork(be, out, err);
}

static const nf_values *backend_adopt(nf_backend *be, const float *host, size_t n) {
    (void)be;
    (void)n;
    return sizeof(real) == sizeof(float) ? (const nf_values *)host : NULL;
}

static void *backend_memory_new(nf_backend *be, size_t bytes) {
    (void)be;
    if (bytes > SIZE_MAX - 128) return NULL;
    return aligned_alloc(64, (bytes + 127) & ~(size_t)63);
}

static void backend_memory_free(nf_backend *be, void *memory) {
    (void)be;
    free(memory);
}

static void zero(nf_backend *be, nf_values *y, size_t n) {
    (void)be;
    memset(y, 0, n * sizeof(real));
}

static void copy(nf_backend *be, nf_values *y, const nf_values *x, size_t n) {
    (void)be;
    if (n) memmove(y, x, n * sizeof(real));
}

static void from_f32(nf_backend *be, nf_values *y, const float *x, size_t n) {
    (void)be;
    for (size_t i = 0; i < n; i++) R(y)[i] = (real)x[i];
}

static void to_f32(nf_backend *be, float *y, const nf_values *x, size_t n) {
    (void)be;
    for (size_t i = 0; i < n; i++) y[i] = (float)CR(x)[i];
}

static void from_f64(nf_backend *be, nf_values *y, const double *x, size_t n) {
    (void)be;
    for (size_t i = 0; i < n; i++) R(y)[i] = (real)x[i];
}

static void to_f64(nf_backend *be, double *y, const nf_values *x, size_t n) {
    (void)be;
    for (size_t i = 0; i < n; i++) y[i] = (double)CR(x)[i];
}

static void backend_parallel(nf_backend *be, int count, void (*work)(void *user, int index),
                             void *user) {
    (void)be;
    for (int i = 0; i < count; i++) work(user, i);
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
    (void)be;
    for (size_t i = 0; i < n; i++) R(y)[i] += (real)(alpha * (double)CR(x)[i]);
}

static void dropout(nf_backend *be, nf_values *y, const nf_values *x, size_t n,
                    const nf_dropout *d) {
    (void)be;
    for (size_t i = 0; i < n; i++) R(y)[i] = CR(x)[i] * (real)nf_dropout_factor(d, i);
}

static double activation(nf_activation kind, double x) {
    switch (kind) {
    case NF_ACTIVATION_GELU:
        return 0.5 * x * (1.0 + erf(x * M_SQRT1_2));
    case NF_ACTIVATION_GELU_TANH:
        return 0.5 * x * (1.0 + tanh(NF_SQRT_2_PI * (x + 0.044715 * x * x * x)));
    case NF_ACTIVATION_RELU:
        return x > 0.0 ? x : 0.0;
    case NF_ACTIVATION_TANH:
        return tanh(x);
    case NF_ACTIVATION_SILU:
        return x / (1.0 + exp(-x));
    case NF_ACTIVATION_NONE:
        break;
    }
    return x;
}

static double activation_slope(nf_activation kind, double x) {
    switch (kind) {
    case NF_ACTIVATION_GELU:
        return 0.5 * (1.0 + erf(x * M_SQRT1_2)) + x * exp(-0.5 * x * x) * NF_INV_SQRT_2PI;
    case NF_ACTIVATION_GELU_TANH: {
        double t = tanh(NF_SQRT_2_PI * (x + 0.044715 * x * x * x));
        return 0.5 * (1.0 + t) +
               0.5 * x * (1.0 - t * t) * NF_SQRT_2_PI * (1.0 + 3.0 * 0.044715 * x * x);
    }
    case NF_ACTIVATION_RELU:
        return x > 0.0;
    case NF_ACTIVATION_TANH:
        return 1.0 - tanh(x) * tanh(x);
    case NF_ACTIVATION_SILU: {
        double s = 1.0 / (1.0 + exp(-x));
        return s * (1.0 + x * (1.0 - s));
    }
    case NF_ACTIVATION_NONE:
        break;
    }
    return 1.0;
}

static void activation_forward(nf_backend *be, nf_activation kind, nf_values *y, const nf_values *x,
                               size_t n) {
    (void)be;
    for (size_t i = 0; i < n; i++) R(y)[i] = (real)activation(kind, (double)CR(x)[i]);
}

static void activation_backward(nf_backend *be, nf_activation kind, nf_values *dx,
                                const nf_values *dy, const nf_values *x, size_t n) {
    (void)be;
    for (size_t i = 0; i < n; i++)
        R(dx)[i] = (real)((double)CR(dy)[i] * activation_slope(kind, (double)CR(x)[i]));
}

static void gated_forward(nf_backend *be, nf_values *y, const nf_gated_operands *o) {
    (void)be;
    for (size_t t = 0; t < o->n; t++) {
        const real *in = CR(o->inputs) + t * o->stride, *gate = CR(o->gates) + t * o->stride;
        for (size_t i = 0; i < o->f; i++)
            R(y)[t * o->f + i] = (real)(activation(o->activation, (double)in[i]) * (double)gate[i]);
    }
}

static void gated_backward(nf_backend *be, nf_values *dinputs, nf_values *dgates,
                           const nf_values *dy, const nf_gated_operands *o) {
    (void)be;
    for (size_t t = 0; t < o->n; t++) {
        const real *in = CR(o->inputs) + t * o->stride, *gate = CR(o->gates) + t * o->stride;
        const real *g = CR(dy) + t * o->f;
        real *din = R(dinputs) + t * o->stride, *dgate = R(dgates) + t * o->stride;
        for (size_t i = 0; i < o->f; i++) {
            double value = (double)in[i];
            din[i] =
                (real)((double)g[i] * (double)gate[i] * activation_slope(o->activation, value));
            dgate[i] = (real)((double)g[i] * activation(o->activation, value));
        }
    }
}

static void scale_columns(nf_backend *be, nf_values *y, const nf_values *x, const nf_values *s,
                          size_t rows, size_t cols, bool accumulate) {
    (void)be;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++) {
            size_t i = r * cols + c;
            real value = CR(x)[i] * CR(s)[c];
            R(y)[i] = accumulate ? R(y)[i] + value : value;
        }
}

static void add_rows(nf_backend *be, nf_values *y, const nf_values *b, size_t rows, size_t cols) {
    (void)be;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++) R(y)[r * cols + c] += CR(b)[c];
}

static void divide(nf_backend *be, nf_values *y, const nf_values *a, const nf_values *b, size_t n) {
    (void)be;
    for (size_t i = 0; i < n; i++) R(y)[i] = CR(a)[i] / CR(b)[i];
}

/* ---------------------------------------------------------------- reductions */

static void column_sums(nf_backend *be, nf_values *y, const nf_values *x, size_t rows,
                        size_t cols) {
    (void)be;
    for (size_t c = 0; c < cols; c++) {
        double sum = 0.0;
        for (size_t r = 0; r < rows; r++) sum += (double)CR(x)[r * cols + c];
        R(y)[c] += (real)sum;
    }
}

static void column_dots(nf_backend *be, nf_values *y, const nf_values *a, const nf_values *b,
                        size_t rows, size_t cols) {
    (void)be;
    for (size_t c = 0; c < cols; c++) {
        double sum = 0.0;
        for (size_t r = 0; r < rows; r++)
            sum += (double)CR(a)[r * cols + c] * (double)CR(b)[r * cols + c];
        R(y)[c] += (real)sum;
    }
}

static double dot(const real *a, const real *b, size_t n) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

static void row_squares(nf_backend *be, nf_values *y, const nf_values *x, size_t rows,
                        size_t cols) {
    (void)be;
    for (size_t r = 0; r < rows; r++) R(y)[r] = (real)dot(CR(x) + r * cols, CR(x) + r * cols, cols);
}

static double sum_of_squares(nf_backend *be, const nf_values *x, size_t n) {
    (void)be;
    return dot(CR(x), CR(x), n);
}

static double sum_of_squares_rows(nf_backend *be, const nf_values *x, const int32_t *rows,
                                  size_t n_rows, size_t c) {
    double sum = 0.0;
    for (size_t i = 0; i < n_rows; i++)
        sum += sum_of_squares(be, nf_at_const(be, x, (size_t)rows[i] * c), c);
    return sum;
}

/* ---------------------------------------------------------------- embeddings */

static void embedding_forward(nf_backend *be, nf_values *y, const nf_values *table,
                              const int32_t *ids, size_t n, size_t c, bool accumulate) {
    (void)be;
    for (size_t t = 0; t < n; t++) {
        const real *row = CR(table) + (size_t)ids[t] * c;
        real *out = R(y) + t * c;
        for (size_t i = 0; i < c; i++) out[i] = accumulate ? out[i] + row[i] : row[i];
    }
}

static void embedding_backward(nf_backend *be, nf_values *dtable, const nf_values *dy,
                               const int32_t *ids, size_t n, size_t c, int32_t padding_id) {
    (void)be;
    for (size_t t = 0; t < n; t++) {
        if (ids[t] == padding_id) continue;
        real *row = R(dtable) + (size_t)ids[t] * c;
        for (size_t i = 0; i < c; i++) row[i] += CR(dy)[t * c + i];
    }
}

/* ---------------------------------------------------------------- norms */

static void norm_forward(nf_backend *be, nf_values *y, const nf_values *x,
                         const nf_values *residual, const nf_norm_operands *o,
                         const nf_dropout *d) {
    (void)be;
    size_t c = o->c;
    for (size_t t = 0; t < o->n; t++) {
        real *out = R(y) + t * c;
        double m = 0.0, v = 0.0;
        for (size_t i = 0; i < c; i++) {
            size_t at = t * c + i;
            out[i] = CR(x)[at] * (real)nf_dropout_factor(d, at);
            if (residual) out[i] += CR(residual)[at];
            if (o->sum) R(o->sum)[at] = out[i];
            m += (double)out[i];
        }
        m = o->rms ? 0.0 : m / (double)c;
        for (size_t i = 0; i < c; i++) v += ((double)out[i] - m) * ((double)out[i] - m);
        double r = 1.0 / sqrt(v / (double)c + o->epsilon);
        if (o->mean) R(o->mean)[t] = (real)m;
        if (o->rstd) R(o->rstd)[t] = (real)r;
        for (size_t i = 0; i < c; i++)
            out[i] =
                (real)(((double)out[i] - m) * r) * CR(o->gamma)[i] + (o->beta ? CR(o->beta)[i] : 0);
    }
}

/* With x^ = (sum - mean) rstd and g = dy gamma: dsum = rstd (g - mean(g) - x^ mean(g x^)); without
 * mean(g) in an RMSNorm, whose mean is 0. */
static void norm_backward(nf_backend *be, nf_values *dsum, nf_values *dgamma, nf_values *dbeta,
                          const nf_values *dy, const nf_norm_operands *o) {
    (void)be;
    size_t c = o->c;
    for (size_t t = 0; t < o->n; t++) {
        const real *g = CR(dy) + t * c, *s = CR(o->sum) + t * c;
        real *out = R(dsum) + t * c;
        double m = o->rms ? 0.0 : (double)CR(o->mean)[t], r = (double)CR(o->rstd)[t];
        double g_mean = 0.0, gx_mean = 0.0;
        for (size_t i = 0; i < c; i++) {
            double hat = ((double)s[i] - m) * r, weighted = (double)g[i] * (double)CR(o->gamma)[i];
            g_mean += weighted;
            gx_mean += weighted * hat;
            if (dgamma) R(dgamma)[i] += (real)((double)g[i] * hat);
            if (dbeta) R(dbeta)[i] += g[i];
        }
        g_mean = o->rms ? 0.0 : g_mean / (double)c;
        gx_mean /= (double)c;
        for (size_t i = 0; i < c; i++) {
            double hat = ((double)s[i] - m) * r;
            out[i] = (real)(r * ((double)g[i] * (double)CR(o->gamma)[i] - g_mean - hat * gx_mean));
        }
    }
}

/* ---------------------------------------------------------------- matrix products */

struct nf_weight {
    const real *values; /* [out, in] */
    size_t out, in;
};

static nerfit_status backend_weight_new(nf_backend *be, nf_weight **w, const nf_values *values,
                                        const nf_weight_plan *plan, nerfit_error *err) {
    (void)be;
    *w = malloc(sizeof **w);
    if (!*w) return nf_no_memory(err, sizeof **w);
    **w = (nf_weight){CR(values), plan->out, plan->in};
    return NERFIT_OK;
}

static nerfit_status weight_update(nf_backend *be, nf_weight *w, nerfit_error *err) {
    (void)be;
    (void)w;
    (void)err;
    return NERFIT_OK;
}

static void backend_weight_free(nf_backend *be, nf_weight *w) {
    (void)be;
    free(w);
}

static void matmul(nf_backend *be, nf_values *c, const nf_values *a, const nf_values *b,
                   const nf_product *p) {
    (void)be;
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->n; j++) {
            double sum = 0.0;
            for (size_t l = 0; l < p->k; l++) {
                real x = p->trans_a ? CR(a)[l * p->m + i] : CR(a)[i * p->k + l];
                real y = p->trans_b ? CR(b)[j * p->k + l] : CR(b)[l * p->n + j];
                sum += (double)x * (double)y;
            }
            real *out = R(c) + i * p->n + j;
            *out = (real)(p->accumulate ? (double)*out + p->alpha * sum : p->alpha * sum);
        }
}

static void linear_forward(nf_backend *be, nf_values *y, const nf_values *x, const nf_weight *w,
                           size_t n, const nf_epilogue *epilogue) {
    (void)be;
    static const nf_epilogue nothing = {0};
    const nf_epilogue *e = epilogue ? epilogue : &nothing;
    for (size_t t = 0; t < n; t++)
        for (size_t o = 0; o < w->out; o++) {
            double sum = dot(CR(x) + t * w->in, w->values + o * w->in, w->in);
            if (e->bias) sum += (double)CR(e->bias)[o];
            if (e->pre) R(e->pre)[t * w->out + o] = (real)sum;
            R(y)[t * w->out + o] = (real)activation(e->activation, sum);
        }
}

static void linear_backward_input(nf_backend *be, nf_values *dx, const nf_values *dy,
                                  const nf_weight *w, size_t n, bool accumulate) {
    const nf_product product = {
        .m = n, .n = w->in, .k = w->out, .alpha = 1.0, .accumulate = accumulate};
    matmul(be, dx, dy, (const nf_values *)w->values, &product);
}

static void weight_gradient(nf_backend *be, nf_values *dw, const nf_values *dy, const nf_values *x,
                            const nf_weight *w, size_t n, bool accumulate) {
    const nf_product product = {
        .m = w->out, .n = w->in, .k = n, .trans_a = true, .alpha = 1.0, .accumulate = accumulate};
    matmul(be, dw, dy, x, &product);
}

static void dora_norms(nf_backend *be, nf_values *norms, const nf_dora_operands *o) {
    (void)be;
    size_t r = o->r;
    double s = o->scaling;
    for (size_t i = 0; i < o->out; i++) {
        const real *row = CR(o->b) + i * r;
        double cross = 0.0, own = 0.0;
        for (size_t j = 0; j < r; j++) {
            cross += (double)row[j] * (double)CR(o->aw)[j * o->out + i];
            for (size_t l = 0; l < r; l++)
                own += (double)row[j] * (double)CR(o->aa)[j * r + l] * (double)row[l];
        }
        R(norms)[i] = (real)sqrt((double)CR(o->w_squares)[i] + 2.0 * s * cross + s * s * own);
    }
}

/* ---------------------------------------------------------------- attention */

/* One text and head of an attention. */
typedef struct unit {
    const nf_attention_shape *shape;
    const nf_relative *relative; /* or NULL */
    ptrdiff_t q_at, kv_at;       /* of the text's first row and this head */
    const real *q, *k;           /* there */
    int32_t first, length, head;
} unit;

static unit unit_of(const nf_attention_operands *a, int32_t s, int32_t head) {
    const nf_attention_shape *shape = a->shape;
    int32_t first = a->sequences->cu_seqlens[s];
    int32_t kv_head = head / (shape->n_heads / shape->n_kv_heads);
    unit u = {.shape = shape,
              .relative = shape->relative,
              .q_at = first * shape->q_stride + head * shape->head_size,
              .kv_at = first * shape->kv_stride + kv_head * shape->head_size,
              .first = first,
              .length = a->sequences->cu_seqlens[s + 1] - first,
              .head = head};
    u.q = CR(a->q) + u.q_at;
    u.k = CR(a->k) + u.kv_at;
    return u;
}

/* The keys that query i sees: from .. to. */
static int32_t seen_from(const unit *u, int32_t i) {
    int32_t window = u->shape->rule.window;
    return window && i > window ? i - window : 0;
}
static int32_t seen_to(const unit *u, int32_t i) {
    int32_t window = u->shape->rule.window;
    return window && i + window + 1 < u->length ? i + window + 1 : u->length;
}

/* The row of the relative tables for query i and key j, and where this head's part of it lies. */
static size_t relative_row(const unit *u, int32_t i, int32_t j) {
    return (size_t)u->relative->rows[u->relative->reach + j - i];
}
static size_t relative_part(const unit *u, size_t row) {
    return (row * (size_t)u->shape->n_heads + (size_t)u->head) * (size_t)u->shape->head_size;
}

/* x times a row of a table, which is given by rows or by columns; 0, if there is none. */
static double relative_term(const unit *u, const real *x, size_t row, const nf_values *rows,
                            const nf_values *columns) {
    size_t d = (size_t)u->shape->head_size, stride = u->relative->columns_stride;
    double sum = 0.0;
    if (rows) return u->shape->scale * dot(x, CR(rows) + relative_part(u, row), d);
    for (size_t l = 0; l < d && columns; l++)
        sum += (double)x[l] * (double)CR(columns)[((size_t)u->head * d + l) * stride + row];
    return u->shape->scale * sum;
}

static double score(const unit *u, int32_t i, int32_t j) {
    size_t d = (size_t)u->shape->head_size;
    const real *q = u->q + i * u->shape->q_stride, *k = u->k + j * u->shape->kv_stride;
    double sum = u->shape->scale * dot(q, k, d);
    const nf_relative *r = u->relative;
    if (!r) return sum;
    size_t row = relative_row(u, i, j);
    if (r->bias) sum += (double)CR(r->bias)[row * (size_t)u->shape->n_heads + (size_t)u->head];
    return sum + relative_term(u, q, row, r->keys, r->key_columns) +
           relative_term(u, k, row, r->queries, r->query_columns);
}

static double row_lse(const unit *u, int32_t i) {
    double most = -INFINITY, sum = 0.0;
    for (int32_t j = seen_from(u, i); j < seen_to(u, i); j++) most = fmax(most, score(u, i, j));
    for (int32_t j = seen_from(u, i); j < seen_to(u, i); j++) sum += exp(score(u, i, j) - most);
    return most + log(sum);
}

static void attention_forward(nf_backend *be, const nf_attention_operands *a) {
    nf_attention_assert(be, a);
    const nf_attention_shape *shape = a->shape;
    int32_t heads = shape->n_heads, d = shape->head_size;
    for (int32_t s = 0; s < a->sequences->n_sequences; s++)
        for (int32_t h = 0; h < heads; h++) {
            unit u = unit_of(a, s, h);
            const real *values = CR(a->v) + u.kv_at;
            for (int32_t i = 0; i < u.length; i++) {
                int32_t row = u.first + i;
                real *y = R(a->out) + ((size_t)row * (size_t)heads + (size_t)h) * (size_t)d;
                double log_sum = row_lse(&u, i);
                if (a->lse) R(a->lse)[row * heads + h] = (real)log_sum;
                for (int32_t l = 0; l < d; l++) y[l] = 0;
                for (int32_t j = seen_from(&u, i); j < seen_to(&u, i); j++) {
                    double p =
                        exp(score(&u, i, j) - log_sum) *
                        nf_dropout_factor(a->dropout, nf_attention_element(row, j, h, heads,
                                                                           a->sequences->longest));
                    for (int32_t l = 0; l < d; l++)
                        y[l] += (real)(p * (double)values[j * shape->kv_stride + l]);
                }
            }
        }
}

static void add_scaled(real *y, double alpha, const real *x, int32_t d) {
    for (int32_t l = 0; l < d; l++) y[l] += (real)(alpha * (double)x[l]);
}

/* The relative terms' part of the gradient: ds by the score, and times the scale. */
static void relative_backward(const unit *u, int32_t i, int32_t j, double ds, real *dq, real *dk) {
    const nf_relative *r = u->relative;
    int32_t d = u->shape->head_size;
    size_t row = relative_row(u, i, j), part = relative_part(u, row);
    double scaled = ds * u->shape->scale;
    if (r->bias && r->dbias)
        R(r->dbias)[row * (size_t)u->shape->n_heads + (size_t)u->head] += (real)ds;
    if (r->keys) add_scaled(dq, scaled, CR(r->keys) + part, d);
    if (r->keys && r->dkeys)
        add_scaled(R(r->dkeys) + part, scaled, u->q + i * u->shape->q_stride, d);
    if (r->queries) add_scaled(dk, scaled, CR(r->queries) + part, d);
    if (r->queries && r->dqueries)
        add_scaled(R(r->dqueries) + part, scaled, u->k + j * u->shape->kv_stride, d);
}

/* With p the probabilities, r the dropout factors and dp_ij = r_ij dout_i.v_j:
 * dv_j = sum_i p_ij r_ij dout_i, ds_ij = p_ij (dp_ij - dout_i.out_i), dq_i = scale sum_j ds_ij k_j,
 * dk_j = scale sum_i ds_ij q_i. */
static void attention_backward(nf_backend *be, nf_values *dq, nf_values *dk, nf_values *dv,
                               const nf_values *dout, const nf_attention_operands *a) {
    nf_attention_assert(be, a);
    const nf_attention_shape *shape = a->shape;
    int32_t heads = shape->n_heads, d = shape->head_size;
    for (int32_t row = 0; row < a->sequences->n_tokens; row++) {
        for (int32_t l = 0; l < heads * d; l++) R(dq)[row * shape->q_stride + l] = 0;
        for (int32_t l = 0; l < shape->n_kv_heads * d; l++)
            R(dk)[row * shape->kv_stride + l] = R(dv)[row * shape->kv_stride + l] = 0;
    }
    size_t table =
        shape->relative ? (size_t)shape->relative->n_rows * (size_t)heads * (size_t)d : 0;
    if (table && shape->relative->dkeys) zero(be, shape->relative->dkeys, table);
    if (table && shape->relative->dqueries) zero(be, shape->relative->dqueries, table);
    for (int32_t s = 0; s < a->sequences->n_sequences; s++)
        for (int32_t h = 0; h < heads; h++) {
            unit u = unit_of(a, s, h);
            for (int32_t i = 0; i < u.length; i++) {
                int32_t row = u.first + i;
                ptrdiff_t at = u.q_at + i * shape->q_stride;
                size_t flat = ((size_t)row * (size_t)heads + (size_t)h) * (size_t)d;
                const real *g = CR(dout) + flat;
                double own = dot(g, CR(a->out) + flat, (size_t)d);
                for (int32_t j = seen_from(&u, i); j < seen_to(&u, i); j++) {
                    ptrdiff_t key = u.kv_at + j * shape->kv_stride;
                    double p = exp(score(&u, i, j) - (double)CR(a->lse)[row * heads + h]);
                    double r = nf_dropout_factor(
                        a->dropout, nf_attention_element(row, j, h, heads, a->sequences->longest));
                    double ds = p * (r * dot(g, CR(a->v) + key, (size_t)d) - own);
                    add_scaled(R(dv) + key, p * r, g, d);
                    add_scaled(R(dq) + at, ds * shape->scale, CR(a->k) + key, d);
                    add_scaled(R(dk) + key, ds * shape->scale, CR(a->q) + at, d);
                    if (u.relative) relative_backward(&u, i, j, ds, R(dq) + at, R(dk) + key);
                }
            }
        }
}

static void rotate(nf_backend *be, nf_values *x, const nf_rotation *r, size_t n, bool inverse) {
    (void)be;
    int32_t half = r->head_size / 2;
    for (size_t t = 0; t < n; t++) {
        const real *cosines = CR(r->cos_sin) + (size_t)r->positions[t] * (size_t)r->head_size;
        for (int32_t h = 0; h < r->n_heads; h++) {
            real *a = R(x) + (ptrdiff_t)t * r->stride + h * r->head_size, *b = a + half;
            for (int32_t l = 0; l < half; l++) {
                double c = (double)cosines[l], s = (double)cosines[half + l];
                if (inverse) s = -s;
                double first = (double)a[l] * c - (double)b[l] * s;
                b[l] = (real)((double)b[l] * c + (double)a[l] * s);
                a[l] = (real)first;
            }
        }
    }
}

/* ---------------------------------------------------------------- rows */

static void normalize_forward(nf_backend *be, nf_values *y, nf_values *norms, const nf_values *x,
                              size_t n, size_t c) {
    (void)be;
    for (size_t t = 0; t < n; t++) {
        double norm = sqrt(dot(CR(x) + t * c, CR(x) + t * c, c));
        if (norm < 1e-12) norm = 1e-12;
        R(norms)[t] = (real)norm;
        for (size_t i = 0; i < c; i++) R(y)[t * c + i] = (real)((double)CR(x)[t * c + i] / norm);
    }
}

/* dx = (dy - y (y.dy)) / |x| */
static void normalize_backward(nf_backend *be, nf_values *dx, const nf_values *dy,
                               const nf_values *y, const nf_values *norms, size_t n, size_t c) {
    (void)be;
    for (size_t t = 0; t < n; t++) {
        double along = dot(CR(y) + t * c, CR(dy) + t * c, c), norm = (double)CR(norms)[t];
        for (size_t i = t * c; i < (t + 1) * c; i++)
            R(dx)[i] = (real)(((double)CR(dy)[i] - (double)CR(y)[i] * along) / norm);
    }
}

static void pool(nf_backend *be, nf_values *y, const nf_values *x, const nf_sequences *sequences,
                 const nf_pooling_shape *shape) {
    (void)be;
    nf_pooling kind = shape->kind;
    size_t skip = shape->skip, c = shape->c;
    for (int32_t s = 0; s < sequences->n_sequences; s++) {
        size_t start = (size_t)sequences->cu_seqlens[s], end = (size_t)sequences->cu_seqlens[s + 1];
        size_t first = end - start > skip ? start + skip : end;
        for (size_t i = 0; i < c; i++) {
            double sum = 0.0, weighted = 0.0, weights = 0.0, most = -INFINITY;
            for (size_t t = first; t < end; t++) {
                double value = (double)CR(x)[t * c + i], weight = (double)(t - start + 1);
                sum += value;
                weighted += weight * value;
                weights += weight;
                most = fmax(most, value);
            }
            size_t at = kind == NF_POOLING_LAST ? end - 1 : first < end ? first : start;
            double pooled = 0.0;
            if (first < end || (kind == NF_POOLING_CLS && start < end)) switch (kind) {
                case NF_POOLING_MEAN:
                    pooled = sum / (double)(end - first);
                    break;
                case NF_POOLING_MEAN_SQRT_LENGTH:
                    pooled = sum / sqrt((double)(end - first));
                    break;
                case NF_POOLING_WEIGHTED_MEAN:
                    pooled = weighted / weights;
                    break;
                case NF_POOLING_MAX:
                    pooled = most;
                    break;
                default:
                    pooled = (double)CR(x)[at * c + i];
                }
            R(y)[(size_t)s * shape->stride + i] = (real)pooled;
        }
    }
}

static void pool_backward(nf_backend *be, nf_values *dx, const nf_values *dy, const nf_values *x,
                          const nf_sequences *sequences, const nf_pooling_shape *shape) {
    (void)be;
    size_t c = shape->c;
    memset(dx, 0, (size_t)sequences->n_tokens * c * sizeof(real));
    for (int32_t s = 0; s < sequences->n_sequences; s++) {
        size_t first, end, start = (size_t)sequences->cu_seqlens[s];
        const real *d = CR(dy) + (size_t)s * shape->stride;
        nf_pooling_range(sequences, shape, s, &first, &end);
        for (size_t t = first; t < end && shape->kind != NF_POOLING_MAX; t++) {
            real share = (real)nf_pooling_share(shape->kind, t, start, first, end);
            for (size_t i = 0; i < c && share != 0; i++) R(dx)[t * c + i] = share * d[i];
        }
        for (size_t i = 0; i < c && shape->kind == NF_POOLING_MAX && first < end; i++) {
            size_t most = first;
            for (size_t t = first + 1; t < end; t++)
                if (CR(x)[t * c + i] > CR(x)[most * c + i]) most = t;
            R(dx)[most * c + i] = d[i];
        }
    }
}

/* ---------------------------------------------------------------- recurrence */

/* The row of a text's step, and of the step before it. */
static size_t lstm_row(const nf_lstm_operands *o, int32_t s, size_t step) {
    size_t first = (size_t)o->sequences->cu_seqlens[s];
    size_t length = (size_t)o->sequences->cu_seqlens[s + 1] - first;
    return first + (o->reverse ? length - 1 - step : step);
}

static void lstm_forward(nf_backend *be, const nf_lstm_operands *o) {
    (void)be;
    size_t h = o->hidden;
    for (int32_t s = 0; s < o->sequences->n_sequences; s++) {
        int32_t length = o->sequences->cu_seqlens[s + 1] - o->sequences->cu_seqlens[s];
        for (size_t t = 0; t < (size_t)length; t++) {
            size_t row = lstm_row(o, s, t), last = t ? lstm_row(o, s, t - 1) : row;
            real *z = R(o->gates) + row * 4 * h, *c = R(o->cells) + row * h;
            const real *before = R(o->y) + last * o->stride;
            for (size_t g = 0; g < 4 * h; g++) {
                double sum = (double)z[g] + (double)CR(o->bias)[g];
                if (t) sum += dot(CR(o->recurrent) + g * h, before, h);
                z[g] = (real)(g / h == 2 ? tanh(sum) : 1.0 / (1.0 + exp(-sum)));
            }
            for (size_t i = 0; i < h; i++) {
                double kept = t ? (double)R(o->cells)[last * h + i] : 0.0;
                c[i] = (real)((double)z[h + i] * kept + (double)z[i] * (double)z[2 * h + i]);
                R(o->y)[row * o->stride + i] = (real)((double)z[3 * h + i] * tanh((double)c[i]));
            }
        }
    }
}

static void lstm_backward(nf_backend *be, nf_values *dgates, nf_values *dw, const nf_values *dy,
                          const nf_lstm_operands *o) {
    size_t h = o->hidden;
    double *dh = calloc(2 * h, sizeof *dh), *dc = dh + h;
    if (!dh) {
        be->failed = 2 * h * sizeof *dh;
        return;
    }
    for (int32_t s = 0; s < o->sequences->n_sequences; s++) {
        int32_t length = o->sequences->cu_seqlens[s + 1] - o->sequences->cu_seqlens[s];
        memset(dh, 0, 2 * h * sizeof *dh);
        for (size_t t = (size_t)length; t-- > 0;) {
            size_t row = lstm_row(o, s, t), last = t ? lstm_row(o, s, t - 1) : row;
            const real *z = CR(o->gates) + row * 4 * h;
            real *dz = R(dgates) + row * 4 * h;
            for (size_t i = 0; i < h; i++) {
                double in = (double)z[i], forget = (double)z[h + i], g = (double)z[2 * h + i];
                double out = (double)z[3 * h + i], c = tanh((double)CR(o->cells)[row * h + i]);
                double kept = t ? (double)CR(o->cells)[last * h + i] : 0.0;
                double d = dh[i] + (double)CR(dy)[row * o->stride + i];
                double dcell = dc[i] + d * out * (1.0 - c * c);
                dz[i] = (real)(dcell * g * in * (1.0 - in));
                dz[h + i] = (real)(dcell * kept * forget * (1.0 - forget));
                dz[2 * h + i] = (real)(dcell * in * (1.0 - g * g));
                dz[3 * h + i] = (real)(d * c * out * (1.0 - out));
                dc[i] = dcell * forget;
                dh[i] = 0.0;
            }
            for (size_t k = 0; k < 4 * h; k++)
                for (size_t i = 0; i < h; i++) {
                    dh[i] += (double)dz[k] * (double)CR(o->recurrent)[k * h + i];
                    if (dw && t) R(dw)[k * h + i] += dz[k] * R(o->y)[last * o->stride + i];
                }
        }
    }
    free(dh);
}

/* ---------------------------------------------------------------- losses */

static double contrastive_loss(nf_backend *be, nf_values *dz, const nf_values *z,
                               const nf_sequences *sequences, const nf_entities *entities,
                               double grad_scale) {
    (void)be;
    size_t p = entities->size;
    double loss = 0.0;
    if (dz) memset(dz, 0, (size_t)sequences->n_tokens * p * sizeof(real));
    for (int32_t s = 0; s < sequences->n_sequences; s++) {
        int32_t first = sequences->cu_seqlens[s], length = sequences->cu_seqlens[s + 1] - first;
        for (int32_t e = entities->cu_entities[s]; e < entities->cu_entities[s + 1]; e++) {
            const real *row = CR(entities->embeddings) + (size_t)entities->types[e] * p;
            for (int32_t t = 0; t < length; t++) {
                size_t at = (size_t)(first + t) * p;
                double x = dot(CR(z) + at, row, p);
                double y = t >= entities->starts[e] && t < entities->ends[e];
                double weight = 1.0;
                if (entities->weights && y == 0.0) weight = (double)CR(entities->weights)[e];
                if (entities->token_weights)
                    weight *= (double)CR(entities->token_weights)[first + t];
                /* log(1 + e^x) - y x, without overflow */
                loss += weight * (fmax(x, 0.0) - x * y + log1p(exp(-fabs(x))));
                double g = grad_scale * weight * (1.0 / (1.0 + exp(-x)) - y);
                for (size_t i = 0; dz && i < p; i++) R(dz)[at + i] += (real)(g * (double)row[i]);
            }
        }
    }
    return loss;
}

/* Of those that are allowed; NULL: all are. */
static double log_sum_exp(const real *x, size_t n, const int32_t *allowed) {
    double most = -INFINITY, sum = 0.0;
    for (size_t i = 0; i < n; i++)
        if (!allowed || allowed[i]) most = fmax(most, (double)x[i]);
    for (size_t i = 0; i < n; i++)
        if (!allowed || allowed[i]) sum += exp((double)x[i] - most);
    return most + log(sum);
}

static double cross_entropy(nf_backend *be, nf_values *dlogits, const nf_values *logits,
                            const nf_targets *targets, double grad_scale) {
    nf_targets_assert(be, targets);
    const int32_t *labels = targets->labels;
    size_t l = targets->l;
    double loss = 0.0, smoothing = targets->smoothing;
    for (size_t t = 0; t < targets->n; t++) {
        const real *x = CR(logits) + t * l;
        const int32_t *allowed =
            targets->allowed ? targets->allowed + (size_t)targets->sets[t] * l : NULL;
        bool counts = labels[t] >= 0;
        double lse = counts ? log_sum_exp(x, l, allowed) : 0.0, n_allowed = 0.0;
        double weight = targets->weights ? (double)CR(targets->weights)[t] : 1.0;
        for (size_t i = 0; i < l; i++) n_allowed += !allowed || allowed[i];
        for (size_t i = 0; i < l; i++) {
            bool in = counts && (!allowed || allowed[i]);
            double target = smoothing / n_allowed;
            target += (int32_t)i == labels[t] ? 1.0 - smoothing : 0.0;
            double log_p = (double)x[i] - lse;
            if (in) loss -= weight * target * log_p;
            double g = in ? grad_scale * weight * (exp(log_p) - target) : 0.0;
            if (dlogits) R(dlogits)[t * l + i] = (real)g;
        }
    }
    return loss;
}

static double focal_loss(nf_backend *be, nf_values *dlogits, const nf_values *logits,
                         const nf_focal_targets *targets, double grad_scale) {
    (void)be;
    double loss = 0.0;
    for (size_t i = 0; i < targets->n; i++) {
        double gradient = 0.0;
        if (targets->labels[i] >= 0)
            loss += nf_focal_loss_of(targets, targets->labels[i], (double)CR(logits)[i], &gradient);
        if (dlogits) R(dlogits)[i] = (real)(grad_scale * gradient);
    }
    return loss;
}

static void softmax(nf_backend *be, nf_values *y, const nf_values *x, size_t n, size_t l) {
    (void)be;
    for (size_t t = 0; t < n; t++) {
        double lse = log_sum_exp(CR(x) + t * l, l, NULL);
        for (size_t i = t * l; i < (t + 1) * l; i++) R(y)[i] = (real)exp((double)CR(x)[i] - lse);
    }
}

/* ---------------------------------------------------------------- optimizer */

static void adamw(nf_backend *be, const nf_adamw_arrays *a, size_t n, const nf_adamw *o) {
    (void)be;
    double correction1 = 1.0 - pow(o->beta1, (double)o->step);
    double correction2 = sqrt(1.0 - pow(o->beta2, (double)o->step));
    real *values = R(a->values), *m = R(a->m), *v = R(a->v);
    for (size_t i = 0; i < n; i++) {
        double g = (double)CR(a->grads)[i] * o->grad_scale;
        double first = o->beta1 * (double)m[i] + (1.0 - o->beta1) * g;
        double second = o->beta2 * (double)v[i] + (1.0 - o->beta2) * g * g;
        double decayed = (double)values[i] * (1.0 - o->learning_rate * o->weight_decay);
        m[i] = (real)first;
        v[i] = (real)second;
        values[i] = (real)(decayed - o->learning_rate / correction1 * first /
                                         (sqrt(second) / correction2 + o->epsilon));
    }
}

static void adamw_rows(nf_backend *be, const nf_adamw_arrays *a, const int32_t *rows, size_t n_rows,
                       size_t c, const nf_adamw *o) {
    for (size_t i = 0; i < n_rows; i++) {
        size_t at = (size_t)rows[i] * c;
        const nf_adamw_arrays row = {nf_at(be, a->values, at), nf_at_const(be, a->grads, at),
                                     nf_at(be, a->m, at), nf_at(be, a->v, at)};
        adamw(be, &row, c, o);
    }
}

static void decay(nf_backend *be, nf_values *values, size_t n, const double *rates,
                  size_t n_rates) {
    (void)be;
    for (size_t r = 0; r < n_rates; r++)
        for (size_t i = 0; i < n; i++)
            R(values)[i] = (real)((double)R(values)[i] * (1.0 - rates[r]));
}

nerfit_status CONSTRUCTOR(nf_backend **out, nerfit_error *err) {
    *out = malloc(sizeof **out);
    if (!*out) return nf_no_memory(err, sizeof **out);
    **out = (nf_backend){
        .name = NAME,
        .real_size = sizeof(real),
        .precision = NF_PRECISION_F32,
        .threads = 1,
        .is_host = true,
#define NF_HANDLE(result, name, ...) .name = backend_##name,
#define NF_OPERATION(result, name, ...) .name = name,
#define NF_ANSWER(result, name, ...) .name = name,
#include "tensor/operations.h"
    };
    return NERFIT_OK;
}
