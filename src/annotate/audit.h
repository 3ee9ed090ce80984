/* How good an annotator is: texts whose entities are known are annotated blind, and compared. */
#ifndef NF_ANNOTATE_AUDIT_H
#define NF_ANNOTATE_AUDIT_H

#include <jansson.h>

#include "annotate/job.h"

/* n texts of `gold`, drawn with the seed, in their order: copies without entities into `blind`, with
 * them into `known`. */
nerfit_status nf_audit_draw(nf_corpus *blind, nf_corpus *known, const nf_corpus *gold, size_t n,
                            uint64_t seed, nerfit_error *err);
/* {"texts", "failed", "labels": {label: {"precision", "recall", "f1", "support", "predicted",
 * "correct"}}, "micro": {the same, "least", "most"}}: entities must have place and label of a known one;
 * of labels that are not the job's nothing is counted. least, most: where F1 lies with 95 % confidence,
 * by 1,000 bootstrap samples of the texts (percentiles). */
nerfit_status nf_audit_score(json_t **out, const nf_corpus *known, const nf_annotated *done,
                             const nf_job_labels *labels, uint64_t seed, nerfit_error *err);

#endif
