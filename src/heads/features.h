/* What stands before the classifier of some architectures (ModernBERT): y = norm(activation(dense(x))). */
#ifndef NF_HEADS_FEATURES_H
#define NF_HEADS_FEATURES_H

#include "heads/head.h"

typedef struct nf_features {
    nf_linear *dense;
    nf_norm norm;
    nf_activation activation;
    double initializer_range; /* sd of new weights of `dense` */
} nf_features;

/* y [n,C] from n rows x; y may not be x. */
nerfit_status nf_features_forward(const nf_features *features, const nf_pass *pass, nf_values *y,
                                  const nf_values *x, size_t n, nf_head_saved *saved);
/* dy [n,C] is overwritten. */
nerfit_status nf_features_backward(const nf_features *features, const nf_pass *pass, nf_values *dx,
                                   nf_values *dy, size_t n, const nf_head_saved *saved);
/* First values: those of `weights` (a language model's checkpoint has them, and transformers'
 * classifier takes them over), or new ones from a stream of `seed`. */
nerfit_status nf_features_start(const nf_features *features, nf_network *net,
                                const nf_safetensors *weights, uint64_t seed, uint64_t stream,
                                nerfit_error *err);

#endif
