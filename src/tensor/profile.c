#include "tensor/profile.h"

#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

const char *nf_operation_name(nf_operation operation) {
    static const char *const names[NF_OPERATIONS] = {"products with weights",
                                                     "adapters",
                                                     "attention",
                                                     "layer norm",
                                                     "activation",
                                                     "dropout",
                                                     "embeddings",
                                                     "optimizer",
                                                     "loss",
                                                     "sums and copies"};
    return names[operation];
}

/* One function for each operation that takes time; the others are the inner backend's own. */
static void zero(nf_backend *be, nf_values *y, size_t n) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->zero(profile->inner, y, n);
    profile->seconds[NF_OPERATION_OTHER] += now() - began;
}

static void copy(nf_backend *be, nf_values *y, const nf_values *x, size_t n) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->copy(profile->inner, y, x, n);
    profile->seconds[NF_OPERATION_OTHER] += now() - began;
}

static void axpy(nf_backend *be, nf_values *y, double alpha, const nf_values *x, size_t n) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->axpy(profile->inner, y, alpha, x, n);
    profile->seconds[NF_OPERATION_OTHER] += now() - began;
}

static void dropout(nf_backend *be, nf_values *y, const nf_values *x, size_t n,
                    const nf_dropout *dropout) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->dropout(profile->inner, y, x, n, dropout);
    profile->seconds[NF_OPERATION_DROPOUT] += now() - began;
}

static void activation_forward(nf_backend *be, nf_activation kind, nf_values *y, const nf_values *x,
                               size_t n) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->activation_forward(profile->inner, kind, y, x, n);
    profile->seconds[NF_OPERATION_ACTIVATION] += now() - began;
}

static void activation_backward(nf_backend *be, nf_activation kind, nf_values *dx,
                                const nf_values *dy, const nf_values *x, size_t n) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->activation_backward(profile->inner, kind, dx, dy, x, n);
    profile->seconds[NF_OPERATION_ACTIVATION] += now() - began;
}

static void gated_forward(nf_backend *be, nf_activation kind, nf_values *y, const nf_values *x,
                          size_t n, size_t f) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->gated_forward(profile->inner, kind, y, x, n, f);
    profile->seconds[NF_OPERATION_ACTIVATION] += now() - began;
}

static void gated_backward(nf_backend *be, nf_activation kind, nf_values *dx, const nf_values *dy,
                           const nf_values *x, size_t n, size_t f) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->gated_backward(profile->inner, kind, dx, dy, x, n, f);
    profile->seconds[NF_OPERATION_ACTIVATION] += now() - began;
}

static void rotate(nf_backend *be, nf_values *x, const nf_values *turns, const int32_t *positions,
                   size_t n, int32_t n_heads, int32_t head_size, ptrdiff_t stride, bool inverse) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->rotate(profile->inner, x, turns, positions, n, n_heads, head_size, stride,
                           inverse);
    profile->seconds[NF_OPERATION_ATTENTION] += now() - began;
}

static void scale_columns(nf_backend *be, nf_values *y, const nf_values *x, const nf_values *s,
                          double alpha, size_t rows, size_t cols, bool accumulate) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->scale_columns(profile->inner, y, x, s, alpha, rows, cols, accumulate);
    profile->seconds[NF_OPERATION_ADAPTER] += now() - began;
}

static void column_sums(nf_backend *be, nf_values *y, const nf_values *x, size_t rows,
                        size_t cols) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->column_sums(profile->inner, y, x, rows, cols);
    profile->seconds[NF_OPERATION_OTHER] += now() - began;
}

static void column_dots(nf_backend *be, nf_values *y, const nf_values *a, const nf_values *b,
                        size_t rows, size_t cols) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->column_dots(profile->inner, y, a, b, rows, cols);
    profile->seconds[NF_OPERATION_ADAPTER] += now() - began;
}

static void row_squares(nf_backend *be, nf_values *y, const nf_values *x, size_t rows,
                        size_t cols) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->row_squares(profile->inner, y, x, rows, cols);
    profile->seconds[NF_OPERATION_OTHER] += now() - began;
}

static double sum_of_squares(nf_backend *be, const nf_values *x, size_t n) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    double result = profile->inner->sum_of_squares(profile->inner, x, n);
    profile->seconds[NF_OPERATION_OPTIMIZER] += now() - began;
    return result;
}

static void embedding_forward(nf_backend *be, nf_values *y, const nf_values *table,
                              const int32_t *ids, size_t n, size_t c, bool accumulate) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->embedding_forward(profile->inner, y, table, ids, n, c, accumulate);
    profile->seconds[NF_OPERATION_EMBEDDING] += now() - began;
}

static void embedding_backward(nf_backend *be, nf_values *dtable, const nf_values *dy,
                               const int32_t *ids, size_t n, size_t c, int32_t padding_id) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->embedding_backward(profile->inner, dtable, dy, ids, n, c, padding_id);
    profile->seconds[NF_OPERATION_EMBEDDING] += now() - began;
}

