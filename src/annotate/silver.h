/* One text as it is written: job.h says what stands beside it. */
#ifndef NF_ANNOTATE_SILVER_H
#define NF_ANNOTATE_SILVER_H

#include "annotate/job.h"
#include "annotate/merge.h"

/* A text with what was decided of it. */
typedef struct nf_silver_text {
    const nf_document *document;
    const nf_merged *merged;
    const nf_entity *listed; /* [n_listed] of lists; accepted ones that overlap them are out */
    size_t n_listed;
    const nf_opinion *const *opinions; /* [n_opinions], as the merged spans' voters count them */
    const char *const *sources;        /* [n_opinions] */
    size_t n_opinions;
} nf_silver_text;

/* Adds it to the corpus. *n_disputed: spans that were proposed and not accepted. */
nerfit_status nf_silver_add(nf_corpus *out, const nf_annotate_job *job, const nf_silver_text *text,
                            size_t *n_disputed, nerfit_error *err);

#endif
