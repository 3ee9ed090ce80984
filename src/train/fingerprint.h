/* Fingerprints of what a run was given, to tell whether another one was given the same: FNV-1a
 * (Fowler, Noll, Vo), 64 bits. Nothing hangs on their secrecy. */
#ifndef NF_TRAIN_FINGERPRINT_H
#define NF_TRAIN_FINGERPRINT_H

#include "train/train.h"

/* What a fingerprint is before anything is added to it. */
#define NF_FINGERPRINT_EMPTY UINT64_C(0xCBF29CE484222325)

uint64_t nf_fingerprint_bytes(uint64_t fingerprint, const void *data, size_t size);
/* Texts with their entities; not where they stand. */
nerfit_status nf_fingerprint_corpus(uint64_t *fingerprint, const nf_corpus *corpus, nerfit_error *err);
/* Embeddings and descriptions in memory, or else the bytes of the file ent2emb (NULL: none). */
nerfit_status nf_fingerprint_descriptions(uint64_t *fingerprint, const nf_train_data *data,
                                          const char *ent2emb, nerfit_error *err);

#endif