static void norm_forward(nf_backend *be, nf_values *y, nf_values *sum, nf_values *mean,
                         nf_values *rstd, const nf_values *x, const nf_values *residual,
                         const nf_values *gamma, const nf_values *beta, double epsilon,
                         const nf_dropout *dropout, size_t n, size_t c) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->norm_forward(profile->inner, y, sum, mean, rstd, x, residual, gamma, beta,
                                 epsilon, dropout, n, c);
    profile->seconds[NF_OPERATION_NORM] += now() - began;
}

static void norm_backward(nf_backend *be, nf_values *dsum, nf_values *dgamma, nf_values *dbeta,
                          const nf_values *dy, const nf_values *sum, const nf_values *mean,
                          const nf_values *rstd, const nf_values *gamma, size_t n, size_t c) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->norm_backward(profile->inner, dsum, dgamma, dbeta, dy, sum, mean, rstd, gamma,
                                  n, c);
    profile->seconds[NF_OPERATION_NORM] += now() - began;
}

static nerfit_status weight_update(nf_backend *be, nf_weight *w, nerfit_error *err) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    nerfit_status result = profile->inner->weight_update(profile->inner, w, err);
    profile->seconds[NF_OPERATION_OPTIMIZER] += now() - began;
    return result;
}

static void linear_forward(nf_backend *be, nf_values *y, nf_values *pre, const nf_values *x,
                           const nf_weight *w, const nf_values *bias, nf_activation activation,
                           size_t n) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->linear_forward(profile->inner, y, pre, x, w, bias, activation, n);
    profile->seconds[NF_OPERATION_PRODUCT] += now() - began;
}

static void linear_backward_input(nf_backend *be, nf_values *dx, const nf_values *dy,
                                  const nf_weight *w, size_t n, bool accumulate) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->linear_backward_input(profile->inner, dx, dy, w, n, accumulate);
    profile->seconds[NF_OPERATION_PRODUCT] += now() - began;
}

static bool linear_forward_dropped(nf_backend *be, nf_values *y, const nf_values *x,
                                   const nf_values *known, const nf_values *bias,
                                   const nf_weight *w, const nf_dropout *dropout, size_t n) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    bool result =
        profile->inner->linear_forward_dropped(profile->inner, y, x, known, bias, w, dropout, n);
    profile->seconds[NF_OPERATION_ADAPTER] += now() - began;
    return result;
}

static bool linear_backward_dropped(nf_backend *be, nf_values *dx, const nf_values *dy,
                                    const nf_values *scaled, const nf_values *low,
                                    const nf_values *a, size_t r, const nf_weight *w,
                                    const nf_dropout *dropout, size_t n, bool accumulate) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    bool result = profile->inner->linear_backward_dropped(profile->inner, dx, dy, scaled, low, a, r,
                                                          w, dropout, n, accumulate);
    profile->seconds[NF_OPERATION_ADAPTER] += now() - began;
    return result;
}

static void matmul(nf_backend *be, nf_values *c, const nf_values *a, const nf_values *b, size_t m,
                   size_t n, size_t k, bool trans_a, bool trans_b, double alpha, bool accumulate) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->matmul(profile->inner, c, a, b, m, n, k, trans_a, trans_b, alpha, accumulate);
    profile->seconds[NF_OPERATION_ADAPTER] += now() - began;
}

static void weight_gradient(nf_backend *be, nf_values *dw, const nf_values *dy, const nf_values *x,
                            size_t n, size_t out, size_t in, bool accumulate) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->weight_gradient(profile->inner, dw, dy, x, n, out, in, accumulate);
    profile->seconds[NF_OPERATION_PRODUCT] += now() - began;
}

static void dora_norms(nf_backend *be, nf_values *norms, const nf_values *w_squares,
                       const nf_values *b, const nf_values *aw, const nf_values *aa, double s,
                       size_t out, size_t r) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->dora_norms(profile->inner, norms, w_squares, b, aw, aa, s, out, r);
    profile->seconds[NF_OPERATION_ADAPTER] += now() - began;
}

static void divide(nf_backend *be, nf_values *y, const nf_values *a, const nf_values *b, size_t n) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->divide(profile->inner, y, a, b, n);
    profile->seconds[NF_OPERATION_ADAPTER] += now() - began;
}

static void attention_forward(nf_backend *be, nf_values *out, nf_values *lse, const nf_values *q,
                              const nf_values *k, const nf_values *v, const nf_sequences *sequences,
                              const nf_attention_shape *shape, const nf_dropout *dropout) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->attention_forward(profile->inner, out, lse, q, k, v, sequences, shape, dropout);
    profile->seconds[NF_OPERATION_ATTENTION] += now() - began;
}

static void attention_backward(nf_backend *be, nf_values *dq, nf_values *dk, nf_values *dv,
                               const nf_values *dout, const nf_values *q, const nf_values *k,
                               const nf_values *v, const nf_values *out, const nf_values *lse,
                               const nf_sequences *sequences, const nf_attention_shape *shape,
                               const nf_dropout *dropout) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->attention_backward(profile->inner, dq, dk, dv, dout, q, k, v, out, lse,
                                       sequences, shape, dropout);
    profile->seconds[NF_OPERATION_ATTENTION] += now() - began;
}

