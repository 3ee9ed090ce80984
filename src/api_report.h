/* What reports of nerfit.h are made of. */
#ifndef NF_API_REPORT_H
#define NF_API_REPORT_H

#include "eval/analysis.h"
#include "eval/score.h"

typedef struct nf_file_evaluation {
    nf_scorer *scorer;
    nf_analysis analysis;
} nf_file_evaluation;

/* Of a mode's name: "default" (NULL), "iob1", ... */
nerfit_status nf_scoring_mode_find(const char *mode, nf_scheme *scheme, nerfit_error *error);

nerfit_status nf_file_evaluation_begin(nf_file_evaluation *evaluation, nf_scheme scheme,
                                       nerfit_error *error);
void nf_file_evaluation_end(nf_file_evaluation *evaluation);
/* Makes the report; it takes over what it needs of the evaluation. Freed on failure. */
nerfit_status nf_file_evaluation_report(nf_file_evaluation *evaluation, nerfit_report *report,
                                        nerfit_error *error);

/* Words with gold and predicted labels, as files that are compared have them. */
typedef struct nf_labelled_words {
    const char *const *words; /* [n] */
    const size_t *sizes;
    const char *const *gold, *const *predicted;
    size_t n;
    const char *file;
    long line; /* of the first */
} nf_labelled_words;

/* Adds a text of words: its entities are compared by words, and shown in the words joined by
 * spaces. */
nerfit_status nf_file_evaluation_add_words(nf_file_evaluation *evaluation,
                                           const nf_labelled_words *words, nf_scheme scheme,
                                           nerfit_error *error);

#endif
