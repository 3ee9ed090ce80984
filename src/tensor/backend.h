/* The backend table: every operation on numbers that a model needs, forward and backward.
 *
 * Code above src/tensor never touches a tensor's memory. It holds nf_values pointers (arrays of the
 * backend's real type: float, or double in the reference backend that the gradient checks use),
 * moves data in and out by the copy operations, and calls the table. A new backend is one more
 * function that fills this struct.
 *
 * Letters: N tokens, C hidden, H heads, D head size, F feed-forward, L labels, R rank,
 * S sequences (texts), E entities, T types, P projection size.
 * All matrices are row-major and dense. Batches are packed: the S texts of a batch lie one after
 * another in [N, C], text s being rows cu_seqlens[s] .. cu_seqlens[s+1]-1; nothing is padded.
 * A backward function ADDS to gradients of parameters and, where `accumulate` is not given,
 * overwrites gradients of activations.
 *
 * Threads: a backend may be used by one thread at a time; nf_backend_fork gives another thread its
 * own, which shares prepared weights. */
#ifndef NF_TENSOR_BACKEND_H
#define NF_TENSOR_BACKEND_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* An array of reals in the backend's memory (never dereferenced outside a backend). */
typedef struct nf_values nf_values;
/* A matrix [out, in] prepared for products (packed, converted). */
typedef struct nf_weight nf_weight;
typedef struct nf_backend nf_backend;

typedef enum nf_precision {
    NF_PRECISION_AUTO,
    NF_PRECISION_F32,
    NF_PRECISION_BF16,
    NF_PRECISION_INT8, /* forward alone */
} nf_precision;

typedef enum nf_activation {
    NF_ACTIVATION_NONE,
    NF_ACTIVATION_GELU,      /* x/2 (1 + erf(x/sqrt 2)) */
    NF_ACTIVATION_GELU_TANH, /* gelu_new, gelu_pytorch_tanh */
    NF_ACTIVATION_RELU,
    NF_ACTIVATION_TANH,
    NF_ACTIVATION_SILU,
} nf_activation;

typedef enum nf_pooling {
    NF_POOLING_MEAN,
    NF_POOLING_CLS, /* the first token */
    NF_POOLING_MAX,
    NF_POOLING_MEAN_SQRT_LENGTH, /* the sum divided by the square root of the length */
    NF_POOLING_WEIGHTED_MEAN,    /* token i of a text counts i + 1 times */
    NF_POOLING_LAST,
    NF_POOLINGS
} nf_pooling;

/* What a weight is going to be used for; `weight_new` prepares just that. */
enum { NF_USE_FORWARD = 1, NF_USE_BACKWARD = 2, NF_USE_DROPPED = 4 };

/* Dropout: element i of a site is dropped iff uniform(seed, step, site, i) < p, where uniform is
 * half i%2 (the lower one first) of word i%8/2 of nf_philox(i/8, site, step low, step high ^
 * (i/8 >> 32), seed low, seed high), divided by 2^16; p is rounded up to a multiple of 2^-16, and
 * kept elements are scaled by 1/(1-p). The mask is thus never stored, and is the same in every
 * backend. p = 0 copies. */
typedef struct nf_dropout {
    double p;
    uint64_t seed;
    uint64_t step;
    uint32_t site;
    uint64_t first; /* added to every element's number; a multiple of 8 (a part of a batch) */
} nf_dropout;

/* p in units of 2^-16. */
static inline uint32_t nf_dropout_threshold(const nf_dropout *d) {
    return d && d->p > 0.0 ? (uint32_t)ceil(d->p * 65536.0) : 0;
}

/* The texts of a packed batch. */
typedef struct nf_sequences {
    const int32_t *cu_seqlens; /* [S+1], in the backend's memory */
    int32_t n_sequences;
    int32_t n_tokens;
    int32_t longest; /* tokens of the longest text */
} nf_sequences;

/* The entities of a contrastive batch, all in the backend's memory. */
typedef struct nf_entities {
    const int32_t *cu_entities; /* [S+1]: entities of text s are cu_entities[s] .. [s+1]-1 */
    const int32_t *types;       /* [E] rows of the embedding table */
    const int32_t *starts;      /* [E] first token, counted in the text */
    const int32_t *ends;        /* [E] token past the last one */
    int32_t n_entities;
} nf_entities;

