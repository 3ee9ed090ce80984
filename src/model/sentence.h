/* Sentence encoders as sentence-transformers writes them: modules.json lists Transformer, Pooling,
 * and possibly Dense and Normalize modules, over any architecture. */
#ifndef NF_MODEL_SENTENCE_H
#define NF_MODEL_SENTENCE_H

#include "model/model.h"

/* What follows the pooling: Dense, or Normalize where `dense` is NULL. */
typedef struct nf_sentence_module {
    nf_linear *dense;
    nf_activation activation;
    bool residual;                  /* the input is added to the output, */
    nf_linear *residual_projection; /* by way of this one where their sizes differ */
} nf_sentence_module;

enum { NF_SENTENCE_MODULES = 8 };

typedef struct nf_sentence_encoder {
    nf_model *model;
    nf_pooling poolings[NF_POOLINGS]; /* their results stand side by side */
    size_t n_poolings;
    nf_sentence_module modules[NF_SENTENCE_MODULES];
    size_t n_modules;
    size_t size;          /* of an embedding */
    size_t max_length;    /* tokens, special ones included: max_seq_length */
    bool cuts_left;       /* longer texts lose their beginning: the tokenizer's truncation_side */
    bool lower_case;      /* do_lower_case: texts are lower-cased whatever the tokenizer does */
    const char *prompt;   /* stands before every text: default_prompt_name; NULL: none */
    bool include_prompt;  /* its tokens are pooled too */
    size_t prompt_tokens; /* special ones before it included */
} nf_sentence_encoder;

/* A folder without modules.json is taken as a plain encoder with mean pooling, as
 * sentence-transformers does; a message says so. */
nerfit_status nf_sentence_encoder_load(nf_sentence_encoder **out, const char *folder,
                                       nf_backend *be, const nf_log *log, nerfit_error *err);
void nf_sentence_encoder_free(nf_sentence_encoder *encoder);

/* out [count, size]. Texts longer than max_length are cut there, as sentence-transformers does;
 * *n_cut (may be NULL) says how many were. With `normalize`, vectors have unit length whatever the
 * modules say. Uses `be` (the calling thread's handle) and its own workspace. */
nerfit_status nf_sentence_encoder_encode(const nf_sentence_encoder *encoder, nf_backend *be,
                                         const char *const *texts, size_t count, bool normalize,
                                         float *out, size_t *n_cut, nerfit_error *err);

/* Tokens of prompt + text, lower-cased and cut as the encoder says; *was_cut may be NULL. */
nerfit_status nf_sentence_tokens(const nf_sentence_encoder *encoder, const char *prompt,
                                 const char *text, nf_encoding *out, bool *was_cut,
                                 nerfit_error *err);

#endif
