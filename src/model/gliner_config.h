/* gliner_config.json, which makes a folder a GLiNER model (Zaratiana et al. 2024): the fields that
 * change what the model gives, with the defaults of the package `gliner` (0.2.29: config.py).
 *
 * Every field that changes numbers is honoured or refused by its name; those of training are known
 * and left alone; the caller is told of others. */
#ifndef NF_MODEL_GLINER_CONFIG_H
#define NF_MODEL_GLINER_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"

typedef enum nf_span_mode {
    NF_SPAN_MARKER,
    NF_SPAN_MARKER_V0,
    NF_SPAN_MARKER_V1,
    NF_SPAN_TOKEN_LEVEL, /* words are scored, spans read from starts, ends and insides */
} nf_span_mode;

/* How a word's vector comes from its sub-words'. */
typedef enum nf_word_pooling {
    NF_WORD_FIRST,
    NF_WORD_LAST,
    NF_WORD_MEAN,
    NF_WORD_MAX,
} nf_word_pooling;

typedef struct nf_gliner_config {
    const json_t *json; /* borrowed, as all texts below are */
    const char *path;
    const char *model_name;     /* where the encoder's configuration and tokenizer may come from */
    const char *labels_encoder; /* NULL: a uni-encoder, whose prompt holds the labels */
    const json_t *encoder_config, *labels_encoder_config; /* NULL: not in the file */
    size_t size;                                          /* D, of words' and labels' vectors */
    nf_span_mode span_mode;
    nf_word_pooling word_pooling;
    size_t max_width; /* K, words of the longest span; token_level: not used */
    size_t max_words; /* of a text, or of a window of it */
    size_t rnn_layers;
    bool fuse_layers;
    bool embed_ent_token; /* a label is the vector of ent_token; else of the token behind it */
    bool represent_spans; /* token_level: spans are scored once more, by a span head */
    bool relations;       /* a model of entities and relations: its prompt ends in two separators */
    bool precomputed;     /* labels' vectors are in the weights, and the prompt has none */
    double dropout;       /* of the head, in training */
    double span_coef, token_coef, negative_spans; /* of represent_spans' losses */
    const char *ent_token, *sep_token, *rel_token;
    int64_t class_token_index, vocab_size; /* -1: not known, the tokens are yet to be added */
} nf_gliner_config;

/* `json` must outlive the configuration. */
nerfit_status nf_gliner_config_read(nf_gliner_config *config, const json_t *json, const char *path,
                                    const nf_log *log, nerfit_error *err);
/* Whether the folder has the file. */
bool nf_gliner_config_exists(const char *folder);

#endif