static void normalize_forward(nf_backend *be, nf_values *y, nf_values *norms, const nf_values *x,
                              size_t n, size_t c) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->normalize_forward(profile->inner, y, norms, x, n, c);
    profile->seconds[NF_OPERATION_LOSS] += now() - began;
}

static void normalize_backward(nf_backend *be, nf_values *dx, const nf_values *dy,
                               const nf_values *y, const nf_values *norms, size_t n, size_t c) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->normalize_backward(profile->inner, dx, dy, y, norms, n, c);
    profile->seconds[NF_OPERATION_LOSS] += now() - began;
}

static void pool(nf_backend *be, nf_pooling kind, nf_values *y, size_t stride, const nf_values *x,
                 const nf_sequences *sequences, size_t skip, size_t c) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->pool(profile->inner, kind, y, stride, x, sequences, skip, c);
    profile->seconds[NF_OPERATION_OTHER] += now() - began;
}

static double contrastive_loss(nf_backend *be, nf_values *dz, const nf_values *z,
                               const nf_values *embeddings, size_t p, const nf_sequences *sequences,
                               const nf_entities *entities, double grad_scale) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    double result = profile->inner->contrastive_loss(profile->inner, dz, z, embeddings, p,
                                                     sequences, entities, grad_scale);
    profile->seconds[NF_OPERATION_LOSS] += now() - began;
    return result;
}

static double cross_entropy(nf_backend *be, nf_values *dlogits, const nf_values *logits,
                            const int32_t *labels, size_t n, size_t l, double smoothing,
                            double grad_scale) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    double result = profile->inner->cross_entropy(profile->inner, dlogits, logits, labels, n, l,
                                                  smoothing, grad_scale);
    profile->seconds[NF_OPERATION_LOSS] += now() - began;
    return result;
}

static void softmax(nf_backend *be, nf_values *y, const nf_values *x, size_t n, size_t l) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->softmax(profile->inner, y, x, n, l);
    profile->seconds[NF_OPERATION_LOSS] += now() - began;
}

static void adamw(nf_backend *be, nf_values *values, const nf_values *grads, nf_values *m,
                  nf_values *v, size_t n, const nf_adamw *options) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->adamw(profile->inner, values, grads, m, v, n, options);
    profile->seconds[NF_OPERATION_OPTIMIZER] += now() - began;
}

static void adamw_rows(nf_backend *be, nf_values *values, const nf_values *grads, nf_values *m,
                       nf_values *v, const int32_t *rows, size_t n_rows, size_t c,
                       const nf_adamw *options) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->adamw_rows(profile->inner, values, grads, m, v, rows, n_rows, c, options);
    profile->seconds[NF_OPERATION_OPTIMIZER] += now() - began;
}

static void decay(nf_backend *be, nf_values *values, size_t n, const double *rates,
                  size_t n_rates) {
    nf_profile *profile = (nf_profile *)be;
    double began = now();
    profile->inner->decay(profile->inner, values, n, rates, n_rates);
    profile->seconds[NF_OPERATION_OPTIMIZER] += now() - began;
}

void nf_profile_init(nf_profile *p, nf_backend *inner) {
    *p = (nf_profile){.be = *inner, .inner = inner};
    p->be.zero = zero;
    p->be.copy = copy;
    p->be.axpy = axpy;
    p->be.dropout = dropout;
    p->be.activation_forward = activation_forward;
    p->be.activation_backward = activation_backward;
    p->be.gated_forward = gated_forward;
    p->be.gated_backward = gated_backward;
    p->be.rotate = rotate;
    p->be.scale_columns = scale_columns;
    p->be.column_sums = column_sums;
    p->be.column_dots = column_dots;
    p->be.row_squares = row_squares;
    p->be.sum_of_squares = sum_of_squares;
    p->be.embedding_forward = embedding_forward;
    p->be.embedding_backward = embedding_backward;
    p->be.norm_forward = norm_forward;
    p->be.norm_backward = norm_backward;
    p->be.weight_update = weight_update;
    p->be.linear_forward = linear_forward;
    p->be.linear_backward_input = linear_backward_input;
    if (inner->linear_forward_dropped) p->be.linear_forward_dropped = linear_forward_dropped;
    if (inner->linear_backward_dropped) p->be.linear_backward_dropped = linear_backward_dropped;
    p->be.matmul = matmul;
    p->be.weight_gradient = weight_gradient;
    p->be.dora_norms = dora_norms;
    p->be.divide = divide;
    p->be.attention_forward = attention_forward;
    p->be.attention_backward = attention_backward;
    p->be.normalize_forward = normalize_forward;
    p->be.normalize_backward = normalize_backward;
    p->be.pool = pool;
    p->be.contrastive_loss = contrastive_loss;
    p->be.cross_entropy = cross_entropy;
    p->be.softmax = softmax;
    p->be.adamw = adamw;
    p->be.adamw_rows = adamw_rows;
    p->be.decay = decay;
}
