/* Sentence encoders as sentence-transformers writes them: modules.json lists Transformer, Pooling,
 * and possibly Dense and Normalize. */
#ifndef NF_MODEL_SENTENCE_H
#define NF_MODEL_SENTENCE_H

#include "model/model.h"

typedef struct nf_sentence_encoder {
    nf_model *model;
    nf_pooling pooling;
    nf_linear *dense; /* NULL: none */
    nf_activation dense_activation;
    bool normalize;
    size_t size;       /* of an embedding */
    size_t max_length; /* tokens, special ones included: max_seq_length */
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

#endif
