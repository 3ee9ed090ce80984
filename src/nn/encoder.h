/* Transformer encoder: embeddings, then a list of layers of attention and feed-forward.
 *
 * An architecture (bert.c, roberta.c, ...) reads its config.json into this struct and names the
 * parameters; the blocks know nothing of architectures, only of options.
 *
 * Backward goes no deeper than the lowest trained layer, and layers below it keep nothing. */
#ifndef NF_NN_ENCODER_H
#define NF_NN_ENCODER_H

#include "nn/linear.h"

typedef struct nf_norm {
    nf_parameter *weight, *bias; /* no bias: NULL; neither: no norm at all (embeddings, before a
                                  * block) */
    bool rms;                    /* RMSNorm instead of layer norm */
    double epsilon;
    uint32_t stream; /* of the dropout before the residual: on the norm's input, or on the block's
                    * output where the norm stands before the block */
} nf_norm;

typedef struct nf_norm_saved {
    nf_values *sum, *mean, *rstd;
} nf_norm_saved;

/* word + position + type embeddings, norm, dropout (BERT's order), and possibly a projection to the
 * hidden states' size (ELECTRA, ALBERT) */
typedef struct nf_embedding {
    nf_parameter *words, *positions, *types; /* positions and types may be NULL */
    nf_parameter *shapes;                    /* of words (word_shape.h); NULL: none */
    size_t size;                 /* E, that of the hidden states unless there is a projection */
    nf_linear *projection;       /* [C, E]; NULL: none */
    int32_t padding_id;          /* row of `words` that gets no gradient; -1 none */
    int32_t position_padding_id; /* likewise of `positions` */
    nf_norm norm;
    uint32_t stream;  /* of the dropout after the norm */
    bool own_dropout; /* its probability is `dropout`, else the hidden states' */
    double dropout;
} nf_embedding;

typedef struct nf_embedding_saved {
    nf_norm_saved norm;
    nf_linear_saved projection;
} nf_embedding_saved;

/* y = norm(x + dropout(out(attention(q(x), k(x), v(x))))), or, with the norm before the block,
 * y = x + dropout(out(attention(q(norm(x)), ...))) */
typedef struct nf_attention {
    nf_linear *query, *key, *value, *out;
    nf_linear *fused; /* query, key and value in one, [3C, C]; they are then NULL */
    nf_norm norm;
    bool norm_before;
    int32_t n_heads;
    int32_t
        n_kv_heads; /* K, of key and value [K*D, C]: each is for H/K of the query's heads; 0: n_heads */
    uint32_t stream; /* of the dropout on the probabilities */
    nf_attention_rule rule;
    int32_t rotation; /* query and key turn by the encoder's thetas[rotation - 1]; 0: they do not */
    /* what makes keys and queries of the relative positions' embeddings (DeBERTa); may be `key` and
     * `query` themselves; NULL: none */
    nf_linear *position_key, *position_query;
    uint32_t position_stream; /* of the dropout on those embeddings */
} nf_attention;

typedef struct nf_attention_saved {
    nf_linear_saved query, key, value, out, fused;
    nf_values *q, *k, *v, *context, *lse;
    nf_norm_saved norm;
    nf_linear_saved position_key, position_query;
    nf_values *position_keys, *position_queries;
} nf_attention_saved;

/* y = norm(x + dropout(down(activation(up(x))))), or, with the norm before the block,
 * y = x + dropout(down(activation(up(norm(x))))). Gated: the activation's result is multiplied by
 * gate(x); without `gate` up has 2F outputs, of which the second half is that. */
typedef struct nf_feed_forward {
    nf_linear *up, *down;
    nf_linear *gate; /* [F, C]; or NULL */
    nf_norm norm;
    bool norm_before, gated;
    bool drops_inside; /* dropout (the encoder's inner_dropout) before `down`, none behind it */
    nf_activation activation;
} nf_feed_forward;

typedef struct nf_feed_forward_saved {
    nf_linear_saved up, gate, down;
    nf_values *pre, *gates, *inner;
    nf_norm_saved norm;
} nf_feed_forward_saved;

typedef struct nf_layer {
    nf_attention attention;
    nf_feed_forward feed_forward;
} nf_layer;

typedef struct nf_layer_saved {
    nf_attention_saved attention;
    nf_feed_forward_saved feed_forward;
    nf_values *middle; /* [N,C] between the two */
} nf_layer_saved;

