/* Encoders of BERT's shape: word, position and type embeddings, then layers of attention and
 * feed-forward with a norm behind each. They differ in how config.json and the checkpoint name
 * things, in factorised embeddings and in layers that are shared, all of which a table says:
 * an architecture of this shape is such a table and a row (bert.c, distilbert.c, ...). */
#ifndef NF_MODEL_LAYOUT_H
#define NF_MODEL_LAYOUT_H

#include "model/architecture.h"

/* Fields of config.json. */
typedef struct nf_layout_keys {
    const char *hidden, *n_layers, *n_heads, *intermediate, *activation;
    const char *hidden_dropout, *attention_dropout, *classifier_dropout;
} nf_layout_keys;

/* What is taken where config.json is silent: the defaults of transformers' class. */
typedef struct nf_layout_defaults {
    const char *activation;
    double dropout;            /* of hidden states and of attention */
    double classifier_dropout; /* negative: as of hidden states */
    double epsilon;            /* of norms; 0: 1e-12 */
    size_t embedding_size;     /* 0: always that of the hidden states, there is no such field */
} nf_layout_defaults;

/* Modules of a layer, without the layer's own name. */
typedef struct nf_layer_names {
    const char *query, *key, *value, *attention_out, *attention_norm, *up, *down, *norm;
} nf_layer_names;

typedef struct nf_layout {
    const nf_layout_keys *keys;
    const nf_layout_defaults *defaults;
    const nf_layer_names *names;
    const char *layers;     /* what stands before a layer's number: "encoder.layer." */
    const char *projection; /* the module from embeddings to hidden states; NULL: none */
    bool always_projects;   /* else only where the two sizes differ */
    bool no_positions;      /* no embeddings of positions */
    bool no_types;          /* no embeddings of token types */
    bool shared;            /* one layer's parameters, at every depth */
} nf_layout;

/* BERT's own, which others share. */
extern const nf_layout_keys nf_bert_keys;
extern const nf_layout_defaults nf_bert_defaults;
extern const nf_layer_names nf_bert_names;

/* Reads config.json and builds the encoder. encoder->first_position other than 0 asks for
 * RoBERTa's positions: they start past the padding id, where padding tokens themselves stand
 * (transformers' create_position_ids_from_input_ids). */
nerfit_status nf_layout_build(const nf_layout *layout, nf_encoder *encoder, nf_network *net,
                              const json_t *config, const char *path, nerfit_error *err);

/* ---- parts, registered under `prefix` + `name`; NULL or false when out of memory */
nf_parameter *nf_build_table(nf_network *net, const char *prefix, const char *name, size_t rows,
                             size_t cols);
nf_linear *nf_build_linear(nf_network *net, const char *prefix, const char *name, size_t in,
                           size_t out);
bool nf_build_norm(nf_norm *norm, nf_network *net, const char *prefix, const char *name, size_t c,
                   double epsilon);

#endif
