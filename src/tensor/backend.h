/* The backend table: every operation on numbers that a model needs, forward and backward.
 *
 * Code above src/tensor never touches a tensor's memory. It holds nf_values pointers (arrays of the
 * backend's real type: float, or double in the reference backend that the gradient checks use),
 * places in them by nf_at, moves data in and out by the copy operations, and calls the table, whose
 * rows stand in operations.h. A new backend is one more table and one more row of backends.h.
 *
 * All matrices are row-major and dense. Batches are packed: the S texts of a batch lie one after
 * another in [N, C], text s being rows cu_seqlens[s] .. cu_seqlens[s+1]-1; nothing is padded.
 * A backward function ADDS to gradients of parameters and, where `accumulate` is not given,
 * overwrites gradients of activations.
 *
 * Threads: a backend may be used by one thread at a time; its fork gives another thread its own,
 * which shares prepared weights. */
#ifndef NF_TENSOR_BACKEND_H
#define NF_TENSOR_BACKEND_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
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

/* A weight [out, in] as it is to be prepared. Its precision goes with it: all its products, and its
 * gradient, have it. */
typedef struct nf_weight_plan {
    size_t out, in;
    unsigned uses;
    nf_precision precision; /* AUTO: the backend's */
} nf_weight_plan;

/* What follows a product: y = activation(product + bias). */
typedef struct nf_epilogue {
    const nf_values *bias; /* [out]; NULL: 0 */
    nf_activation activation;
    nf_values *pre; /* [N,out], not y: receives the values before the activation; NULL: not kept */
} nf_epilogue;

/* op(a) [m,k] op(b) [k,n]; a is stored as [k,m] with trans_a, b as [n,k] with trans_b. */
typedef struct nf_product {
    size_t m, n, k;
    bool trans_a, trans_b;
    double alpha;
    bool accumulate;
} nf_product;

/* Dropout: element i of a stream is dropped iff uniform(seed, step, stream, i) < p, where uniform is
 * half i%2 (the lower one first) of word i%8/2 of nf_philox(i/8, stream, step low, step high ^
 * (i/8 >> 32), seed low, seed high), divided by 2^16; p is rounded up to a multiple of 2^-16, and
 * kept elements are scaled by 1/(1-p). The mask is thus never stored, and is the same in every
 * backend. p = 0 copies. */
typedef struct nf_dropout {
    double p;
    uint64_t seed;
    uint64_t step;
    uint32_t stream;
    uint64_t first; /* added to every element's number; a multiple of 8 (a part of a batch) */
} nf_dropout;

/* What goes through the activation, and what its result is multiplied by: halves of the same rows, or
 * two matrices. */
typedef struct nf_gated_operands {
    nf_activation activation;
    const nf_values *inputs, *gates; /* [N,F], rows `stride` apart */
    size_t n, f, stride;
} nf_gated_operands;

typedef struct nf_norm_operands {
    size_t n, c; /* rows, columns */
    double epsilon;
    bool rms;                      /* RMSNorm: neither mean nor beta */
    const nf_values *gamma, *beta; /* [C]; beta NULL: 0 */
    /* kept by forward, read by backward: sum [N,C] (may be x), mean [N] (not with rms), rstd [N];
     * all NULL when no backward follows */
    nf_values *sum, *mean, *rstd;
} nf_norm_operands;

typedef struct nf_dropped_forward_operands {
    size_t n;
    const nf_values *x, *known, *bias; /* [N,in], [N,out], [out] (NULL: 0) */
    const nf_weight *w;
    const nf_dropout *dropout;
} nf_dropped_forward_operands;

typedef struct nf_dropped_backward_operands {
    size_t n, r;
    const nf_values *dy, *scaled, *low, *a; /* [N,out], [N,out], [N,R], [R,in] */
    const nf_weight *w;
    const nf_dropout *dropout;
} nf_dropped_backward_operands;

typedef struct nf_dora_operands {
    size_t out, r;
    const nf_values *w_squares, *b, *aw, *aa; /* [out], [out,R], A W^T [R,out], A A^T [R,R] */
    double scaling;
} nf_dora_operands;

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

typedef struct nf_pooling_shape {
    nf_pooling kind;
    size_t c, stride, skip;
} nf_pooling_shape;

/* What logits [N,L] ought to say. */
typedef struct nf_targets {
    const int32_t *labels; /* [N] below L, in the backend's memory; below 0: no loss */
    size_t n, l;
    double smoothing;
    /* in the backend's memory; NULL: 1 each, and all of them */
    const nf_values *weights; /* [N] of the rows, 0 or more */
    const int32_t *allowed;   /* [K,L] 1 where a set of labels has one of L, else 0 */
    const int32_t *sets; /* [N] the row's set: the others' logits are left out of its softmax */
} nf_targets;

