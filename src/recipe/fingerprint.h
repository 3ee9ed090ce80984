/* Fingerprints of what a run was given, to tell whether another one was given the same. */
#ifndef NF_RECIPE_FINGERPRINT_H
#define NF_RECIPE_FINGERPRINT_H

#include "base/fnv.h"
#include "recipe/train_data.h"

/* A fingerprint begins as NF_HASH_START. */
uint64_t nf_fingerprint_bytes(uint64_t fingerprint, const void *data, size_t size);
/* Texts with their entities; not where they stand. */
nerfit_status nf_fingerprint_corpus(uint64_t *fingerprint, const nf_corpus *corpus,
                                    nerfit_error *err);
/* Embeddings and descriptions in memory, or else the bytes of the file ent2emb (NULL: none). */
nerfit_status nf_fingerprint_descriptions(uint64_t *fingerprint, const nf_train_data *data,
                                          const char *ent2emb, nerfit_error *err);

/* The weights in the folders of encoder, sentence encoder and pre-training, told apart by their
 * size and time, not read; names on a hub stand for themselves. */
nerfit_status nf_fingerprint_models(uint64_t *fingerprint, const nf_train_options *options,
                                    nerfit_error *err);

/* The weights and the tokenizer in a folder, told apart by their sizes and by samples of their
 * bytes; a folder without any, or a name on a hub, stands for itself. */
nerfit_status nf_fingerprint_weights(uint64_t *fingerprint, const char *folder, nerfit_error *err);

#endif