/* How a distance becomes the row of a table: T5's buckets (half of them for each direction, half of
 * those for single distances, the others logarithmic up to max_distance), or DeBERTa's (n_buckets
 * for each direction, single distances up to half of that; max_distance 0: no others). */
typedef enum nf_bucketing { NF_BUCKETS_T5, NF_BUCKETS_LOG } nf_bucketing;

/* What all layers' attentions know of the distance of two tokens. */
typedef struct nf_relative_positions {
    nf_bucketing bucketing;
    int32_t n_buckets, max_distance;
    nf_parameter *bias;       /* [rows, H], added to the scores (MPNet); or NULL */
    nf_parameter *embeddings; /* [rows, C], of which layers make keys and queries; or NULL */
    nf_norm norm;             /* of the embeddings; may be none */
    struct nf_position_tables *tables; /* what is kept of them; NULL: nothing */
} nf_relative_positions;

/* See position_tables.c. */
typedef struct nf_position_table nf_position_table;
typedef struct nf_position_tables nf_position_tables;

/* What a batch needs of positions inside attention: batch_positions.c. */
typedef struct nf_batch_positions {
    nf_relative relative;           /* rows, reach, n_rows and bias */
    size_t first_row;               /* of the tables, which `relative` counts from */
    const nf_values *embeddings;    /* [n_rows, C], normed */
    nf_values *dembeddings;         /* backward gathers them here; NULL: not wanted */
    const nf_position_table *table; /* instead of embeddings, if they are kept */
    nf_norm_saved norm;
    const nf_values *cos_sin[2]; /* of each theta: see backend.h's rotate */
} nf_batch_positions;

typedef struct nf_encoder {
    const char *model_type; /* of config.json */
    const char *prefix;     /* of the checkpoint's names in models with a head: "bert." */
    size_t hidden, n_layers, n_heads, intermediate;
    size_t vocabulary, max_positions; /* usable positions (RoBERTa: without its offset) */
    int32_t first_position;      /* position of a text's first token: 0, RoBERTa: padding id + 1 */
    int32_t position_of_padding; /* RoBERTa: tokens that are the padding id stand here; else -1 */
    double hidden_dropout, attention_dropout, classifier_dropout;
    double inner_dropout;     /* of feed-forward blocks that drop inside */
    double initializer_range; /* sd of new heads */
    nf_embedding embedding;
    nf_layer *layers;                /* [n_layers] */
    nf_norm *final_norm;             /* behind the last layer; NULL: none */
    nf_relative_positions *relative; /* NULL: none */
    double thetas[2];                /* rotary positions' bases; 0: none */
    /* ALBERT: the layers are one and the same, and only the dropout masks tell its uses apart */
    bool shares_layers;
} nf_encoder;

/* What backward of the whole encoder needs. */
typedef struct nf_encoder_saved {
    nf_embedding_saved embedding;
    nf_layer_saved *layers; /* in the caller's memory, [n_layers] */
    nf_norm_saved final_norm;
    nf_batch_positions batch_positions;
} nf_encoder_saved;

/* ---- blocks; all arrays [N,C] unless said otherwise */

nerfit_status nf_norm_forward(const nf_norm *norm, const nf_pass *pass, nf_values *y,
                              const nf_values *x, const nf_values *residual, double dropout,
                              size_t c, nf_norm_saved *saved);
/* dsum: gradient by dropout(x) + residual. dx (may be NULL): by x; it may be dsum itself only if
 * there is no residual. */
void nf_norm_backward(const nf_norm *norm, const nf_pass *pass, nf_values *dsum, nf_values *dx,
                      const nf_values *dy, double dropout, size_t c, const nf_norm_saved *saved);

/* The end of a block that has its norm before it: y = dropout(out) + x; the dropout is the norm's
 * stream. */
void nf_residual_forward(const nf_norm *norm, const nf_pass *pass, nf_values *y,
                         const nf_values *out, const nf_values *x, double dropout, size_t c);
/* dout: gradient by out; that by x is dy itself. */
void nf_residual_backward(const nf_norm *norm, const nf_pass *pass, nf_values *dout,
                          const nf_values *dy, double dropout, size_t c);

nerfit_status nf_embedding_forward(const nf_encoder *encoder, const nf_pass *pass, nf_values *y,
                                   nf_embedding_saved *saved);
nerfit_status nf_embedding_backward(const nf_encoder *encoder, const nf_pass *pass,
                                    const nf_values *dy, const nf_embedding_saved *saved);