/* What the distance of two tokens adds to a score. For query i, key j and head h, with
 * r = rows[reach + j - i]:
 *     bias[r,h] + scale (q_i . keys[r,h] + k_j . queries[r,h])
 * All in the backend's memory; what is NULL adds nothing. */
typedef struct nf_relative {
    const int32_t *rows; /* [2 reach + 1], 0 <= row < n_rows, for the distances -reach .. reach */
    int32_t reach;       /* at least longest - 1 */
    int32_t n_rows;
    const nf_values *bias;           /* [n_rows, H] */
    const nf_values *keys, *queries; /* [n_rows, H*D] */
    nf_values *dbias;                /* backward adds to it; NULL: not wanted */
    nf_values *dkeys, *dqueries;     /* backward overwrites them; NULL: not wanted */
} nf_relative;

typedef struct nf_attention_shape {
    int32_t n_heads, head_size;
    double scale;                /* of the scores; 1/sqrt(D) in BERT */
    ptrdiff_t qkv_stride;        /* elements between rows of q, k and v (>= H*D) */
    int32_t window;              /* a token sees those at most so far away; 0: all */
    const nf_relative *relative; /* NULL: none */
} nf_attention_shape;

typedef struct nf_adamw {
    double learning_rate, beta1, beta2, epsilon, weight_decay;
    double grad_scale; /* gradients are multiplied by it first: the clipping factor */
    int64_t step;      /* counts from 1; for the bias correction */
} nf_adamw;

struct nf_backend {
    const char *name;       /* "ref-f32", "ref-f64", "cpu" */
    size_t real_size;       /* bytes of one value: 4 or 8 */
    nf_precision precision; /* of weight products (never AUTO) */
    bool failed; /* an operation ran out of memory: results are void; see nf_backend_check */
    void *state;

    /* ---- life and memory */
    void (*free)(nf_backend *be);
    /* Another handle for another thread; weights made by one are usable by all. */
    nerfit_status (*fork)(nf_backend *be, nf_backend **out, nerfit_error *err);
    /* The same, working on the calling thread alone. */
    nerfit_status (*fork_alone)(nf_backend *be, nf_backend **out, nerfit_error *err);
    int threads; /* that `parallel` has */
    /* Calls work(user, 0 .. count-1), each on a thread of its own; count <= threads. Each may use
     * its own handle only, one of fork_alone. */
    void (*parallel)(nf_backend *be, int count, void (*work)(void *user, int index), void *user);
    void *(*memory_new)(nf_backend *be, size_t bytes); /* 64-byte aligned, NULL if out of memory */
    void (*memory_free)(nf_backend *be, void *memory);
    void (*zero)(nf_backend *be, nf_values *y, size_t n);
    void (*copy)(nf_backend *be, nf_values *y, const nf_values *x, size_t n);
    void (*from_f32)(nf_backend *be, nf_values *y, const float *x, size_t n);
    void (*to_f32)(nf_backend *be, float *y, const nf_values *x, size_t n);
    void (*from_f64)(nf_backend *be, nf_values *y, const double *x, size_t n);
    void (*to_f64)(nf_backend *be, double *y, const nf_values *x, size_t n);
    void (*ints_in)(nf_backend *be, int32_t *y, const int32_t *x, size_t n);
    void (*ints_out)(nf_backend *be, int32_t *y, const int32_t *x, size_t n);

