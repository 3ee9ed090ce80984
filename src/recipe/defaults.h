/* What a run takes where the user says nothing. The recipe original keeps the original package's
 * defaults; the recipe nerfit's follow from the number of texts, and the log says what they are. */
#ifndef NF_RECIPE_DEFAULTS_H
#define NF_RECIPE_DEFAULTS_H

#include "recipe/options.h"

typedef struct nf_train_size {
    size_t n_texts; /* to train on */
    bool has_validation;
} nf_train_size;

/* *out: a copy of `given` with what was not given filled in. It shares the texts of `given`, which
 * must live as long; nf_train_options_free frees what is its own. */
nerfit_status nf_train_defaults(nf_train_options *out, const nf_train_options *given,
                                const nf_train_size *size, const nf_log *log, nerfit_error *err);
/* Whether the length of the training is the recipe nerfit's own choice for few texts: seconds. */
bool nf_train_is_short(const nf_train_options *given, const nf_train_size *size);
/* nf_train_defaults for pre-training, which is stage 1. */
nerfit_status nf_pretraining_defaults(nf_train_options *out, const nf_train_options *given,
                                      const nf_log *log, nerfit_error *err);

#endif