nerfit_status nf_attention_forward(const nf_encoder *encoder, const nf_attention *attention,
                                   const nf_pass *pass, nf_values *y, const nf_values *x,
                                   nf_attention_saved *saved);
/* dx may be NULL */
nerfit_status nf_attention_backward(const nf_encoder *encoder, const nf_attention *attention,
                                    const nf_pass *pass, nf_values *dx, const nf_values *dy,
                                    const nf_attention_saved *saved);
nerfit_status nf_feed_forward_forward(const nf_encoder *encoder, const nf_feed_forward *block,
                                      const nf_pass *pass, nf_values *y, const nf_values *x,
                                      nf_feed_forward_saved *saved);
/* dx may be NULL */
nerfit_status nf_feed_forward_backward(const nf_encoder *encoder, const nf_feed_forward *block,
                                       const nf_pass *pass, nf_values *dx, const nf_values *dy,
                                       const nf_feed_forward_saved *saved);

/* ---- positions inside attention */

/* Fills `batch_positions` for the pass's batch; layers find it as pass->batch_positions. */
nerfit_status nf_batch_positions_forward(const nf_encoder *encoder, const nf_pass *pass,
                                         nf_batch_positions *batch_positions);
/* Before and after the layers' backward. */
nerfit_status nf_batch_positions_start_backward(const nf_encoder *encoder, const nf_pass *pass,
                                                nf_batch_positions *batch_positions);
void nf_batch_positions_finish_backward(const nf_encoder *encoder, const nf_pass *pass,
                                        const nf_batch_positions *batch_positions);
/* The relative terms of a layer: `out` for the backend's attention. */
nerfit_status nf_position_terms_forward(const nf_encoder *encoder, const nf_attention *attention,
                                        const nf_pass *pass, nf_relative *out,
                                        nf_attention_saved *saved);
/* The same with places for gradients, which nf_position_terms_backward takes further after the
 * attention's backward. */
nerfit_status nf_position_terms_again(const nf_encoder *encoder, const nf_attention *attention,
                                      const nf_pass *pass, const nf_attention_saved *saved,
                                      nf_relative *out);
nerfit_status nf_position_terms_backward(const nf_encoder *encoder, const nf_attention *attention,
                                         const nf_pass *pass, const nf_attention_saved *saved,
                                         const nf_relative *relative);
/* The table's rows [n, from low on] for the distances -reach .. reach, in memory that the caller frees. */
nerfit_status nf_relative_rows(const nf_relative_positions *r, int32_t reach, int32_t **rows,
                               int32_t *low, int32_t *n);
/* The table's embeddings from first_row on, normed where the encoder has that; `rows`: a pass over them.
 * saved may be NULL. */
nerfit_status nf_relative_embeddings(const nf_encoder *encoder, const nf_pass *rows,
                                     size_t first_row, const nf_values **out, nf_norm_saved *saved);
/* From here on the encoder keeps what relative positions give in every layer, for passes without
 * backward: its weights may not change any more. To be forgotten before its network is freed. */
nerfit_status nf_encoder_keep_positions(nf_encoder *encoder, nf_backend *be, nerfit_error *err);
void nf_encoder_forget_positions(nf_encoder *encoder);
/* A table for distances up to `reach`, made by this pass if there is none yet; NULL: out of memory. */
const nf_position_table *nf_position_tables_find(const nf_encoder *encoder, const nf_pass *pass,
                                                 int32_t reach);
/* Puts a layer's part of it into `out`. */
void nf_position_table_give(const nf_position_table *table, const nf_encoder *encoder,
                            const nf_attention *attention, const nf_pass *pass, nf_relative *out);
bool nf_norm_trained(const nf_norm *norm);
bool nf_relative_trained(const nf_encoder *encoder);

/* ---- the whole */

/* y [N,C]: the last hidden state. kept (may be NULL when pass->keep is false) must have n_layers
 * layers. hidden_states (may be NULL): [n_layers + 1] pointers that receive every layer's output
 * (for tests). */
nerfit_status nf_encoder_forward(const nf_encoder *encoder, const nf_pass *pass, nf_values *y,
                                 nf_encoder_saved *saved, nf_values **hidden_states);
/* dy [N,C] is overwritten. dhidden_states (may be NULL): [n_layers] gradients by the layers' outputs,
 * as hidden_states numbers them, that come from elsewhere; NULL among them: none. */
nerfit_status nf_encoder_backward(const nf_encoder *encoder, const nf_pass *pass, nf_values *dy,
                                  const nf_encoder_saved *saved, nf_values *const *dhidden_states);

#endif