    /* ---- elementwise, y may be x */
    /* y += alpha x */
    void (*axpy)(nf_backend *be, nf_values *y, double alpha, const nf_values *x, size_t n);
    void (*dropout)(nf_backend *be, nf_values *y, const nf_values *x, size_t n,
                    const nf_dropout *dropout);
    void (*activation_forward)(nf_backend *be, nf_activation kind, nf_values *y, const nf_values *x,
                               size_t n);
    /* dx = dy * f'(x) */
    void (*activation_backward)(nf_backend *be, nf_activation kind, nf_values *dx,
                                const nf_values *dy, const nf_values *x, size_t n);
    /* Gated linear unit: x [N,2F]; y [N,F] = f(x[n,i]) x[n,F+i] */
    void (*gated_forward)(nf_backend *be, nf_activation kind, nf_values *y, const nf_values *x,
                          size_t n, size_t f);
    /* dx [N,2F] from dy [N,F] */
    void (*gated_backward)(nf_backend *be, nf_activation kind, nf_values *dx, const nf_values *dy,
                           const nf_values *x, size_t n, size_t f);
    /* y[n,c] (+)= alpha x[n,c] s[c] */
    void (*scale_columns)(nf_backend *be, nf_values *y, const nf_values *x, const nf_values *s,
                          double alpha, size_t rows, size_t cols, bool accumulate);

    /* ---- reductions */
    /* y[c] += sum_n x[n,c] */
    void (*column_sums)(nf_backend *be, nf_values *y, const nf_values *x, size_t rows, size_t cols);
    /* y[c] += sum_n a[n,c] b[n,c] */
    void (*column_dots)(nf_backend *be, nf_values *y, const nf_values *a, const nf_values *b,
                        size_t rows, size_t cols);
    /* y[r] = sum_c x[r,c]^2 */
    void (*row_squares)(nf_backend *be, nf_values *y, const nf_values *x, size_t rows, size_t cols);
    double (*sum_of_squares)(nf_backend *be, const nf_values *x, size_t n);

    /* ---- embeddings */
    /* y[n] (+)= table[ids[n]] */
    void (*embedding_forward)(nf_backend *be, nf_values *y, const nf_values *table,
                              const int32_t *ids, size_t n, size_t c, bool accumulate);
    /* dtable[ids[n]] += dy[n], in the order of n; rows of padding_id (-1: none) get nothing. */
    void (*embedding_backward)(nf_backend *be, nf_values *dtable, const nf_values *dy,
                               const int32_t *ids, size_t n, size_t c, int32_t padding_id);

    /* ---- layer norm over a residual sum */
    /* sum = dropout(x) + residual (NULL: 0); y = (sum - mean) * rstd * gamma + beta.
     * sum [N,C], mean [N], rstd [N] are kept for backward; sum may be x. All three may be NULL when
     * no backward follows. beta may be NULL: 0. */
    void (*norm_forward)(nf_backend *be, nf_values *y, nf_values *sum, nf_values *mean,
                         nf_values *rstd, const nf_values *x, const nf_values *residual,
                         const nf_values *gamma, const nf_values *beta, double epsilon,
                         const nf_dropout *dropout, size_t n, size_t c);
    /* dsum = gradient by the sum (dsum may be dy); dgamma, dbeta may be NULL (frozen). The caller
     * gets dx by applying the same dropout to dsum. */
    void (*norm_backward)(nf_backend *be, nf_values *dsum, nf_values *dgamma, nf_values *dbeta,
                          const nf_values *dy, const nf_values *sum, const nf_values *mean,
                          const nf_values *rstd, const nf_values *gamma, size_t n, size_t c);