/* What logits [N] ought to say, yes or no, and how a miss counts (gliner's
 * focal_loss_with_logits). With p = sigmoid(x), q = clip(p - margin, 0, 1), and the target
 * t = label (1 - smoothing) + smoothing / 2:
 *     loss = a w (-t log p - (1 - t) log(1 - q)), probabilities of at least 1e-6,
 *     w = (1 - (p t + (1 - q) (1 - t)))^gamma, if gamma > 0,
 *     a = alpha t + (1 - alpha) (1 - t), if alpha >= 0 */
typedef struct nf_focal_targets {
    const int32_t *labels; /* [N] 1 or 0, in the backend's memory; below 0: no loss */
    size_t n;
    double alpha, gamma, margin, smoothing;
} nf_focal_targets;

/* The entities of a contrastive batch, all in the backend's memory. */
typedef struct nf_entities {
    const nf_values *embeddings; /* [T,P] */
    size_t size;                 /* P */
    const int32_t *cu_entities;  /* [S+1]: entities of text s are cu_entities[s] .. [s+1]-1 */
    const int32_t *types;        /* [E] rows of the embedding table */
    const int32_t *starts;       /* [E] first token, counted in the text */
    const int32_t *ends;         /* [E] token past the last one */
    int32_t n_entities;
    /* A pair counts as the token, and outside the entity also as the entity does; NULL: as 1. */
    const nf_values *weights;       /* [E] */
    const nf_values *token_weights; /* [N] */
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
    /* forward takes them by columns as well [H*D, columns_stride], if keys and queries are NULL; 32
     * numbers behind the last one may be read */
    const nf_values *key_columns, *query_columns;
    size_t columns_stride;
    nf_values *dbias;            /* backward adds to it; NULL: not wanted */
    nf_values *dkeys, *dqueries; /* backward overwrites them; NULL: not wanted */
} nf_relative;

/* What an attention does beside softmax(scale q k^T) v; all 0: nothing. The encoder's layers have it
 * as their architecture says, and hand it to the kernels as it is: another one is a field here, and
 * known to ref.c and to cpu's attention_terms.c. */
typedef struct nf_attention_rule {
    int32_t window; /* a token sees those at most so far away; 0: all */
} nf_attention_rule;

typedef struct nf_attention_shape {
    int32_t n_heads, head_size;
    int32_t n_kv_heads;  /* K: H/K heads of q in a row share one of k and v (Ainslie et al. 2023) */
    double scale;        /* of the scores; 1/sqrt(D) in BERT */
    ptrdiff_t q_stride;  /* elements between rows of q (>= H*D) */
    ptrdiff_t kv_stride; /* and of k and v (>= K*D) */
    nf_attention_rule rule;
    const nf_relative *relative; /* NULL: none */
} nf_attention_shape;

/* One attention of a batch: q [N, H*D], k and v [N, K*D] by their strides; out [N, H*D] and lse
 * [N,H], the log of the softmax's denominator, are written by forward and read by backward. */
typedef struct nf_attention_operands {
    const nf_values *q, *k, *v;
    nf_values *out, *lse;
    const nf_sequences *sequences;
    const nf_attention_shape *shape;
    const nf_dropout *dropout;
} nf_attention_operands;

/* Rotary positions: see rotate. */
typedef struct nf_rotation {
    const nf_values *cos_sin; /* [positions, D] */
    const int32_t *positions; /* [N], in the backend's memory */
    int32_t n_heads, head_size;
    ptrdiff_t stride; /* elements between rows */
} nf_rotation;

/* One direction of an LSTM over each text of a batch (Hochreiter & Schmidhuber 1997, gates in torch's
 * order i, f, g, o; the state before a text is 0):
 *     z_t = gates_t + W h_{t-1} + b,  c_t = s(f) c_{t-1} + s(i) tanh(g),  h_t = s(o) tanh(c_t) */
typedef struct nf_lstm_operands {
    size_t hidden; /* H */
    size_t stride; /* elements between rows of y (>= H) */
    bool reverse;  /* from each text's last token to its first */
    const nf_sequences *sequences;
    const nf_values *recurrent, *bias; /* W [4H,H], b [4H] */
    nf_values
        *gates; /* [N,4H]; what the input gives, which forward replaces by s(i), ..., tanh(g) */
    nf_values *cells; /* [N,H] c, written by forward */
    nf_values *y;     /* [N,H] h */
} nf_lstm_operands;

