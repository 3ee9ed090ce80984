/* ent2emb: the vector of every entity type, from a safetensors file or from memory, or from
 * descriptions that a sentence encoder embeds. */
#ifndef NF_RECIPE_EMBEDDINGS_H
#define NF_RECIPE_EMBEDDINGS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/log.h"
#include "data/descriptions.h"
#include "model/model.h"

typedef struct nf_embeddings {
    nf_arena arena;
    const char **types; /* [count], in the order given */
    size_t count, size;
    float *vectors; /* [count, size], as given; descriptions give unit vectors */
} nf_embeddings;

/* What of a label is embedded. A mean in which the description counts three times as much as the name
 * is near the better of the two (docs/evaluation.md); further names and descriptions
 * (data/synonyms.h) count in their part. */
typedef enum nf_label_text {
    NF_LABEL_TEXT_AUTO, /* the recipe's: mean, of the recipe original description */
    NF_LABEL_TEXT_MEAN,
    NF_LABEL_TEXT_DESCRIPTION,
    NF_LABEL_TEXT_NAME,
} nf_label_text;
/* The words for it, in the enum's order, divided by "|". */
#define NF_LABEL_TEXTS "auto|mean|description|name"
/* By its word; NULL is auto. False: it is none of them. */
bool nf_label_text_find(const char *name, nf_label_text *out);

/* Who embeds descriptions, and how. */
typedef struct nf_embedder {
    const char *sentence_encoder; /* a folder; NULL: there is none */
    nf_backend *be;
    const nf_log *log;
    nf_label_text rule;
    /* Where the folder is also the encoder that a run trains, it is read once: *model (which must be
     * NULL; freed by the caller) receives what was loaded, if it is the model of this folder without
     * modules of its own. NULL: it is freed. */
    nf_model **model;
} nf_embedder;

/* All: zero-initialise before; on failure nothing is left to free. */

/* Whether ent2emb (or NULL) names a file of embeddings, not of descriptions. */
bool nf_embeddings_is_file(const char *ent2emb);
/* Such a file, of safetensors. */
nerfit_status nf_embeddings_read(nf_embeddings *out, const char *path, nerfit_error *err);
/* `name` stands for the descriptions' file in messages. Vectors have unit length. */
nerfit_status nf_embeddings_describe(nf_embeddings *out, const nf_descriptions *descriptions,
                                     const char *name, const nf_embedder *by, nerfit_error *err);
/* A label's texts as unit vectors [count, size], those of names first. */
typedef struct nf_label_vectors {
    const float *vectors;
    size_t n_names, count, size;
} nf_label_vectors;
/* out [size]: the unit-length mean of names' mean, times name_share, and descriptions' mean, times
 * 1 - name_share. */
void nf_embeddings_mean(float *out, const nf_label_vectors *label, float name_share);
/* Copies vectors [count, size]; they should be finite. `name` stands for them in messages. */
nerfit_status nf_embeddings_make(nf_embeddings *out, const char *const *types, size_t count,
                                 size_t size, const float *vectors, const char *name,
                                 nerfit_error *err);
void nf_embeddings_free(nf_embeddings *embeddings);

#endif