    /* ---- matrix products */
    /* `values` [out, in] must stay valid as long as the weight; it is read again by
     * weight_update, which must be called when the values have changed. */
    nerfit_status (*weight_new)(nf_backend *be, nf_weight **w, const nf_values *values, size_t out,
                                size_t in, unsigned uses, nerfit_error *err);
    nerfit_status (*weight_update)(nf_backend *be, nf_weight *w, nerfit_error *err);
    void (*weight_free)(nf_backend *be, nf_weight *w);
    /* y [N,out] = activation(x [N,in] W^T + bias [out] (NULL: 0)). With pre != NULL the values
     * before the activation are stored there too (pre [N,out], not y). */
    void (*linear_forward)(nf_backend *be, nf_values *y, nf_values *pre, const nf_values *x,
                           const nf_weight *w, const nf_values *bias, nf_activation activation,
                           size_t n);
    /* dx [N,in] (+)= dy [N,out] W */
    void (*linear_backward_input)(nf_backend *be, nf_values *dx, const nf_values *dy,
                                  const nf_weight *w, size_t n, bool accumulate);
    /* Shortcuts for weights made with NF_USE_DROPPED (members may be NULL). They return false, with
     * nothing done, where the backend has no faster way than linear_forward of the dropped x, and
     * than linear_backward_input and dropout of its result.
     * y = dropout(x) W^T, given known = x W^T + bias (NULL: 0). */
    bool (*linear_forward_dropped)(nf_backend *be, nf_values *y, const nf_values *x,
                                   const nf_values *known, const nf_values *bias,
                                   const nf_weight *w, const nf_dropout *dropout, size_t n);
    /* dx [N,in] (+)= dy W + mask * (scaled W - dy W + low a), mask the dropout's factors; scaled
     * [N,out], low [N,R], a [R,in]. */
    bool (*linear_backward_dropped)(nf_backend *be, nf_values *dx, const nf_values *dy,
                                    const nf_values *scaled, const nf_values *low,
                                    const nf_values *a, size_t r, const nf_weight *w,
                                    const nf_dropout *dropout, size_t n, bool accumulate);
    /* c [m,n] (+)= alpha op(a) op(b), op(a) [m,k], op(b) [k,n]; a is [k,m] if trans_a. Used for
     * weight gradients (dW = dy^T x) and for the adapters' thin products. */
    void (*matmul)(nf_backend *be, nf_values *c, const nf_values *a, const nf_values *b, size_t m,
                   size_t n, size_t k, bool trans_a, bool trans_b, double alpha, bool accumulate);
    /* dw [out,in] (+)= dy [N,out]^T x [N,in], in the precision of weight products (sums in f32). */
    void (*weight_gradient)(nf_backend *be, nf_values *dw, const nf_values *dy, const nf_values *x,
                            size_t n, size_t out, size_t in, bool accumulate);
    /* DoRA: norm[i] = sqrt(w_squares[i] + 2 s B_i.(A W^T)_i + s^2 B_i (A A^T) B_i^T), the row norms
     * of W + s B A; b [out,R], aw [R,out] = A W^T, aa [R,R] = A A^T. */
    void (*dora_norms)(nf_backend *be, nf_values *norms, const nf_values *w_squares,
                       const nf_values *b, const nf_values *aw, const nf_values *aa, double s,
                       size_t out, size_t r);
    /* y[i] = a[i] / b[i] */
    void (*divide)(nf_backend *be, nf_values *y, const nf_values *a, const nf_values *b, size_t n);

    /* ---- attention inside each text: softmax(scale q k^T + what shape->relative says) v, head by
     * head, over the keys within shape->window */
    /* out [N, H*D]; lse [N,H] (log of the softmax's denominator; NULL if no backward follows).
     * Dropout acts on the probabilities; nf_attention_element numbers them. */
    void (*attention_forward)(nf_backend *be, nf_values *out, nf_values *lse, const nf_values *q,
                              const nf_values *k, const nf_values *v, const nf_sequences *sequences,
                              const nf_attention_shape *shape, const nf_dropout *dropout);
    /* dq, dk, dv have the rows of q, k, v (the same stride). */
    void (*attention_backward)(nf_backend *be, nf_values *dq, nf_values *dk, nf_values *dv,
                               const nf_values *dout, const nf_values *q, const nf_values *k,
                               const nf_values *v, const nf_values *out, const nf_values *lse,
                               const nf_sequences *sequences, const nf_attention_shape *shape,
                               const nf_dropout *dropout);
    /* Rotary positions, in place: in each of the H heads at the start of a row of x [N, stride],
     * the pair (x[l], x[l + D/2]) turns by the angle whose cosine and sine are turns[p,l] and
     * turns[p,D/2+l], p = positions[n]; back again with `inverse`, which is also the gradient. */
    void (*rotate)(nf_backend *be, nf_values *x, const nf_values *turns, const int32_t *positions,
                   size_t n, int32_t n_heads, int32_t head_size, ptrdiff_t stride, bool inverse);

