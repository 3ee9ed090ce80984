/* Entity scores from label sequences, equal to seqeval 1.2.2 to the last bit (with zero_division=0)
 * and to conlleval's counts. One difference: without any entity, gold or predicted, seqeval's macro
 * average is NaN and its report an exception; here all scores are 0. */
#ifndef NF_EVAL_SCORE_H
#define NF_EVAL_SCORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "labels/entity.h"
#include "labels/spans.h"

typedef struct nf_score {
    const char *label; /* NULL for the averages */
    double precision, recall, f1;
    size_t support;   /* gold entities */
    size_t predicted; /* predicted entities */
    size_t correct;
} nf_score;

typedef struct nf_report {
    nf_score *types; /* sorted by label, as seqeval prints them */
    size_t n_types;
    nf_score micro, macro, weighted;
    size_t n_tokens, n_tokens_correct; /* accuracy = correct / n */
} nf_report;

/* Collects sequences, then makes the report. */
typedef struct nf_scorer nf_scorer;

nerfit_status nf_scorer_new(nf_scorer **out, nf_scheme scheme, nerfit_error *err);
void nf_scorer_free(nf_scorer *scorer);
/* Adds one sequence: gold[i] and predicted[i] are labels such as "B-time", "I-time", "O". After an
 * error (an empty label, one that the scheme does not know, no memory) the sequence does not count.
 */
nerfit_status nf_scorer_add(nf_scorer *scorer, const char *const *gold,
                            const char *const *predicted, size_t length, nerfit_error *err);
/* A text whose entities are known as such. Types are indices of `types`; an entity is right if start, end
 * and type are those of a gold one. */
typedef struct nf_scored_text {
    const char *const *types; /* their names */
    const nf_entity *gold, *predicted;
    size_t n_gold, n_predicted;
    size_t n_tokens, n_correct; /* what the accuracy counts */
} nf_scored_text;
/* Adds one text; entities may overlap. */
nerfit_status nf_scorer_add_entities(nf_scorer *scorer, const nf_scored_text *text,
                                     nerfit_error *err);
/* The report is owned by the scorer and valid until the next call on it. */
nerfit_status nf_scorer_report(nf_scorer *scorer, const nf_report **out, nerfit_error *err);

#endif
