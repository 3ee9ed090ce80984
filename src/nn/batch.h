/* A packed batch of encoded texts, brought into the backend's memory. */
#ifndef NF_NN_BATCH_H
#define NF_NN_BATCH_H

#include "nn/encoder.h"

/* One text's tokens, special ones included. */
typedef struct nf_tokens {
    const int32_t *ids;
    size_t length;
    const int32_t
        *shapes; /* [length] nf_word_shape; NULL: unknown, an error if the encoder has a table */
} nf_tokens;

/* Fills the pass's ids, positions, types, shapes and sequences from `texts` [count], in the
 * workspace. */
nerfit_status nf_batch_load(nf_pass *pass, const nf_encoder *encoder, const nf_tokens *texts,
                            size_t count, nerfit_error *err);

#endif