    /* ---- rows */
    /* y = x / max(|x|, 1e-12) by row (torch's F.normalize); norms [N] kept for backward. */
    void (*normalize_forward)(nf_backend *be, nf_values *y, nf_values *norms, const nf_values *x,
                              size_t n, size_t c);
    void (*normalize_backward)(nf_backend *be, nf_values *dx, const nf_values *dy,
                               const nf_values *y, const nf_values *norms, size_t n, size_t c);
    /* y [S,C], rows `stride` apart, from x [N,C] without the first `skip` tokens of each sequence.
     * Where nothing is left y is 0; CLS then takes the very first token. */
    void (*pool)(nf_backend *be, nf_pooling kind, nf_values *y, size_t stride, const nf_values *x,
                 const nf_sequences *sequences, size_t skip, size_t c);

    /* ---- losses: return the sum over elements; dx (may be NULL) gets grad_scale times the
     * gradient of that sum. */
    /* Binary cross-entropy of z_token . embedding_entity against "token lies in the entity", for
     * every pair of an entity and a token of the same text. z [N,P], embeddings [T,P]. */
    double (*contrastive_loss)(nf_backend *be, nf_values *dz, const nf_values *z,
                               const nf_values *embeddings, size_t p, const nf_sequences *sequences,
                               const nf_entities *entities, double grad_scale);
    /* Cross-entropy of logits [N,L] against labels [N] (-100: no loss), with label smoothing s as
     * in transformers' LabelSmoother: (1-s) nll + s mean_l(-log p_l). */
    double (*cross_entropy)(nf_backend *be, nf_values *dlogits, const nf_values *logits,
                            const int32_t *labels, size_t n, size_t l, double smoothing,
                            double grad_scale);
    /* y = softmax of each row (y may be x). */
    void (*softmax)(nf_backend *be, nf_values *y, const nf_values *x, size_t n, size_t l);

    /* ---- optimizer: torch's AdamW (decoupled decay, epsilon outside the bias-corrected root) */
    void (*adamw)(nf_backend *be, nf_values *values, const nf_values *grads, nf_values *m,
                  nf_values *v, size_t n, const nf_adamw *options);
    /* The same for some rows, in the host's memory [n_rows], of matrices with c columns. */
    void (*adamw_rows)(nf_backend *be, nf_values *values, const nf_values *grads, nf_values *m,
                       nf_values *v, const int32_t *rows, size_t n_rows, size_t c,
                       const nf_adamw *options);
    /* What adamw does, with these weight decays times learning rates [n_rates], one after another,
     * to n values whose gradients and moments are zero. */
    void (*decay)(nf_backend *be, nf_values *values, size_t n, const double *rates, size_t n_rates);
};

/* Index of the attention probability (query i, key j, head h) for dropout: queries are counted over
 * the batch (row), keys within the text. */
static inline uint64_t nf_attention_element(int32_t row, int32_t key, int32_t head, int32_t heads,
                                            int32_t longest) {
    /* a multiple of 8 keys a row, so that eight neighbouring keys share one Philox call */
    uint64_t width = ((uint64_t)longest + 7) & ~(uint64_t)7;
    return ((uint64_t)row * (uint64_t)heads + (uint64_t)head) * width + (uint64_t)key;
}

/* The plain C backend, in float (real_size 4) or double (8). */
nerfit_status nf_backend_ref(nf_backend **out, size_t real_size, nerfit_error *err);
/* The optimised CPU backend; threads 0: all cores; AUTO takes bf16 where the CPU multiplies it. */
nerfit_status nf_backend_cpu(nf_backend **out, nf_precision precision, int threads,
                             nerfit_error *err);

/* After a pass: NERFIT_NO_MEMORY if an operation ran out of memory since the last check. */
static inline nerfit_status nf_backend_check(nf_backend *be, nerfit_error *err) {
    bool failed = be->failed;
    be->failed = false;
    return failed ? nf_no_memory(err, 0) : NERFIT_OK;
}

/* x + index, in elements. */
static inline nf_values *nf_at(const nf_backend *be, nf_values *x, size_t index) {
    return (nf_values *)((char *)x + index * be->real_size);
}
static inline const nf_values *nf_at_const(const nf_backend *be, const nf_values *x, size_t index) {
    return (const nf_values *)((const char *)x + index * be->real_size);
}

#endif
