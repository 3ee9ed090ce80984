/* ent2emb: the vector of every entity type, from a safetensors file, or from descriptions that a
 * sentence encoder embeds. */
#ifndef NF_TRAIN_EMBEDDINGS_H
#define NF_TRAIN_EMBEDDINGS_H

#include "base/arena.h"
#include "base/log.h"
#include "tensor/backend.h"

typedef struct nf_embeddings {
    nf_arena arena;
    const char **types; /* [count], in the file's order */
    size_t count, size;
    float *vectors; /* [count, size], as given; descriptions give unit vectors */
} nf_embeddings;

/* `sentence_encoder`: a folder; only needed for descriptions. Zero-initialise before. */
nerfit_status nf_embeddings_read(nf_embeddings *out, const char *path,
                                 const char *sentence_encoder, nf_backend *be, const nf_log *log,
                                 nerfit_error *err);
void nf_embeddings_free(nf_embeddings *embeddings);

#endif
