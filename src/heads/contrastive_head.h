/* The original's stage 1: hidden states are projected into the space of the types' embeddings, where the
 * contrastive loss compares them. Nothing of it is saved with the model.
 *
 * The loss (the package's nerfit/model.py, nerfit/collator.py): every entity of a text is a row; every
 * token of the text, special ones too, is pulled towards the embedding of the entity's type if it lies in
 * the entity and pushed away otherwise, by the binary cross-entropy of their cosine. Padded pairs of the
 * original's rectangle count log 2 each, without a gradient, and are counted here too, so that losses
 * compare. */
#ifndef NF_HEADS_CONTRASTIVE_HEAD_H
#define NF_HEADS_CONTRASTIVE_HEAD_H

#include "heads/head.h"

/* hidden -> size ("projection_layer"), with torch's nn.Linear initialisation (uniform in
 * +-1/sqrt(hidden), bias too). */
nerfit_status nf_contrastive_head_new(nf_head **out, nf_network *net, size_t hidden, size_t size,
                                      uint64_t seed, nerfit_error *err);
/* The types' embeddings [n_types, size], which are copied; before the first loss. */
nerfit_status nf_contrastive_head_set_types(nf_head *head, const float *embeddings, size_t n_types,
                                            nerfit_error *err);
/* The layer of a head that is one. */
nf_linear *nf_contrastive_head_linear(const nf_head *head);

#endif