/* Parameters, their gradients and moments, all of one length. */
typedef struct nf_adamw_arrays {
    nf_values *values;
    const nf_values *grads;
    nf_values *m, *v;
} nf_adamw_arrays;

typedef struct nf_adamw {
    double learning_rate, beta1, beta2, epsilon, weight_decay;
    double grad_scale; /* gradients are multiplied by it first: the clipping factor */
    int64_t step;      /* counts from 1; for the bias correction */
} nf_adamw;

struct nf_backend {
    const char *name;       /* "ref-f32", "ref-f64", "cpu" */
    size_t real_size;       /* bytes of one value: 4 or 8 */
    nf_precision precision; /* of products with weights, where a plan says AUTO; never AUTO */
    int threads;            /* that `parallel` has */
    bool is_host; /* its memory is the host's: the texts' limits, say, can be read where they lie */
    size_t
        failed; /* bytes that an operation had no memory for: results are void (nf_backend_check) */
    void *state;

#define NF_HANDLE(result, name, parameters) result(*name) parameters;
#define NF_OPERATION(result, name, kind, parameters, arguments) result(*name) parameters;
#define NF_ANSWER(result, name, kind, parameters, arguments) result(*name) parameters;
#define NF_SHORTCUT(result, name, kind, parameters, arguments) result(*name) parameters;
#include "tensor/operations.h"
};

/* Index of the attention probability (query i, key j, head h) for dropout: queries are counted over
 * the batch (row), keys within the text. */
static inline uint64_t nf_attention_element(int32_t row, int32_t key, int32_t head, int32_t heads,
                                            int32_t longest) {
    /* a multiple of 8 keys a row, so that eight neighbouring keys share one Philox call */
    uint64_t width = ((uint64_t)longest + 7) & ~(uint64_t)7;
    return ((uint64_t)row * (uint64_t)heads + (uint64_t)head) * width + (uint64_t)key;
}

/* For tests; others ask backends.h. The plain C backend, in float (real_size 4) or double (8). */
nerfit_status nf_backend_ref(nf_backend **out, size_t real_size, nerfit_error *err);
/* The optimised CPU backend; threads 0: all cores; AUTO takes bf16 where the CPU multiplies it. */
nerfit_status nf_backend_cpu(nf_backend **out, nf_precision precision, int threads,
                             nerfit_error *err);

/* Asserts that the texts of a batch lie one behind another and fill it. */
static inline void nf_sequences_assert(const nf_backend *be, const nf_sequences *s) {
    if (!NF_ASSERTING || !be->is_host || !s->cu_seqlens) return;
    nf_assert_equal(s->cu_seqlens[0], 0);
    for (int32_t i = 0; i < s->n_sequences; i++) {
        nf_assert_within(s->cu_seqlens[i], s->cu_seqlens[i + 1]);
        nf_assert_within(s->cu_seqlens[i + 1] - s->cu_seqlens[i], s->longest);
    }
    nf_assert_equal(s->cu_seqlens[s->n_sequences], s->n_tokens);
}

static inline void nf_attention_assert(const nf_backend *be, const nf_attention_operands *a) {
    const nf_attention_shape *s = a->shape;
    nf_sequences_assert(be, a->sequences);
    nf_assert(s->n_kv_heads > 0 && s->n_heads % s->n_kv_heads == 0);
    nf_assert_within(s->n_heads * s->head_size, s->q_stride);
    nf_assert_within(s->n_kv_heads * s->head_size, s->kv_stride);
    nf_assert(!s->relative || s->relative->reach >= a->sequences->longest - 1);
}

static inline void nf_targets_assert(const nf_backend *be, const nf_targets *targets) {
    for (size_t i = 0; NF_ASSERTING && be->is_host && i < targets->n; i++) {
        int32_t label = targets->labels[i];
        nf_assert(label < 0 || (size_t)label < targets->l);
        nf_assert(label < 0 || !targets->allowed ||
                  targets->allowed[(size_t)targets->sets[i] * targets->l + (size_t)label]);
    }
}

/* After a pass: NERFIT_NO_MEMORY if an operation ran out of memory since the last check. */
static inline nerfit_status nf_backend_check(nf_backend *be, nerfit_error *err) {
    size_t failed = be->failed;
    be->failed = 0;
    return failed ? nf_no_memory(err, failed) : NERFIT_OK;
}

/* x + index, in elements. */
static inline nf_values *nf_at(const nf_backend *be, nf_values *x, size_t index) {
    return (nf_values *)((char *)x + index * be->real_size);
}
static inline const nf_values *nf_at_const(const nf_backend *be, const nf_values *x, size_t index) {
    return (const nf_values *)((const char *)x + index * be->real_size);
}

#endif
