/* What rows of logits ought to say and what they weigh, of heads that label rows: a batch's tokens, or
 * its words. In the host's memory (the decoder works there) and in the backend's (cross_entropy). */
#ifndef NF_HEADS_LABEL_ROWS_H
#define NF_HEADS_LABEL_ROWS_H

#include "heads/head.h"

typedef enum nf_row_kind { NF_ROWS_TOKENS, NF_ROWS_WORDS } nf_row_kind;

typedef struct nf_label_rows {
    size_t n, n_labels;
    int32_t *labels;  /* [n] of unknown words: any */
    float *weights;   /* [n]; NULL: 1 each */
    int32_t *texts;   /* [n] the text of each */
    int32_t *allowed; /* [texts, n_labels] nf_targets.allowed; NULL: all labels, everywhere */
} nf_label_rows;

/* Of the step's batch, in its arena; sets the step's n and targets. */
nerfit_status nf_label_rows_make(nf_label_rows *out, nf_row_kind kind, size_t n_labels,
                                 const nf_pass *pass, nf_head_step *step, nerfit_error *err);
/* The labels that are allowed in the text of a row; NULL: all. */
const int32_t *nf_label_rows_allowed(const nf_label_rows *rows, size_t row);
/* The sum of the weights of what has a label: of sub-words, or of words. */
double nf_label_rows_measure(nf_row_kind kind, const nf_example *const *texts, size_t count);

#endif
