/* Transformer encoder: embeddings, then a list of layers of attention and feed-forward.
 *
 * An architecture (bert.c, roberta.c, ...) reads its config.json into this struct and names the
 * parameters; the blocks know nothing of architectures, only of options.
 *
 * Backward goes no deeper than the lowest trained layer, and layers below it keep nothing. */
#ifndef NF_MODEL_ENCODER_H
#define NF_MODEL_ENCODER_H

#include "model/linear.h"

typedef struct nf_norm {
    nf_parameter *weight, *bias;
    double epsilon;
    uint32_t site; /* of the dropout on the norm's input (before the residual) */
} nf_norm;

typedef struct nf_norm_kept {
    nf_values *sum, *mean, *rstd;
} nf_norm_kept;

/* word + position + type embeddings, norm, dropout (BERT's order), and possibly a projection to the
 * hidden states' size (ELECTRA, ALBERT) */
typedef struct nf_embedding {
    nf_parameter *words, *positions, *types; /* types may be NULL */
    size_t size;           /* E, that of the hidden states unless there is a projection */
    nf_linear *projection; /* [C, E]; NULL: none */
    int32_t padding_id;          /* row of `words` that gets no gradient; -1 none */
    int32_t position_padding_id; /* likewise of `positions` */
    nf_norm norm;
    uint32_t site; /* of the dropout after the norm */
} nf_embedding;

typedef struct nf_embedding_kept {
    nf_norm_kept norm;
    nf_linear_kept projection;
} nf_embedding_kept;

/* y = norm(x + dropout(out(attention(q(x), k(x), v(x))))) */
typedef struct nf_attention {
    nf_linear *query, *key, *value, *out;
    nf_norm norm;
    int32_t n_heads;
    uint32_t site; /* of the dropout on the probabilities */
} nf_attention;

typedef struct nf_attention_kept {
    nf_linear_kept query, key, value, out;
    nf_values *q, *k, *v, *context, *lse;
    nf_norm_kept norm;
} nf_attention_kept;

/* y = norm(x + dropout(down(activation(up(x))))) */
typedef struct nf_feed_forward {
    nf_linear *up, *down;
    nf_norm norm;
    nf_activation activation;
} nf_feed_forward;

typedef struct nf_feed_forward_kept {
    nf_linear_kept up, down;
    nf_values *pre, *inner;
    nf_norm_kept norm;
} nf_feed_forward_kept;

typedef struct nf_layer {
    nf_attention attention;
    nf_feed_forward feed_forward;
} nf_layer;

typedef struct nf_layer_kept {
    nf_attention_kept attention;
    nf_feed_forward_kept feed_forward;
    nf_values *middle; /* [N,C] between the two */
} nf_layer_kept;

typedef struct nf_encoder {
    const char *model_type; /* of config.json */
    const char *prefix;     /* of the checkpoint's names in models with a head: "bert." */
    size_t hidden, n_layers, n_heads, intermediate;
    size_t vocabulary, max_positions; /* usable positions (RoBERTa: without its offset) */
    int32_t first_position; /* position of a text's first token: 0, RoBERTa: padding id + 1 */
    int32_t position_of_padding; /* RoBERTa: tokens that are the padding id stand here; else -1 */
    double hidden_dropout, attention_dropout, classifier_dropout;
    double initializer_range; /* sd of new heads */
    nf_embedding embedding;
    nf_layer *layers; /* [n_layers] */
    /* ALBERT: the layers are one and the same, and only the dropout masks tell its uses apart */
    bool shares_layers;
} nf_encoder;

/* What backward of the whole encoder needs. */
typedef struct nf_encoder_kept {
    nf_embedding_kept embedding;
    nf_layer_kept *layers; /* in the caller's memory, [n_layers] */
} nf_encoder_kept;

/* ---- blocks; all arrays [N,C] unless said otherwise */

nerfit_status nf_norm_forward(const nf_norm *norm, const nf_pass *pass, nf_values *y,
                              const nf_values *x, const nf_values *residual, double dropout,
                              size_t c, nf_norm_kept *kept);
/* dsum: gradient by dropout(x) + residual. dx (may be NULL): by x; it may be dsum itself only if
 * there is no residual. */
void nf_norm_backward(const nf_norm *norm, const nf_pass *pass, nf_values *dsum, nf_values *dx,
                      const nf_values *dy, double dropout, size_t c, const nf_norm_kept *kept);

nerfit_status nf_embedding_forward(const nf_encoder *encoder, const nf_pass *pass, nf_values *y,
                                   nf_embedding_kept *kept);
nerfit_status nf_embedding_backward(const nf_encoder *encoder, const nf_pass *pass,
                                    const nf_values *dy, const nf_embedding_kept *kept);
nerfit_status nf_attention_forward(const nf_encoder *encoder, const nf_attention *attention,
                                   const nf_pass *pass, nf_values *y, const nf_values *x,
                                   nf_attention_kept *kept);
/* dx may be NULL */
nerfit_status nf_attention_backward(const nf_encoder *encoder, const nf_attention *attention,
                                    const nf_pass *pass, nf_values *dx, const nf_values *dy,
                                    const nf_attention_kept *kept);
nerfit_status nf_feed_forward_forward(const nf_encoder *encoder, const nf_feed_forward *block,
                                      const nf_pass *pass, nf_values *y, const nf_values *x,
                                      nf_feed_forward_kept *kept);
/* dx may be NULL */
nerfit_status nf_feed_forward_backward(const nf_encoder *encoder, const nf_feed_forward *block,
                                       const nf_pass *pass, nf_values *dx, const nf_values *dy,
                                       const nf_feed_forward_kept *kept);

/* ---- the whole */

/* y [N,C]: the last hidden state. kept (may be NULL when pass->keep is false) must have n_layers
 * layers. hidden_states (may be NULL): [n_layers + 1] pointers that receive every layer's output
 * (for tests). */
nerfit_status nf_encoder_forward(const nf_encoder *encoder, const nf_pass *pass, nf_values *y,
                                 nf_encoder_kept *kept, nf_values **hidden_states);
/* dy [N,C] is overwritten. */
nerfit_status nf_encoder_backward(const nf_encoder *encoder, const nf_pass *pass, nf_values *dy,
                                  const nf_encoder_kept *kept);

#endif
