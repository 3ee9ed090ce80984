/* What texts and entities weigh in a loss: their own weights, and those of who said so. */
#ifndef NF_DATA_WEIGHTS_H
#define NF_DATA_WEIGHTS_H

#include "data/document.h"

typedef struct nf_source_weight {
    const char *source;
    double weight; /* 0 or more */
} nf_source_weight;

typedef struct nf_source_weights {
    const nf_source_weight *items;
    size_t count;
} nf_source_weights;

/* Whether a corpus has anything that nf_corpus_weigh would settle, or that sources would. */
bool nf_corpus_is_weighted(const nf_corpus *corpus, const nf_source_weights *sources);
/* A copy of the corpus for training:
 *   - a text's weight is its own times that of its source (1 where `sources` does not name it); an
 *     entity's is its own, times that of its source over that of its text's source where it has
 *     another one. Sources are then forgotten, so that what is weighed twice is the same.
 *   - Texts of weight 0, and those in which no label was looked for, are left out.
 *   - Entities of weight 0 become unknown places.
 * The labels are those of the entities that are left, in the corpus's order. The log says what was
 * done. */
nerfit_status nf_corpus_weigh(nf_corpus *out, const nf_corpus *corpus,
                              const nf_source_weights *sources, const nf_log *log,
                              nerfit_error *err);
/* The weight of what is beside; NULL: 1. */
double nf_weight_of(const nf_beside *beside);

#endif
