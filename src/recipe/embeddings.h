/* ent2emb: the vector of every entity type, from a safetensors file or from memory, or from
 * descriptions that a sentence encoder embeds. */
#ifndef NF_RECIPE_EMBEDDINGS_H
#define NF_RECIPE_EMBEDDINGS_H

#include "base/arena.h"
#include "base/log.h"
#include "data/descriptions.h"
#include "tensor/backend.h"

typedef struct nf_embeddings {
    nf_arena arena;
    const char **types; /* [count], in the order given */
    size_t count, size;
    float *vectors; /* [count, size], as given; descriptions give unit vectors */
} nf_embeddings;

/* All: zero-initialise before; on failure nothing is left to free. */

/* A file: safetensors of embeddings, or JSON or YAML of descriptions. `sentence_encoder`: a folder;
 * only needed for descriptions, may be NULL. */
nerfit_status nf_embeddings_read(nf_embeddings *out, const char *path, const char *sentence_encoder,
                                 nf_backend *be, const nf_log *log, nerfit_error *err);
/* `name` stands for the descriptions' file in messages. */
nerfit_status nf_embeddings_describe(nf_embeddings *out, const nf_descriptions *descriptions,
                                     const char *name, const char *sentence_encoder, nf_backend *be,
                                     const nf_log *log, nerfit_error *err);
/* Copies vectors [count, size]; they should be finite. `name` stands for them in messages. */
nerfit_status nf_embeddings_make(nf_embeddings *out, const char *const *types, size_t count,
                                 size_t size, const float *vectors, const char *name,
                                 nerfit_error *err);
void nf_embeddings_free(nf_embeddings *embeddings);

#endif
