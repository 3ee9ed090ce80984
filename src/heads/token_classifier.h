/* Token classification as transformers has it: logits = classifier(dropout(x)), x the last hidden state
 * or what an architecture's features make of it. Its parameters stand in the model's own file. */
#ifndef NF_HEADS_TOKEN_CLASSIFIER_H
#define NF_HEADS_TOKEN_CLASSIFIER_H

#include "heads/features.h"

typedef struct nf_token_classifier {
    nf_head head;
    nf_linear *linear;     /* "classifier", [L,C] */
    nf_features *features; /* before it; NULL: none */
} nf_token_classifier;

/* Without values. `features` (may be NULL) are in the network already and become the head's. NULL when
 * out of memory. The dropout's stream is given, since it is the encoder's and stays the same whatever
 * head is put on. */
nf_head *nf_token_classifier_new(nf_network *net, size_t hidden, size_t n_labels,
                                 nf_features *features, const double *dropout, uint32_t stream);
/* New values: features as nf_features_start, weights Normal(0, sd^2), bias 0 (transformers' rule). */
nerfit_status nf_token_classifier_start(nf_head *head, const nf_safetensors *weights, double sd,
                                        uint64_t seed, nerfit_error *err);
/* The layer, and the features, of a head that is one. */
nf_linear *nf_token_classifier_linear(const nf_head *head);
nf_features *nf_token_classifier_features(const nf_head *head);

#endif
