/* A job: texts in, annotated texts out, with a report. Who annotates is the caller's to set up
 * (opinion.h); lists of the user (infer/lists.h) have the last word.
 *
 * What is written of a text, beside what the input had:
 *   an entity     "source": who says so ("a+b": several); "weight", "score": the annotators' share
 *                 times their mean score; lists' entities have neither
 *   "labels"      those that were looked for: of others the text says nothing (not of open jobs)
 *   "unknown"     [[start, end], ...] places that are disputed: no entity, and not none either
 *   "disputed"    what was proposed there: [{"start", "end", "label", "by": [...]}, ...]
 * A text that nobody could annotate is left out, and told with the reason. */
#ifndef NF_ANNOTATE_JOB_H
#define NF_ANNOTATE_JOB_H

#include <jansson.h>

#include "annotate/opinion.h"
#include "base/log.h"
#include "infer/lists.h"

typedef struct nf_annotate_job {
    const nf_corpus *texts; /* their entities are not looked at */
    nf_job_labels labels;
    const nf_annotator *annotators; /* [n_annotators] */
    size_t n_annotators;
    const nf_lists *lists; /* or NULL */
    size_t votes;          /* annotators that must agree; 0: more than half */
    bool nested;           /* entities may overlap */
    bool open; /* the labels came with the answers: every text was looked through for all,
                              and lists none of them */
    const nf_log *log;
} nf_annotate_job;

/* Zero-initialise. */
typedef struct nf_annotated {
    nf_corpus texts;  /* annotated */
    nf_corpus failed; /* those left out: "failure" beside them */
    nf_corpus review; /* copies of those with a dispute, the most disputed first */
    json_t *summary;  /* see summary.h */
} nf_annotated;

void nf_annotated_free(nf_annotated *annotated);

#endif
