/* From a text's words, with the model's labels or logits, to its entities. */
#ifndef NF_INFER_ENTITIES_H
#define NF_INFER_ENTITIES_H

#include "infer/rules.h"
#include "infer/tagged.h"

/* One thread's scratch. Zero-initialise. */
typedef struct nf_entity_finder {
    nf_decoder *decoder;
    size_t capacity;  /* words */
    int32_t *labels;  /* [capacity] */
    double *scores;   /* [capacity] */
    nf_entity *spans; /* [capacity] */
    double *logits;   /* [n_logits] for callers: a text's words in the decoder's order */
    size_t n_logits;
    bool entropy; /* whether tagged->entropy is wanted */
} nf_entity_finder;

void nf_entity_finder_free(nf_entity_finder *finder);
/* Room for a text's logits; NULL when out of memory. */
double *nf_entity_finder_logits(nf_entity_finder *finder, size_t n);

/* Fills tagged->entities, from `arena`. With rules->by_words, `logits` [n_words, 2 types + 1] are
 * those of the words' first sub-words, and the tokens receive the words' labels, and with
 * `token_scores` their probabilities; else the tokens have their labels and scores. */
nerfit_status nf_entities_find(nf_entity_finder *finder, const nf_rules *rules, const nf_text *text,
                               nf_tagged *tagged, const double *logits, bool token_scores,
                               nf_arena *arena, nerfit_error *err);

#endif
