/* The original's stage 1: hidden states are projected into the space of the types' embeddings, where the
 * contrastive loss compares them. Nothing of it is saved with the model. */
#ifndef NF_HEADS_CONTRASTIVE_HEAD_H
#define NF_HEADS_CONTRASTIVE_HEAD_H

#include "heads/head.h"

/* hidden -> size ("projection_layer"), with torch's nn.Linear initialisation (uniform in
 * +-1/sqrt(hidden), bias too). */
nerfit_status nf_contrastive_head_new(nf_head **out, nf_network *net, size_t hidden, size_t size,
                                      uint64_t seed, nerfit_error *err);
/* The layer of a head that is one. */
nf_linear *nf_contrastive_head_linear(const nf_head *head);

#endif
