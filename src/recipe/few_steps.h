/* How long to train on few texts: one rule for the recipe nerfit, the few-shot protocol and the help. */
#ifndef NF_RECIPE_FEW_STEPS_H
#define NF_RECIPE_FEW_STEPS_H

#include <stddef.h>

/* Few texts take so many steps for every so many of them, within these limits. */
#define NF_FEW_STEPS 20
#define NF_FEW_BATCH 8
#define NF_FEW_STEPS_LEAST 200
#define NF_FEW_STEPS_MOST 500
/* The same in words. */
#define NF_TEXT_OF_(x) #x
#define NF_TEXT_OF(x) NF_TEXT_OF_(x)
#define NF_FEW_STEPS_TEXT                                                                          \
    NF_TEXT_OF(NF_FEW_STEPS)                                                                       \
    " for every " NF_TEXT_OF(NF_FEW_BATCH) " texts, " NF_TEXT_OF(                                  \
        NF_FEW_STEPS_LEAST) " to " NF_TEXT_OF(NF_FEW_STEPS_MOST)

static inline size_t nf_few_steps(size_t n_texts) {
    size_t steps = NF_FEW_STEPS * ((n_texts + NF_FEW_BATCH - 1) / NF_FEW_BATCH);
    return steps < NF_FEW_STEPS_LEAST  ? NF_FEW_STEPS_LEAST
           : steps > NF_FEW_STEPS_MOST ? NF_FEW_STEPS_MOST
                                       : steps;
}

#endif
